"""kd_liar.py - a KD target that lies: an amd64 kernel that stands when it is met, honest but for what its lie is about. Nothing runs in it.

	with kd_liar.Liar("module-cycle") as liar:      liar.address; liar.told counts what was false; liar.repent(): from the next connection on
	                                                it is honest (the one that is open is closed)
"""
import collections
import contextlib
import itertools
import pathlib
import select
import shutil
import socket
import struct
import tempfile
import threading
import time

from kd_host import (ACK, COMMAND, CONTINUE, CONTINUE2, DEBUG_IO, EXCEPTION, FILE_IO, GET_CONTEXT, INITIAL, LOAD, MANIPULATE, READ, READ_SPACE, RESEND,
                     RESET, SET_CONTEXT, STATE, STEP, SYNC, VERSION, WAKE, WRITE, WRITE_BREAK, Packet, u32, u64)

BASE, PAGES = 0xfffff80000400000, 16
LIST, BLOCK, HEAD, ENTRIES, NAMES = BASE + 0x8000, BASE + 0x9000, BASE + 0x8800, BASE + 0xa000, BASE + 0xb000
CODE = BASE + 0x1000                 # an int3, then nops
GOOD, REFUSED = 0, 0xc0000001
ESCAPES = b"\x1b]0;owned\x07\x1b[2J\x9b31mred\x00\x08\x7f<&>\"'"


def wide(text):
    return text.encode("utf-16-le")


