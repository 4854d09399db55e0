"""stub_test.py - the stub itself, before anything is believed of what it says: stock gdb and plain sockets, nothing between."""
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import rsp_client  # noqa: E402
import stub as stub_module  # noqa: E402

PROFILES = ("plain", "qemu", "gdbserver", "kgdb")
needs_gdb = pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed")


@pytest.fixture
def stub():
    stubs = []

    def start(**options):
        stubs.append(stub_module.Stub(**options))
        return stubs[-1]

    yield start
    for s in stubs:
        s.close()


def client(s, **how):
    return rsp_client.Client(s.listen, **how)


def gdb(address, *commands):
    words = ["gdb", "-nx", "-batch", "-ex", "set architecture i386:x86-64", "-ex", f"target remote {address}"]
    for c in commands:
        words += ["-ex", c]
    return subprocess.run(words, capture_output=True, text=True, timeout=40, stdin=subprocess.DEVNULL).stdout


def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def faults(s):
    return s.record("VIOLATION", "OVERRUN", "DESTROYED", "badsum", "noise")


@needs_gdb
@pytest.mark.parametrize("profile", PROFILES)
def test_gdb_attach_read_write_break_step_detach(stub, profile):
    s = stub(profile=profile, threads=2)
    text = gdb(s.path, "info threads", "p/x $rip", "x/2xb 0x2000", "set var *(int *)0x2000 = 0x11223344", "x/1xw 0x2000", "set $rcx = 0x1234",
               "p/x $rcx", "break *0x1010", "hbreak *0x1020", "stepi", "p/x $rip", "continue", "p/x $rip", "continue", "p/x $rip", "detach")
    assert len(re.findall(r"Thread (?:1\.)?[12] \(CPU#", text)) == 2
    assert re.findall(r"^\$\d+ = (0x[0-9a-f]+)$", text, re.M) == ["0x1000", "0x1234", "0x1001", "0x1010", "0x1020"]
    assert "0x2000:\t0xc4\t0xb3" in text and "0x2000:\t0x11223344" in text and "detached" in text
    assert not faults(s)
    until(lambda: not s.state()["connected"])
    assert s.state() | {"packets": 0} == {"breakpoints": 0, "running": 1, "connected": 0, "packets": 0, "violations": 0, "list": []}


@needs_gdb
def test_gdb_over_tcp(stub):
    s = stub(listen="tcp:127.0.0.1:0", profile="qemu")
    assert "$1 = 0x1000" in gdb(s.listen.removeprefix("tcp:"), "p/x $pc")


@needs_gdb
def test_gdb_finds_and_compares_with_the_stubs_own_packets(stub):
    s = stub(profile="gdbserver")
    text = gdb(s.path, r"find /b 0x0, 0x3000, 0xb3, 0xa2, 0x91", "detach")
    assert "pattern" in text and [p for p in s.packets() if p.startswith("qSearch:memory:0;")] and not faults(s)


def test_a_run_ends_by_an_interrupt(stub):
    s = stub(profile="qemu")
    with client(s) as c:
        c.handshake()
        c.say("vCont;c:p1.-1")
        with pytest.raises(TimeoutError):
            c.hear(0.1)
        assert s.state()["running"] == 1
        c.interrupt()
        assert c.hear() == "T02thread:p01.01;"
    assert [line.text for line in s.record("break")] == ["while running"] and not faults(s)


def test_a_run_ends_at_the_lowest_breakpoint_ahead_when_its_time_is_up(stub):
    s = stub(profile="gdbserver", run_stops_after=60)
    with client(s) as c:
        c.handshake()
        for addr in (0x800, 0x1040, 0x1020):
            assert c.ask(f"Z0,{addr:x},1") == "OK"
        start = time.monotonic()
        stop = c.ask("vCont;c:p1.-1")
        assert time.monotonic() - start > 0.05
        assert stop.startswith("T05swbreak:;06:") and "10:2010000000000000;" in stop
        assert s.state()["list"] == ["0,800,1", "0,1040,1", "0,1020,1"]
        assert c.ask("z0,800,1") == "OK" and c.ask("z0,800,1") == "E22"
    assert [line.text for line in s.record("note")] == ["cleared, but was not set"]


@pytest.mark.parametrize("profile, features, pc", [("qemu", "swbreak+", 0x1008), ("gdbserver", "swbreak+", 0x1008), ("gdbserver", "hwbreak+", 0x1009), ("kgdb", "swbreak+", 0x1009)])
def test_where_the_pc_is_at_a_breakpoint(stub, profile, features, pc):
    s = stub(profile=profile)
    with client(s) as c:
        c.ask(f"qSupported:{features}")
        assert c.ask("Z0,1008,1") == "OK"
        assert ("swbreak" in c.ask("c")) == (pc == 0x1008 and profile == "gdbserver")
        assert c.ask("g")[16 * 16:17 * 16] == pc.to_bytes(8, "little").hex()


