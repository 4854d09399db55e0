"""test_sharing.py - two debuggers that may both do everything, on one kernel: one leads, each has its own breakpoints."""
import pytest

import debuggers
from gate import until

pytestmark = pytest.mark.gated

HIT = "__x64_sys_newuname"


def test_past_the_breakpoint_of_another(gate, kernel, symbols):
    """The leader's continue does not stand still where it knows of no breakpoint."""
    g = gate()
    with debuggers.Gdb(symbols) as leader, debuggers.Gdb(symbols) as other:
        leader.attach(g.address())
        other.attach(g.address())
        other.ask("set breakpoint always-inserted on")  # as lldb does; gdb would take it out at every stop
        other.ask(f"break {HIT}")
        assert g.audit(event="break")
        before = kernel.beats()
        for _ in range(3):
            leader.start("continue")
            leader.hear(r"received signal SIGTRAP.*\n")
            assert leader.value("$pc") == leader.value(f"&{HIT}")
        assert kernel.beats() > before, "the guest gets past it"
        assert "Could not" not in leader.ask("stepi")
        assert leader.value("$pc") != leader.value(f"&{HIT}")


def test_the_next_leads(gate, kernel, symbols):
    """When the leader goes, the other may run the kernel, and finds no breakpoint of the first."""
    g = gate(on_disconnect="stay")
    with debuggers.Gdb(symbols) as first, debuggers.Gdb(symbols) as second:
        first.attach(g.address())
        second.attach(g.address())
        addr = first.value(f"&{HIT}")
        code = kernel.memory(addr, 1)
        first.ask(f"break {HIT}")
        first.start("continue")
        first.hear(rf"hit Breakpoint 1, .* in {HIT}.*\n")
        first.ask("disconnect")
        until(lambda: g.audit(event="leave"), "the first to be gone")
        second.ask(f"hbreak {HIT}")
        second.start("continue")
        second.hear(rf"hit Breakpoint 1, .* in {HIT}.*\n")
        assert kernel.memory(addr, 1) == code
