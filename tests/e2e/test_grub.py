"""test_grub.py - GRUB's stub on a serial line: it says every answer again until it is acknowledged, has no breakpoints of its own, does not
know D, and hears nothing while GRUB runs."""
import re
import time

import debuggers
import grub as grub_module
import pytest
from gate import until
from line_gate import LineGate

pytestmark = [pytest.mark.gated, pytest.mark.seconds(150)]
UNHEARD = "kdgate: the target is running, and does not answer the break-in"


@pytest.fixture
def grub():
    """GRUB, standing in its stub, and a kdgate on its line."""
    vm = grub_module.Grub().boot()
    b = LineGate(vm.serial)
    b.vm = vm
    try:
        b.gate.start()
        b.wait_met()
        yield b
    finally:
        b.close()
        vm.stop()


def attach(b):
    g = debuggers.Gdb()
    g.ask("set architecture i386")      # GRUB does not say what it is
    text = g.attach(b.address)
    assert "Remote debugging using" in text and "rror" not in text, text
    return g


def beats(b, more=2):
    goal = b.vm.beats() + more
    b.vm.wait_for(lambda: b.vm.beats() >= goal, "GRUB to run", 20)


def test_it_stands_and_is_read_stepped_and_left(grub):
    """What it says again is no sign that it ran: it stands until its debugger has gone."""
    assert ": target found, stopped\n" in grub.log()
    time.sleep(1)
    assert not grub.vm.beats()
    with attach(grub) as g:
        at = g.value("$eip")
        assert re.findall(r"^(\w+) ", g.ask("info registers"), re.M)[:10] == \
            ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags"]
        dump = grub.gate.dir / "dump"
        g.ask(f"dump binary memory {dump} 0x8200 0xa200")
        assert dump.read_bytes() == grub.vm.memory(0x8200, 0x2000)
        for _ in range(3):
            g.ask("stepi")
        assert g.value("$eip") != at
        g.ask("set $edx = 0x12345678")
        g.ask("set {int}($esp - 64) = 0x31415926")
        assert (g.value("$edx"), g.value("*(unsigned *)($esp - 64)")) == (0x12345678, 0x31415926)
        assert not grub.vm.beats()
        assert "detached" in g.ask("detach")
    beats(grub)


def test_a_breakpoint_is_hit_and_goes(grub):
    """By a byte in memory: GRUB knows no Z."""
    with attach(grub) as g:
        at = g.value("*(unsigned *)$esp")       # where the ret of its entry into the stub leads
        code = grub.vm.memory(at, 1)
        g.ask(f"break *{at:#x}")
        g.start("continue")
        g.hear(r"^Breakpoint 1, ", 20)
        assert g.value("$eip") == at
        g.ask("delete")
        g.ask("stepi")
        assert g.value("$eip") != at
        g.ask("detach")
    beats(grub)
    assert grub.vm.memory(at, 1) == code


def test_it_cannot_be_stopped_and_that_is_told(grub):
    """Who presses Ctrl-C is told; who attaches is told, and not kept; kdgate leaves in time."""
    with attach(grub) as g:
        g.start("continue")
        beats(grub)
        g.interrupt()
        g.hear(r"kdgate: the target does not answer the break-in", 30)
        g.kill()
    until(lambda: "client 1 (" in grub.log() and "leaves: " in grub.log(), "the client to go")
    with debuggers.Gdb() as g:
        g.ask("set architecture i386")
        assert UNHEARD in g.attach(grub.address, 40)
    assert "is told that the target does not answer the break-in" in grub.log()
    beats(grub)


def test_kdgate_that_leaves_lets_it_run(grub):
    grub.gate.stop()
    beats(grub)


def test_a_kdgate_that_comes_while_it_runs(grub):
    """Nothing answers, and nothing stops it; it is told what that may mean, and no client waits for ever."""
    grub.gate.stop()
    beats(grub)
    grub.gate.start()
    grub.wait_said("cannot be used: it does not answer, nor stop (is it on, this its line, the speed right? or has it another debugger?)")
    assert re.search(r"kdgate: target \S+ is away: it does not answer, nor stop \(is it on", debuggers.gdb(grub.address))
    beats(grub)


def test_pulled_and_plugged_again(grub):
    """It stands on, and is found where it was."""
    with attach(grub) as g:
        at = g.value("$eip")
        grub.line.unplug()
        grub.wait_said("target lost")
        g.kill()
    time.sleep(0.5)
    grub.line.plug()
    grub.wait_met(2)
    with attach(grub) as g:
        assert g.value("$eip") == at
        g.ask("detach")
    beats(grub)
