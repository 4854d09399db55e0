"""test_failure.py - whoever dies, the kernel goes on, and the next client finds it clean."""
import os
import re
import signal
import subprocess
import time

import debuggers
import kernel as kernel_module
import pytest
from gate import until
from test_gdb import inserted

pytestmark = pytest.mark.gated
HIT, NEVER = "__x64_sys_newuname", "emergency_sync"


@pytest.fixture
def machine(machines):
    """machine(stub=None): a kernel that only this test has."""
    started = []

    def start(**how):
        started.append(kernel_module.Kernel(**how).boot())
        return started[-1]

    yield start
    for vm in started:
        vm.stop()


def kill_9(d):
    d.process.send_signal(signal.SIGKILL)
    d.process.wait()


def test_client_killed_while_the_kernel_runs(gate, kernel, gdb, symbols):
    g = gate(tapped=True)
    with debuggers.Gdb(symbols) as d:
        d.attach(g.address())
        addr = d.value(f"&{NEVER}")
        code = kernel.memory(addr, 16)
        d.ask(f"break {NEVER}")
        d.ask(f"hbreak {HIT}")
        d.ask("ignore 2 1000000")
        d.start("continue")
        until(lambda: inserted(g.tap.sent()), "the breakpoints to reach the target")
        kill_9(d)
    kernel.wait_beats(5)
    gdb(g.address(), f"dump binary memory {g.dir}/code {addr:#x} {addr + 16:#x}", "detach")
    assert (g.dir / "code").read_bytes() == code == kernel.memory(addr, 16)
    assert not inserted(g.tap.sent())
    kernel.wait_beats(5)


def test_client_killed_at_a_breakpoint(gate, kernel, symbols):
    g = gate(tapped=True)
    with debuggers.Gdb(symbols) as d:
        d.attach(g.address())
        d.ask(f"break {HIT}")
        d.ask("continue")
        kill_9(d)
    kernel.wait_beats(5)
    assert not inserted(g.tap.sent())


def test_client_killed_stay(gate, kernel, symbols):
    g = gate(on_disconnect="stay")
    with debuggers.Gdb(symbols) as d:
        d.attach(g.address())
        d.ask(f"break {HIT}")
        d.ask("continue")
        pc = d.value("$pc")
        kill_9(d)
    until(lambda: g.audit(event="leave"), "kdgate to notice")
    time.sleep(0.3)
    assert not kernel.runs()
    with debuggers.Gdb(symbols) as d:
        d.attach(g.address())
        assert d.value("$pc") == pc
        assert "detached" in d.ask("detach")
    kernel.wait_beats(2)


def test_lldb_killed_while_the_kernel_runs(gate, kernel, gdb, symbols):
    g = gate(tapped=True)
    with debuggers.Lldb(symbols) as d:
        d.attach(g.address())
        d.ask(f"breakpoint set -n {NEVER}")
        d.say("continue")
        d.hear("resuming")
        kernel.wait_beats(2)
        kill_9(d)
    kernel.wait_beats(2)
    assert "hit Breakpoint 1" in gdb(g.address(), f"break {HIT}", "continue", "delete", "detach")
    assert not inserted(g.tap.sent())
    kernel.wait_beats(2)


def test_kdgate_killed(gate, kernel, gdb, symbols):
    """kill -9 leaves kdgate no time: the breakpoint stays in the stub, the machine stands, until a new kdgate comes."""
    g = gate()
    with debuggers.Gdb(symbols) as d:
        d.attach(g.address())
        d.ask(f"break {HIT}")
        d.ask("continue")
        g.kill()
        assert re.search(r"closed|reset|lost", d.ask("stepi"), re.I)
    g.start()
    assert re.search(r"hit Breakpoint 1, \S+ in ksys_sync", gdb(g.address(), "break ksys_sync", "continue", "delete", "detach"))
    kernel.wait_beats(5)


def test_machine_dies_under_a_stopped_client(gate, machine, symbols):
    vm = machine()
    g = gate(stub=vm.stub)
    with debuggers.Gdb(symbols) as d:
        d.attach(g.address())
        vm.kill()
        until(lambda: g.audit(event="target-lost"), "kdgate to notice")
        text = d.ask("x/8xg 0xffffffff81000000", 10)
        assert re.search(r"lost|closed|gone|away|Cannot access memory", text), text
    assert g.process.poll() is None


def test_machine_dies_while_a_client_waits(gate, machine, symbols):
    """gdb in a continue is told in words, and Ctrl-C gives it back."""
    vm = machine()
    g = gate(stub=vm.stub)
    with debuggers.Gdb(symbols) as d:
        d.attach(g.address())
        d.start("continue")
        vm.wait_beats(2)
        vm.kill()
        d.hear(r"kdgate: target .* is lost", 5)
        d.interrupt()
        d.hear(r"remote failure reply .*kdgate: target .* is away", 10)
        assert "off" in d.ask("show confirm", 10)  # a prompt again


def test_machine_comes_back_on_the_same_socket(gate, machine, gdb, symbols):
    vm = machine()
    g = gate(stub=vm.stub)
    assert "rip" in gdb(g.address(), "info registers rip", "detach")
    vm.kill()
    time.sleep(3)
    again = machine(stub=vm.stub)
    until(lambda: re.search(r"^rip ", gdb(g.address(), "info registers rip", "detach"), re.M), "kdgate to meet it again", 30)
    assert "hit Breakpoint 1" in gdb(g.address(), f"break {HIT}", "continue", "delete", "detach")
    again.wait_beats(2)


def test_gdb_is_told_that_the_target_is_away(gate, kernel, gdb):
    g = gate(stub=kernel.dir / "nobody.sock")
    began = time.monotonic()
    text = gdb(g.address(), "p 1", seconds=20)
    assert time.monotonic() - began < 8, text    # five seconds, and gdb's own start
    assert not re.search(r"timed out|Ignoring packet error", text), text


def test_lldb_is_told_that_the_target_is_away(gate, kernel, symbols):
    g = gate(stub=kernel.dir / "nobody.sock")
    began = time.monotonic()
    text = debuggers.lldb(g.address(), symbols=symbols, seconds=20)
    assert time.monotonic() - began < 9, text
    assert re.search(r"error|away|lost|not", text.split("gdb-remote", 1)[1]), text


def test_target_that_appears_after_the_client(gate, kernel, gdb):
    """kdgate first, the machine after it."""
    stub = kernel.dir / "late.sock"
    g = gate(stub=stub)
    time.sleep(1)
    os.symlink(kernel.stub, stub)
    until(lambda: re.search(r"^rip ", gdb(g.address(), "info registers rip", "detach"), re.M), "kdgate to find it", 30)


def test_clients_that_come_and_go(gate, kernel, symbols, gdb):
    g = gate(tapped=True)
    for n in range(8):
        with debuggers.Gdb(symbols) as d:
            d.say(f"target remote {g.address()}\nbreak {HIT}\ncontinue\nstepi\nstepi\nx/20i $pc")
            time.sleep(0.05 * n)
            kill_9(d)
    kernel.wait_beats(3)
    assert "hit Breakpoint 1" in gdb(g.address(), f"break {HIT}", "continue", "delete", "detach")
    kernel.wait_beats(3)
    assert not inserted(g.tap.sent())


def test_a_busy_port_is_told_in_words(gate, kernel):
    g = gate()
    other = subprocess.run(g.command(), capture_output=True, text=True, timeout=10)
    assert other.returncode == 1
    assert re.search(r"kdgate: .*" + re.escape(g.address()) + r".*: Address already in use", other.stderr), other.stderr
