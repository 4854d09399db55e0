"""test_gdb.py - stock gdb on a kernel: everything a person does in a first hour."""
import re

import debuggers
import pytest
from gate import until

HIT = "__x64_sys_newuname"    # the guest calls it ten times a second
NEVER = "emergency_sync"      # and this one never


def test_attach_reads_registers_and_code(gate, gdb):
    text = gdb(gate().address(), "info registers", r"x/3i $pc", "p $rip == $pc", "x/s &linux_banner")
    assert re.search(r"^rip +0x", text, re.M) and re.search(r"^rsp +0x", text, re.M) and re.search(r"^cr3 +0x", text, re.M)
    assert len(re.findall(r"^(?:=>|  ) 0x[0-9a-f]+", text, re.M)) == 3
    assert "$1 = 1" in text
    assert '"Linux version ' in text


def test_memory_is_what_the_kernel_has(gate, kernel, symbols, tmp_path):
    with debuggers.Gdb(symbols) as g:
        g.attach(gate().address())
        addr = g.value("&_text")
        g.ask(f"dump binary memory {tmp_path / 'dump'} {addr:#x} {addr + 20000:#x}")
        assert (tmp_path / "dump").read_bytes() == kernel.memory(addr, 20000)


def test_unmapped_memory_is_an_error_not_an_end(gate, gdb):
    text = gdb(gate().address(), "x/xg 0xdead000000000000", "p 1 + 1")
    assert "Cannot access memory at address 0xdead000000000000" in text and "$1 = 2" in text


def test_write_memory(gate, kernel, symbols):
    with debuggers.Gdb(symbols) as g:
        g.attach(gate().address())
        addr = g.value("&linux_banner")
        g.ask(f"set var *(char *){addr:#x} = 'M'")
        assert kernel.memory(addr, 2) == b"Mi"
        g.ask(f"set var *(char *){addr:#x} = 'L'")
        assert kernel.memory(addr, 2) == b"Li"


def test_write_register(gate, gdb):
    text = gdb(gate().address(), "set $old = $rax", "set $rax = 0x1234", "flushregs", "p/x $rax", "set $rax = $old", "p $rax == $old")
    assert "$1 = 0x1234" in text and "$2 = 1" in text


def test_breakpoint_hits(gate, gdb):
    text = gdb(gate().address(), f"break {HIT}", "continue", "x/i $pc", "backtrace 3", "delete", "detach")
    assert re.search(rf"hit Breakpoint 1, 0x[0-9a-f]+ in {HIT} \(\)", text)
    assert "in do_syscall_64 ()" in text


def test_breakpoint_hits_again(gate, gdb):
    text = gdb(gate().address(), f"break {HIT}", "continue", "continue", "continue", "info breakpoints", "delete", "detach")
    assert "already hit 3 times" in text


def test_hardware_breakpoint_hits(gate, gdb):
    text = gdb(gate().address(), "hbreak ksys_sync", "continue", "info breakpoints", "delete", "detach")
    assert re.search(r"hit Breakpoint 1, 0x[0-9a-f]+ in ksys_sync \(\)", text) and "hw breakpoint" in text


def test_watchpoint_hits(gate, gdb):
    text = gdb(gate().address(), "watch *(unsigned long *)&jiffies_64", "continue", "delete", "detach")
    assert "hit Hardware watchpoint 1" in text
    old, new = (int(re.search(rf"{w} value = (\d+)", text)[1]) for w in ("Old", "New"))
    assert new > old


def test_step(gate, gdb):
    text = gdb(gate().address(), f"break {HIT}", "continue", "delete", "p/x $pc", "stepi", "p/x $pc", "stepi", "p/x $pc", "nexti", "p/x $pc", "detach")
    places = re.findall(r"\$\d = (0x[0-9a-f]+)", text)
    assert len(places) == 4 and len(set(places)) == 4


def test_finish(gate, gdb):
    text = gdb(gate().address(), "break ksys_sync", "continue", "finish", "delete", "detach")
    assert re.search(r"hit Breakpoint 1, 0x[0-9a-f]+ in ksys_sync \(\)\n(?:Run till exit.*\n)?0x[0-9a-f]+ in __x64_sys_sync \(\)", text)


def test_processors_are_threads(gate, gdb):
    text = gdb(gate().address(), "info threads", "thread 2", "p/x $pc", "thread apply all backtrace 1")
    assert "CPU#0" in text and "CPU#1" in text
    assert "Switching to thread 2" in text
    assert re.search(r"^Thread 2 ", text, re.M) and re.search(r"^Thread 1 ", text, re.M)


def test_ctrl_c_stops_a_running_kernel(gate, kernel, symbols):
    with debuggers.Gdb(symbols) as g:
        g.attach(gate().address())
        for _ in range(3):
            g.start("continue")
            kernel.wait_beats(2)
            g.interrupt()
            g.hear(r"received signal SIGINT")
        assert g.value("$pc") > 0
        beats = kernel.beats()
        assert "detached" in g.ask("detach")
    until(lambda: kernel.beats() > beats, "the kernel to go on after detach")


def test_detach_lets_the_kernel_run_and_attach_again(gate, kernel, gdb):
    g = gate()
    for _ in range(3):
        assert "detached" in gdb(g.address(), f"break {NEVER}", "stepi", "detach")
        kernel.wait_beats(2)


def test_quit_is_a_detach(gate, kernel, gdb):
    gdb(gate().address(), "p 1")
    kernel.wait_beats(2)


@pytest.mark.gated
@pytest.mark.parametrize("command", ["kill", "monitor quit", "monitor system_reset"])
def test_no_command_ends_the_machine(gate, kernel, gdb, command):
    g = gate()
    gdb(g.address(), command)
    assert kernel.alive()
    kernel.wait_beats(2)
    assert "rip" in gdb(g.address(), "info registers rip")


@pytest.mark.gated
def test_unix_socket_listener(gate, kernel, gdb):
    path = kernel.dir / "client.sock"
    g = gate("debug", options=["--listen", f"unix:{path}", "--policy", "debug"])
    until(path.exists, "the Unix socket")
    assert "rip" in gdb(str(path), "info registers rip")
    assert path.stat().st_mode & 0o777 == 0o600
    g.stop()
    assert not path.exists()


@pytest.mark.gated
def test_extended_remote(gate, kernel, symbols):
    g = gate()
    with debuggers.Gdb(symbols) as d:
        d.ask(f"target extended-remote {g.address()}")
        assert d.value("$pc") > 0
        assert "detached" in d.ask("detach")
    kernel.wait_beats(2)


@pytest.mark.gated
def test_leaves_the_kernel_running_and_clean(gate, kernel, gdb, symbols):
    """kdgate is asked to leave while its client stands at a breakpoint."""
    g = gate(tapped=True)
    with debuggers.Gdb(symbols) as d:
        d.attach(g.address())
        d.ask(f"break {HIT}")
        assert "hit Breakpoint 1" in d.ask("continue")
        addr = d.value("$pc")
        g.stop()
        kernel.wait_beats(5)
        sent = g.tap.sent()
        assert sent[-1].split(";")[0] == "D"
        assert not inserted(sent), sent[-20:]
        assert kernel.memory(addr, 1) != b"\xcc"


def inserted(packets):
    """Breakpoints still in the target after these packets."""
    left = set()
    for p in packets:
        if re.match(r"Z\d,", p):
            left.add(p[1:])
        if re.match(r"z\d,", p):
            left.discard(p[1:])
    return left
