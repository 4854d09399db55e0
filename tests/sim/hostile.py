#!/usr/bin/python3
"""hostile.py - a stub that attacks: a plausible x86-64 kernel target which at one point does what no stub should.

    hostile.py --listen unix:PATH --case NAME [--record FILE] [--canary DIR] [--url URL]
    hostile.py --list
    hostile.py --many       a line of JSON on standard input for each stub: listen, case, ...; answered with its process number

It serves one connection after the other. --record: a line for each packet heard, each attack made, each answer to a file request.
--canary, --url: what on the host the attacks that name files and addresses are to name. SIGUSR1: from now on it is honest; the
connection is closed, the next one finds a stub that does nothing wrong. Source: gdb manual, "Remote Protocol".
"""
import argparse
import json
import os
import select
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

CODE, STACK, STRINGS = 0xffffffff81000000, 0xffffc90000003f00, 0xffffffff82000000
MAPPED = ((CODE, CODE + (1 << 21)), (STACK - 0x3f00, STACK + 0x100), (STRINGS, STRINGS + (1 << 16)), (0x1000, 0x10000))
NAMES64 = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()
NAMES32 = "eflags cs ss ds es fs gs".split()
BASES = "fs_base gs_base k_gs_base".split()
REGISTERS = [(n, 8) for n in NAMES64] + [(n, 4) for n in NAMES32] + [(n, 8) for n in BASES]
RIP, SHORT_G = 16, 17 * 8 + 7 * 4       # a g without the bases, as stubs of other ages have it
FEATURES = ["PacketSize=4000", "QStartNoAckMode+", "qXfer:features:read+", "qXfer:memory-map:read+", "vContSupported+", "swbreak+", "hwbreak+"]
MEMORY_MAP = b'<?xml version="1.0"?><memory-map><memory type="ram" start="0x0" length="0xffffffffffffffff"/></memory-map>'


def checksum(body):
    return sum(body) & 255


def frame(body):
    body = body.encode("latin-1") if isinstance(body, str) else bytes(body)
    return b"$%s#%02x" % (body, checksum(body))


def escape(data):
    return b"".join(bytes((0x7d, c ^ 0x20)) if c in b"$#}*" else bytes((c,)) for c in data)


def unescape(data):
    out, i = bytearray(), 0
    while i < len(data):
        if data[i] == 0x7d and i + 1 < len(data):
            i += 1
            out.append(data[i] ^ 0x20)
        else:
            out.append(data[i])
        i += 1
    return bytes(out)


def description(registers=None, head="<!DOCTYPE target SYSTEM \"gdb-target.dtd\">", more=""):
    """target.xml, flat; registers: lines of XML in place of the honest ones."""
    kinds = {"rip": "code_ptr", "rsp": "data_ptr", "rbp": "data_ptr"}
    lines = registers or [f'<reg name="{n}" bitsize="{8 * size}" type="{kinds.get(n, f"int{8 * size}")}" regnum="{i}"/>'
                          for i, (n, size) in enumerate(REGISTERS[:24])]
    text = f'<?xml version="1.0"?>{head}<target><architecture>i386:x86-64</architecture>{more}' \
           f'<feature name="org.gnu.gdb.i386.core">{"".join(lines)}{FLOATS}</feature>{BASE_FEATURE}</target>'
    return text.encode()


# gdb wants the x87 registers in its core feature.
FLOATS = "".join(f'<reg name="st{i}" bitsize="80" type="i387_ext" regnum="{27 + i}"/>' for i in range(8)) + "".join(
    f'<reg name="{n}" bitsize="32" type="int" group="float" regnum="{35 + i}"/>'
    for i, n in enumerate("fctrl fstat ftag fiseg fioff foseg fooff fop".split()))
BASE_FEATURE = '<feature name="org.gnu.gdb.i386.segments">' + "".join(
    f'<reg name="{n}" bitsize="64" type="int" regnum="{24 + i}"/>' for i, n in enumerate(BASES)) + "</feature>"
SIZES = [size for _, size in REGISTERS] + [10] * 8 + [4] * 8
DESCRIPTION = description()