class Liar:
    """The honest one. What a lie changes is a method of its own."""
    name = "honest"
    lies = {}

    def __init_subclass__(cls):
        cls.name = cls.__name__.lower().replace("_", "-")
        Liar.lies[cls.name] = cls

    def __new__(cls, name=None):
        return super().__new__(Liar.lies[name] if name else cls)

    def __init__(self, name=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kdgate-liar-"))
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.dir / "kd"))
        self.listener.listen(1)
        self.address = f"unix:{self.dir / 'kd'}"
        self.told, self.honest, self.ending, self.line, self.met = 0, False, False, None, 0
        self.asked, self.files, self.answers, self.complaints = [], [], [], []
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.ending = True
        self.thread.join(5)
        self.listener.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def repent(self):
        self.honest = True

    def lie(self):
        """True: it is to lie now, which counts."""
        self.told += not self.honest
        return not self.honest

    def done(self):
        """How often it was let run, or given an answer."""
        return len(self.files) + len(self.answers) + sum(u32(body, 0) == CONTINUE2 for body in self.asked)

    # --- the line

    def live(self):
        while not self.ending:
            if not select.select([self.listener], [], [], 0.05)[0]:
                continue
            self.line, _ = self.listener.accept()
            self.line.setblocking(False)
            with contextlib.suppress(OSError), self.line:
                self.converse(self.honest)

    def converse(self, honest):
        self.buffer, self.queue, self.out, self.standing = b"", collections.deque(), None, True
        self.send_id, self.expect_id, self.sent_at = INITIAL | SYNC, INITIAL, 0
        self.memory, self.context, self.special = memory_of(self), context_of(), bytearray(0xe0)
        self.breaks, self.pc, self.met = {}, CODE, self.met + 1
        while not self.ending and honest == self.honest:
            if not self.honest:
                self.idle()
            self.flush()
            if select.select([self.line], [], [], 0.005)[0]:
                data = self.line.recv(8192)
                if not data:
                    return
                self.buffer += data
                for item in self.items():
                    self.hear(item)

    def items(self):
        """b"b", or a packet, as they come."""
        while self.buffer:
            if self.buffer[:1] == b"b":
                self.buffer = self.buffer[1:]
                yield b"b"
                continue
            if len(self.buffer) < 16:
                return
            kind, size, number, total = struct.unpack_from("<HHII", self.buffer, 4)
            length = 16 + (size + 1 if self.buffer[:1] == b"0" else 0)
            if len(self.buffer) < length:
                return
            body = self.buffer[16:16 + size]
            if self.buffer[:4] not in (b"0000", b"iiii") or (self.buffer[:1] == b"0" and (sum(body) != total or self.buffer[length - 1] != 0xaa)):
                self.complaints.append(self.buffer[:length])
            self.buffer, packet = self.buffer[length:], Packet(self.buffer[:1], kind, number, body)
            yield packet

    def write(self, data):
        """A peer that does not read loses the rest."""
        end = time.monotonic() + 2
        while data and time.monotonic() < end and not self.ending:
            if select.select([], [self.line], [], 0.05)[1]:
                data = data[self.line.send(data):]

    def control(self, kind, number):
        self.write(b"iiii" + struct.pack("<HHII", kind, 0, number, 0))

    def frame(self, kind, body, number):
        return b"0000" + struct.pack("<HHII", kind, len(body), number, sum(body)) + body + b"\xaa"

    def say(self, kind, body):
        self.queue.append((kind, bytes(body)))

    def flush(self):
        """One at a time, and again when it is not acknowledged."""
        if self.out is None and self.queue:
            self.out, self.sent_at = self.queue.popleft(), 0
        if self.out and time.monotonic() - self.sent_at > 0.4:
            self.sent_at = time.monotonic()
            self.write(self.frame(*self.out, self.send_id))

    def hear(self, item):
        if item == b"b":
            self.on_break()
        elif item.leader == b"i":
            self.on_control(item)
        else:
            self.on_data(item)

    def on_break(self):
        if not self.standing:
            self.stop()

    def on_control(self, packet):
        if packet.type == ACK and packet.id == self.send_id & ~SYNC and self.out:
            self.out, self.send_id = None, (self.send_id ^ 1) & ~SYNC
        elif packet.type == RESEND:
            self.sent_at = 0
        elif packet.type == RESET:
            self.on_reset()

    def on_reset(self):
        if not self.standing:
            return
        self.send_id = self.expect_id = INITIAL
        self.queue.clear()
        self.out = None
        self.control(RESET, 0)
        self.say(STATE, self.state())

    def on_data(self, packet):
        self.control(ACK, packet.id)
        if packet.id != self.expect_id:
            return
        self.expect_id ^= 1
        if packet.type == MANIPULATE:
            self.asked.append(packet.body)
            for kind, body in self.answer(u32(packet.body, 0), packet.body):
                self.say(kind, body)
        else:
            (self.files if packet.type == FILE_IO else self.answers).append(packet.body)

    # --- what it is

    def stop(self):
        self.standing = True
        self.say(STATE, self.state())

    def idle(self):
        """Every few milliseconds, while it is not honest."""

    def change(self, m):
        """Its memory, before it is met."""

    def state(self, kind=EXCEPTION, code=0x80000003, processor=0, processors=1, extra=b""):
        body = bytearray(240)
        struct.pack_into("<IHHI4xQQ", body, 0, kind, 6, processor, processors, 0xfffffa8000001000, self.pc)
        if kind == EXCEPTION:
            struct.pack_into("<IIQQI", body, 32, code, 0, 0, self.pc, 1)
            struct.pack_into("<I", body, 184, 1)
        struct.pack_into("<QQIHH", body, 192, 0xffff0ff0, 0x400, 0x246, 16, 3)
        body[216:232] = self.read(self.pc, 16) or bytes(16)
        return body + extra

    def load(self, path=b"\\SystemRoot\\lied.sys\0", length=None, base=BASE + 0x100000):
        body = self.state(LOAD)
        body[32:192] = bytes(160)
        struct.pack_into("<I4xQQII", body, 32, len(path) if length is None else length, base, 4, 0, 0x1000)
        return body + path

    def prints(self, text, length=None, api=0x3230):
        return struct.pack("<IHHII", api, 6, 0, len(text) if length is None else length, 64) + text

    def file(self, path="\\SystemRoot\\evil.sys"):
        return struct.pack("<II", 0x3430, 0x103) + bytes(56) + wide(path)

    def read(self, addr, n):
        at = addr - BASE
        return bytes(self.memory[at:at + n]) if 0 <= at and at + n <= len(self.memory) else None

    def answer(self, api, body):
        """[(type, payload)] to one request."""
        head = bytearray(body[:56])
        status, data = getattr(self, f"do_{api:x}", lambda *_: (REFUSED, b""))(head, body[56:])
        struct.pack_into("<I", head, 8, status)
        return [] if status is None or api in (CONTINUE, CONTINUE2) else [(MANIPULATE, bytes(head) + data)]

    def do_3130(self, head, _):
        addr, n = u64(head, 16), u32(head, 24)
        data = self.read(addr, n)
        struct.pack_into("<I", head, 28, len(data or b""))
        return (REFUSED, b"") if data is None else (GOOD, data)

    def do_3131(self, head, data):
        at = u64(head, 16) - BASE
        if not 0 <= at <= len(self.memory) - len(data):
            return REFUSED, b""
        self.memory[at:at + len(data)] = data
        struct.pack_into("<I", head, 28, len(data))
        return GOOD, b""

    def do_3132(self, _, __):
        struct.pack_into("<Q", self.context, 0xf8, self.pc)
        return GOOD, bytes(self.context)

    def do_3133(self, _, data):
        self.context[:len(data)] = data
        self.pc = u64(self.context, 0xf8)
        return GOOD, b""

    def do_3134(self, head, _):
        at, handle = u64(head, 16) - BASE, next(n for n in itertools.count(1) if n not in self.breaks)
        if not 0 <= at < len(self.memory) or handle > 32 or at in [a for a, _ in self.breaks.values()]:
            return REFUSED, b""
        self.breaks[handle] = (at, self.memory[at])
        self.memory[at] = 0xcc
        struct.pack_into("<I", head, 24, handle)
        return GOOD, b""

    def do_3135(self, head, _):
        if (handle := u32(head, 16)) not in self.breaks:
            return REFUSED, b""
        at, self.memory[at] = self.breaks.pop(handle)
        return GOOD, b""

    def do_313c(self, _, __):
        self.standing = False
        return GOOD, b""

    def do_3137(self, head, _):
        struct.pack_into("<I", head, 28, u32(head, 24))
        return (GOOD, bytes(self.special)[:u32(head, 24)]) if u64(head, 16) == 2 else (REFUSED, b"")

    def do_3138(self, head, data):
        self.special[:len(data)] = data
        struct.pack_into("<I", head, 28, len(data))
        return GOOD, b""

    def do_3146(self, head, _):
        struct.pack_into("<HHBBHHBBBBHQQQ", head, 16, 15, 9600, 6, 2, 7, 0x8664, 12, 3, 0x31, 0, 0, BASE, LIST, HEAD)
        return GOOD, b""

    def do_3152(self, head, _):
        struct.pack_into("<II", head, 20, 0x11223344, 0xfffff800)
        return GOOD, b""


