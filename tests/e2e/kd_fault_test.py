"""kd_fault_test.py - a whole session over KD, and one packet of it dropped, doubled, damaged, held back, cut or of a wrong length: for each
packet of both ways. What the debugger sees is what it sees without that, the target runs on with nothing in it, and kdgate serves the next.

In a short run each packet meets one of these, in turn; with KDGATE_LONG=1 all of them, and of other targets too. Sessions wait most of the
time: several go on at once.
"""
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import select
import shutil
import socket
import sys
import threading
import time
import traceback

import kd_traps_test as traps
import pytest
from gate import until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sim"))

import kd_host as kd  # noqa: E402

LONG = bool(os.environ.get("KDGATE_LONG"))
AT_ONCE = 8
TARGET_MS, STALL_S, PATIENCE_S = 150, 1.3, 30    # kdgate sends again after a second
FEW = 6     # packets of a row of equal requests that are tried in a short run
WAYS = ("host", "target")     # to whom a packet goes
KINDS = {"windows": {}, "i386": {"arch": "i386"}, "reactos": {"profile": "reactos", "without": ["lossy-breakin"]}}
pytestmark = [pytest.mark.gated, pytest.mark.seconds(900 if LONG else 60),
              pytest.mark.skipif(not shutil.which("x86_64-w64-mingw32-gcc"), reason="mingw-w64 is not installed")]


def flip(packet, at):
    return packet[:at] + bytes([packet[at] ^ 0x40]) + packet[at + 1:]


def damage(packet):
    """The middle of its payload; of a control packet, which has no checksum, its number; of a break-in, all of it."""
    return flip(packet, 16 + (len(packet) - 17) // 2 if packet[:1] == b"0" else 8 if packet[:1] == b"i" else 0)


def resize(packet):
    """By its header. A byte that is alone has none."""
    return flip(packet, 6) if len(packet) > 1 else b""


FAULTS = {
    "dropped": lambda packet: b"",
    "doubled": lambda packet: packet * 2,
    "damaged": damage,
    "stalled": lambda packet: packet,
    "cut": lambda packet: packet[:len(packet) // 2],
    "resized": resize,
}


def split(data):
    """The first packet, or lone byte, of what came, and the rest; None while it is not all there."""
    if data[:1] not in (b"0", b"i"):
        return (data[:1], data[1:]) if data else (None, data)
    n = 16 + (kd.u16(data, 6) + 1 if data[:1] == b"0" else 0) if len(data) >= 16 else 16
    return (data[:n], data[n:]) if len(data) >= n else (None, data)


class Way:
    """One direction: what came of a packet, what is to go, and when."""

    def __init__(self):
        self.part, self.to_go, self.at, self.packets = b"", b"", 0.0, []


class Line:
    """What kdgate has for a target's line. fault: name, way, number of the packet it happens to, from 1 on."""

    def __init__(self, target, fault=None):
        self.path, self.fault, self.happened = target.dir / "line", fault, None
        self.ways = {way: Way() for way in WAYS}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.far, self.ends = target, []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):     # closed
            while True:
                self.ends = [self.listener.accept()[0], self.far.join()]
                self.carry(dict(zip(WAYS, self.ends, strict=True)))

    def carry(self, end):
        """Until one of both ends closes, and what it said has gone."""
        came_from = {end["target"]: "host", end["host"]: "target"}
        while came_from or any(w.to_go for w in self.ways.values()):
            waits = min((w.at for w in self.ways.values() if w.to_go), default=time.monotonic() + 1) - time.monotonic()
            for s in select.select(list(came_from), [], [], max(waits, 0))[0]:
                data = s.recv(65536)
                self.take(came_from[s], data)
                if not data:
                    came_from = {}
                    break
            for way, w in self.ways.items():
                if w.to_go and time.monotonic() >= w.at:
                    end[way].sendall(w.to_go)
                    w.to_go = b""
        for s in end.values():
            s.close()

    def take(self, way, data):
        w = self.ways[way]
        w.part += data
        while (found := split(w.part))[0] is not None:
            packet, w.part = found
            w.packets.append(packet)
            if self.fault and self.fault[1:] == (way, len(w.packets)):
                packet = self.befalls(w, packet)
            w.to_go += packet

    def befalls(self, w, packet):
        self.happened = packet
        if self.fault[0] == "stalled":
            w.at = time.monotonic() + STALL_S
        return FAULTS[self.fault[0]](packet)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.ends:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)


