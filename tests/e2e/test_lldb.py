"""test_lldb.py - stock lldb on a kernel."""
import re

import debuggers
import pytest

HIT = "__x64_sys_newuname"


def address_of(d, name):
    return int(re.search(r"range = \[(0x[0-9a-f]+)", d.ask(f"image lookup -v -s {name}"))[1], 16)


def test_attach_reads_registers_and_code(gate, lldb):
    text = lldb(gate().address(), "register read rip rsp eflags", "disassemble -s $pc -c 3", "detach")
    assert re.search(r"rip = 0x[0-9a-f]{16}", text) and re.search(r"eflags = 0x", text)
    assert len(re.findall(r"^(?:->|  ) +0xffffffff[0-9a-f]+ <", text, re.M)) == 3


def test_memory_is_what_the_kernel_has(gate, kernel, symbols, lldb_ready, tmp_path):
    with debuggers.Lldb(symbols) as d:
        d.attach(gate().address())
        addr = address_of(d, "_text")
        d.ask(f"memory read --force --binary --outfile {tmp_path / 'dump'} --count 20000 {addr:#x}")
        assert (tmp_path / "dump").read_bytes() == kernel.memory(addr, 20000)


def test_unmapped_memory_is_an_error_not_an_end(gate, kernel, symbols, lldb_ready):
    with debuggers.Lldb(symbols) as d:
        d.attach(gate().address())
        assert "error" in d.ask("memory read 0xdead000000000000")
        assert "rip = 0x" in d.ask("register read rip")


def test_write_memory(gate, kernel, symbols, lldb_ready):
    with debuggers.Lldb(symbols) as d:
        d.attach(gate().address())
        addr = address_of(d, "linux_banner")
        d.ask(f"memory write {addr:#x} 0x4d")
        assert kernel.memory(addr, 2) == b"Mi"
        d.ask(f"memory write {addr:#x} 0x4c")
        assert kernel.memory(addr, 2) == b"Li"


def test_breakpoint_hits(gate, lldb):
    text = lldb(gate().address(), f"breakpoint set -n {HIT}", "continue", "thread backtrace -c 2", "breakpoint delete -f", "detach")
    assert re.search(rf"stop reason = breakpoint 1\.1\n +frame #0: 0x[0-9a-f]+ .*{HIT}", text)
    assert "do_syscall_64" in text and "detached" in text


def test_hardware_breakpoint_hits(gate, lldb):
    text = lldb(gate().address(), "breakpoint set -H -n ksys_sync", "continue", "breakpoint delete -f", "detach")
    assert re.search(r"stop reason = breakpoint 1\.1\n +frame #0: 0x[0-9a-f]+ .*ksys_sync", text)


def test_watchpoint_hits(gate, lldb):
    text = lldb(gate().address(), "watchpoint set expression -s 8 -- &jiffies_64", "continue", "watchpoint delete -f", "detach")
    assert "Watchpoint created" in text and "Watchpoint 1 hit" in text


def test_step(gate, symbols, lldb_ready):
    with debuggers.Lldb(symbols) as d:
        d.attach(gate().address())
        d.ask(f"breakpoint set -n {HIT}")
        d.say("continue")
        d.hear(r"stop reason = breakpoint 1\.1")
        d.ask("breakpoint delete -f")
        places = set()
        for _ in range(3):
            d.say("thread step-inst")
            d.hear(r"stop reason = instruction step into")
            places.add(re.search(r"rip = (0x[0-9a-f]+)", d.ask("register read rip"))[1])
        assert len(places) == 3
        d.detach()


def test_processors_are_threads(gate, lldb):
    text = lldb(gate().address(), "thread list", "thread select 2", "register read rip")
    assert re.search(r"thread #1: tid = 0x0*1\b", text) and re.search(r"thread #2: tid = 0x0*2\b", text)


def test_interrupt_a_running_kernel(gate, kernel, symbols, lldb_ready):
    with debuggers.Lldb(symbols) as d:
        d.attach(gate().address())
        for _ in range(2):
            d.say("continue")
            d.hear("resuming")
            kernel.wait_beats(2)
            d.say("process interrupt")
            d.hear(r"stop reason = signal SIG\w+")
        d.detach()
    kernel.wait_beats(2)


@pytest.mark.gated    # QEMU alone greets a running machine's second client with a stray packet: lldb gives up
def test_detach_and_attach_again(gate, kernel, lldb):
    g = gate()
    for _ in range(2):
        assert "detached" in lldb(g.address(), "detach")
        kernel.wait_beats(2)


@pytest.mark.gated
def test_kill_spares_the_machine(gate, kernel, lldb):
    lldb(gate().address(), "process kill")
    assert kernel.alive()
    kernel.wait_beats(2)


def test_gdb_after_lldb(gate, kernel, gdb, lldb):
    g = gate()
    lldb(g.address(), f"breakpoint set -n {HIT}", "continue", "detach")
    kernel.wait_beats(3)
    assert "hit Breakpoint 1" in gdb(g.address(), f"break {HIT}", "continue", "detach")
    kernel.wait_beats(3)