class Machine:
    def __init__(self):
        self.overlay, self.breakpoints = {}, {}
        self.registers = [(0x1111 * (i + 1)).to_bytes(size, "little") for i, size in enumerate(SIZES)]
        self.set(RIP, CODE + 0x1000)
        self.set(7, STACK)
        self.set(17, 0x246)

    def set(self, number, value):
        self.registers[number] = (value & (1 << 8 * SIZES[number]) - 1).to_bytes(SIZES[number], "little")

    def read(self, addr, n):
        """As much of it as is there; None: nothing."""
        end = next((e for b, e in MAPPED if b <= addr < e), addr)
        n = min(n, end - addr)
        return n and bytes(self.overlay.get(a, (a * 2654435761 & 0xffffffff) >> 11 & 255) for a in range(addr, addr + n))

    def write(self, addr, data):
        self.overlay.update(zip(range(addr, addr + len(data)), data))

    def g(self):
        return b"".join(self.registers).hex()


class Gone(Exception):
    """The peer has closed, or the stub does."""


class TurnHonest(Exception):
    pass


class Call(str):
    """A request of the File-I/O extension; the generator that yields it is sent the answer's body, or None."""


class Peer:
    """One connection. What a case yields: bytes go as they are, str is framed, a number is a pause in seconds, Call a file request,
    None closes."""

    def __init__(self, stub, sock):
        self.stub, self.case, self.machine, self.sock = stub, stub.case, stub.machine, sock
        self.buf, self.acks, self.broken_in, self.resumes, self.last = b"", True, False, 0, b""
        self.sock.setblocking(False)

    # --- bytes
    def pump(self, seconds, write=False):
        """Waits for input, or for room; takes in what there is. True: it may be written."""
        r, w, _ = select.select([self.sock], [self.sock] if write else [], [], max(seconds, 0))
        if r:
            try:
                data = self.sock.recv(65536)
            except OSError as e:
                raise Gone from e
            if not data:
                raise Gone
            self.buf += data
        return bool(w)

    def raw(self, data):
        self.last = data if data[:1] == b"$" else self.last
        view = memoryview(data)
        while view:
            if self.pump(60, write=True):
                try:
                    view = view[self.sock.send(view):]
                except BlockingIOError:
                    continue
                except OSError as e:
                    raise Gone from e

    def say(self, body):
        self.last = (self.case.frame or frame)(body)
        self.raw(self.last)

    def pause(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.pump(left)
            if b"\x03" in self.buf and self.buf[:1] != b"$":
                self.broken_in = True
                self.buf = self.buf.replace(b"\x03", b"", 1)

    def take(self):
        """One item of what has come: the body of a packet, b"\\x03", or None."""
        while self.buf:
            c = self.buf[:1]
            if c == b"$":
                end = self.buf.find(b"#")
                if end < 0 or len(self.buf) < end + 3:
                    return None
                body, self.buf = self.buf[1:end], self.buf[end + 3:]
                if self.acks:
                    self.raw(self.case.ack(self) if self.case.ack else b"+")
                return body
            self.buf = self.buf[1:]
            if c == b"-" and self.acks and self.last:
                self.raw(self.last)
            if c == b"\x03":
                return c
        return None

    def hear(self, seconds=None):
        """The next item; None after that time."""
        end = None if seconds is None else time.monotonic() + seconds
        while (item := self.take()) is None:
            left = 3600 if end is None else end - time.monotonic()
            if left <= 0:
                return None
            self.pump(left)
        if item != b"\x03":
            self.stub.record("packet", item)
        return item

    # --- attacks
    def play(self, items):
        """Plays what a case yields; what it returned."""
        if isinstance(items, (bytes, str, float, int)):
            items = [items]
        sent, items = None, iter(items)
        while True:
            try:
                item = items.send(sent) if sent is not None and hasattr(items, "send") else next(items)
            except StopIteration as e:
                return e.value
            sent = None
            if item is None:
                raise Gone
            if isinstance(item, Call):
                sent = self.call(item) or ""
            elif isinstance(item, bytes):
                self.raw(item)
            elif isinstance(item, str):
                self.say(item)
            else:
                self.pause(item)

    def attack(self, where, items):
        self.stub.record("attack", where)
        return self.play(items)

    def call(self, body, seconds=3):
        """Asks for a file; serves what the debugger asks meanwhile."""
        self.say(body)
        end = time.monotonic() + seconds
        while (item := self.hear(end - time.monotonic())) is not None:
            if item[:1] == b"F":
                self.stub.record("file", f"{body.split(',')[0]} -> {item.decode('latin-1')}")
                return item.decode("latin-1")
            if item == b"\x03":
                self.broken_in = True
            else:
                if item[:1] in b"MX":
                    self.stub.record("wrote", item)
                self.honest(item.decode("latin-1"))
        self.stub.record("file", f"{body.split(',')[0]} -> nothing")
        return None

    # --- the conversation
    def converse(self):
        if self.case.connect and (items := self.case.connect(self)) is not None:
            self.attack("connect", items)
        while True:
            item = self.hear()
            if item != b"\x03":
                self.packet(item.decode("latin-1"))

    def packet(self, body):
        for prefix, made in self.case.answers.items():
            if body.startswith(prefix) and (items := made(self, body) if callable(made) else made) is not None:
                self.attack(prefix, items)
                return
        if body[:1] in ("c", "s", "C", "S") or body.startswith("vCont;"):
            self.resume(body)
            return
        self.honest(body)
        for prefix, made in self.case.after.items():
            if body.startswith(prefix) and (items := made(self, body) if callable(made) else made) is not None:
                self.attack(f"after {prefix}", items)

    def stop(self, signal_number=5, more=""):
        thread = self.case.threads[0] if self.case.threads else "1"
        self.say(f"T{signal_number:02x}thread:{thread};{more}")

    def resume(self, body):
        self.resumes += 1
        self.broken_in = False
        step = body[:1] in ("s", "S") or body.startswith(("vCont;s", "vCont;S"))
        items = self.case.running(self, self.resumes) if self.case.running and not step else None
        if items is not None and self.attack("running", items):
            return
        if step:
            self.machine.set(RIP, int.from_bytes(self.machine.registers[RIP], "little") + 1)
            self.stop()
        elif self.machine.breakpoints and not self.broken_in:
            self.pause(0.02)
            addr, kind = min(self.machine.breakpoints)
            self.machine.set(RIP, addr)
            self.stop(5, "hwbreak:;" if kind else "swbreak:;")
        else:
            while not self.broken_in and (item := self.hear()) is not None:
                self.broken_in = item == b"\x03"
            self.stop(2)

    # --- honest answers
    def honest(self, body):
        for prefix, answer in ANSWERS:
            if body.startswith(prefix):
                answer(self, body[len(prefix):])
                return
        self.say("")

    def supported(self, _):
        self.say(";".join(FEATURES + list(self.case.features)) if self.case.supported is None else self.case.supported)

    def no_ack(self, _):
        self.say("OK")
        self.acks = False

    def document(self, rest):
        """object:read:annex:offset,length"""
        obj, _, rest = rest.partition(":read:")
        annex, _, where = rest.rpartition(":")
        try:
            offset, length = (int(x, 16) for x in where.split(","))
        except ValueError:
            self.say("E00")
            return
        documents = {"features:target.xml": DESCRIPTION, "memory-map:": MEMORY_MAP, **self.case.documents}
        doc = documents.get(f"{obj}:{annex}")
        if f"{obj}:{annex}" in self.case.documents:
            self.stub.record("attack", f"document {obj}:{annex}")
        if callable(doc):
            key = obj + annex                    # large ones are made once
            doc = self.stub.made[key] = self.stub.made.get(key) or doc(self)
        if doc is None:
            self.say("E00")
            return
        piece = doc[offset:offset + length]
        self.say(b"lm"[offset + length < len(doc):][:1] + escape(piece))

    def g(self, _):
        self.say(self.machine.g()[:2 * SHORT_G] if self.case.short_g else self.machine.g())

    def p(self, rest):
        number = int(rest.split(";")[0] or "ffff", 16)
        self.say(self.machine.registers[number].hex() if number < len(SIZES) else "E45")

    def set_register(self, rest):
        number, _, value = rest.partition("=")
        self.machine.registers[int(number, 16)] = bytes.fromhex(value.split(";")[0])
        self.say("OK")

    def read(self, rest):
        addr, n = (int(x, 16) for x in rest.split(","))
        data = self.machine.read(addr, min(n, 0x1ff0))
        self.say(data.hex() if data else "E14")

    def write(self, rest):
        where, _, data = rest.partition(":")
        self.machine.write(int(where.split(",")[0], 16), bytes.fromhex(data))
        self.say("OK")

    def write_binary(self, rest):
        where, _, data = rest.partition(":")
        self.machine.write(int(where.split(",")[0], 16), unescape(data.encode("latin-1")))
        self.say("OK")

    def set_break(self, rest):
        kind, addr = rest.split(",")[:2]
        self.machine.breakpoints[(int(addr, 16), int(kind))] = True
        self.say("OK")

    def clear_break(self, rest):
        kind, addr = rest.split(",")[:2]
        self.machine.breakpoints.pop((int(addr, 16), int(kind)), None)
        self.say("OK")

    def threads(self, _):
        self.say("m" + ",".join(self.case.threads or ["1", "2"]))

    def monitor(self, _):
        self.say("O" + b"commands: help\n".hex())
        self.say("OK")


def fixed(text):
    return lambda peer, _: peer.say(text)


ANSWERS = [
    ("qSupported", Peer.supported), ("QStartNoAckMode", Peer.no_ack), ("vCont?", fixed("vCont;c;C;s;S")), ("qXfer:", Peer.document),
    ("?", lambda peer, _: peer.stop()), ("qC", lambda peer, rest: peer.say("" if rest else "QC1")), ("g", Peer.g), ("p", Peer.p),
    ("P", Peer.set_register), ("G", fixed("OK")), ("m", Peer.read), ("M", Peer.write), ("X", Peer.write_binary), ("Z", Peer.set_break),
    ("z", Peer.clear_break), ("qfThreadInfo", Peer.threads), ("qsThreadInfo", fixed("l")), ("qThreadExtraInfo", fixed(b"cpu 0".hex())),
    ("H", fixed("OK")), ("T", fixed("OK")), ("D", fixed("OK")), ("qAttached", fixed("1")), ("qRcmd,", Peer.monitor), ("qSymbol", fixed("OK")),
]


class Stub:
    def __init__(self, listen, case, record=None, canary="/nonexistent", url="http://127.0.0.1:9", **_):
        self.case, self.canary, self.url, self.machine = case, canary, url, Machine()
        self.out = open(record, "a", encoding="latin-1", buffering=1) if record else None
        self.connections, self.made = 0, {}
        path = listen.removeprefix("unix:")
        self.server = socket.socket(socket.AF_UNIX) if "/" in path else socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if "/" in path:
            self.server.bind(path)
        else:
            host, _, port = path.removeprefix("tcp:").rpartition(":")
            self.server.bind((host, int(port)))
        self.server.listen(16)

    def address(self):
        at = self.server.getsockname()
        return f"unix:{at}" if isinstance(at, str) else f"tcp:{at[0]}:{at[1]}"

    def record(self, kind, text):
        if self.out:
            text = text.decode("latin-1") if isinstance(text, bytes) else text
            self.out.write(f"{kind} {text[:200]!r}\n")

    def serve(self, honest_case):
        sock = None
        while True:
            try:
                sock, _ = self.server.accept()
                self.connections += 1
                self.record("connect", "")
                Peer(self, sock).converse()
            except Gone:
                pass
            except TurnHonest:
                self.case, self.machine = honest_case, Machine()
                self.record("honest", "")
            if sock:
                sock.close()
            sock = None


def turn_honest(*_):
    raise TurnHonest


def one(cases, stub):
    signal.signal(signal.SIGUSR1, turn_honest)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    stub.serve(cases["honest"])


def many(cases):
    """A process for each, and Python is started once."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        how = json.loads(line)
        stub = Stub(how["listen"], cases[how.pop("case")], **{k: v for k, v in how.items() if k != "listen"})
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(how["errors"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), 2)
            one(cases, stub)
        stub.server.close()
        if stub.out:
            stub.out.close()
        print(pid, flush=True)
    return 0


def main(words):
    import hostile_cases
    cases = hostile_cases.CASES
    ask = argparse.ArgumentParser(description="a GDB stub that attacks whoever debugs it")
    ask.add_argument("--listen", metavar="ADDR", help="unix:PATH or tcp:ADDRESS:PORT")
    ask.add_argument("--case", metavar="NAME", default="honest")
    ask.add_argument("--list", action="store_true")
    ask.add_argument("--many", action="store_true")
    ask.add_argument("--record", metavar="FILE")
    ask.add_argument("--canary", metavar="DIR", default="/nonexistent")
    ask.add_argument("--url", default="http://127.0.0.1:9")
    args = ask.parse_args(words)
    if args.list:
        print("\n".join(f"{c.name:32} {c.what}" for c in cases.values()))
        return 0
    if args.many:
        return many(cases)
    if not args.listen or args.case not in cases:
        print(f"hostile.py: {'no case ' + args.case if args.listen else '--listen is missing'}; --list tells them all", file=sys.stderr)
        return 2
    stub = Stub(args.listen, cases[args.case], args.record, args.canary, args.url)
    print(f"hostile: {args.case} listening on {stub.address()}", flush=True)
    return one(cases, stub)


if __name__ == "__main__":
    sys.modules.setdefault("hostile", sys.modules["__main__"])
    sys.exit(main(sys.argv[1:]))
