"""test_policy.py - what the gate refuses, how it says so, and that the target never hears of it."""
import re
import time

import debuggers
import pytest
from gate import until

pytestmark = pytest.mark.gated
HIT = "__x64_sys_newuname"


@pytest.fixture
def controller(symbols):
    """controller(gate): a gdb that holds the kernel at a breakpoint, by the debug listener."""
    running = []

    def start(g):
        d = debuggers.Gdb(symbols)
        running.append(d)
        d.attach(g.address("debug"))
        d.ask(f"break {HIT}")
        assert "hit Breakpoint 1" in d.ask("continue")
        return d

    yield start
    for d in running:
        d.__exit__()


def writes(packets):
    return [p for p in packets if re.match(r"[MXGP][0-9a-f]|[zZ][0-4],", p)]


def test_debug_refuses_monitor_in_words(gate, gdb):
    g = gate("debug", tapped=True)
    text = gdb(g.address(), "monitor info registers", "p 1 + 1")
    assert re.search(r"kdgate: .*policy debug", text) and "$1 = 2" in text
    assert not [p for p in g.tap.sent() if p.startswith("qRcmd")]
    assert g.audit(event="deny", effect="monitor", policy="debug")


def test_full_lets_monitor_pass(gate, gdb):
    assert "VM status" in gdb(gate("full").address("full"), "monitor info status")


def test_two_listeners_two_policies(gate, gdb):
    g = gate("debug", "full")
    assert re.search(r"kdgate: .*policy debug", gdb(g.address("debug"), "monitor info status"))
    assert "VM status" in gdb(g.address("full"), "monitor info status")


def test_none_lets_nothing_pass(gate, gdb):
    g = gate("none", tapped=True)
    mark = g.tap.mark()
    text = gdb(g.address("none"), "info registers", "x/i 0xffffffff81000000", seconds=15)
    assert not re.search(r"^rip +0x", text, re.M)
    assert not [p for p in g.tap.sent(mark) if re.match(r"[gmpx]", p)]


def test_observer_reads(gate, gdb, controller):
    g = gate("debug", "observe")
    c = controller(g)
    text = gdb(g.address("observe"), "p/x $pc", "x/s &linux_banner", "info threads", "backtrace 2")
    assert f"= {c.value('$pc'):#x}" in text and '"Linux version' in text and "CPU#1" in text and "do_syscall_64" in text


def test_gdb_observer_cannot_write(gate, kernel, gdb, controller):
    g = gate("debug", "observe", tapped=True)
    c = controller(g)
    addr, pc, mark = c.value("&linux_banner"), c.value("$pc"), g.tap.mark()
    text = gdb(g.address("observe"), f"set var *(char *){addr:#x} = 'M'", "p 1 + 1", "set $pc = 0x1234", "p 2 + 2")
    assert re.search(r"Cannot access memory|kdgate: .*policy observe", text), text
    assert "$1 = 2" in text and "$2 = 4" in text
    assert kernel.memory(addr, 1) == b"L" and c.value("$pc") == pc
    assert not writes(g.tap.sent(mark))
    assert g.audit(event="deny", effect="mem.write", policy="observe") and g.audit(event="deny", effect="reg.write", policy="observe")


def test_gdb_observer_cannot_set_breakpoints(gate, gdb, controller):
    g = gate("debug", "observe", tapped=True)
    controller(g)
    mark = g.tap.mark()
    text = gdb(g.address("observe"), "set breakpoint always-inserted on", "break ksys_sync", "p 1 + 1")
    assert "$1 = 2" in text and re.search(r"Cannot insert breakpoint|kdgate: .*policy observe", text)
    assert not writes(g.tap.sent(mark))
    assert g.audit(event="deny", effect="break", policy="observe")


def test_lldb_observer_cannot_write(gate, kernel, controller, symbols):
    g = gate("debug", "observe", tapped=True)
    c = controller(g)
    addr, mark = c.value("&linux_banner"), g.tap.mark()
    with debuggers.Lldb(symbols) as d:
        d.attach(g.address("observe"))
        assert "rip = 0x" in d.ask("register read rip")
        assert "error" in d.ask(f"memory write {addr:#x} 0x4d")
        assert re.search(r"kdgate: .*policy observe", d.ask("process plugin packet monitor help"))
        d.ask("register write rip 0x1234")
        assert "Linux version" in d.ask(f"memory read -c 16 {addr:#x}")
        d.detach()
    assert kernel.memory(addr, 1) == b"L"
    assert not writes(g.tap.sent(mark))


