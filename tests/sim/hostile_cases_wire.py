"""hostile_cases_wire.py - below packets: when answers come, how they are framed, what comes between them."""
import time

from hostile import frame
from hostile_cases import case, often

KDB = b"\r\n[0]kdb> \x1b[7mmore\x1b[0m\r\nEntering kdb (current=0xffff888003a38000, pid 0) on processor 0 due to Keyboard Entry\r\n"
NO_ACK = "PacketSize=4000;qXfer:features:read+;qXfer:memory-map:read+;vContSupported+;swbreak+;hwbreak+"      # it does not offer it


def once(made):
    """Only the first time on this connection."""
    def attack(peer, body):
        peer.once = getattr(peer, "once", 0) + 1
        return (made(peer, body) if callable(made) else made) if peer.once == 1 else None
    return attack


# --- when
case("two-replies", "every answer to p, g and m comes twice", after={p: lambda peer, _: peer.last for p in "pgm"}, guard="unasked/reply")
case("reply-early", "an answer to m that nobody has asked yet", after={"?": lambda *_: ["41" * 64] * 3}, guard="unasked/reply", may="document")
case("replies-unasked", "a hundred answers that nobody asked for", after={"?": lambda *_: ["41" * 64] * 100}, guard="unasked/reply lost", may="document", lost=True)
case("reply-late", "m answered after kdgate has given up", answers={"m": once(lambda peer, _: [8.0, "41" * 64, "OK", "E01"])},
     guard="lost", lost=True, slow=True)
for packet in ("qSupported", "qXfer:features", "?", "m", "Z", "qfThreadInfo"):
    case(f"silent-{packet.replace(':', '-').replace('?', 'status')}", f"{packet} is not answered", answers={packet: lambda *_: []}, guard="lost", slow=True,
         lost=packet in ("m", "Z", "qfThreadInfo"))
case("silent-p", "p is not answered", answers={"p": lambda *_: []}, short_g=True, gdb=("print $fs_base",), guard="lost", lost=True, slow=True)
case("silent-g", "g is not answered", answers={"g": lambda *_: []}, only=("gdb",), guard="lost", lost=True, slow=True)
case("dribble", "m answered with one byte a second", answers={"m": lambda peer, body: dribble(frame("41" * 64))}, guard="lost", may="noise",
     lost=True, slow=True)
case("never-ends", "m answered with a packet that has no end", answers={"m": lambda *_: endless(b"4")}, guard="lost", may="noise", lost=True, slow=True)
case("never-ends-run", "a packet that has no end, while it runs", running=lambda peer, n: endless(b"O4") if n == 1 else None, guard="lost", may="noise",
     lost=True, slow=True)
case("half", "half a packet while it runs, then nothing", running=lambda peer, n: [b"$T05thr", 12.0] if n == 1 else None, guard="noise", slow=True)


def dribble(data):
    for i in range(len(data)):
        yield data[i:i + 1]
        yield 1.0


def endless(data):
    yield b"$"
    end = time.monotonic() + 6
    while time.monotonic() < end:
        yield data * 20000


# --- frames
case("dollar-inside", "m: $ inside a packet", answers={"m": lambda peer, body: b"$41414141$41#65"}, accepted="gdb too takes the second $ for the beginning")
case("bad-sum", "every checksum of m is wrong", answers={"m": b"$41414141#00"}, guard="noise lost", lost=True)
case("bad-sum-ack", "the same, with acknowledgements", answers={"m": b"$41414141#00"}, supported=NO_ACK, guard="noise lost", lost=True)
case("no-sum", "m: a checksum that is no hex", answers={"m": b"$41414141#zz"}, guard="noise lost", lost=True)
case("no-acks", "nothing is acknowledged", supported=NO_ACK, ack=lambda peer: b"", may="lost", accepted="the answer says that it came")
case("nak-for-ever", "each packet is asked for again", supported=NO_ACK, answers={"m": lambda *_: often(50, b"-")}, guard="lost", may="noise", lost=True)
case("nak-no-ack", "- in no-ack mode, a thousand times", after={"p": lambda *_: b"-" * 1000, "g": lambda *_: b"-" * 1000}, accepted="it says nothing there")
case("acks-flood", "a million + while it stands", after={"p": lambda *_: once_flood(), "g": lambda *_: once_flood()}, accepted="a + says nothing")
case("rle-first", "m: a run of nothing", answers={"m": frame("*~41")}, guard="lost", may="noise", lost=True)
case("rle-count", "m: a run of # and of $", answers={"m": b"$4*#41#c0"}, guard="noise")
case("rle-bomb", "m: 30 runs of 97", answers={"m": frame("4" + "*~" * 30)}, guard="reply")
case("rle-bomb-big", "m: 2000 runs of 97", answers={"m": frame("4" + "*~" * 2000)}, guard="lost", may="noise", lost=True)
case("escape-end", "a document with an escape at its end", answers={"qXfer:features": frame("l<target>}")}, guard="document")
case("nul", "m with NUL bytes", answers={"m": b"$41\x00\x0041#ca"}, guard="reply")
case("high-bytes", "m with bytes above 0x7f", answers={"m": frame(b"\xff\xfe\x9b31m")}, guard="reply")
case("empty-frames", "a thousand empty packets behind each answer", after={p: lambda *_: b"$#00" * 1000 for p in "pg"}, guard="unasked lost", lost=True)


def once_flood():
    return [b"+" * 1000000]


# --- between
case("garbage", "garbage before each answer", frame=lambda body: b"\x00\x01garbage\xff" + frame(body), guard="noise")
case("garbage-flood", "100 KiB of garbage before m", answers={"m": lambda *_: [b"\x80garbage" * 12000]}, guard="noise lost", lost=True)
case("garbage-run", "garbage while it runs", running=lambda peer, n: [b"\x1b[31m\x00oops", 0.1] if n == 1 else None, guard="noise")
case("kdb", "kdb's prompt in place of memory", answers={"m": lambda *_: [KDB * 40]}, guard="noise lost", lost=True)
case("kdb-connect", "kdb's prompt at first", connect=lambda peer: [KDB], guard="noise")
case("break-flood", "0x03 from the target, thousands", running=lambda peer, n: [b"\x03" * 20000, 0.1] if n == 1 else None, guard="noise")
case("xon", "XON and XOFF between packets", frame=lambda body: b"\x13\x11" + frame(body), guard="noise")

# --- ends
AGAIN = "it is dialled again, more and more seldom"
case("close-mid", "closes inside an answer to m", answers={"m": lambda *_: [b"$4141", None]}, lost=True)
case("close-m", "closes in place of an answer to m", answers={"m": lambda *_: [None]}, lost=True)
case("close-run", "closes while it runs", running=lambda peer, n: [0.05, None] if n == 1 else None, lost=True)
case("close-hello", "closes at the first question", answers={"qSupported": lambda *_: [None]}, may="lost", accepted=AGAIN)
case("close-connect", "accepts and closes, for ever", connect=lambda peer: [None], may="lost", accepted=AGAIN)
