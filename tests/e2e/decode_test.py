"""decode_test.py - kdgate decode on what real machines said: WinDbg and a boot debugger over KDNET, ReactOS over a serial line.

The recordings are not in the project; without them these tests are skipped.
"""
import collections
import gzip
import json
import re
import struct
import subprocess

import pytest

import gate as gate_module

pytestmark = pytest.mark.gated
CAPTURES = gate_module.ROOT.parent / "shared" / "captures"
KDNET, KEY = CAPTURES / "windbg-bootdbg.pcapng.gz", "8.8.8.8"
SERIAL = ("short", "idle2", "bp-step", "events", "bugcheck")


def capture(path):
    if not path.exists():
        pytest.skip(f"the recording {path.name} is not here")
    return path


def decode(file, *options):
    return subprocess.run([gate_module.PROGRAM, "decode", str(file), *options], capture_output=True, text=True, timeout=60)


def as_json(file, *options):
    done = decode(file, "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def key_file(tmp_path):
    def write(text):
        path = tmp_path / "key"
        path.write_text(text + "\n")
        path.chmod(0o600)
        return str(path)
    return write


def tally(lines, *names):
    return collections.Counter(tuple(line.get(n) for n in names) for line in lines)


def test_every_datagram_verifies(key_file):
    lines = as_json(capture(KDNET), "--key-file", key_file(KEY))
    said = [line for line in lines if "event" not in line]
    assert len(said) == 955 and all(line["verified"] for line in said)
    assert lines[-1]["event"] == "955 datagrams: 955 verified, 0 do not verify, 0 sealed"
    assert tally(said, "channel", "from") == {("control", "target"): 427, ("control", "client"): 1, ("data", "target"): 265, ("data", "client"): 262}
    packets = tally(said, "packet", "from")
    assert packets[("ACKNOWLEDGE", "client")] == 132 and packets[("ACKNOWLEDGE", "target")] == 127
    assert packets[("STATE_CHANGE64", "target")] == 3 and packets[("connection check", "target")] == 1
    apis = tally(said, "api", "from")
    assert apis[("ReadVirtualMemory", "client")] == 44 and apis[("RestoreBreakPoint", "target")] == 32 and apis[("CreateFile", "target")] == 33
    for side in ("client", "target"):   # nothing is missing in between: 1, 2, 3...
        numbers = [line["sequence"] for line in said if line["channel"] == "data" and line["from"] == side]
        assert numbers == list(range(1, len(numbers) + 1))


def test_what_is_said(key_file):
    lines = as_json(capture(KDNET), "--key-file", key_file(KEY))
    version = next(line for line in lines if line.get("kind"))
    assert (version["kind"], version["build"], version["machine"], version["kernel_base"]) == ("boot debugger", 10586, "amd64", "0x96f000")
    loads, stop, unload = [line for line in lines if line.get("packet") == "STATE_CHANGE64"]
    assert loads["path"].endswith("winload.efi") and loads["base"] == "0x96f000" and not loads["unload"]
    assert (stop["pc"], stop["meaning"], stop["dr7"], stop["eflags"]) == ("0x9cf07e", "breakpoint", "0x400", "0x2")
    assert stop["instructions"].startswith("cc48")
    assert unload["unload"] and unload["everything"]
    files = [line for line in lines if line.get("api") == "CreateFile"]
    paths = [line["path"] for line in files if line["from"] == "target"]
    assert len(paths) == 33 and all("ystem32\\" in path for path in paths) and "\\Windows\\system32\\kdnet.dll" in paths
    assert {line["status"] for line in files if line["from"] == "client"} == {"0xc000000f"}
    poke = next(line for line in lines if line.get("packet") == "poke")
    assert (poke["target"], poke["host"], poke["connected_to"]) == ("192.168.2.72:51111", "192.168.2.1:51111", "0.0.0.0:0")
    assert any(line.get("text", "").startswith("BD: Boot Debugger Initialized\\x0a") for line in lines)


def test_text_and_json_tell_of_the_same(key_file):
    key = key_file(KEY)
    text = decode(capture(KDNET), "--key-file", key)
    assert text.returncode == 0
    plain = re.findall(r"(?:sequence)=(\d+)", text.stdout)
    assert plain == [str(line["sequence"]) for line in as_json(KDNET, "--key-file", key) if "sequence" in line]


def test_without_the_key(key_file):
    done = decode(capture(KDNET))
    assert done.returncode == 0 and "verified=yes" not in done.stdout
    assert done.stdout.splitlines()[-1].endswith("955 datagrams: 0 verified, 0 do not verify, 955 sealed")
    assert done.stdout.count(" < control version=4 poke ") == 427
    wrong = decode(KDNET, "--key-file", key_file("8.8.8.9"))
    assert wrong.returncode == 1 and "none of its KDNET datagrams verifies: it is the key of another target" in wrong.stderr
    assert "verified=yes" not in wrong.stdout
    broken = decode(KDNET, "--key-file", key_file("8.8.8"))
    assert broken.returncode == 1 and broken.stderr.startswith(f"kdgate: {KDNET}: the key in "), "a recording is no target"


def test_a_key_that_is_given_on_the_command_line(key_file):
    done = decode(capture(KDNET), "--key", KEY)
    assert done.returncode == 0 and "955 verified" in done.stdout
    assert "can be seen by everybody" in done.stderr and "8.8.8.8" not in done.stderr
    assert decode(KDNET, "--key", "8.8.8").returncode == 1


@pytest.mark.parametrize("name", SERIAL)
def test_a_serial_line(name):
    lines = as_json(capture(CAPTURES / f"kdcom-{name}.tagged.gz"))
    assert lines[0]["event"] == "begins: host -> target" and lines[-1]["event"] == "ends"
    said = [line for line in lines if line.get("packet")]
    # Each packet of the recording, found by a simpler reader: a leader, a type, a length; a sum that is right.
    chunks = {"T": b"", "H": b""}
    for line in gzip.open(CAPTURES / f"kdcom-{name}.tagged.gz", "rt"):
        _, who, data = line.split()
        chunks[who] += bytes.fromhex(data)
    for who, side in (("T", "target"), ("H", "client")):
        assert [p for p in packets(chunks[who])] == [int(line["id"], 16) for line in said if line["from"] == side]


def packets(data):
    at = 0
    while at + 16 <= len(data):
        leader, kind, length, number, total = struct.unpack_from("<IHHII", data, at)
        if leader == 0x69696969 and length == 0:
            yield number
            at += 16
        elif leader == 0x30303030 and length <= 4000 and sum(data[at + 16:at + 16 + length]) == total and data[at + 16 + length:at + 17 + length] == b"\xaa":
            yield number
            at += 17 + length
        else:
            at += 1


def test_a_bugcheck_is_told():
    lines = as_json(capture(CAPTURES / "kdcom-bugcheck.tagged.gz"))
    assert any("*** Fatal System Error: " in line.get("text", "") for line in lines)


def test_damage(tmp_path):
    """A packed file that ends early is shown up to there, and said to be damaged."""
    data = capture(KDNET).read_bytes()
    cut = tmp_path / "cut.pcapng.gz"
    cut.write_bytes(data[:len(data) // 2])
    done = decode(cut)
    assert done.returncode == 1 and " = " in done.stdout and "packet " in done.stderr
    cut.write_bytes(gzip.compress(b"not a capture at all, but long enough to be one"))
    assert decode(cut).returncode == 1


def test_standard_input():
    with open(capture(KDNET), "rb") as f:
        done = subprocess.run([gate_module.PROGRAM, "decode", "-"], stdin=f, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "955 sealed" in done.stdout


def test_nothing_but_text():
    """What is in a recording does not reach the terminal as it is."""
    for name in SERIAL:
        for options in ((), ("--json",)):
            done = subprocess.run([gate_module.PROGRAM, "decode", str(capture(CAPTURES / f"kdcom-{name}.tagged.gz")), *options], capture_output=True, timeout=60)
            assert all(byte == 10 or 32 <= byte < 127 for byte in done.stdout)
