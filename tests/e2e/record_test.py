"""record_test.py - what --record keeps: Wireshark reads it as GDB remote, and it holds exactly the bytes that passed.

A wire tap on either side of kdgate remembers those bytes; tshark, which is another program than kdgate, reads the recording.
"""
import pathlib
import re
import resource
import shutil
import stat
import struct
import subprocess
import tempfile

import gate as gate_module
import pytest
import rsp_client
import stub as stub_module
import tap
from sim_gate import gated  # noqa: F401

pytestmark = pytest.mark.gated
AS_GDB = ("-d", "tcp.port==2159,gdb")
FAULTS = ("ip.checksum.status == 0 || tcp.checksum.status == 0 || _ws.malformed || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || "
          "tcp.analysis.retransmission || tcp.analysis.out_of_order || tcp.analysis.window_full || tcp.analysis.zero_window")


def tshark(file, *options):
    done = subprocess.run(["tshark", "-n", "-r", str(file), "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", *options], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def decode(file):
    return subprocess.run([gate_module.PROGRAM, "decode", str(file)], capture_output=True, text=True, timeout=60)


def follow(file, stream):
    """Wireshark's "Follow TCP stream": the caller's bytes, the other's."""
    sides = (b"", b"")
    for line in tshark(file, "-q", "-z", f"follow,tcp,raw,{stream}").splitlines():
        if re.fullmatch(r"\t?[0-9a-f]+", line):
            other = line.startswith("\t")
            sides = (sides[0] + bytes.fromhex(line) * (not other), sides[1] + bytes.fromhex(line.strip()) * other)
    return sides


def stream_of(file, address):
    """The number of the conversation that address began."""
    return int(tshark(file, "-Y", f"ip.src == {address} && tcp.flags.syn == 1 && tcp.flags.ack == 0", "-T", "fields", "-e", "tcp.stream").split()[0])


class Recorded:
    """stub, tap, kdgate with --record, tap: clients call .address."""

    def __init__(self, **stub):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kdgate-record-"))
        self.file, sock = self.dir / "r.pcap", self.dir / "full.sock"
        self.stub = stub_module.Stub(**stub)
        self.gate = gate_module.Gate(self.stub.path, tapped=True, on_disconnect="stay",
                                     options=["--listen", f"unix:{sock}", "--policy", "full", "--record", str(self.file)]).start()
        self.near = tap.Tap(sock, self.dir)
        self.far = self.gate.tap

    def client(self):
        def attempt():
            self.near.up.clear()
            self.near.down.clear()
            c = rsp_client.Client(f"unix:{self.near.path}")
            try:
                if c.handshake()[:1] in ("T", "S"):
                    return c
            except (rsp_client.Closed, TimeoutError):
                pass
            c.close()
            return None
        return gate_module.until(attempt, "a client to be served")

    def close(self):
        self.gate.stop()
        complaints = self.gate.complaints()
        print(f"--- kdgate's log\n{self.gate.log()[-8000:]}")
        self.near.close()
        self.gate.close()
        self.stub.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not complaints


@pytest.fixture
def recorded(gated):  # noqa: F811
    all_of_them = []

    def start(**how):
        all_of_them.append(Recorded(**how))
        return all_of_them[-1]

    yield start
    for r in all_of_them:
        r.close()


def talk(c):
    """Text, binary with all that must be escaped, a large answer, console text, a run and a break."""
    assert c.ask("M1000,8:242324237d2a0301") == "OK"
    assert c.ask("m1000,8") == "242324237d2a0301"
    assert len(c.ask("m0,1000")) == 0x2000
    c.say(b"X1100,4:" + rsp_client.escape(b"$#}*"))
    assert c.hear() == "OK"
    c.ask("x1000,200")
    assert c.ask("vNoSuchThing") == ""
    c.say("vCont;c")
    c.interrupt()
    assert c.hear().startswith("T02")


def test_wireshark_sees_gdb_remote_on_both_sides(recorded):
    r = recorded()
    c = r.client()
    talk(c)
    c.close()
    r.gate.stop()
    assert stat.S_IMODE(r.file.stat().st_mode) == 0o600
    assert tshark(r.file, "-Y", FAULTS) == ""
    for options in (AS_GDB, ("-o", "gdb.tcp.port:2159")):
        lines = tshark(r.file, *options, "-Y", "gdb", "-T", "fields", *(w for f in ("ip.src", "gdb.ack", "gdb.payload", "gdb.chksum") for w in ("-e", f)))
        seen = [line.split("\t") for line in lines.splitlines()]
        for side in ("127.1.0.1", "127.1.0.0", "127.2.0.1", "127.2.0.0"):
            packets = [(bytes.fromhex(payload), sums) for src, _, payload, sums in seen if src == side and payload and "," not in payload]
            assert len(packets) > 5, (side, lines)
            assert all(sums == f"{rsp_client.checksum(payload):02x}" for payload, sums in packets), packets
            assert any(src == side and "+" in ack for src, ack, _, _ in seen), side
        assert ["127.1.0.1", "", b"vNoSuchThing".hex(), f"{rsp_client.checksum(b'vNoSuchThing'):02x}"] in seen


def test_follow_stream_has_exactly_what_passed(recorded):
    r = recorded()
    c = r.client()
    talk(c)
    c.close()
    gate_module.until(lambda: "leaves" in r.gate.log(), "kdgate to see it leave")
    r.gate.stop()
    assert follow(r.file, stream_of(r.file, "127.2.0.1")) == (bytes(r.far.up), bytes(r.far.down))
    assert follow(r.file, stream_of(r.file, "127.1.0.1")) == (bytes(r.near.up), bytes(r.near.down))
    assert len(r.near.down) > 0x2000 and len(r.far.down) > 0x1000


def test_each_client_and_each_call_has_its_own_conversation(recorded):
    r = recorded()
    for _ in range(3):
        r.client().close()
    r.stub.kill()
    gate_module.until(lambda: "target lost" in r.gate.log(), "the target to be lost")
    pathlib.Path(r.stub.path).unlink(missing_ok=True)
    r.stub.start()
    r.client().close()
    r.gate.stop()
    callers = tshark(r.file, "-Y", "tcp.flags.syn == 1 && tcp.flags.ack == 0", "-T", "fields", "-e", "ip.src").split()
    assert len(set(callers)) == len(callers) >= 6
    assert len([c for c in callers if c.startswith("127.1.")]) >= 4 and len([c for c in callers if c.startswith("127.2.")]) >= 2
    ends = tshark(r.file, "-Y", "tcp.flags.fin == 1 || tcp.flags.reset == 1", "-T", "fields", "-e", "tcp.stream").split()
    assert set(ends) == {str(n) for n in range(len(callers))}


def test_decode_tells_it_in_words(recorded):
    r = recorded()
    c = r.client()
    talk(c)
    c.close()
    r.gate.stop()
    done = decode(r.file)
    assert (done.returncode, done.stderr) == (0, "")
    for pattern in (r"#\d+ = begins: 127\.1\.0\.1:49152 -> 127\.1\.0\.0:2159, client 1 of kdgate$",
                    r"#\d+ = begins: 127\.2\.0\.1:49152 -> 127\.2\.0\.0:2159, call 1 of kdgate to a target$",
                    r"> m1000,8  \(mem\.read\)$", r"< 242324237d2a0301  \(8 bytes\)$", r"> vNoSuchThing  \(unknown packet\)$",
                    r"<   \(empty: not supported\)$", r"> \\x03  \(break-in\)$", r"< T02.*\(stopped: SIGINT", r"#\d+ = ends$", r"< \+  \(acknowledged\)$"):
        assert re.search(pattern, done.stdout, re.M), pattern
    assert "bad checksum" not in done.stdout and "no packet" not in done.stdout and "not an answer" not in done.stdout


def test_a_crash_loses_the_last_moments_only(recorded):
    r = recorded()
    c = r.client()
    assert c.ask("m1234,8")
    gate_module.until(lambda: decode(r.file).stdout.count("m1234,8") == 2, "both sides of it to be in the file", 5)
    r.gate.kill()
    done = decode(r.file)
    assert (done.returncode, done.stderr) == (0, "")
    c.close()


def test_a_full_disk_ends_the_recording_alone(recorded):
    r = recorded()
    c = r.client()
    resource.prlimit(r.gate.process.pid, resource.RLIMIT_FSIZE, (9000, resource.RLIM_INFINITY))
    for _ in range(20):
        assert len(c.ask("m0,800")) == 0x1000
    gate_module.until(lambda: f"recording {r.file}: File too large" in r.gate.log(), "kdgate to say so", 5)
    assert len(c.ask("m0,800")) == 0x1000
    c.close()
    r.client().close()
    r.gate.stop()
    assert decode(r.file).stdout.count("> m0,800  (mem.read)") > 1  # the file's end may be torn: a confined process cuts no files
    assert r.file.stat().st_size <= 9000 and r.gate.log().count("File too large: it ends here") == 1


def test_a_file_that_is_there_is_left_alone(recorded, tmp_path):
    r = recorded()
    (tmp_path / "r.pcap").write_text("mine")
    done = subprocess.run([gate_module.PROGRAM, f"rsp+unix:{r.stub.path}", "--listen", f"unix:{tmp_path}/s", "--record", str(tmp_path / "r.pcap")],
                          capture_output=True, text=True, timeout=10)
    assert done.returncode == 1 and f"recording {tmp_path}/r.pcap: File exists" in done.stderr
    assert (tmp_path / "r.pcap").read_text() == "mine"


def pcap(link_type, *packets):
    head = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link_type)
    return head + b"".join(struct.pack("<IIII", 1, 2, len(p), len(p)) + p for p in packets)


def test_decode_says_why_there_is_nothing(tmp_path, gated):  # noqa: F811
    file = tmp_path / "f"
    udp = b"\x45\0" + struct.pack(">H", 36) + bytes(5) + b"\x11" + bytes(10) + struct.pack(">HHHH", 50000, 50000, 16, 0) + bytes(8)
    for data, words in ((pcap(101, udp), "no RSP, KD or KDNET: 1 packets, 0 of them TCP (0 conversations), 1 UDP"), (b"", "not a capture"),
                        (b"$g#67" * 100, "not a capture"), (pcap(147), "link type"), (pcap(101, udp)[:-3], "packet 1, near byte")):
        file.write_bytes(data)
        done = decode(file)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith(f"kdgate: {file}: ") and words in done.stderr, done.stderr
    done = decode(tmp_path / "none")
    assert done.returncode == 1 and "No such file" in done.stderr