def context_of():
    context = bytearray(1232)
    struct.pack_into("<I", context, 0x30, 0x10001f)
    struct.pack_into("<HHHHHHI", context, 0x38, 0x10, 0x2b, 0x2b, 0x53, 0x2b, 0x18, 0x246)
    struct.pack_into("<Q", context, 0x98, BASE + 0xf000)
    return context


def put_name(m, at, where, text):
    data = wide(text)
    struct.pack_into("<HH4xQ", m, at, len(data), len(data), where)
    m[where - BASE:where - BASE + len(data)] = data


def memory_of(liar):
    """Code, the list of two images, the data block."""
    m = bytearray(PAGES * 4096)
    m[0:2], m[CODE - BASE:CODE - BASE + 64] = b"MZ", b"\xcc" + b"\x90" * 63
    entries = [ENTRIES, ENTRIES + 0x100]
    for at, following in zip([LIST, *entries], [*entries, LIST]):
        struct.pack_into("<Q", m, at - BASE, following)
    for i, (at, name) in enumerate(zip(entries, ("ntoskrnl.exe", "hal.dll"))):
        struct.pack_into("<QQI", m, at - BASE + 0x30, BASE + i * 0x800000, BASE, 0x10000)
        put_name(m, at - BASE + 0x58, NAMES + i * 0x100, name)
    struct.pack_into("<Q", m, HEAD - BASE, BLOCK)
    struct.pack_into("<QQ4sIQ", m, BLOCK - BASE, HEAD, HEAD, b"KDBG", 0x360, BASE)
    struct.pack_into("<Q", m, BLOCK - BASE + 0x88, NAMES + 0x800)
    struct.pack_into("<5Q", m, NAMES - BASE + 0x800, 0xe2, 1, 2, 3, 4)
    if not liar.honest:
        liar.change(m)
    return m


def answers(api):
    """Of a lie: what it changes in the answers to that request."""
    def decorate(change):
        def answer(self, asked, body):
            honest = Liar.answer(self, asked, body)
            return change(self, honest, body) if asked == api and self.lie() else honest
        return answer
    return decorate