def test_profiles_differ_as_their_models_do(stub):
    def first(profile):
        with client(stub(profile=profile)) as c:
            return [c.ask("qSupported:multiprocess+"), c.ask("vCont?"), c.ask("qfThreadInfo"), c.ask("qsThreadInfo"), c.ask("?")[:3], len(c.ask("g"))]

    assert first("kgdb") == ["", "", "m01", "", "S05", 312]
    assert first("qemu") == ["PacketSize=1000;qXfer:features:read+;vContSupported+;multiprocess+", "vCont;c;C;s;S", "mp01.01", "l", "T05", 552]
    assert first("gdbserver")[1:] == ["vCont;c;C;t;s;S;r", "mp1.1", "l", "T05", 552]
    assert first("plain") == ["PacketSize=4000;QStartNoAckMode+;vContSupported+", "vCont;c;C;s;S", "m1", "l", "T05", 328]


def test_run_length_is_used_and_expands(stub):
    s = stub(profile="gdbserver")
    with client(s, no_ack=True) as c:
        for n in range(1, 260):
            c.ask(b"X3000,%x:%s" % (n, b"\0" * n))
            c.say(f"m3000,{n:x}")
            wire = c.item()
            assert (b"*" in wire) == (n > 1) and rsp_client.expand(wire[1:-3]) == b"00" * n


def test_the_description_is_whole_and_includes_one(stub):
    with client(stub(profile="qemu")) as c:
        assert 'href="i386-64bit.xml"' in c.ask("qXfer:features:read:target.xml:0,ffb")
        text, last = "", "m"
        while last == "m":
            got = c.ask(f"qXfer:features:read:i386-64bit.xml:{len(text):x},100")
            last, text = got[0], text + got[1:]
        assert text.count("<reg ") == 40 and text.endswith("</feature>\n")
        assert c.ask("qXfer:features:read:../etc/passwd:0,100") == "E00"


def test_violations_are_seen(stub):
    s = stub(profile="qemu", delay_ms=80)
    with client(s) as c:
        c.say("g")
        time.sleep(0.02)
        c.say("m0,4")                                   # before the answer
        assert len(c.hear()) == 552
        c.say("vCont;c")
        c.raw(b"+")                                     # while it runs
        until(lambda: len(s.record("VIOLATION")) == 2)
        c.interrupt()
        c.hear()
        c.raw(rsp_client.frame("?") + rsp_client.frame("?"))
        until(lambda: len(s.record("VIOLATION")) == 3)
        c.hear()
        c.ask("m" + "0" * 0x1000 + ",4")                # longer than PacketSize
        c.acks = False
        c.ask("g")
        c.ask("g")                                      # the last answer was not acknowledged
        c.raw(b"abc$g#00")
        assert c.item() == b"-"
    assert [line.text.split(":")[0] for line in s.record("VIOLATION")] == [
        "a request before the answer", "while running", "a request before the answer", "longer than PacketSize", "a request before the acknowledgement"]
    assert [(line.kind, line.text) for line in s.record("noise", "badsum")] == [("noise", "abc"), ("badsum", "g")]


def test_two_requests_in_one_segment_without_a_delay(stub):
    s = stub()
    with client(s, no_ack=True) as c:
        c.raw(rsp_client.frame("g") + rsp_client.frame("m0,4"))
        c.hear(), c.hear()
    assert [line.text.split(":")[0] for line in s.record("VIOLATION")] == ["a request before the answer"]


def test_kgdb_is_easily_hurt(stub):
    s = stub(profile="kgdb")
    with client(s) as c:
        assert len(c.ask("m1000,1ff")) == 0x3fe and c.ask("m1000,200") == "E22" and c.ask("G00") == "E22"
        c.say("C0b")
        until(lambda: s.record("DESTROYED"))
    assert [line.kind for line in s.record("OVERRUN", "VIOLATION", "DESTROYED")] == ["OVERRUN", "VIOLATION", "DESTROYED"]


def test_a_nak_gets_the_answer_again(stub):
    with client(stub(profile="kgdb")) as c:
        want = c.ask("m1000,8")
        c.acks = False
        assert c.ask("m1000,8") == want
        c.raw(b"-")
        assert c.hear() == want


def test_breakpoints_outlive_a_client_and_once_ends(stub):
    s = stub(profile="gdbserver")
    with client(s) as c:
        assert c.ask("Z1,1234,1") == "OK"
    until(lambda: not s.state()["connected"])
    assert s.state()["list"] == ["1,1234,1"]
    with client(s) as c:                                # the next one is served
        assert c.ask("qC") == "QC1"
    s = stub(once=True)
    client(s).close()
    assert s.process.wait(5) == 0


def test_every_byte_is_in_the_record(stub):
    s = stub()
    with client(s) as c:
        c.raw(b"+")
        c.ask(b"X10,3:a\x00}]")
        c.raw(b"\x03-\x00\xff$unfinished")
        until(lambda: len(s.record("noise")) == 1)
    until(lambda: s.record("unread"))
    assert [(line.kind, line.text) for line in s.record()][1:] == [
        ("ack", ""), ("packet", r"X10,3:a\x00}]"), ("ack", ""), ("break", "while stopped"), ("nak", ""), ("noise", r"\x00\xff"),
        ("leave", "breakpoints=0 running=0 pending=0"), ("unread", "$unfinished")]
