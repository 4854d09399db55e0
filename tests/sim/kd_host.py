"""kd_host.py - a small KD host, and the simulated target as a process. Written apart from backends/kd and from the target, for tests."""
import collections
import contextlib
import os
import pathlib
import re
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "tests" / "sim" / "kdtarget" / "kdtarget"
INITIAL, SYNC = 0x80800000, 0x800
MANIPULATE, DEBUG_IO, ACK, RESEND, RESET, STATE, FILE_IO = 2, 3, 4, 5, 6, 7, 11
EXCEPTION, LOAD, COMMAND = 0x3030, 0x3031, 0x3032
BREAKPOINT, STEP, WAKE = 0x80000003, 0x80000004, 0x80000007
HANDLED, NOT_HANDLED = 0x10002, 0x80010001
READ, WRITE, GET_CONTEXT, SET_CONTEXT, WRITE_BREAK, RESTORE_BREAK, CONTINUE, READ_SPACE, WRITE_SPACE = range(0x3130, 0x3139)
REBOOT, CONTINUE2, READ_PHYSICAL, VERSION, CRASH, SWITCH, READ_MSR, SEARCH, QUERY = 0x313b, 0x313c, 0x313d, 0x3146, 0x3149, 0x3150, 0x3152, 0x3156, 0x315c
GET_CONTEXT_EX, SET_CONTEXT_EX = 0x315f, 0x3160

Packet = collections.namedtuple("Packet", "leader type id body")
Answer = collections.namedtuple("Answer", "status head data")
# Offsets: pc, flags and stack pointer of CONTEXT; its size; Dr0, Dr6, Dr7 of the special registers; a pointer.
Arch = collections.namedtuple("Arch", "name pc flags sp context dr0 dr6 dr7 word machine report_flags")
AMD64 = Arch("amd64", 0xf8, 0x44, 0x98, 1232, 0x20, 0x40, 0x48, 8, 0x8664, 208)
I386 = Arch("i386", 0xb8, 0xc0, 0xc4, 716, 0x10, 0x20, 0x24, 4, 0x14c, 228)


def u16(body, at):
    return struct.unpack_from("<H", body, at)[0]


def u32(body, at):
    return struct.unpack_from("<I", body, at)[0]


def u64(body, at):
    return struct.unpack_from("<Q", body, at)[0]


def build():
    subprocess.run(["make", "-s", "-f", "tests/sim/sim.mk", "kdtarget"], cwd=ROOT, check=True, timeout=240)