def edited(honest, at, form, value):
    kind, body = honest[0]
    body = bytearray(body)
    struct.pack_into(form, body, at, value)
    return [(kind, bytes(body))]


# --- lengths, counts, handles

class Read_Says_More(Liar):
    """More bytes read than there are."""
    answer = answers(READ)(lambda self, honest, body: edited(honest, 28, "<I", 0xffffffff))


class Read_Is_Longer(Liar):
    """More than was asked for, and says so."""
    answer = answers(READ)(lambda self, honest, body: [(MANIPULATE, edited(honest, 28, "<I", 3000)[0][1][:56] + bytes(3000))])


class Read_Is_Nothing(Liar):
    """Success, and no byte."""
    answer = answers(READ)(lambda self, honest, body: [(MANIPULATE, edited(honest, 28, "<I", 0)[0][1][:56])])


class Wrote_More(Liar):
    """More written than was sent."""
    answer = answers(WRITE)(lambda self, honest, body: edited(honest, 28, "<I", 0x7fffffff))


class Context_Is_Short(Liar):
    """A register file of 10 bytes."""
    answer = answers(GET_CONTEXT)(lambda self, honest, body: [(MANIPULATE, honest[0][1][:66])])


class Context_Is_Long(Liar):
    """As long as a packet can be."""
    answer = answers(GET_CONTEXT)(lambda self, honest, body: [(MANIPULATE, honest[0][1][:56].ljust(4000, b"\x41"))])


class Handle_Is_None(Liar):
    """A breakpoint that went in, with handle 0."""
    answer = answers(WRITE_BREAK)(lambda self, honest, body: edited(honest, 24, "<I", 0))


class Answer_Is_Cut(Liar):
    """A success of 20 bytes."""
    answer = answers(READ)(lambda self, honest, body: [(MANIPULATE, honest[0][1][:20])])


class Special_Is_Longer(Liar):
    """Control space to the end of a packet."""
    answer = answers(READ_SPACE)(lambda self, honest, body: [(MANIPULATE, edited(honest, 28, "<I", 3944)[0][1][:56] + b"\x42" * 3944)])


# --- whose answer it is

class Another_Api(Liar):
    """First an answer to what nobody asked."""
    answer = answers(READ)(lambda self, honest, body: edited(honest, 0, "<I", VERSION) + honest)


class Another_Address(Liar):
    """First an answer to another read."""
    answer = answers(READ)(lambda self, honest, body: edited(honest, 16, "<Q", BASE + 0x5000) + honest)


class Another_Processor(Liar):
    """First the registers of a processor that was not asked."""
    answer = answers(GET_CONTEXT)(lambda self, honest, body: [(MANIPULATE, edited(honest, 6, "<H", 7)[0][1][:56].ljust(1288, b"\x55"))] + honest)


class Unasked(Liar):
    """Answers that nobody waits for, all the time."""
    def idle(self):
        if len(self.queue) < 2 and self.standing and self.asked and self.lie():
            self.say(MANIPULATE, struct.pack("<IHHI", READ, 6, 0, 0) + bytes(44) + b"\x66" * 64)


class Unknown_Types(Liar):
    """Packets of types that are none, and trace records."""
    def idle(self):
        if len(self.queue) < 2 and self.asked and self.lie():
            self.say(9 + self.told % 2, struct.pack("<IHHI", 0x3330, 6, 0, 0xffffffff) + bytes(52) + ESCAPES)


class Twice_The_Answer(Liar):
    """Each answer twice, the second as a packet of its own, with other bytes."""
    def answer(self, api, body):
        honest = Liar.answer(self, api, body)
        return honest + [(MANIPULATE, b[:56] + bytes(len(b) - 56)) for _, b in honest] if self.lie() else honest


class State_In_Between(Liar):
    """A state change where an answer is due, and then the answer."""
    def answer(self, api, body):
        honest = Liar.answer(self, api, body)
        wrong = self.state(code=0xc0000005)
        struct.pack_into("<Q", wrong, 24, BASE + 0x1008)
        return [(STATE, wrong)] + honest if honest and api == READ and self.lie() else honest


# --- what it reports

class Many_Processors(Liar):
    """More processors than any machine has."""
    def state(self, *how, **more):
        return Liar.state(self, *how, **more, processors=0x7fffffff if self.lie() else 1)


