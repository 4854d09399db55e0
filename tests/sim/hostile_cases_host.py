"""hostile_cases_host.py - attacks on the host: requests for files and programs, and text that takes over a terminal."""
import re
import time

from hostile import STRINGS, Call, frame
from hostile_cases import CASES, case, hexed, often

ESC = "\x1b]0;title\x07\x1b[31mred\x1b[2J\x7f"


# --- files
def path(peer, name):
    """A name in the target's memory: pointer/length."""
    text = f"{peer.stub.canary}/{name}".encode() + b"\0"
    at = STRINGS + 0x100 * (peer.stub.connections + sum(map(ord, name)) % 64)
    peer.machine.write(at, text)
    return f"{at:x}/{len(text):x}"


def calls(*made):
    """The first time it runs, each of those calls: text, or a function of the peer."""
    def running(peer, n):
        for call in made if n == 1 else ():
            yield Call(call(peer) if callable(call) else call)
    return lambda peer, n: running(peer, n) if n == 1 else None


def text(peer, data):
    peer.machine.write(STRINGS + 0x8000, data)
    return f"{STRINGS + 0x8000:x},{len(data):x}"


def file_case(name, what, *made, guard="file", **how):
    case(f"file-{name}", what, running=calls(*made), guard=guard, **how)


# 601: write, create, truncate
file_case("create", "F opens a file of the host for writing", lambda p: f"Fopen,{path(p, 'created')},601,1b6")
file_case("truncate", "F opens a file that is there for writing", lambda p: f"Fopen,{path(p, 'secret')},601,1b6")
case("file-read", "F opens a file of the host and reads it", running=lambda peer, n: reading(peer) if n == 1 else None, guard="file")
file_case("write-1", "F writes escape sequences to descriptor 1", lambda p: f"Fwrite,1,{text(p, ESC.encode())}", guard="text", shows="red")
file_case("write-2", "F writes escape sequences to descriptor 2", lambda p: f"Fwrite,2,{text(p, ESC.encode())}", guard="text", shows="red")
file_case("write-5", "F writes to descriptor 5, which it did not open", lambda p: f"Fwrite,5,{text(p, b'evil')}")
file_case("keyboard", "F reads what the user types", f"Fread,0,{STRINGS + 0x9000:x},40")
file_case("rename", "F renames a file of the host", lambda p: f"Frename,{path(p, 'secret')},{path(p, 'renamed')}")
file_case("unlink", "F deletes a file of the host", lambda p: f"Funlink,{path(p, 'secret')}")
file_case("stat", "F asks what a file of the host is", lambda p: f"Fstat,{path(p, 'secret')},{STRINGS + 0x9000:x}")
file_case("seek", "F asks for lseek and fstat of descriptors", "Flseek,1,0,0", f"Ffstat,1,{STRINGS + 0x9000:x}", "Fclose,1")
file_case("system", "F runs a program on the host", lambda p: f"Fsystem,{path(p, 'x; touch ran')}")
file_case("system-0", "F asks whether programs can be run", "Fsystem,0/0")
file_case("time", "F asks for the time", f"Fgettimeofday,{STRINGS + 0x9000:x},0")
file_case("isatty", "F asks whether there is a terminal", "Fisatty,0")
file_case("unknown", "F with a call that is none", "Fevil,1,2,3")
file_case("huge", "F with a length of 2^32-1, and a pointer to nowhere", "Fopen,ffffffffffffffff/ffffffff,601,1b6", "Fwrite,1,dead000000000000,ffffffff")
case("file-malformed", "F without a call, with letters for numbers, with escape sequences", guard="unasked", may="file",
     running=lambda peer, n: ["F", "Fopen", "Fopen,zz/zz,zz,zz", "F-1", f"F{ESC}"] if n == 1 else None)
file_case("name-256", "F with a name of 9 KiB", "Fopen,ffffffff82000000/2400,601,1b6")
file_case("flood", "F, ten thousand times, without waiting", guard="file lost", lost=True)


def flood_of_files(peer, n):
    return often(10000, f"Fopen,{path(peer, 'created')},601,1b6") if n == 1 else None