def test_observer_follows(gate, kernel, symbols, controller):
    """An observer's continue moves nothing, and is answered by the next stop."""
    g = gate("debug", "observe", tapped=True)
    c = controller(g)
    with debuggers.Gdb(symbols) as o:
        o.attach(g.address("observe"))
        mark = g.tap.mark()
        o.start("continue")
        until(lambda: g.audit(policy="observe"), "the audit to know the observer")
        assert not kernel.runs()
        assert not [p for p in g.tap.sent(mark) if re.match(r"vCont;|[cCsS]\b", p)]
        c.ask("delete")
        c.ask("break ksys_sync")
        c.ask("continue")
        o.hear(r"received signal SIGTRAP|stopped|\(\) *$|in ksys_sync")
        assert o.value("$pc") == c.value("$pc") == c.value("&ksys_sync")


def test_observer_gives_up_following(gate, kernel, symbols, controller):
    g = gate("debug", "observe")
    controller(g)
    with debuggers.Gdb(symbols) as o:
        o.attach(g.address("observe"))
        o.start("continue")
        time.sleep(0.5)  # gdb says "Continuing." before it resumes, and in between a Ctrl-C is lost on it
        o.interrupt()
        o.hear("received signal SIGINT")
        assert not kernel.runs()
        assert o.value("$pc")


def test_observer_does_not_stop_a_running_kernel(gate, kernel, symbols, controller):
    """Its Ctrl-C ends its own waiting. It is told why there is nothing to see, and may wait again."""
    g = gate("debug", "observe")
    c = controller(g)
    with debuggers.Gdb(symbols) as o:
        o.attach(g.address("observe"))
        o.start("continue")
        c.ask("delete")
        c.start("continue")
        kernel.wait_beats(2)
        o.interrupt()
        o.hear("received signal SIGINT|the target is running")
        kernel.wait_beats(2)
        c.interrupt()
        c.hear("received signal SIGINT")
        assert o.value("$pc") == c.value("$pc")


def test_observer_of_a_running_kernel_waits_for_a_stop(gate, kernel, symbols):
    """Nobody stops the kernel for an observer: its attach ends when somebody else does."""
    g = gate("debug", "observe")
    kernel.wait_beats(2)
    with debuggers.Gdb(symbols) as o:
        o.say(f"target remote {g.address('observe')}\necho \\n-here-\\n")
        until(lambda: g.audit(event="connect"), "the observer to connect")
        kernel.wait_beats(2)
        with debuggers.Gdb(symbols) as c:
            c.attach(g.address("debug"))
            o.hear("^-here-$")
            assert o.value("$pc") == c.value("$pc")
    kernel.wait_beats(2)


def test_observer_that_waits_may_give_up(gate, kernel, symbols):
    g = gate("observe")
    with debuggers.Gdb(symbols) as o:
        o.say(f"target remote {g.address('observe')}")
        until(lambda: g.audit(event="connect"), "the observer to connect")
        kernel.wait_beats(2)
        o.interrupt()
        assert "= 2" in o.ask("p 1 + 1")
    kernel.wait_beats(2)


def test_observer_leaving_changes_nothing(gate, kernel, gdb, controller):
    g = gate("debug", "observe", tapped=True)
    c = controller(g)
    pc, mark = c.value("$pc"), g.tap.mark()
    for end in ("detach", "kill", "disconnect"):
        gdb(g.address("observe"), end)
        assert not kernel.runs() and c.value("$pc") == pc
    assert not [p for p in g.tap.sent(mark) if re.match(r"[Dk]|vKill|vCont;|z", p)]
    assert "hit Breakpoint 1" in c.ask("continue")


def test_gdb_controls_and_lldb_observes(gate, symbols, controller):
    g = gate("debug", "observe")
    c = controller(g)
    with debuggers.Lldb(symbols) as d:
        d.attach(g.address("observe"))
        assert f"rip = {c.value('$pc'):#x}" in d.ask("register read rip")
        assert re.search(r"thread #2", d.ask("thread list"))
        assert "hit Breakpoint 1" in c.ask("continue")
        d.detach()
    assert "hit Breakpoint 1" in c.ask("continue")


def test_second_debugger_observes_until_the_first_has_left(gate, symbols, controller):
    """One controller at a time, even where the policy would allow two."""
    g = gate("debug", tapped=True)
    c = controller(g)
    with debuggers.Gdb(symbols) as second:
        second.attach(g.address())
        assert second.value("$pc") == c.value("$pc")
        mark = g.tap.mark()
        second.say("stepi")
        assert c.value("$pc") == c.value(f"&{HIT}")
        assert not [p for p in g.tap.sent(mark) if re.match(r"vCont;|[cCsS]\b", p)]


def test_audit_tells_the_session(gate, gdb):
    g = gate("debug")
    gdb(g.address(), f"break {HIT}", "continue", "set var *(char *)&linux_banner = 'L'", "delete", "detach")
    lines = until(lambda: g.audit(event="leave") and g.audit(), "the audit's last line")
    assert {"connect", "break", "run", "write", "detach", "leave"} <= {line["event"] for line in lines}
    assert all("time" in line for line in lines)
    assert len({line["client"] for line in lines if "client" in line}) == 1