class No_Such_Processor(Liar):
    """A report of processor 9 of 2; the next one is honest."""
    def state(self, *how, **more):
        lie = self.told < 1 and self.lie()
        return Liar.state(self, *how, **more, processor=9 if lie else 0, processors=2 if lie else 1)


class Many_Parameters(Liar):
    """An exception with 4 billion parameters."""
    def state(self, *how, **more):
        body = Liar.state(self, *how, **more, code=0xc0000005)
        struct.pack_into("<I", body, 56, 0xffffffff if self.lie() else 2)
        return body


class Unknown_State(Liar):
    """A state change that is none of the three."""
    def state(self, *how, **more):
        return Liar.state(self, 0x3039 if self.lie() else EXCEPTION)


class Short_State(Liar):
    """Half a state change, and then a whole one."""
    def state(self, *how, **more):
        return Liar.state(self, *how, **more)[:20 if self.told < 1 and self.lie() else None]


class Goes_On(Liar):
    """What it does each time it is let run: stop at once, with what its method says."""
    def do_313c(self, head, data):
        Liar.do_313c(self, head, data)
        if self.lie():
            self.standing = True
            self.say(STATE, self.report())
        return GOOD, b""

    def report(self):
        return self.state()


class Loads_Without_End(Goes_On):
    """A load-symbols report after every continue."""
    def report(self):
        return self.load()


class Commands_Without_End(Goes_On):
    """A debugger command after every continue."""
    def report(self):
        return self.state(COMMAND, extra=b"kd\0.shell rm -rf /\0")


class Hits_Without_End(Goes_On):
    """A debug register that nobody set, hit after every continue."""
    def report(self):
        body = self.state(code=STEP)
        struct.pack_into("<QQ", body, 192, 0xffff0ff1, 0x402)
        return body


class Wakes_Without_End(Goes_On):
    """A processor that reports after a switch nobody made."""
    def report(self):
        return self.state(code=WAKE)


class Path_Of_Escapes(Goes_On):
    """An image whose name is a terminal's commands; and a length that is not that of the path."""
    def report(self):
        return self.load(b"\\x\\" + ESCAPES + b"\0", 0xffffffff if self.told % 2 else None)


# --- what it says by itself

class Talks(Liar):
    """Once it has been asked something: a packet after the other."""
    kind = DEBUG_IO

    def idle(self):
        if len(self.queue) < 4 and self.asked and self.lie():
            self.say(self.kind, self.words())


class Prints_Without_End(Talks):
    """Text, as fast as it is acknowledged."""
    def words(self):
        return self.prints(b"flood " * 80 + b"\n")

    def flush(self):
        for _ in range(20):
            Liar.flush(self)


class Prints_Escapes(Talks):
    """A terminal's commands as text; and a length that is not that of the text."""
    def words(self):
        return self.prints(ESCAPES, 0xffffffff if self.told % 2 else None)


class Prompts_Without_End(Talks):
    """Whatever is answered, it asks again."""
    def words(self):
        return self.prints(b"Break, Ignore (bi)?", api=0x3231)


class Files_Without_End(Talks):
    """Files of the host's, one after the other."""
    kind = FILE_IO

    def words(self):
        return self.file("\\..\\..\\etc\\passwd\x1b[2J")


class Broken_Requests(Talks):
    """Debug I/O and file I/O that make no sense."""
    @property
    def kind(self):
        return FILE_IO if self.told % 2 else DEBUG_IO

    def words(self):
        return [b"", b"\x30\x32", struct.pack("<IHHI", 0x3299, 0, 0, 4) + b"abcd", struct.pack("<II", 0x34ff, 0) + bytes(80), bytes(4)][self.told % 5]


class Bugcheck_Of_Lies(Talks):
    """A fatal print with parameters that are none, many times."""
    def words(self):
        return self.prints(b"*** Fatal System Error: 0xzz" + b"9" * 400 + b"\n(0x" + b"f" * 60 + b",,,)\nDriver at fault: " + ESCAPES * 6 + b".\n")


# --- what lies in its memory

class Module_Cycle(Liar):
    """The list of images leads back into itself, not to its head."""
    def change(self, m):
        struct.pack_into("<Q", m, ENTRIES + 0x100 - BASE, ENTRIES)
        self.told += 1


class Module_Into_Nothing(Liar):
    """The list leads to where there is no memory."""
    def change(self, m):
        struct.pack_into("<Q", m, ENTRIES - BASE, 0xffffffffffffffff)
        self.told += 1