def reading(peer):
    opened = yield Call(f"Fopen,{path(peer, 'secret')},0,0")
    fd = opened[1:] if re.fullmatch(r"F[0-9a-f]+", opened) else "3"
    yield Call(f"Fread,{fd},{STRINGS + 0x9000:x},40")
    yield Call(f"Fclose,{fd}")


def asked(prefix, n=1):
    """F behind an answer, the first n times."""
    def made(peer, _):
        peer.said = getattr(peer, "said", 0) + 1
        return f"Fopen,{path(peer, 'created')},601,1b6" if peer.said <= n else None
    return made


CASES["file-flood"].running = flood_of_files
case("file-idle", "F while nothing runs", after={"p": asked("p"), "g": asked("g")}, guard="unasked/reply", may="file")
case("file-for-m", "F in place of memory", answers={"m": lambda peer, _: f"Fopen,{path(peer, 'created')},601,1b6"},
     guard="reply", may="file")


# --- text
def prints(name, what, data, guard="text", shows="before.*", **how):
    def running(peer, n):
        yield "O" + hexed(b"before " + data + b" behind\n")
    case(f"text-{name}", what, running=lambda peer, n: running(peer, n) if n == 1 else None, guard=guard, shows=shows, **how)


prints("title", "O that sets the terminal's title", b"\x1b]0;title\x07", shows="before .*title.* behind")
prints("colour", "O that clears the screen", b"\x1b[2J\x1b[31mred", shows="before .*red behind")
prints("delete", "O with DEL and backspaces", b"abc\x7f\x7f\x08\x08\x08xyz", shows="before abc.*xyz behind")
prints("c1", "O with C1 controls as bytes", b"\x9b31m\x9d0;x\x9c\x85", shows="before .*31m.* behind")
prints("c1-utf8", "O with C1 controls in UTF-8", "\u009b31m\u009d0;x\u009c\u0085".encode(), shows="before .*31m.* behind")
prints("return", "O that writes over its own line", b"rm -rf /\rls       ", shows="before rm -rf /.*ls +behind")
prints("nul", "O with NUL", b"a\0b", shows="before a.*b behind")
prints("bad-utf8", "O with broken UTF-8", b"\xff\xfe\xc0\x80\xed\xa0\x80", shows="before .* behind")
prints("bidi", "O with letters that turn the direction", "\u202eevil\u2066".encode(), shows="before")
prints("prompt", "O that looks like a prompt", b"\n(gdb) \n(lldb) ", guard="", shows="before", accepted="printable text")
prints("shift-out", "O with shift-out", b"\x0e\x0f\x05\x1bP0;1|17/ab\x1b\\", shows="before .* behind")


def text_case(name, what, items, guard, **how):
    case(f"text-{name}", what, running=lambda peer, n: items(peer) if n == 1 else None, guard=guard, **how)


def megabyte(peer):
    yield from often(160, "O" + hexed(b"A" * 6552 + b"\n"))


def flood(peer):
    packet = frame("O" + hexed(b"flood of text " * 8 + b"\n")) * 200
    end = time.monotonic() + 4
    while time.monotonic() < end:
        yield packet


def tiny_flood(peer):
    end = time.monotonic() + 3
    while time.monotonic() < end:
        yield b"$O41#b4" * 5000


SLOWER = "a debugger takes it in no faster than it may be shown"
text_case("1m", "1 MiB of O", megabyte, "", may="flood", slow=True, accepted=SLOWER)
text_case("flood", "O for seconds, as fast as it goes", flood, "", may="flood", slow=True, accepted=SLOWER)
text_case("tiny-flood", "O of one letter, as fast as it goes", tiny_flood, "flood", slow=True)
text_case("odd", "O with half a byte", lambda peer: ["O414"], "unasked")
text_case("not-hex", "O with what is no hex", lambda peer: ["O\x1b[31m"], "unasked")
text_case("empty", "O without text", lambda peer: ["O"], "", accepted="no text is no harm")
case("text-idle", "O while it stands", after={"p": lambda peer, _: "O" + hexed(ESC), "g": lambda peer, _: "O" + hexed(ESC)}, guard="unasked/reply")
case("text-for-m", "O in place of memory", answers={"m": "O" + hexed(ESC)}, guard="reply", may="unasked")
