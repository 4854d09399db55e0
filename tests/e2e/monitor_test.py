"""monitor_test.py - kdgate's own monitor commands, in stock gdb and lldb and in plain packets; the target hears of none."""
import re

import debuggers
import pytest
import sim_gate
from gate import until
from sim_gate import gated, sim  # noqa: F401

pytestmark = pytest.mark.gated

OWN = ["kdgate", "kdgate help", "kdgate status", "kdgate policy", "kdgate who", "kdgate secure", "secure", "kdgate version"]
CONTROL = [bytes([c]) for c in (0, 1, 8, 9, 10, 13, 27, 31, 127, 128, 155, 255)]


def monitored(s, start=0):
    """What the target was asked of monitor commands, as text."""
    return [bytes.fromhex(p[6:]).decode("latin-1") for p in s.stub.packets()[start:] if p.startswith("qRcmd,")]


def ask(c, text):
    """All output of a monitor command, and its last packet."""
    answer, said = c.ask("qRcmd," + (text if isinstance(text, bytes) else text.encode()).hex()), ""
    while answer[:1] == "O" and answer != "OK":
        said += bytes.fromhex(answer[1:]).decode()
        answer = c.hear()
    return said, answer


def test_gdb_asks_kdgate(sim):  # noqa: F811
    s = sim(profile="qemu")
    with debuggers.Gdb() as d:
        d.attach(s.debug)
        text = d.ask("monitor kdgate")
        assert "kdgate status" in text and "kdgate who" in text and "only if a rule of policy allows" in text
        text = d.ask("monitor kdgate status")
        assert re.search(r"^target \S+, at rsp\+unix:.*backend rsp$", text, re.M), text
        assert re.search(r"^state: stopped by signal 5 in thread \d+, for \d+ s$", text, re.M), text
        assert re.search(r"^clients: 1; number 1, you, controls$", text, re.M) and "audit: on" in text
        text = d.ask("monitor kdgate policy")
        assert text.startswith("policy debug;") and "rule 1: allow query" in text and "monitor" not in text.splitlines()[1]
        assert re.search(r"^\* 1: .*; controls, policy debug, for \d+ s; \d+ packets, \d+ denied$", d.ask("monitor kdgate who"), re.M)
        assert d.ask("monitor secure") == d.ask("monitor kdgate secure") and "secure mode: off" in d.ask("monitor secure")
        assert re.fullmatch(r"kdgate \d+\.\d+\.\d+", d.ask("monitor kdgate version"))
        assert "there is no 'kdgate stop'" in d.ask("monitor kdgate stop")
        assert d.value("1 + 1") == 2 and d.value("$pc")
    assert monitored(s) == [] and not s.faults() and not s.gate.audit(event="deny")


def test_lldb_asks_kdgate(sim):  # noqa: F811
    s = sim(profile="qemu")
    with debuggers.Lldb() as d:
        d.attach(s.observe)
        assert re.search(r"^state: stopped by signal 5", d.ask("process plugin packet monitor kdgate status"), re.M)
        assert re.search(r"^\* 1: .*policy observe", d.ask("process plugin packet monitor kdgate who"), re.M)
        text = d.ask("process plugin packet monitor help")
        assert "kdgate version" in text and "policy observe does not allow it" in text
        assert "there is no 'kdgate x'" in d.ask("process plugin packet monitor kdgate x")
    assert monitored(s) == [] and not s.faults() and not s.gate.audit(event="deny")


def test_help_is_kdgates_and_then_the_targets(sim):  # noqa: F811
    s = sim(profile="qemu", policies=("debug", "full"))
    with debuggers.Gdb() as d:
        d.attach(s.gate.address("full"))
        text = d.ask("monitor help")
        assert re.search(r"kdgate status.*The target's own help:\nunknown command$", text, re.S), text
        assert monitored(s) == ["help"]
    with debuggers.Gdb() as d:
        d.attach(s.debug)
        text = d.ask("monitor help")
        assert "kdgate status" in text and "policy debug does not allow it" in text
        assert "policy debug does not allow monitor" in d.ask("monitor reboot")
    assert monitored(s) == ["help"]
    assert [line["packet"] for line in s.gate.audit(event="monitor")] == ["qRcmd,help"]


def test_everybody_is_told_of_everybody(sim):  # noqa: F811
    s = sim(profile="qemu", policies=("debug", "observe", "full"))
    with s.attach("debug") as a, s.attach("observe") as b, s.attach("full") as c:
        for me, name in ((a, "debug"), (b, "observe"), (c, "full")):
            lines = ask(me, "kdgate who")[0].splitlines()
            assert len(lines) == 4 and lines[1].startswith("*") and f"policy {name}," in lines[1]
            assert not [x for x in lines[2:] if x.startswith("*")]
            assert sum("controls" in x for x in lines) == 1
        b.close()
        until(lambda: len(ask(a, "kdgate who")[0].splitlines()) == 3, "the list to be shorter")


def test_while_the_target_runs(sim):  # noqa: F811
    s = sim(profile="qemu")
    with s.attach() as c, s.attach("observe") as o:
        start = len(s.stub.packets())
        c.say("vCont;c")
        until(lambda: "vCont;c" in s.stub.packets()[start:], "the target to run")
        for text in OWN:
            said, end = ask(o, text)
            assert said and end == "OK"
        assert "state: running" in ask(o, "kdgate status")[0]
        assert "the target is running" in ask(o, "reboot")[0] or "policy observe" in ask(o, "reboot")[1]
        c.interrupt()
        assert c.hear()[:1] == "T"
    assert monitored(s) == []


@pytest.mark.parametrize("control", CONTROL)
def test_control_characters_pass_nowhere(sim, control):  # noqa: F811
    """Before, in and after what is kdgate's own and what a policy lets pass: refused, and neither's."""
    s = sim(profile="qemu", policies=("debug", "full"))
    with s.attach("full") as c:
        for text in (b"kdgate status", b"help", b"secure", b"info", b"kdgate x"):
            for at in (0, 3, 6, len(text)):
                said, end = ask(c, text[:at] + control + text[at:])
                assert end[:1] == "E" and not said, (text, at, said, end)
        assert ask(c, b"kdgate status" + control + b"reboot")[1][:1] == "E"
        assert monitored(s) == []
        assert ask(c, "info") == ("unknown command\n", "OK") and monitored(s) == ["info"]
        assert c.ask("m1000,4") == s.word()


def test_a_rule_cannot_send_kdgates_own_to_the_target(sim, tmp_path):  # noqa: F811
    conf = tmp_path / "kdgate.conf"
    conf.write_text('policy: { wide: { rules = [ "allow query mem.read reg.read", "allow monitor match \'*\'" ] } }\n')
    s = sim_gate.SimGate(profile="qemu", policies=("debug", "wide"), options=("-c", str(conf)))
    try:
        s.start()
        with s.attach("wide") as c:
            for text in [*OWN, "kdgate x", "kdgate status x", " kdgate ", "  kdgate secure off"]:
                assert ask(c, text)[1] == "OK"
            assert monitored(s) == []
            assert ask(c, "kdgates")[1] == "OK" and monitored(s) == ["kdgates"]
    finally:
        s.close()


def test_none_may_not_ask(sim):  # noqa: F811
    s = sim(profile="qemu", policies=("debug", "none"))
    with s.client("none") as c:
        for text in OWN + ["help", "kdgate x"]:
            said, end = ask(c, text)
            assert said == "kdgate: policy none does not allow query\n" and end == "OK"
    assert monitored(s) == []
    assert len(s.gate.audit(event="deny", policy="none", effect="query")) == len(OWN) + 2
