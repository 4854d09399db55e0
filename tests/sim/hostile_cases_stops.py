"""hostile_cases_stops.py - stops that cannot be, that nobody waits for, or that carry what they should not."""
from hostile import frame
from hostile_cases import case, often


def notification(body):
    return b"%" + frame(body)[1:]


STOP = notification("Stop:T05thread:1;")
LEFT_OUT = {"guard": "", "may": "stop", "accepted": "keys that are not known are left out"}


def stops(name, what, *items, guard="stop", ends=True, **how):
    """The first time it runs, after a moment. ends: it is the stop."""
    def running(peer):
        yield 0.03
        for item in items:
            yield item(peer) if callable(item) else item
        return ends
    case(f"stop-{name}", what, running=lambda peer, n: running(peer) if n == 1 else None, guard=guard, **how)


# --- threads
stops("unknown-thread", "a stop of a thread that is in no list", "T05thread:7777;", guard="threads")
stops("no-thread", "a stop without a thread", "T05", guard="", accepted="a stub with one thread may")
stops("bare", "a bare S05", "S05", guard="", accepted="old stubs say it so")
stops("thread-zz", "T05thread:zz;", "T05thread:zz;", may="unasked")
stops("thread-0", "a stop of thread 0", "T05thread:0;", guard="", may="stop", accepted="0 is any thread")
stops("thread-all", "a stop of thread -1", "T05thread:-1;", may="unasked")
stops("thread-p0", "a stop of thread p0.0", "T05thread:p0.0;", guard="", may="stop", accepted="0 is any thread")
stops("thread-2e63", "a stop of thread 2^63", "T05thread:8000000000000000;", may="unasked")
stops("thread-long", "a stop of a thread of 100 digits", "T05thread:" + "1" * 100 + ";", may="unasked")
stops("thread-negative", "a stop of thread -5", "T05thread:-5;", guard="threads", may="stop")
stops("threads-list", "a stop with 2000 threads in it", "T05thread:1;threads:" + ",".join(f"{i:x}" for i in range(1, 2001)) + ";", **LEFT_OUT)

# --- what they say
stops("signal-ff", "a stop with signal 255", "Tffthread:1;", guard="", accepted="gdb knows it as unknown")
stops("signal-zz", "a stop with signal zz", "Tzzthread:1;", guard="stop/unasked", ends=False)
stops("fee", "T05fee:1;", "T05fee:1;thread:1;")
stops("swbreak", "swbreak, which the debugger did not ask for", "T05thread:1;swbreak:;hwbreak:;", guard="",
      accepted="only those are told who said they know it")
stops("swbreak-value", "swbreak with a value", "T05thread:1;swbreak:zz;", may="unasked")
stops("register-number", "a register of number 0xffff", "T05ffff:4141414141414141;thread:1;")
stops("register-size", "a register of the wrong size", "T0510:41;thread:1;")
stops("register-4k", "a register of 4 KiB", "T0510:" + "41" * 4096 + ";thread:1;", may="unasked")
stops("register-zz", "a register of zz", "T0510:zzzzzzzzzzzzzzzz;thread:1;", may="unasked")
stops("registers-1000", "a thousand registers", "T05" + "10:4141414141414141;" * 1000 + "thread:1;", guard="", may="stop",
      accepted="those beyond the first are left out")
stops("keys-long", "a key of 8000 letters", "T05" + "k" * 8000 + ":1;thread:1;", **LEFT_OUT)
stops("no-colon", "a stop without colons", "T05threadthread;;;:::;", **LEFT_OUT)
stops("library", "a stop for libraries", "T05thread:1;library:;", guard="", accepted="a list of libraries may have changed")
stops("exec", "a stop for exec of a file of the host", lambda peer: "T05thread:1;exec:" + f"{peer.stub.canary}/canary.elf".encode().hex() + ";", **LEFT_OUT)
stops("fork", "stops for fork, vfork, create and a system call", "T05thread:1;fork:p2.2;vfork:p3.3;create:;", **LEFT_OUT)
stops("syscall", "a stop for a system call", "T05thread:1;syscall_entry:zz;", **LEFT_OUT)
stops("watch", "a watchpoint that nobody set", "T05thread:1;watch:ffffffff81000000;", guard="", accepted="the debugger asks itself which it was")
stops("watch-zz", "a watchpoint at zz", "T05thread:1;watch:zz;", may="unasked")
stops("reason", "lldb's keys: reason, description and jstopinfo with escape sequences",
      "T05thread:1;reason:\x1b[31mx;description:1b5d303b7469746c6507;jstopinfo:5b;name:\x1b[2J;memory:0=zz;", **LEFT_OUT)
stops("core", "a stop at processor 2^64", "T05thread:1;core:10000000000000000;", may="unasked")

# --- ends
for body, what in (("W00", "exited"), ("W00;process:1", "exited, of a process"), ("X09", "killed"), ("N", "nobody is left")):
    stops(f"end-{body.replace(';process:', '-')}", f"{body}: {what}", body, guard="lost", lost=True)
stops("end-w", "w00;1: a thread has ended", "w00;1", guard="stop/unasked", ends=False)
stops("end-W-zz", "Wzz", "Wzz", guard="stop/unasked", ends=False)

# --- how many
stops("two", "two stops for one resume", "T05thread:1;", "T05thread:2;", guard="stop/unasked")
stops("hundred", "a hundred stops for one resume", *["T05thread:1;"] * 100, guard="stop/unasked lost", lost=True)
case("stop-idle", "stops while nothing runs", after={"p": lambda *_: "T05thread:1;", "g": lambda *_: "T05thread:1;"}, guard="stop/unasked")
case("stop-early", "stops before the first question", connect=lambda peer: often(3, "T05thread:1;"), guard="",
     accepted="QEMU says so when it stops a running machine")
case("stop-early-flood", "a hundred stops before the first question", connect=lambda peer: often(100, "T05thread:1;"), guard="",
     may="lost unasked stop", accepted="QEMU says so when it stops a running machine")
case("stop-for-m", "a stop in place of memory", answers={"m": "T05thread:1;"}, guard="stop/unasked", slow=True)
stops("notify", "%Stop while it runs", STOP, guard="unasked", ends=False)
stops("notify-flood", "%oocd_keepalive, thousands", notification("oocd_keepalive:00") * 5000, guard="unasked", may="noise", ends=False)
case("notify-idle", "%Stop while it stands", after={"p": lambda *_: STOP, "g": lambda *_: STOP}, guard="unasked")
stops("async-a", "A and J packets while it runs", "A00;41", 'JSON-async:[{"type":"evil"}]]', guard="unasked", ends=False)
stops("nothing", "a resume that is refused with an escape sequence", "E.\x1b]0;title\x07", guard="", may="text reply", accepted="its words go nowhere")
stops("unsupported", "a resume that is unsupported", "", guard="", accepted="a stub may lack it")
stops("reply", "memory in place of a stop", "41414141", guard="unasked", ends=False)
stops("never", "a break-in is not heard", guard="", accepted="it is said, and waited for", slow=True)