class Target:
    """options: profile="reactos", processors=2, boot=True, quirk=["twice"], ..."""

    def __init__(self, arch="amd64", carrier="unix", **options):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kdgate-kd-"))
        where = {"unix": ["--listen-unix", str(self.dir / "kd")], "tcp": ["--listen-tcp", "127.0.0.1:0"], "pty": ["--pty"], "kdnet": []}[carrier]
        words = [str(PROGRAM), *where, "--arch", arch, "--log", str(self.dir / "log"), "--log-hex"]
        for name, value in options.items():
            for one in value if isinstance(value, list) else [value]:
                words += [f"--{name.replace('_', '-')}"] + ([] if one is True else [str(one)])
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines, self.partial = [], b""
        self.address = self.until(r"(?:listening on|dialling) (\S+)")[1]

    def until(self, pattern, seconds=20):
        """The first line of standard output, from here on, that has it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while b"\n" in self.partial:
                line, self.partial = self.partial.split(b"\n", 1)
                self.lines.append(line.decode("latin-1"))
                if found := re.search(pattern, self.lines[-1]):
                    return found
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                data = os.read(self.process.stdout.fileno(), 4096)
                assert data, f"the target ended: {self.lines}"
                self.partial += data
        raise AssertionError(f"no {pattern} in {self.lines}")

    def do(self, line):
        self.process.stdin.write(line.encode("latin-1") + b"\n")
        self.process.stdin.flush()

    def status(self):
        self.do("status")
        return {k: v for k, v in (word.split("=") for word in self.until(r"status (.*)")[1].split())}

    def symbol(self, name):
        self.do(f"symbol {name}")
        return int(self.until(rf"symbol {name} (\w+)")[1], 16)

    def log(self, pattern):
        return re.findall(pattern, (self.dir / "log").read_text())

    def join(self):
        kind, where = self.address.split(":", 1)
        if kind == "pty":
            return os.fdopen(os.open(where, os.O_RDWR | os.O_NOCTTY), "r+b", buffering=0)
        s = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        s.connect(where if kind == "unix" else (where.split(":")[0], int(where.split(":")[1])))
        return s

    def close(self):
        with contextlib.suppress(OSError, ValueError):
            self.do("quit")
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Host:
    """One host. prints: all that was printed; files: what it was asked for; answer: to prompts."""

    def __init__(self, target, arch=AMD64):
        self.arch, self.line, self.buffer = arch, target.join(), b""
        self.send_id = self.expect_id = INITIAL
        self.queue, self.prints, self.answer, self.files = collections.deque(), "", b"me", []
        self.patience = 1.0     # for an ACK
        self.seen = []     # ids of all data packets, as they came

    def close(self):
        self.line.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- bytes and packets

    def write(self, data):
        os.write(self.line.fileno(), data)

    def fill(self, seconds):
        if not select.select([self.line], [], [], max(seconds, 0))[0]:
            return False
        data = os.read(self.line.fileno(), 8192)
        assert data, "the target hung up"
        self.buffer += data
        return True

    def packet(self, seconds=5.0):
        """The next packet, whatever it is; None: none came. A wrong one is asked for again."""
        end = time.monotonic() + seconds
        while True:
            starts = [i for i in (self.buffer.find(b"0000"), self.buffer.find(b"iiii")) if i >= 0]
            if starts:
                self.buffer = self.buffer[min(starts):]
                if len(self.buffer) >= 16:
                    kind, size, number, total = struct.unpack_from("<HHII", self.buffer, 4)
                    length = 16 + (size + 1 if self.buffer[:1] == b"0" else 0)
                    if len(self.buffer) >= length:
                        packet = Packet(self.buffer[:1], kind, number, self.buffer[16:16 + size])
                        good = packet.leader == b"i" or (sum(packet.body) == total and self.buffer[length - 1] == 0xaa)
                        self.buffer = self.buffer[length:]
                        if good:
                            return packet
                        self.control(RESEND, 0)
                        continue
            if not self.fill(end - time.monotonic()):
                if time.monotonic() >= end:
                    return None

    def control(self, kind, number):
        self.write(b"iiii" + struct.pack("<HHII", kind, 0, number, 0))

    def data(self, kind, body, number):
        self.write(b"0000" + struct.pack("<HHII", kind, len(body), number, sum(body)) + body + b"\xaa")

    def break_in(self):
        self.write(b"b")

    # --- the conversation

    def on_data(self, packet):
        """True: it is new."""
        number = packet.id & ~SYNC
        self.seen.append(packet.id)
        self.control(ACK, number)
        if packet.id & SYNC:
            self.send_id = INITIAL
        elif number != self.expect_id:
            return False
        self.expect_id = number ^ 1
        return True

    def on_reset(self):
        self.send_id = self.expect_id = INITIAL

    def say(self, kind, body, tries=8):
        """Sends and waits for the ACK; what comes first is queued."""
        for _ in range(tries):
            self.data(kind, body, self.send_id)
            while (packet := self.packet(self.patience)) is not None:
                if packet.leader == b"0":
                    if self.on_data(packet):
                        self.queue.append(packet)
                    if packet.id & SYNC:
                        break
                elif packet.type == ACK and packet.id == self.send_id:
                    self.send_id ^= 1
                    return
                elif packet.type == RESEND:
                    break
        raise AssertionError("never acknowledged")

    def hear(self, seconds=5.0):
        """The next new data packet, or None. Prints are kept, prompts and files answered."""
        end = time.monotonic() + seconds
        while True:
            if self.queue:
                packet = self.queue.popleft()
            else:
                packet = self.packet(end - time.monotonic())
                if packet is None:
                    return None
                if packet.leader == b"i":
                    if packet.type == RESET:
                        self.on_reset()
                    continue
                if not self.on_data(packet):
                    continue
            if packet.type == DEBUG_IO:
                self.on_text(packet.body)
            elif packet.type == FILE_IO:
                self.files.append(packet.body)
                self.say(FILE_IO, packet.body[:4] + struct.pack("<I", 0xc000000f) + packet.body[8:64])
            else:
                return packet

    def on_text(self, body):
        length = u32(body, 8)
        self.prints += body[16 if len(body) >= 16 + length else 12:][:length].decode("latin-1")
        if u32(body, 0) == 0x3231:
            self.say(DEBUG_IO, struct.pack("<IHHII", 0x3231, 0, 0, 0, len(self.answer)) + self.answer)

    def ask(self, api, *fields, cpu=0, data=b"", status=None):
        """fields: (offset, "<struct format>", value)."""
        head = bytearray(56)
        struct.pack_into("<IHHI", head, 0, api, 0, cpu, 0)
        for at, form, value in fields:
            struct.pack_into(form, head, at, value)
        self.say(MANIPULATE, bytes(head) + data)
        while (packet := self.hear()) is not None:
            if packet.type == MANIPULATE and u32(packet.body, 0) == api:
                answer = Answer(u32(packet.body, 8), packet.body[:56], packet.body[56:])
                assert status is None or answer.status == status, hex(answer.status)
                return answer
        raise AssertionError(f"no answer to {api:x}")

    def tell(self, api, *fields, cpu=0):
        """A request that is not answered."""
        head = bytearray(56)
        struct.pack_into("<IHHI", head, 0, api, 0, cpu, 0)
        for at, form, value in fields:
            struct.pack_into(form, head, at, value)
        self.say(MANIPULATE, bytes(head))

    # --- what a debugger does

    def state(self, seconds=10.0):
        packet = self.hear(seconds)
        assert packet is not None and packet.type == STATE, packet
        return packet.body

    def attach(self, seconds=10.0):
        """A break-in every half second until it stands."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.break_in()
            packet = self.hear(0.5)
            if packet is not None and packet.type == STATE:
                return packet.body
        raise AssertionError("it does not stop")

    def go(self, trace=0, dr7=None, status=HANDLED, cpu=0):
        dr7 = 0x400 if dr7 is None else dr7
        self.tell(CONTINUE2, (16, "<I", status), (20, "<I", trace), (24, "<Q" if self.arch.word == 8 else "<I", dr7), cpu=cpu)

    def read(self, addr, n):
        return self.ask(READ, (16, "<Q", addr & (1 << 64) - 1), (24, "<I", n))

    def memory(self, addr, n):
        answer = self.read(addr, n)
        assert answer.status == 0 and u32(answer.head, 28) == n == len(answer.data), (hex(answer.status), len(answer.data))
        return answer.data

    def pointer(self, addr):
        data = self.memory(addr, self.arch.word)
        return self.signed(int.from_bytes(data, "little"))

    def signed(self, addr):
        return addr | 0xffffffff00000000 if self.arch.word == 4 and addr & 0x80000000 else addr

    def context(self, cpu=0):
        answer = self.ask(GET_CONTEXT, cpu=cpu, status=0)
        assert len(answer.data) == self.arch.context
        return bytearray(answer.data)

    def reg(self, context, at, bytes_=None):
        return int.from_bytes(context[at:at + (bytes_ or self.arch.word)], "little")

    def pc(self, context):
        return self.signed(self.reg(context, self.arch.pc))

    def set_pc(self, pc, cpu=0):
        context = self.context(cpu)
        context[self.arch.pc:self.arch.pc + self.arch.word] = (pc & (1 << 8 * self.arch.word) - 1).to_bytes(self.arch.word, "little")
        self.ask(SET_CONTEXT, cpu=cpu, data=bytes(context), status=0)

    def over_int3(self, state):
        """From a hard-coded int3."""
        assert self.memory(u64(state, 24), 1) == b"\xcc"
        self.set_pc(u64(state, 24) + 1, u16(state, 6))

    def plant(self, addr):
        return u32(self.ask(WRITE_BREAK, (16, "<Q", addr), status=0).head, 24)

    def restore(self, handle):
        return self.ask(RESTORE_BREAK, (16, "<I", handle)).status

    def special(self, cpu=0):
        at, n = (2, 0xe0) if self.arch.word == 8 else (0x2cc, 84)
        return bytearray(self.ask(READ_SPACE, (16, "<Q", at), (24, "<I", n), cpu=cpu, status=0).data[:n])

    def set_special(self, data, cpu=0):
        return self.ask(WRITE_SPACE, (16, "<Q", 2 if self.arch.word == 8 else 0x2cc), (24, "<I", len(data)), cpu=cpu, data=bytes(data)).status
