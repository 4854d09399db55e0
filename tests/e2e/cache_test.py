"""cache_test.py - debuggers ask the same again: it costs the target nothing, as long as it stands; with --no-cache it does."""
import debuggers
import pytest
from sim_gate import gated, sim  # noqa: F401

GDB = ("info registers", "x/64i 0x1000", "x/32xw 0x2004", "x/8xg 0x3000", "info threads")
LLDB = ("register read", "memory read -c 256 0x1000", "disassemble -s 0x2000 -c 8", "thread list")


def costs(s, ask, commands):
    """What the stub is asked for while they are given."""
    before = len(s.stub.packets())
    said = [ask(c) for c in commands]
    return s.stub.packets()[before:], said


def two_sessions(s, debugger, commands):
    """One attaches, asks and leaves the target stopped; the second, beside it, asks the same."""
    with debugger() as a, debugger() as b:
        a.attach(s.debug)
        first, said = costs(s, a.ask, commands)
        b.attach(s.observe)
        again, said_again = costs(s, b.ask, commands)
    assert said == said_again
    return first, again


@pytest.mark.parametrize("debugger,commands", [(debuggers.Gdb, GDB), (debuggers.Lldb, LLDB)], ids=["gdb", "lldb"])
def test_a_second_debugger_costs_nothing(sim, debugger, commands):  # noqa: F811
    s = sim(profile="qemu")
    first, again = two_sessions(s, debugger, commands)
    print(f"first {len(first)}: {first}\nagain {len(again)}: {again}")
    assert [p for p in first if p[0] in "mg"]
    assert not again
    assert not s.faults()


def test_every_read_is_made_anew_if_asked_for(sim):  # noqa: F811
    s = sim(profile="qemu", options=("--no-cache",))
    first, again = two_sessions(s, debuggers.Gdb, GDB)
    print(f"first {len(first)}: {first}\nagain {len(again)}: {again}")
    assert len([p for p in again if p[0] == "m"]) == len([p for p in first if p[0] == "m"]) > 0


def test_memory_that_was_written_is_read_again(sim):  # noqa: F811
    s = sim(profile="qemu")
    with debuggers.Gdb() as a, debuggers.Gdb() as b:
        a.attach(s.debug)
        b.attach(s.observe)
        old = b.value("*(unsigned char *)0x2000")
        a.ask(f"set *(unsigned char *)0x2000 = {old ^ 255}")
        b.ask("maintenance flush dcache")
        assert b.value("*(unsigned char *)0x2000") == old ^ 255
