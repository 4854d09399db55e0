"""flood_test.py - no byte of a client reaches the target unless it was written anew from an allowed command.

A hundred thousand packets, most of them bad in some way, from clients who may only observe. Then the stub's record is
read: it may hold what kdgate says for itself and the few things an observer may ask, in canonical form, and nothing else.
FLOOD_SEED=N repeats a run; FLOOD_SEED=new picks one.
"""
import collections
import json
import os
import re
import secrets
import subprocess

import gate as gate_module
import pytest
import rsp_client
import stub as stub_module
from sim_gate import gated, sim  # noqa: F401

SEED = os.environ.get("FLOOD_SEED", "1")
SEED = secrets.randbelow(1 << 32) if SEED == "new" else int(SEED)

NUM = r"(?:0|[1-9a-f][0-9a-f]{0,15})"
ID = rf"(?:p(?:{NUM}|-1)\.)?(?:{NUM}|-[1-9a-f][0-9a-f]{{0,7}})"
ONCE = [r"qSupported(?::[\w+=;,.-]+)?", r"QStartNoAckMode", r"\?", r"vCont\?"]    # once for each connection to the stub
ALLOWED = [rf"m{NUM},{NUM}", r"g", rf"p{NUM}",
           rf"H[gc]{ID}", rf"T{ID}", r"qC", r"qfThreadInfo", r"qsThreadInfo", rf"qThreadExtraInfo,{ID}",
           rf"qXfer:features:read:[\w.-]+:{NUM},{NUM}", rf"qXfer:(?:memory-map|threads):read::{NUM},{NUM}", r"qAttached(?::[0-9a-f]+)?"]
# Rows of the command table that only ask or read, and go on as they were understood to a stub that may know them.
PASSED = [rf"qCRC:{NUM},{NUM}", rf"qSearch:memory:{NUM};{NUM};.*", rf"qMemTags:{NUM},{NUM}:{NUM}", rf"qIsAddressTagged:{NUM}", rf"qGetTLSAddr:{ID},{NUM},{NUM}",
          rf"qGetTIBAddr:{ID}", rf"qMemoryRegionInfo(?::{NUM})?", r"qShlibInfoAddr", r"qFileLoadAddress:(?:[0-9a-f]{2})*", r"qOffsets", r"qGDBServerVersion"]
ALLOWED = re.compile("|".join(f"(?:{p})" for p in ALLOWED + PASSED + ONCE))
RANGE = re.compile(rf"m({NUM}),({NUM})")
KINDS = {"connect", "leave", "packet", "ack", "STATE"}


def legal(text):
    if not ALLOWED.fullmatch(text):
        return False
    m = RANGE.fullmatch(text)
    return not m or int(m[1], 16) + int(m[2], 16) <= 1 << 64


def illegal(record):
    """What should not be in a stub's record."""
    connections = sum(line.kind == "connect" for line in record)
    bad = [line for line in record if line.kind not in KINDS or (line.kind == "packet" and not legal(line.text))]
    for once in ONCE:
        times = [line for line in record if line.kind == "packet" and re.fullmatch(once, line.text)]
        bad += times[connections:]
    return bad


def flood(address, packets, *options):
    stub_module.build("sim/flood")
    words = [stub_module.BUILD / "sim" / "flood", "--to", address, "--packets", str(packets), "--seed", str(SEED), *options]
    out = subprocess.run(words, capture_output=True, text=True, timeout=110)
    print(f"FLOOD_SEED={SEED}: {out.stdout}{out.stderr}")
    assert out.returncode == 0
    return json.loads(out.stdout)


def summary(lines):
    return collections.Counter((line.kind, re.match(r"[^\d,;: ]*", line.text)[0]) for line in lines).most_common(40)


@pytest.mark.seconds(240)
@pytest.mark.parametrize("profile, packets, over_tcp", [("gdbserver", 60000, False), ("qemu", 40000, False), ("plain", 6000, True), ("kgdb", 8000, False)])
def test_only_canonical_allowed_packets_reach_the_target(sim, profile, packets, over_tcp):  # noqa: F811
    s = sim(profile=profile, threads=2, options=("--no-cache",))   # what is answered from memory proves nothing
    s.attach("observe").close()
    done = flood(f"tcp:{s.observe}" if over_tcp else s.socket, packets)
    assert done["packets"] >= packets and done["refused"] == 0
    assert done["replies"] > packets * 0.6                  # they were read and answered, not just swallowed
    bad = illegal(s.stub.record())
    assert not bad, f"FLOOD_SEED={SEED}: {len(bad)} lines: {summary(bad)}; first: {bad[:10]}"
    state = s.stub.state()
    assert (state["breakpoints"], state["running"], state["violations"]) == (0, 0, 0)
    reached = collections.Counter(p[0] for p in s.stub.packets())
    assert reached["m"] > packets / 2000 and reached["g"] > packets / 2000 and reached["p"] > packets / 2000
    with s.attach("observe") as c:                          # and it is still of use to an honest client
        assert c.ask("m1000,8") == s.word(0x1000, 8)
        assert c.ask("M1000,1:00")[:1] == "E"
    assert s.gate.audit(event="deny")


@pytest.mark.parametrize("between", ["nothing", "socat"])
def test_the_same_without_a_gate_is_seen(between, tmp_path):
    """That the test above can fail: the same bytes do all of it when nobody stands in between."""
    s = stub_module.Stub(profile="gdbserver")
    relay = None
    try:
        address = s.listen
        if between == "socat":
            address = f"unix:{tmp_path}/relay.sock"
            relay = subprocess.Popen(["socat", f"UNIX-LISTEN:{tmp_path}/relay.sock,fork", f"UNIX-CONNECT:{s.path}"])
            gate_module.until(lambda: os.path.exists(f"{tmp_path}/relay.sock"), "socat")
        flood(address, 1500, "--workers", "1", "--patience", "3")
        bad = illegal(s.record())
        packets = collections.Counter(line.text[:1] for line in bad if line.kind == "packet")
        kinds = collections.Counter(line.kind for line in bad)
        assert min(packets[c] for c in "MXGPZzvQc") >= 1 and any(line.text.startswith("qRcmd,") for line in bad)
        assert min(kinds[k] for k in ("VIOLATION", "badsum", "noise", "break", "nak")) >= 1
    finally:
        if relay:
            relay.kill()
            relay.wait()
        s.close()


@pytest.mark.parametrize("text", ["m0,4", "mffff,0", "g", "p1f", "Hg1", "Hgp1.-1", "T2", "qThreadExtraInfo,p1.2", "mfffffffffffffff0,10"])
def test_the_judge_lets_pass(text):
    assert legal(text)


@pytest.mark.parametrize("text", ["m0,4;x", "m00,4", "m-1,4", "mfffffffffffffff1,10", "m11111111111111111,4", "M0,1:00", "g;thread:1;", "p", "pzz", "Z0,0,1", "c",
                                  "vCont;c", "qRcmd,00", "", "G00", "Hg0junk", "qXfer:osdata:read:processes:0,100", "qXfer:features:read:../x:0,4", r"m1000,4\x00z",
                                  "}m1000,4", "gg", "D", "k", "QStartNoAckModeX", "qSupportedX", "m1000,4\n"])
def test_the_judge_stops(text):
    assert not legal(text)


def test_the_judge_counts_what_may_be_said_once():
    line = stub_module.Line
    record = [line(0, "connect", ""), line(0, "packet", "?"), line(0, "packet", "g"), line(1, "packet", "?")]
    assert illegal(record) == record[3:] and rsp_client.frame("?") == b"$?#3f"