def session(b, d):
    """What a debugger does, and what it saw of it: the same in every session."""
    site, pc = b.symbol("NtReadFile"), d.pc
    seen = [("attached", d.first.signal, d.first.reg(pc), d.first.thread), ("version", d.monitor("version").split("\n")[0])]
    stack, registers = d.reg(d.sp), bytes.fromhex(d.ask("g").replace("x", "0"))
    seen += [("registers", len(registers), hex(stack)), ("code", d.memory(site, 64).hex())]
    seen += [("breakpoint", d.plant(site)), ("hit", tuple((stop := d.go()).fields), stop.signal, stop.reg(pc))]
    seen += [("hidden", d.memory(site, 64).hex())]
    seen += [("lifted", d.lift(site)), ("stepped", (stop := d.go("s:1")).signal, stop.reg(pc), tuple(stop.fields))]
    seen += [("again", d.plant(site)), ("hit again", (stop := d.go()).signal, stop.reg(pc)), ("lifted again", d.lift(site))]
    d.run()
    seen += [("stopped", (stop := d.interrupt()).signal, stop.reg(pc))]
    at, free = stop.reg(d.sp) - 0x400, d.reg(d.free)
    before = d.memory(at, 32)
    seen += [("written", d.write(at, b"0000iiiib\xaa" * 3), d.memory(at, 30), d.write(at, before), d.memory(at, 32) == before)]
    seen += [("register", d.set_reg(d.free, 0x1234), d.reg(d.free), d.set_reg(d.free, free), d.reg(d.free) == free)]
    seen += [("detached", d.ask("D;1"))]
    d.client.close()
    return seen


def well(b):
    """It runs with nothing in it; and so another debugger finds it, and leaves it."""
    until(lambda: (b.status("stopped"), b.status("breakpoints")) == ("0", "0"), "the target to run, without breakpoints")
    d = b.debugger(timeout=PATIENCE_S)
    base, (at, code) = int(b.status("base"), 16), traps.text_of(b.arch)
    assert d.first.signal in (2, 5)
    assert b"".join(d.memory(base + at + i, min(1024, len(code) - i)) for i in range(0, len(code), 1024)) == code
    d.run()
    assert d.interrupt().signal == 2
    d.detach()
    until(lambda: b.status("stopped") == "0", "the target to run on")
    assert b.gate.process.poll() is None


def run(kind, fault=None):
    """What was seen, and the packets of each way; with a target and a kdgate of its own."""
    b = traps.Bench(timeout_ms=TARGET_MS, **KINDS[kind])
    line = Line(b.target, fault)
    try:
        b.gate.target = f"kd+unix:{line.path}"
        b.gate.start()
        seen = session(b, b.debugger(timeout=PATIENCE_S))
        packets = {way: list(line.ways[way].packets) for way in WAYS}
        well(b)
        b.gate.stop()
        assert not b.gate.complaints()
        return seen, packets, line.happened
    except BaseException:
        print(f"=== {fault} {line.happened}\n--- kdgate's log\n{b.gate.log()[-4000:]}")
        print("--- the target's end\n" + "\n".join(x[:120] for x in (b.target.dir / "log").read_text().splitlines()[-60:]))
        raise
    finally:
        for d in b.open:
            d.client.close()
        b.gate.close()
        line.close()
        b.target.close()


Result = collections.namedtuple("Result", "fault problem seconds happened")


def one(kind, fault, wanted):
    began, happened = time.monotonic(), None
    try:
        seen, _, happened = run(kind, fault)
        problem = [(got, due) for got, due in zip(seen, wanted, strict=True) if got != due] or None
    except Exception:
        problem = traceback.format_exc(limit=-3)
    return Result(fault, problem, time.monotonic() - began, happened)


def short(packets):
    """The numbers of those that are worth a try: of each row that goes on and on with the same kind, the first ones."""
    kinds, row, numbers = [p[:1] + (p[16:20] if p[:1] == b"0" else p[4:6]) for p in packets], 0, []
    for i, kind in enumerate(kinds):
        row = row + 1 if i >= 2 and kind == kinds[i - 2] else 0
        numbers += [i + 1] if row < FEW else []
    return numbers


def tried(name, packets):
    """Where that fault is tried: (way, number)."""
    turn = list(FAULTS).index(name)
    for way in WAYS:
        yield from ((way, n) for n in (range(1, len(packets[way]) + 1) if LONG else short(packets[way])[turn::len(FAULTS)]))


@pytest.fixture(scope="module", params=KINDS if LONG else ["windows"])
def whole(request):
    """A session without a fault; another one is the same."""
    kd.build()
    seen, packets, _ = run(request.param)
    assert run(request.param)[0] == seen
    return request.param, seen, packets


@pytest.mark.parametrize("name", FAULTS)
def test_one_packet_is(name, whole):
    kind, seen, packets = whole
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda where: one(kind, (name, *where), seen), tried(name, packets)))
    for r in sorted(results, key=lambda r: -r.seconds)[:8]:
        print(f"{r.seconds:5.1f} s {r.fault} {r.happened and r.happened[:24].hex()}")
    bad = [r for r in results if r.problem]
    assert not bad, f"{len(bad)} of {len(results)}:\n" + "\n".join(f"{r.fault}: {r.problem}" for r in bad)
    assert sum(r.happened is None for r in results) <= 2    # a session may be shorter than the one that was counted