class Module_Names(Liar):
    """A name of 65535 bytes at an odd address, and one of commands for terminals and for XML."""
    def change(self, m):
        struct.pack_into("<HH4xQ", m, ENTRIES - BASE + 0x58, 0xffff, 0xffff, NAMES + 1)
        put_name(m, ENTRIES + 0x100 - BASE + 0x58, NAMES + 0x400, ESCAPES.decode("latin-1") + "]]>\ud7ff\u202e../../x")
        self.told += 1


class Kdbg_Size(Liar):
    """A data block of 4 GB."""
    def change(self, m):
        struct.pack_into("<I", m, BLOCK - BASE + 20, 0xffffffff)
        self.told += 1


class Kdbg_Cycle(Liar):
    """No data block in a list that has no end."""
    def change(self, m):
        m[BLOCK - BASE + 16:BLOCK - BASE + 20] = b"GBDK"
        struct.pack_into("<Q", m, BLOCK - BASE, BLOCK)
        self.told += 1


# --- the line

class Resends_Without_End(Liar):
    """Whatever it is sent, it wants again."""
    def on_data(self, packet):
        if self.asked and self.lie():
            self.control(RESEND, 0)
        else:
            Liar.on_data(self, packet)


class Resets_Without_End(Liar):
    """RESET to everything."""
    def on_data(self, packet):
        if len(self.asked) > 3 and self.lie():
            self.control(RESET, 0)
        else:
            Liar.on_data(self, packet)

    def on_reset(self):
        if len(self.asked) > 3 and self.lie():
            self.control(RESET, 0)
        else:
            Liar.on_reset(self)


class Begins_Without_End(Liar):
    """Its stream begins anew with every packet."""
    def flush(self):
        if self.asked and len(self.asked) > 3 and self.queue and not self.out and self.lie():
            self.send_id, self.expect_id = INITIAL | SYNC, INITIAL
        Liar.flush(self)


class Damaged_Without_End(Liar):
    """Every packet has a wrong sum."""
    def frame(self, kind, body, number):
        good = Liar.frame(self, kind, body, number)
        return good[:12] + b"\xff\xff\xff\xff" + good[16:] if len(self.asked) > 3 and self.lie() else good


class Noise_Without_End(Liar):
    """Bytes that are no packet, leaders of packets that do not come, and lengths that cannot be."""
    def idle(self):
        if self.asked and self.lie():
            self.write(b"\x00\x30\x30\x30\x30\x07\x00\xff\xff" + b"i" * 7 + ESCAPES + b"0000" * 30 + bytes(range(256)))


class No_Answer(Liar):
    """It takes requests to read, and says nothing to them."""
    answer = answers(READ)(lambda self, honest, body: [])


class No_Answer_Once(Liar):
    """One answer gets lost: it was a breakpoint's, which is in."""
    def answer(self, api, body):
        honest = Liar.answer(self, api, body)
        return [] if api == WRITE_BREAK and self.told < 1 and self.lie() else honest


class No_Ack(Liar):
    """Once it was asked for memory it takes nothing any more."""
    def on_data(self, packet):
        if not any(u32(body, 0) == READ for body in self.asked) or not self.lie():
            Liar.on_data(self, packet)


# --- what it will not do

class Keeps_Breakpoints(Liar):
    """RestoreBreakPoint is refused, and the breakpoint stays."""
    def do_3135(self, head, data):
        return (REFUSED, b"") if self.lie() else Liar.do_3135(self, head, data)


class Keeps_Registers(Liar):
    """SetContext is refused."""
    answer = answers(SET_CONTEXT)(lambda self, honest, body: edited(honest, 8, "<I", REFUSED))


class No_Version(Liar):
    """It does not tell what it is."""
    answer = answers(VERSION)(lambda self, honest, body: edited(honest, 8, "<I", REFUSED))


class Another_Machine(Liar):
    """A processor that nobody has."""
    answer = answers(VERSION)(lambda self, honest, body: edited(honest, 24, "<H", 0x5032))


class Nothing_Yet(Liar):
    """Too early in its boot: no kernel, no list, no block."""
    answer = answers(VERSION)(lambda self, honest, body: [(MANIPULATE, honest[0][1][:32] + bytes(24))])
