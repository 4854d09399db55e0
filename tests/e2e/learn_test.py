"""learn_test.py - a session under --learn; the policy that comes of it allows the session again, and nothing else."""
import re
import subprocess

import pytest

import debuggers
import gate as gate_module
from sim_gate import gated, sim  # noqa: F401

pytestmark = pytest.mark.gated

SESSION = ("info registers", "x/8i $pc", "x/2gx 0x2000", "break *0x1200", "continue", "monitor status", "detach")


@pytest.fixture(params=["gdbserver", "qemu"])
def learned(request, sim, tmp_path):  # noqa: F811
    """What gdb printed while kdgate learned, the policy's file, and a recording of the same; the kind of stub."""
    conf, tape = tmp_path / "learned.conf", tmp_path / "session.pcap"
    s = sim(policies=("full",), options=["--learn", conf, "--record", tape], profile=request.param)
    text = debuggers.gdb(s.gate.address("full"), *SESSION)
    assert "Breakpoint 1, " in text
    s.gate.stop()
    assert f"learning: what is used goes to {conf}" in s.gate.log()
    assert f"the policy that was learned is in {conf}" in s.gate.log()
    assert not s.gate.audit(event="deny")
    return text, conf, tape, request.param


def rules(text):
    return re.findall(r'^\t*"(.*)",?$', text, re.M)


def repeat(sim, conf, profile):  # noqa: F811
    return sim(policies=("learned",), options=["-c", conf], profile=profile)


def test_exact_repeat(learned, sim):  # noqa: F811
    text, conf, _, profile = learned
    s = repeat(sim, conf, profile)
    assert debuggers.gdb(s.gate.address("learned"), *SESSION) == text
    gate_module.until(lambda: s.gate.audit(event="leave"), "gdb to leave")
    assert not s.gate.audit(event="deny")


def test_nothing_else(learned, sim):  # noqa: F811
    _, conf, _, profile = learned
    s = repeat(sim, conf, profile)
    said = debuggers.gdb(s.gate.address("learned"), "x/2gx 0x2000", "set var *(char *)0x2000 = 1", "x/gx 0x3000", "x/gx 0x2008", "x/gx 0x2010",
                         "monitor reset", "monitor statu", "monitor status x", "set $rax = 1", "break *0x1208", "continue", "delete", "detach")
    assert said.count("Cannot access memory at address 0x2000") == 1, said     # written, not read
    assert "Cannot access memory at address 0x3000" in said and "Cannot access memory at address 0x2010" in said
    assert "Cannot access memory at address 0x2008" not in said
    gate_module.until(lambda: s.gate.audit(event="leave"), "gdb to leave")
    denied = {line["effect"] for line in s.gate.audit(event="deny")}
    assert denied == {"mem.read", "mem.write", "monitor", "reg.write", "break"}, said
    assert len(s.gate.audit(event="deny", effect="monitor")) == 3
    assert not [p for p in s.stub.packets() if re.match(r"M|X(?!0,0:)|P|G|Z0,1208|m3000|x3000|qRcmd", p)], s.stub.packets()


def test_lldb(sim, tmp_path):  # noqa: F811
    conf = tmp_path / "learned.conf"
    session = ("register read", "memory read -c 64 0x2000", "breakpoint set -a 0x1200", "continue", "process plugin packet monitor status", "detach")
    s = sim(policies=("full",), options=["--learn", conf], profile="gdbserver")
    text = debuggers.lldb(s.gate.address("full"), *session)
    assert "stop reason = breakpoint" in text
    s.gate.stop()
    s = repeat(sim, conf, "gdbserver")
    again = debuggers.lldb(s.gate.address("learned"), *session)
    assert again.replace(s.gate.address("learned"), "") == text.replace(text.split("gdb-remote ")[1].split()[0], "")
    assert not s.gate.audit(event="deny")
    assert "0x1200-0x1200" in conf.read_text()
    debuggers.lldb(s.gate.address("learned"), "memory write 0x2000 0x11", "detach")
    gate_module.until(lambda: s.gate.audit(event="deny", effect="mem.write"), "the write to be denied")
    assert not [p for p in s.stub.packets() if p[0] in "MX"]


def test_recording_teaches_the_same(learned):
    _, conf, tape, _ = learned
    out = subprocess.run([gate_module.PROGRAM, "explain", "--recording", tape], capture_output=True, text=True, timeout=20)
    assert out.returncode == 0, out.stderr
    assert rules(out.stdout) == rules(conf.read_text()) != []
    assert subprocess.run([gate_module.PROGRAM, "explain", "-c", conf, "--policy", "learned", "m2000,10", "monitor status", "Z0,1200,1"],
                          capture_output=True, timeout=20).returncode == 0


def test_what_is_denied_is_not_learned(sim, tmp_path):  # noqa: F811
    """The policy in effect is the listener's: learning opens nothing."""
    conf = tmp_path / "learned.conf"
    s = sim(options=["--learn", conf])
    c = s.attach("observe")
    assert c.ask("M1000,1:00").startswith("E") and c.ask("Z0,1000,1").startswith("E")
    assert len(c.ask("m1100,4")) == 8
    c.close()
    s.gate.stop()
    text = " ".join(rules(conf.read_text()))
    assert "mem.write" not in text and "break" not in text and "0x1100-0x1103" in text


def test_nothing_happened(sim, tmp_path):  # noqa: F811
    conf = tmp_path / "learned.conf"
    sim(options=["--learn", conf]).gate.stop()
    assert rules(conf.read_text()) == [] and "# nothing was used" in conf.read_text()


def test_no_recording(gated, tmp_path):  # noqa: F811
    for content in (b"", b"\xd4\xc3\xb2\xa1 no capture", None):
        tape = tmp_path / "tape"
        tape.unlink(missing_ok=True)
        if content is not None:
            tape.write_bytes(content)
        out = subprocess.run([gate_module.PROGRAM, "explain", "--recording", tape], capture_output=True, text=True, timeout=20)
        assert out.returncode == 1 and out.stdout == "" and str(tape) in out.stderr
