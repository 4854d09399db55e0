"""test_unplug.py - a serial line that is pulled out and plugged in again under the same name; and one that speaks no RSP for a while."""
import os
import re
import time

import debuggers
import pytest
import stub as stub_module
from gate import until
from line_gate import on_line  # noqa: F401
from sim_gate import SimGate

pytestmark = [pytest.mark.gated, pytest.mark.seconds(150)]
TEXT, MUCH = 0xffffffff81000000, 0x800000
GONE = "the other side of the pseudo-terminal is gone"


@pytest.fixture
def stub():
    """stub(profile=...): the stub of tests/sim."""
    stubs = []

    def start(**how):
        stubs.append(stub_module.Stub(**how))
        return stubs[-1]

    yield start
    for s in stubs:
        s.close()


def reads(g, vm, at=TEXT + 0x100):
    """gdb sees what is there, and registers."""
    words = re.findall(r"0x[0-9a-f]{16}\b", re.sub(r"^[^:\n]*:", "", g.ask(f"x/2xg {at:#x}"), flags=re.M))
    assert b"".join(int(w, 16).to_bytes(8, "little") for w in words) == vm.memory(at, 16)
    assert g.value("$rip") >= TEXT


def test_pulled_in_the_middle_of_a_read(kernel, on_line, symbols, tmp_path):  # noqa: F811
    """gdb is told, and so is whoever reads the log; the same gdb reads on when the line is back, and so does another."""
    b = on_line(kernel.stub)
    b.wait_met()
    with b.gdb(symbols) as g:
        reads(g, kernel)
        before = b.line.carried
        g.say(f"dump binary memory {tmp_path}/much {TEXT:#x} {TEXT + MUCH:#x}")
        until(lambda: b.line.carried > before + 20000, "gdb to read", step=0.001)
        b.line.unplug()
        g.hear(r"Cannot access memory at address .*\n", 10)
        g.ask("maintenance flush register-cache")
        g.say("info registers rip")
        g.hear(rf"kdgate: target rsp\+serial:{b.line.path} is away: (no such device|{GONE})", 10)
        assert f"rsp+serial:{b.line.path}: target lost: {GONE}" in b.log()
        b.wait_said("no such device (is it plugged in?")
        time.sleep(1)
        assert b.met() == 1 and b.gate.process.poll() is None
        b.line.plug()
        b.wait_met(2)
        g.ask("maintenance flush register-cache")
        reads(g, kernel)
        g.ask("detach")
    kernel.wait_beats(2)
    with b.gdb(symbols) as g:
        reads(g, kernel)
        g.ask("detach")
    kernel.wait_beats(2)


def test_pulled_while_the_target_runs(kernel, on_line, symbols):  # noqa: F811
    """Who waits for a stop is told of the loss, and of the stop that meeting it again is."""
    b = on_line(kernel.stub)
    b.wait_met()
    with b.gdb(symbols) as g:
        g.start("continue")
        kernel.wait_beats(2)
        b.line.unplug()
        g.hear(rf"kdgate: target \S+ is lost: {GONE}", 10)
        kernel.wait_beats(2)                # it does not notice
        b.line.plug()
        g.hear(r"received signal SIG.*\n0x.*\n", 30)
        reads(g, kernel)
        g.ask("detach")
    kernel.wait_beats(2)


def test_pulled_while_nobody_is_attached(kernel, on_line, symbols):  # noqa: F811
    b = on_line(kernel.stub)
    b.wait_met()
    b.line.unplug()
    b.wait_said(f"target lost: {GONE}")
    text = debuggers.gdb(b.address, "p 1", symbols=symbols)
    assert re.search(r"kdgate: target \S+ is away: no such device \(is it plugged in\?", text), text
    b.line.plug()
    b.wait_met(2)
    with b.gdb(symbols) as g:
        reads(g, kernel)
        g.ask("detach")
    kernel.wait_beats(2)


def test_pulled_and_plugged_ten_times_quickly(stub, on_line):  # noqa: F811
    s = stub(profile="plain")
    b = on_line(s.path)
    b.wait_met()
    for n in range(10):
        b.line.unplug()
        time.sleep(0.03 * n)
        b.line.plug()
        time.sleep(0.02 * (n % 3))
    until(lambda: b.log().rfind(": target found") > b.log().rfind(": target lost"), "the target to be found again")
    assert b.ask("m1000,4") == [SimGate.word()]
    assert len(os.listdir(f"/proc/{b.gate.process.pid}/fd")) < 24     # none was left open


def test_another_device_under_the_same_name(stub, on_line):  # noqa: F811
    """Nothing of the first is told of the second."""
    first, second = stub(profile="plain"), stub(profile="plain")
    b = on_line(first.path)
    b.wait_met()
    assert b.ask("M1000,4:01020304", "m1000,4") == ["OK", "01020304"]
    asked = len(first.packets())
    b.line.unplug()
    b.line.plug(second.path)
    b.wait_met(2)
    assert b.ask("m1000,4") == [SimGate.word()]
    assert len(first.packets()) == asked and "m1000,4" in second.packets()


def test_what_is_no_line_under_the_same_name(stub, on_line):  # noqa: F811
    """A file: the sandbox does not even let it be opened."""
    b = on_line(stub(profile="plain").path)
    b.wait_met()
    b.line.unplug()
    b.line.path.write_text("no line")
    b.wait_said("permission denied (is this user in group dialout?")
    b.line.path.unlink()
    b.line.plug()
    b.wait_met(2)
    assert b.ask("m1000,4") == [SimGate.word()]


def test_a_line_that_speaks_no_rsp(kernel, on_line, symbols):  # noqa: F811
    """As at another speed: it is told with what may be the cause, and the target is found as soon as the line is right."""
    b = on_line(kernel.stub)
    b.wait_met()
    b.line.noisy = True
    b.line.unplug()
    b.line.plug()
    b.wait_said("cannot be used: what comes is no RSP (another speed or parity, or another port than the stub's?)")
    text = debuggers.gdb(b.address, "p 1", symbols=symbols)
    assert re.search(r"kdgate: target \S+ is away: what comes is no RSP \(another speed", text), text
    assert b.met() == 1
    b.line.noisy = False
    b.wait_met(2)
    with b.gdb(symbols) as g:
        reads(g, kernel)
        g.ask("detach")
    kernel.wait_beats(2)


def test_a_line_that_goes_bad_under_a_debugger(kernel, on_line, symbols):  # noqa: F811
    """Its client is told, and goes on where it was when the line is right again."""
    b = on_line(kernel.stub)
    b.wait_met()
    with b.gdb(symbols) as g:
        reads(g, kernel)
        b.line.noisy = True
        g.say(f"x/2xg {TEXT + 0x4000:#x}")
        g.hear(r"Cannot access memory at address .*\n", 60)
        b.line.noisy = False
        b.wait_met(2, 60)
        assert re.search(r"target lost: (its packets have wrong checksums|it asks for the same packet again and again|what comes is no RSP)", b.log())
        reads(g, kernel, TEXT + 0x4000)
        g.ask("detach")
    kernel.wait_beats(2)
