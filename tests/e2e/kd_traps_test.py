"""kd_traps_test.py - what goes wrong with KD targets, a test for each: a debugger's side in plain packets, kdgate, and the simulated target
with the habit in question. Looked at are what the debugger sees, what reached the target, and that the target is well afterwards.

KD, W and R: sections of what is known of the protocol (KD), of Windows as it is today (W), of ReactOS (R).
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import struct
import sys
import time

import gate as gate_module
import pytest
import rsp_client
from gate import until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sim"))

import kd_host as kd  # noqa: E402
import kd_liar  # noqa: E402, F401

pytestmark = [pytest.mark.gated, pytest.mark.seconds(20),
              pytest.mark.skipif(not (shutil.which("x86_64-w64-mingw32-gcc") and shutil.which("i686-w64-mingw32-gcc")), reason="mingw-w64 is not installed")]
CAPTURES = pathlib.Path(__file__).resolve().parents[3] / "shared" / "captures"
IMAGES = kd.PROGRAM.parent
ARCHES = pytest.mark.parametrize("arch", ["amd64", "i386"])
BOTH = pytest.mark.parametrize("profile", ["windows", "reactos"])
# Numbers of registers as gdb has them: pc, stack pointer, flags; one that is free to change.
REGS = {"amd64": (0x10, 7, 0x11, 0xf), "i386": (8, 4, 9, 7)}
WORD = {"amd64": 8, "i386": 4}


class Stop:
    """A stop reply, taken apart. text: what was printed before it."""

    def __init__(self, reply, text=""):
        assert reply[:1] == "T", reply
        self.signal, self.text, self.reply = int(reply[1:3], 16), text, reply
        self.fields = dict(f.split(":", 1) for f in reply[3:].split(";") if f)
        self.thread = int(self.fields.get("thread", "p1.1").rpartition(".")[2], 16)

    def reg(self, number):
        return int.from_bytes(bytes.fromhex(self.fields[f"{number:02x}"]), "little")


class Debugger:
    """A client that speaks in packets. text: all that was printed to it."""

    def __init__(self, address, arch, timeout=5):
        self.arch, self.client, self.text = arch, rsp_client.Client(address, timeout=timeout), ""
        self.pc, self.sp, self.flags, self.free = REGS[arch]
        self.first = Stop(self.client.handshake())

    def hear(self, timeout=None):
        """The next packet that is no text."""
        end = time.monotonic() + (timeout or self.client.timeout)
        while re.match(r"O[0-9a-f]", got := self.client.hear(max(0.01, end - time.monotonic()))):
            self.text += bytes.fromhex(got[1:]).decode("latin-1")
            if time.monotonic() > end:
                raise TimeoutError("nothing but text")
        return got

    def ask(self, body, timeout=None):
        self.client.say(body)
        return self.hear(timeout)

    def stop(self, timeout=None):
        before = len(self.text)
        reply = self.hear(timeout)
        return Stop(reply, self.text[before:])

    def go(self, what="c", timeout=None):
        """Until it stops."""
        self.client.say(f"vCont;{what}")
        return self.stop(timeout)

    def run(self, what="c"):
        self.client.say(f"vCont;{what}")

    def runs_on(self, seconds=0.15):
        """No stop comes."""
        with pytest.raises(TimeoutError):
            print(self.hear(seconds))
        return True

    def interrupt(self, timeout=None):
        self.client.interrupt()
        return self.stop(timeout)

    def memory(self, addr, n):
        got = self.ask(f"m{addr:x},{n:x}")
        assert not got.startswith("E"), (hex(addr), got)
        return bytes.fromhex(got)

    def write(self, addr, data):
        return self.ask(f"M{addr:x},{len(data):x}:{data.hex()}")

    def pointer(self, addr):
        return int.from_bytes(self.memory(addr, WORD[self.arch]), "little")

    def reg(self, number, thread=None):
        if thread:
            assert self.ask(f"Hg{thread:x}") == "OK"
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def set_reg(self, number, value):
        return self.ask(f"P{number:x}={value.to_bytes(WORD[self.arch], 'little').hex()}")

    def plant(self, addr, kind=0, n=1):
        return self.ask(f"Z{kind},{addr:x},{n:x}")

    def lift(self, addr, kind=0, n=1):
        return self.ask(f"z{kind},{addr:x},{n:x}")

    def step_off(self, site, kind=0):
        """As debuggers do: it is out for that step."""
        assert self.lift(site, kind) == "OK"
        stop = self.go("s:1")
        assert self.plant(site, kind) == "OK"
        return stop

    def reg_thread(self):
        return int(self.ask("qC").removeprefix("QC").rpartition(".")[2], 16)

    def monitor(self, words):
        before = len(self.text)
        assert self.ask(f"qRcmd,{words.encode().hex()}") == "OK"
        return self.text[before:]

    def detach(self):
        assert self.ask("D;1") == "OK"
        self.client.close()


class Bench:
    """A target, and a kdgate that has it. before: what is done to the target first."""

    def __init__(self, arch="amd64", before=None, policy="full", on_disconnect="run", gate=(), **target):
        self.arch, self.target = arch, kd.Target(arch, **target)
        self.slow = "quirk" in target and bool({"loses-packets", "loses-acks", "corrupts"} & set(target["quirk"]))
        if before:
            before(self.target)
        self.gate = gate_module.Gate(self.target.address, (policy,), on_disconnect=on_disconnect, options=gate)
        self.gate.target, self.policy, self.open = f"kd+{self.target.address}", policy, []

    def debugger(self, **how):
        self.open.append(Debugger(self.gate.address(self.policy), self.arch, **how))
        return self.open[-1]

    def symbol(self, name):
        return self.target.symbol(name)

    def status(self, name):
        return self.target.status()[name]

    def asked(self, api):
        """(processor, payload) of each such request that reached the target."""
        return [(int(cpu), bytes.fromhex(data)) for cpu, data in self.target.log(rf" H manipulate \S+ \S+ api={api:x} cpu=(\d+) \S+ (\w+)")]

    def guards(self, words=""):
        return [line["text"] for line in self.gate.audit(event="guard") if words in line["text"]]

    def said(self, words, seconds=20):
        until(lambda: words in self.gate.log(), f"{words!r} in the log", seconds)

    def runs(self):
        """Without a debugger's traces."""
        until(lambda: self.status("stopped") == "0", "the target to run")
        assert self.status("breakpoints") == "0"

    def well(self, same=True):
        """kdgate leaves; then another debugger finds it running, its code as it is in its file, and lets it go."""
        for d in self.open:
            d.client.close()
        self.gate.stop()
        self.runs()
        arch = kd.AMD64 if self.arch == "amd64" else kd.I386
        with kd.Host(self.target, arch) as h:
            state = taken_over(h)
            base = kd.u64(h.ask(kd.VERSION, status=0).head, 32)
            at, code = text_of(self.arch)
            assert not same or b"".join(h.memory(base + at + i, min(1024, len(code) - i)) for i in range(0, len(code), 1024)) == code
            if h.memory(kd.u64(state, 24), 1) == b"\xcc":
                h.over_int3(state)
            h.go()

    def close(self):
        try:
            for d in self.open:
                d.client.close()
            self.gate.stop()
            assert not self.gate.complaints()
        finally:
            print(f"--- kdgate's log\n{self.gate.log()[-6000:]}")
            print("--- the target's end\n" + "\n".join(line[:180] for line in (self.target.dir / "log").read_text().splitlines()[-40:]))
            self.gate.close()
            self.target.close()


def taken_over(h):
    """It runs, and its stream goes on where kdgate's ended: made to stop, then reset."""
    for _ in range(20):
        h.break_in()
        packet = h.packet(0.3)
        while packet is not None and packet.type != kd.STATE:
            h.control(kd.ACK, packet.id & ~kd.SYNC)
            packet = h.packet(0.3)
        if packet is None:
            continue
        h.control(kd.ACK, packet.id & ~kd.SYNC)
        h.control(kd.RESET, 0)
        if (packet := h.hear(0.5)) is not None and packet.type == kd.STATE:
            return packet.body
    raise AssertionError("it does not stop")


def text_of(arch):
    """Where the kernel's code is, from its base, and what it is. Nothing in it needs relocation on amd64; i386 is not compared elsewhere than
    where the file wants to be."""
    data = (IMAGES / arch / "ntoskrnl.exe").read_bytes()
    pe = struct.unpack_from("<I", data, 0x3c)[0]
    sections, optional = struct.unpack_from("<H", data, pe + 6)[0], struct.unpack_from("<H", data, pe + 20)[0]
    for i in range(sections):
        at = pe + 24 + optional + 40 * i
        size, va, raw_size, raw = struct.unpack_from("<IIII", data, at + 8)
        if data[at:at + 8].rstrip(b"\0") == b".text":
            return va, data[raw:raw + min(size, raw_size)]
    raise AssertionError("no .text")


@pytest.fixture(scope="session", autouse=True)
def program():
    kd.build()


@pytest.fixture(scope="session", autouse=True)
def slow_lies():
    """Those that take their time: they begin before all tests, and are looked at after them."""
    lies = {lie: (one := Lied(lie), one.debugger()) for lie in ("no-answer", "no-ack", "no-answer-once")}
    lies["no-ack"][1].memory(kd_liar.CODE + 0x20, 4)
    for lie, (_, d) in lies.items():
        d.client.say(f"Z0,{kd_liar.CODE + 0x20:x},1" if lie == "no-answer-once" else f"m{kd_liar.CODE + 0x40:x},4")
    yield lies
    for one, _ in lies.values():
        one.close()


@pytest.fixture
def bench():
    """bench(arch, quirk=[...], ...): running, with a kdgate that has not met it."""
    benches = []

    def start(arch="amd64", **how):
        benches.append(Bench(arch, **how))
        benches[-1].gate.start()
        return benches[-1]

    yield start
    for b in benches:
        b.close()


@pytest.fixture
def attached(bench):
    """attached(arch, ...): a bench, and a debugger that stopped the target by a break-in. It has booted under a debugger: that is met sooner."""
    def start(arch="amd64", **how):
        if how.get("profile") == "reactos":
            how.setdefault("without", ["lossy-breakin"])     # which has a test of its own, and costs a second each time
        b = bench(arch, boot=True, **how)
        return b, booted(b)

    return start


def booted(b, d=None):
    """Past its load stops, running, and stopped again."""
    d = d or b.debugger()
    for _ in range(6):
        d.run()
        with contextlib.suppress(TimeoutError):
            d.stop(1.5 if b.slow else 0.1)
            continue
        assert d.interrupt().signal == 2
        return d
    raise AssertionError("it stops again and again")


def session(b, d):
    """What a debugger does all day, on whatever target."""
    site = b.symbol("NtReadFile")
    code = d.memory(site, 64)
    assert d.plant(site) == "OK"
    for _ in range(2):
        stop = d.go()
        assert (stop.signal, stop.reg(d.pc), "swbreak" in stop.fields) == (5, site, True)
        assert d.memory(site, 64) == code
        stepped = d.step_off(site)
        assert (stepped.signal, site < stepped.reg(d.pc) < site + 16) == (5, True)
    assert d.lift(site) == "OK"
    d.run()
    assert d.runs_on(0.15)
    assert d.interrupt().signal == 2


# --- the line: KD 1, W 2, R 1 to 5

@pytest.mark.parametrize("habit", ["twice", "loses-acks", "loses-packets", "corrupts", "unprovoked-resend", "prints-between", "lossy-breakin", "short-prints"])
def test_a_line_that(habit, attached):
    b, d = attached(quirk=[habit], timeout_ms=100)
    session(b, d)
    b.well()


def test_payloads_that_look_like_leaders_trailers_and_break_ins_are_data(attached):
    b, d = attached()
    data = b"0000iiii\xaa\xaabbbb00000000iiiibbbb\xaa" * 4
    at = d.reg(d.sp) - 0x400
    before = d.memory(at, len(data))
    assert d.write(at, data) == "OK" and d.memory(at, len(data)) == data
    assert d.write(at, before) == "OK"
    b.well()


def test_a_target_that_gave_its_debugger_up_is_no_reboot(attached):
    """KD 1.4, W 11, R 3: its stream begins anew; its breakpoints are what they were."""
    b, d = attached(timeout_ms=20, retries=3)
    site = b.symbol("NtQuerySystemTime")
    d.run()
    until(lambda: b.status("stopped") == "0", "it to run")
    os.kill(b.gate.process.pid, signal.SIGSTOP)
    b.target.do("print nobody hears")
    until(lambda: b.status("present") == "0", "the debugger to be given up")
    os.kill(b.gate.process.pid, signal.SIGCONT)
    assert d.interrupt().signal == 2 and b.target.log(r"T state id=80800800")
    assert "booted" not in d.text and d.plant(site) == "OK" and d.go().reg(d.pc) == site
    b.well()


def test_prints_are_acknowledged_and_loads_continued_with_nobody_there(attached):
    """KD 1.4, W 12 and 16: after a detach the kernel believes in its debugger still, and would hang at its next print or driver."""
    b, d = attached()
    d.detach()
    for line in ("prints 3", "unload", "load", "fault av", "print still here"):
        b.target.do(line)
    until(lambda: b.status("waiting") == "0", "the lines to be done")
    b.target.do("print and here")
    until(lambda: b.target.log(r"T debug-io .*" + b"and here".hex()), "a print after all that")
    b.runs()
    assert b.status("present") == "1"
    b.well()


def test_a_dead_debuggers_acknowledged_stop_is_met_by_a_reset(bench):
    """KD 1.6: silent for ever, but for that."""
    b = bench(before=lambda t: dead_debugger(t))
    d = b.debugger()
    assert b.target.log(r"H reset") and d.memory(b.symbol("NtReadFile"), 4) and ": target found, stopped" in b.gate.log()
    d.run()
    assert d.runs_on()
    b.well()


def dead_debugger(target, *sites, let_go=False, arch=kd.AMD64):
    """It stops the target, plants what is wanted, and is gone. The handles."""
    with kd.Host(target, arch) as h:
        state = h.attach()
        handles = [h.plant(target.symbol(site)) for site in sites]
        if let_go:
            h.over_int3(state)
            h.go()
    return handles


def test_a_dead_debuggers_breakpoint_goes_and_the_byte_is_not_skipped(bench):
    """W 3, 5.5 and 7: the target stands at an int3 that is nobody's; its first byte is the kernel's own."""
    b = bench(before=lambda t: dead_debugger(t, "NtReadFile", "NtQuerySystemTime", let_go=True))
    d = b.debugger()
    assert d.first.reg(d.pc) in (b.symbol("NtReadFile"), b.symbol("NtQuerySystemTime"))
    d.run()
    assert d.runs_on() and len(b.asked(kd.RESTORE_BREAK)) == 32 and len(b.asked(kd.SET_CONTEXT)) == 1     # the dead one's
    b.well()


def test_what_a_dead_debugger_left_in_the_table_makes_room(bench):
    """KD 7.2: its 32 entries would be the ceiling of ours."""
    b = bench(before=lambda t: dead_debugger(t, "NtReadFile", "NtQuerySystemTime", "IopReadDisk"))
    d = b.debugger()
    at = b.symbol("KiSystemService")
    assert [d.plant(at + i) for i in range(32)] == ["OK"] * 32
    assert all(d.lift(at + i) == "OK" for i in range(32))
    d.run()
    assert d.runs_on()
    b.well()


def test_it_is_met_in_the_middle_of_its_boot(bench):
    """W 3: any state change is the first stop; nothing was continued before the version was known."""
    b = bench(boot=True)
    d = b.debugger()
    assert b.target.log(r"H manipulate \S+ \S+ api=(\w+)")[0] == "3146"
    booted(b, d)
    b.well()


def test_a_target_that_boots_again_is_told_and_breakpoints_are_void(attached):
    """KD 1.6, W 11: handles, images, addresses."""
    b, d = attached()
    site = b.symbol("NtQuerySystemTime")
    assert d.plant(site) == "OK"
    modules = d.monitor("modules")
    d.lift(site)
    d.run()
    b.target.do("reboot")
    while "booted again" not in d.text:
        stop = d.stop()
        if "booted again" not in d.text:
            d.run()
    assert "library" not in stop.fields and b.status("boots") == "2" and b.status("breakpoints") == "0"
    while "ntoskrnl.exe" not in (now := d.monitor("modules")):
        d.go()
    assert now != modules and f"{int(b.status('base'), 16):016x}" in now
    booted(b, d)
    b.well(same=False)


def test_the_slide_is_that_of_this_boot(attached):
    """W 13: the loader rewrites the header in memory; what the file says is what linkers choose."""
    b, d = attached("i386")
    base = int(b.status("base"), 16)
    assert d.ask("qOffsets").split(";")[0] == f"Text={(base | (0xffffffff00000000 if base >> 31 else 0)) - 0x400000 & (1 << 64) - 1:x}"
    b.well()


# --- break-ins: KD 1.5, W 5.4, R 7

def test_a_break_in_that_stays_pending_stops_nobody_later(attached):
    b, d = attached(quirk=["stale-breakin"])
    for _ in range(3):
        d.run()
        assert d.runs_on(0.1) and d.interrupt().signal == 2
    b.well()


def test_a_break_in_that_a_breakpoint_overtook_stops_nobody_later(attached):
    """The byte is on its way while the target stops for another reason: it is still to come."""
    b, d = attached()
    site = b.symbol("NtReadFile")
    for _ in range(5):
        assert d.plant(site) == "OK"
        d.run()
        d.client.interrupt()
        d.stop()
        assert d.lift(site) == "OK"
        d.run()
        assert d.runs_on(0.05)
        assert d.interrupt().signal == 2
    b.well()


@BOTH
def test_a_break_in_is_told_where_there_is_no_int3(attached, profile):
    """R 7: nothing is to be stepped over then."""
    b, d = attached(profile=profile, quirk=["breakin-in-place"])
    for _ in range(2):
        d.run()
        assert d.runs_on(0.05) and d.interrupt().signal == 2
    assert not b.asked(kd.SET_CONTEXT)
    b.well()


def test_a_break_in_while_the_guest_floods_is_heard(attached):
    b, d = attached()
    b.target.do("prints 2000")
    d.run()
    until(lambda: b.target.log("kdsim: print".encode().hex()), "the flood")
    assert d.interrupt().signal == 2
    d.detach()
    b.well()


# --- int3: KD 2.2, W 5.5, R 8

@BOTH
@ARCHES
@pytest.mark.parametrize("how", ["c", "s:1"])
def test_a_hard_coded_int3_is_passed_once(attached, arch, profile, how):
    b, d = attached(arch, profile=profile)
    b.target.do("int3")
    d.run()
    stop = d.stop()
    at = b.symbol("DbgBreakPoint")
    assert (stop.signal, stop.reg(d.pc), d.memory(at, 1)) == (5, at, b"\xcc")
    if how != "c":
        assert d.go(how).reg(d.pc) == at + 1
    d.run()
    assert d.runs_on()
    b.well()


def test_pc_behind_the_int3_is_not_moved(attached):
    """KD 2.2, W 5.5: the boot debugger says so."""
    b, d = attached(quirk=["pc-after"])
    b.target.do("int3")
    stop = d.go()
    assert stop.reg(d.pc) == b.symbol("DbgBreakPoint") + 1
    d.run()
    assert d.runs_on() and not b.asked(kd.SET_CONTEXT)
    b.well()


def test_pc_is_believed_not_the_exceptions_address(attached):
    """R 8: that is behind the int3 on amd64, on it elsewhere."""
    b, d = attached(quirk=["address-after"])
    assert d.reg(d.pc) == b.symbol("DbgBreakPointWithStatus")
    session(b, d)
    b.well()


def test_pc_that_a_debugger_moved_off_an_int3_is_left_there(attached):
    b, d = attached()
    b.target.do("int3")
    d.go()
    before = len(b.asked(kd.SET_CONTEXT))
    assert d.set_reg(d.pc, b.symbol("DbgBreakPoint") + 1) == "OK"
    d.run()
    assert d.runs_on() and len(b.asked(kd.SET_CONTEXT)) == before + 1
    b.well()


# --- breakpoints: KD 2.5 and 7.2, W 7, R 9

@pytest.mark.parametrize("shown", ["hide", "show"])
def test_reads_show_the_kernels_bytes_not_breakpoints(attached, shown):
    b, d = attached(**({"without": ["hide-int3"]} if shown == "show" else {}))
    site = b.symbol("NtReadFile")
    code = d.memory(site - 8, 24)
    assert d.plant(site) == "OK" and d.memory(site - 8, 24) == code and d.memory(site, 1) == code[8:9]
    d.go()
    assert d.memory(site - 8, 24) == code
    b.well()


@pytest.mark.parametrize("gap", [0, 1, 15])
def test_breakpoints_that_a_report_deleted_are_put_back(attached, gap):
    """Those in the 16 bytes from its PC: the handles are dead."""
    b, d = attached()
    site = b.symbol("NtReadFile")
    assert d.plant(site) == "OK" and (not gap or d.plant(site + 4 if gap == 1 else site + 15) == "OK")
    hits = [d.go().reg(d.pc)]
    for _ in range(4):
        d.step_off(hits[-1])
        hits.append(d.go().reg(d.pc))
    assert hits.count(site) >= 2
    b.well()


def test_breakpoints_near_a_load_report_are_put_back(attached):
    """Every report deletes, be it of a load: what runs right behind it is hit all the same."""
    b, d = attached()
    b.target.do("unload")
    at = d.go().reg(d.pc)
    site = next(i for i in range(at, at + 16) if d.memory(i, 1) != b"\xcc")
    assert d.plant(site) == "OK"
    d.run()
    stop = d.stop()
    assert stop.reg(d.pc) == site and stop.signal == 5
    d.lift(site)
    d.run()
    assert d.runs_on()
    b.well()


def test_writing_over_a_breakpoint_is_written_under_it(attached):
    b, d = attached()
    site = b.symbol("KiUnhandledException")
    code = d.memory(site, 8)
    assert d.plant(site + 2) == "OK" and d.write(site, b"\x90" * 8) == "OK" and d.memory(site, 8) == b"\x90" * 8
    assert d.write(site, code) == "OK" and d.memory(site, 8) == code
    b.well()


def test_the_33rd_breakpoint_is_refused_in_words(attached):
    b, d = attached()
    at = b.symbol("KiSystemService")
    assert [d.plant(at + i) for i in range(32)] == ["OK"] * 32
    assert d.plant(at + 40).startswith("E") and d.plant(at) == "OK"
    b.well()


def test_a_breakpoint_where_no_memory_is_is_refused(attached):
    b, d = attached()
    assert d.plant(0x10).startswith("E")
    b.well()


def test_a_handle_that_is_kept_though_released(attached):
    """KD 7.2: a page that is not there; the entry stays, and so may the table's count."""
    b, d = attached(quirk=["restore-keeps"])
    site = b.symbol("NtReadFile")
    assert d.plant(site) == "OK"
    d.go()
    assert d.lift(site) == "OK"
    d.run()
    assert d.runs_on()


def test_stepping_off_a_breakpoint_does_not_lose_it(attached):
    b, d = attached()
    site = b.symbol("NtReadFile")
    assert d.plant(site) == "OK"
    d.go()
    assert d.step_off(site).reg(d.pc) > site and d.go().reg(d.pc) == site
    b.well()


def test_a_debugger_that_vanishes_leaves_nothing(attached):
    """W 14.2 and 16: its breakpoints go, and the guest runs."""
    b, d = attached()
    assert d.plant(b.symbol("NtReadFile")) == "OK" and d.plant(b.symbol("KeTickCount"), 2, 4) == "OK"
    d.go()
    d.client.reset()
    b.runs()
    b.well()


def test_kdgate_that_ends_in_a_storm_of_hits_leaves_nothing(attached):
    """W 12: a stop that is told while it leaves is not lost."""
    b, d = attached()
    for name in ("NtReadFile", "NtQuerySystemTime", "KiSelectNextThread"):
        assert d.plant(b.symbol(name)) == "OK"
    for _ in range(10):
        d.go()
    d.run()
    b.gate.stop()
    b.runs()
    b.well()


# --- hardware breakpoints: KD 4.3 and 7.2, W 8

@BOTH
@ARCHES
def test_a_watchpoint_is_in_the_special_registers_of_every_processor(attached, arch, profile):
    b, d = attached(arch, profile=profile, processors=2)
    ticks = b.symbol("KeTickCount")
    assert d.plant(ticks, 2, 4) == "OK"
    for _ in range(3):
        stop = d.go()
        assert (stop.signal, int(stop.fields["watch"], 16)) == (5, ticks)
    written = [(cpu, data) for cpu, data in b.asked(0x3138)]
    assert {cpu for cpu, _ in written} == {0, 1}
    assert d.lift(ticks, 2, 4) == "OK"
    d.run()
    assert d.runs_on()
    b.well()


def test_debug_registers_outlive_a_continue(attached):
    """KD 3.3, W 5.1: Continue2 writes Dr7; 0 would erase them, on ReactOS everywhere."""
    b, d = attached(quirk=["dr7-everywhere"], processors=2)
    ticks = b.symbol("KeTickCount")
    assert d.plant(ticks, 2, 4) == "OK"
    d.go()
    b.target.do("int3")
    while "watch" in d.go().fields:
        pass
    assert "watch" in d.go().fields
    assert all(struct.unpack_from("<Q", data, 24)[0] & 3 for _, data in b.asked(kd.CONTINUE2)[-3:])
    b.well()


@BOTH
def test_a_breakpoint_of_execution_does_not_stop_again_where_it_stopped(attached, profile):
    """W 8: it is a fault; without RF it would be for ever."""
    b, d = attached(profile=profile)
    site = b.symbol("NtReadFile")
    assert d.plant(site, 1) == "OK"
    for _ in range(3):
        stop = d.go()
        assert stop.reg(d.pc) == site and "hwbreak" in stop.fields
        assert site < d.step_off(site, 1).reg(d.pc)
    b.well()


def test_a_hit_is_forgotten_in_dr6(attached):
    """W 8: processors never do that: the next step would look like the hit."""
    b, d = attached(quirk=["sticky-dr6"])
    assert d.plant(b.symbol("KeTickCount"), 2, 4) == "OK"
    assert "watch" in d.go().fields
    assert "watch" not in d.go("s:1").fields and "watch" not in d.go("s:1").fields
    b.well()


def test_a_fifth_and_a_crooked_watchpoint_are_refused(attached):
    b, d = attached()
    ticks = b.symbol("KeTickCount")
    assert d.plant(ticks + 1, 2, 4).startswith("E") and d.plant(ticks, 2, 3).startswith("E")
    assert [d.plant(ticks + 8 * i, 2, 4) for i in range(4)] == ["OK"] * 4 and d.plant(ticks + 64, 2, 4).startswith("E")
    b.well()


# --- running and stepping: W 5

def test_a_trap_flag_that_leaked_stops_nobody(attached):
    b, d = attached(quirk=["tf-leaks"])
    d.go("s:1")
    d.go("s:1")
    d.run()
    assert d.runs_on()
    b.well()


def test_a_fault_instead_of_the_step_is_no_step(attached):
    """W 5.2."""
    b, d = attached()
    b.target.do("fault av")
    stop = d.go()
    assert stop.signal == 11 and "access violation (0xc0000005), first chance" in stop.text
    again = d.go("s:1")
    assert (again.signal, again.reg(d.pc)) == (11, stop.reg(d.pc))
    d.run("C0b:1;c")
    assert d.runs_on()
    b.well()


@pytest.mark.parametrize("fault, signal_", [("av", 11), ("write", 11), ("div", 8), ("ill", 4)])
@ARCHES
def test_an_exception_is_the_kernels_own_when_its_signal_is_passed(attached, arch, fault, signal_):
    """W 4.3 and 15: handled, it is tried again; passed on, the kernel catches it."""
    b, d = attached(arch)
    b.target.do(f"fault {fault}")
    stop = d.go()
    assert stop.signal == signal_ and "first chance" in stop.text
    assert d.go().reg(d.pc) == stop.reg(d.pc)
    d.run(f"C{signal_:02x}:1;c")
    assert d.runs_on() and b.asked(kd.CONTINUE2)[-1][1][16:20] == struct.pack("<I", kd.NOT_HANDLED)
    b.well()


def test_no_trap_flag_is_left_by_a_step_into_an_exception_that_is_passed_on(attached):
    """KD 3.3: not handled, the control set is ignored, and with it the trace flag."""
    b, d = attached()
    d.go("s:1")
    b.target.do("fault av")
    d.go()
    d.run("C0b:1;c")
    assert d.runs_on()
    assert d.interrupt().signal == 2 and not d.reg(d.flags) & 0x100
    b.well()


def test_an_exception_that_nobody_handles_is_told_twice_then_a_bugcheck(attached):
    """W 11, R 15: two breaks, then a reboot."""
    b, d = attached()
    b.target.do("fault av unhandled")
    assert "first chance" in d.go().text
    assert "second chance" in d.go("C0b:1;c").text
    stop = d.go("C0b:1;c")
    assert stop.signal == 6 and "bugcheck 0x1e" in stop.text and "KMODE_EXCEPTION_NOT_HANDLED" in d.monitor("bugcheck")
    assert d.go().signal == 5
    while "booted again" not in d.text:
        d.go()
    booted(b, d)
    b.well(same=False)


def test_the_stop_after_the_fatal_print_is_the_bugchecks(attached):
    b, d = attached()
    b.target.do("bugcheck 0xd1")
    stop = d.go()
    assert stop.signal == 6 and "bugcheck 0xd1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x1, 0x2, 0x3, 0x4)" in stop.text
    while "booted again" not in d.text:
        d.go()
    booted(b, d)
    b.well(same=False)


def test_a_probe_for_a_debugger_is_no_crash(attached):
    """W 10."""
    b, d = attached()
    d.run()
    b.target.do("print KDTARGET: Refreshing KD connection")
    assert d.runs_on() and "Refreshing" in d.text
    b.well()


# --- processors: KD 7.3, W 5.3

def test_another_processors_registers_need_no_switch(attached):
    b, d = attached(processors=2)
    mine, other = d.reg(d.sp, 1), d.reg(d.sp, 2)
    assert mine != other and not b.asked(kd.SWITCH) and {cpu for cpu, _ in b.asked(kd.GET_CONTEXT)} == {0, 1}
    assert d.ask("qfThreadInfo") in ("m1,2", "m2,1", "mp1.1,p1.2", "mp1.2,p1.1")
    b.well()


def test_going_on_is_said_to_the_processor_that_stopped(attached):
    """W 5.1: not to the one that was looked at."""
    b, d = attached(processors=2)
    d.reg(d.pc, 2)
    assert d.ask("Hc2") in ("OK", "")
    d.run()
    d.runs_on(0.1)
    d.interrupt()
    told = [int(state[12:14], 16) for state in b.target.log(r" T state \S+ \S+ \S+ (\w+)")]
    assert len(told) > 2 and not b.asked(kd.SWITCH) and {cpu for cpu, _ in b.asked(kd.CONTINUE2)} == set(told)
    b.well()


@BOTH
def test_another_processor_is_stepped_by_a_switch(attached, profile):
    """W 5.3 and 16: and breakpoints of the one that stopped are hit as before."""
    b, d = attached(profile=profile, processors=2)
    site = b.symbol("NtReadFile")
    assert d.plant(site) == "OK"
    other = 3 - d.go().thread
    before = d.reg(d.pc, other)
    stop = d.go(f"s:{other:x}")
    assert stop.thread == other and b.asked(kd.SWITCH) and (before == site or stop.reg(d.pc) != before)
    d.lift(site)
    d.go(f"s:{3 - other:x}")
    d.plant(site)
    assert d.go().reg(d.pc) == site
    b.well()


def test_a_switch_that_does_not_give_the_word_back_hangs_nobody(attached):
    """W 5.2, KD 7.3: all ran at once. The debugger has an answer, and the target goes on."""
    b, d = attached(processors=2, quirk=["switch-runs"])
    other = 3 - d.reg_thread()
    d.run(f"s:{other:x}")
    assert d.hear()[:1] in "TE"
    d.detach()
    b.well()


# --- registers: KD 3.2 and 4, W 6

def test_context_ex_is_not_asked_of_those_that_refuse_it(attached):
    b, d = attached(quirk=["no-context-ex"])
    assert d.set_reg(d.free, 0x1234) == "OK" and d.reg(d.free) == 0x1234
    assert not b.asked(kd.GET_CONTEXT_EX) and not b.asked(kd.SET_CONTEXT_EX)
    session(b, d)
    b.well()


@pytest.mark.parametrize("habit", ["slow-context", "chunks-at-once", "set-context-always"])
def test_registers_are_written_to_targets_with(attached, habit):
    """KD 3.2: a context is taken after one was given in the same stop; R 15: slowly."""
    b, d = attached(quirk=[habit])
    before = d.reg(d.free)
    assert d.set_reg(d.free, 0x5678) == "OK" and d.reg(d.free) == 0x5678 and d.reg(d.pc) == b.symbol("DbgBreakPointWithStatus")
    d.set_reg(d.free, before)
    d.run()
    assert d.runs_on()
    b.well()


def test_what_was_known_of_registers_is_dropped_when_it_runs(attached):
    """W 6.3."""
    b, d = attached()
    d.plant(b.symbol("NtReadFile"))
    d.go()
    at = d.reg(d.pc)
    d.lift(at)
    assert d.go("s:1").reg(d.pc) == d.reg(d.pc) != at
    b.well()


def test_control_space_that_is_longer_than_asked(attached):
    """KD 3.2."""
    b, d = attached(quirk=["long-control-space"])
    assert d.reg(57) >> 40 or d.reg(d.pc)     # whatever comes behind the float registers
    assert d.plant(b.symbol("KeTickCount"), 2, 4) == "OK" and "watch" in d.go().fields
    b.well()


def test_ss_is_not_ds(attached):
    """KD 4.5: other bridges mix them up."""
    b, d = attached()
    context = b.asked(kd.GET_CONTEXT) and bytes.fromhex(b.target.log(r" T manipulate \S+ n=1288 api=3132 \S+ \S+ (\w+)")[-1])[56:]
    cs, ds, ss = (struct.unpack_from("<H", context, at)[0] for at in (0x38, 0x3a, 0x42))
    assert (d.reg(0x12), d.reg(0x13), d.reg(0x14)) == (cs, ss, ds)
    b.well()


def test_no_request_leaks_memory(attached):
    """KD 3.1, 9: unused bytes are zero."""
    b, d = attached()
    session(b, d)
    requests = [bytes.fromhex(data) for data in b.target.log(r" H manipulate .* (\w+)$") + b.target.log(r" H manipulate \S+ \S+ \S+ \S+ \S+ (\w+)")]
    assert len(requests) > 20 and not any(any(r[8:16]) for r in requests)
    assert not any(any(r[20:56]) for r in requests if kd.u32(r, 0) in (kd.RESTORE_BREAK, kd.GET_CONTEXT, kd.VERSION))
    b.well()


# --- memory: KD 3.2, W 9, R 11

@BOTH
@ARCHES
def test_a_read_into_a_hole_gives_what_is_before_it(attached, arch, profile):
    b, d = attached(arch, profile=profile)
    at = d.reg(d.sp) & ~0xfff
    while not d.ask(f"m{at:x},1").startswith("E"):
        at += 0x1000
    assert len(d.memory(at - 16, 64)) == 16 and d.ask(f"m{at:x},10").startswith("E")
    assert d.write(at - 4, bytes(8)).startswith("E")
    b.well()


def test_reads_that_the_target_cuts_short_are_asked_on(attached):
    """W 1.6: 1096 bytes at a time are no hole; the rest is asked for, and that size kept to."""
    b, d = attached(quirk=["read-cap"])
    at, code = text_of("amd64")
    base, size = int(b.status("base"), 16), min(6000, len(code))
    assert d.memory(base + at, size) == code[:size] and len(b.asked(kd.READ)) <= 2 + size // 1000
    b.well()


def test_physical_memory_is_read_as_asked_and_no_further(attached):
    """W 9: it may be a device."""
    b, d = attached()
    d.monitor("phys 0x1000 8")
    assert [(struct.unpack_from("<QI", data, 16)) for _, data in b.asked(kd.READ_PHYSICAL)] == [(0x1000, 8)]
    b.well()


def test_short_refusals_are_understood(attached):
    """KD 3.1: emulators answer with less than a header."""
    b, d = attached(quirk=["short-refusals"])
    assert d.ask("m10,4").startswith("E") and "refused" in d.monitor("msr 0x1234")
    session(b, d)
    b.well()


def test_prints_come_before_an_answer(attached):
    """R 13."""
    b, d = attached(quirk=["prints-first", "prints-between"])
    assert d.ask("m10,4").startswith("E")
    d.monitor("msr 0x1234")
    session(b, d)
    b.well()


# --- i386 and other kernels: KD 2.1, 4.1 and 8, R 11 and 12

@ARCHES
@BOTH
def test_a_session_with_each_kernel(attached, arch, profile):
    b, d = attached(arch, profile=profile)
    session(b, d)
    assert "ntoskrnl.exe" in d.monitor("modules") and "no bugcheck" in d.monitor("bugcheck")
    b.well()


@pytest.mark.parametrize("habit", ["extra-bytes", "alternate", "hide-int3", "kdbg-zero-extended"])
@ARCHES
def test_reports_and_blocks_of_another_form(attached, arch, habit):
    b, d = attached(arch, quirk=[habit])
    session(b, d)
    assert "no bugcheck" in d.monitor("bugcheck")
    b.well()


def test_addresses_of_32_bits_are_sign_extended_to_the_target_and_cut_for_the_debugger(attached):
    """KD 2.1."""
    b, d = attached("i386", base="0x80400000")
    site = b.symbol("NtReadFile") & 0xffffffff
    assert site >> 31 and d.plant(site) == "OK" and d.go().reg(d.pc) == site
    assert {struct.unpack_from("<Q", data, 16)[0] for _, data in b.asked(kd.WRITE_BREAK)} == {site | 0xffffffff00000000}
    b.gate.stop()
    b.well(same=False)


def test_the_boot_debugger_has_no_data_list_and_no_wide_flag(attached):
    """KD 4.1: its machine type says how wide it is."""
    b, d = attached(quirk=["boot-debugger"])
    assert "cannot be read" in d.monitor("bugcheck") and "boot" in d.monitor("version")
    session(b, d)
    b.well()


# --- images: KD 2.3, W 4.2, R 10

def libraries(d):
    return re.findall(r'library name="([^"]*)"><segment address="0x(\w+)"', re.sub(r"\s+", " ", d.ask("qXfer:libraries:read::0,fff")).replace("> <", "><"))


def test_images_are_told_by_their_first_section(attached):
    """KD 8.3: that is what debuggers place."""
    b, d = attached()
    names = {name.rpartition("/")[2]: int(at, 16) for name, at in libraries(d)}
    assert names["ntoskrnl.exe"] == int(b.status("base"), 16) + 0x1000 and "kddriver.sys" in names
    b.well()


def test_drivers_that_come_and_go_untold_are_seen_at_the_next_stop(attached):
    """R 10."""
    b, d = attached(quirk=["silent-loads"])
    b.target.do("unload")
    d.run()
    until(lambda: b.status("waiting") == "0", "the driver to go")
    d.runs_on(0.1)
    d.interrupt()
    assert "kddriver.sys" not in str(libraries(d)) and "ntoskrnl.exe" in str(libraries(d))
    b.well()


def test_a_driver_is_told_before_its_entry_runs(attached):
    """W 4.2: the moment to plant."""
    b, d = attached()
    b.target.do("unload")
    assert "kddriver.sys goes" in d.go().text
    b.target.do("load")
    stop = d.go()
    assert "kddriver.sys is loaded" in stop.text and "library" in stop.fields
    assert "kddriver: entry" not in d.text.split("goes")[-1]
    d.run()
    assert d.runs_on() and "kddriver: entry" in d.text
    b.well()


def test_that_all_images_go_is_told(attached):
    """KD 2.3: base of all ones, at a reboot."""
    b, d = attached()
    b.target.do("reboot")
    assert "all its images go" in d.go().text
    while "booted again" not in d.text:
        d.go()
    booted(b, d)
    b.well(same=False)


# --- what it asks: KD 2.4, 5 and 6, W 10

def test_a_command_for_the_debugger_is_passed_over(attached):
    b, d = attached()
    b.target.do("command")
    d.run()
    assert d.runs_on() and any("debugger command" in g for g in b.guards())
    b.well()


def test_a_file_of_the_hosts_is_refused_and_the_driver_loads(bench):
    """Unanswered, the load would hang."""
    b = bench(boot=True, quirk=["file-io"])
    booted(b)
    assert [g for g in b.guards() if "kddriver.sys" in g and "refused" in g] and b.target.log("the file is refused")
    b.well()


@pytest.mark.parametrize("prompt, answer", [("Break, Ignore (bi)? ", "b"), ("Break, Once, Ignore, Terminate Process or Terminate Thread (boipt)? ", "o"),
                                            ("(bic)? ", "b"), ("name? ", "")])
def test_a_prompt_is_answered_by_its_letters(attached, prompt, answer):
    """W 10: an empty answer makes some ask for ever."""
    b, d = attached()
    d.run()
    b.target.do(f"prompt {prompt}")
    assert b.target.until(r"answer(.*)")[1].strip() == answer and d.runs_on(0.1)
    b.well()


def test_a_prompt_is_answered_with_nobody_there(attached):
    b, d = attached()
    d.detach()
    b.target.do("prompt")
    until(lambda: b.target.log("answered 0 characters"), "the answer")
    b.well()


def test_escape_sequences_are_made_visible(attached):
    b, d = attached()
    d.run()
    b.target.do("print \x1b[31mred")
    assert d.runs_on() and "\\x1b[31mred" in d.text and "\x1b" not in d.text
    b.well()


# --- recordings as targets

@pytest.mark.parametrize("name", ["short", "idle2", "bp-step", "events", "bugcheck"])
def test_a_recorded_kernel_is_met_read_and_let_go(bench, name):
    file = CAPTURES / f"kdcom-{name}.tagged.gz"
    if not file.exists():
        pytest.skip(f"{file.name} is not there")
    b = bench(play=file)
    d, registers = b.debugger(), []
    for _ in range(4):
        registers.append(d.ask("g"))     # at some stops the recorded host did not ask for them
        assert d.ask(f"m{0xfffff80000400000:x},2")[:1] in "4E" and d.ask("qXfer:libraries:read::0,fff")[:1] in "lmE"
        d.run()
        with contextlib.suppress(TimeoutError):
            d.stop(0.2)
            continue
        break                            # it runs to the end of what was recorded
    assert (name == "idle2" or any(len(r) > 400 for r in registers)) and b.gate.process.poll() is None


# --- targets that lie: KD 9

class Lied:
    """A liar, and a kdgate in front of it."""

    def __init__(self, lie):
        self.liar = kd_liar.Liar(lie if lie in kd_liar.Liar.lies else None)
        self.gate = gate_module.Gate(self.liar.address, ("full",))
        self.gate.target = f"kd+{self.liar.address}"
        self.gate.start()

    def debugger(self, **how):
        return Debugger(self.gate.address("full"), "amd64", **how)

    def guards(self):
        return [line["text"] for line in self.gate.audit(event="guard")]

    def next_is_met(self):
        """Honest now: another connection, and all is as it should be."""
        self.liar.repent()
        until(lambda: self.liar.met > 1, "kdgate to come again")
        with contextlib.closing(gate_module.until(self.try_debugger, "the next target to be met").client):
            pass
        assert resident(self.gate.process.pid) < 40000 and not self.liar.complaints

    def try_debugger(self):
        with contextlib.suppress(OSError, rsp_client.Closed, TimeoutError, AssertionError, ValueError):
            d = self.debugger(timeout=2)
            assert d.memory(kd_liar.CODE, 4) == b"\xcc\x90\x90\x90" and d.reg(d.pc) == kd_liar.CODE
            return d
        return None

    def close(self):
        try:
            self.gate.stop()
            assert not self.gate.complaints()
        finally:
            print(f"--- kdgate's log\n{self.gate.log()[-6000:]}")
            self.gate.close()
            self.liar.close()


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


@pytest.fixture
def lied():
    all_ = []

    def start(lie):
        all_.append(Lied(lie))
        return all_[-1]

    yield start
    for one in all_:
        one.close()


def looks_around(d):
    """What clients do while it stands; how it is answered, by name."""
    code = kd_liar.CODE
    with contextlib.suppress(AssertionError):
        d.monitor("bugcheck")
    return {"read": d.ask(f"m{code:x},20"), "regs": d.ask("g"), "write": d.ask(f"M{code + 0x40:x},2:abcd"), "plant": d.plant(code + 0x20),
            "libraries": d.ask("qXfer:libraries:read::0,fff"), "lift": d.lift(code + 0x20), "reg": d.set_reg(0xf, 7)}


# Lie: what the log says of it; which question is refused ("": none is); what is found in the answers or the text.
LIES = {
    "read-says-more": ("lengths cannot be", "read", None),
    "read-is-longer": ("lengths cannot be", "read", None),
    "read-is-nothing": ("lengths cannot be", "read", None),
    "answer-is-cut": ("lengths cannot be", "read", None),
    "wrote-more": ("lengths cannot be", "write", None),
    "context-is-short": ("10 bytes of registers where 1232 are due", "reg", "xxxxxxxx"),
    "context-is-long": (None, "", "4141414141414141"),
    "special-is-longer": (None, "", None),
    "handle-is-none": ("lengths cannot be", "plant", None),
    "another-api": ("an answer that nobody waits for", "", None),
    "another-address": ("an answer that nobody waits for", "", None),
    "another-processor": ("an answer that nobody waits for", "", None),
    "twice-the-answer": ("an answer that nobody waits for", "", None),
    "state-in-between": ("a state change of a target that stands", "", None),
    "unknown-types": ("a packet of type", "", None),
    "many-processors": ("it says that it has 2048 processors: 256 are shown", "", None),
    "many-parameters": (None, "", None),
    "unknown-state": (None, "", None),
    "no-such-processor": ("a state change that makes no sense", "", None),
    "short-state": ("a state change that makes no sense", "", None),
    "broken-requests": ("makes no sense", "", None),
    "module-cycle": ("its list of images does not end", "", "hal.dll"),
    "module-into-nothing": (None, "", "ntoskrnl.exe"),
    "module-names": (None, "", None),
    "kdbg-size": (None, "", "cannot be read"),
    "kdbg-cycle": (None, "", "cannot be read"),
    "keeps-breakpoints": (None, "", None),
    "keeps-registers": (None, "reg", None),
    "nothing-yet": (None, "", "cannot be read"),
    "noise-without-end": ("that are no KD packet", "", None),
    "honest": (None, "", "MANUALLY_INITIATED_CRASH"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about(lie, lied):
    """kdgate lives, says what it saw, and refuses no more than what was lied about; the next target is met."""
    words, refused, found = LIES[lie]
    one = lied(lie)
    with contextlib.closing((d := one.debugger()).client):
        answers = looks_around(d)
        assert {name for name, got in answers.items() if got[:1] == "E"} - {"plant" if refused == "read" else "reg"} <= {refused}
        assert not refused or answers[refused][:1] == "E", answers
        assert found is None or found in d.text + "".join(answers.values())
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\x9b]", d.text)
    assert not words or any(words in g for g in one.guards()), one.guards()
    assert one.liar.told or lie == "honest"
    one.next_is_met()


STORMS = {
    "loads-without-end": "without end: it is slowed down", "commands-without-end": "without end: it is slowed down",
    "hits-without-end": "without end: it is slowed down", "prompts-without-end": "without end: it is slowed down",
    "files-without-end": "without end: it is slowed down", "prints-without-end": "more console text than is passed on",
    "prints-escapes": "control characters in console text", "bugcheck-of-lies": "control characters in console text",
    "wakes-without-end": None, "path-of-escapes": "without end: it is slowed down", "unasked": "an answer that nobody waits for",
}


@pytest.mark.parametrize("lie", STORMS)
def test_a_storm_of(lie, lied):
    """With a client that lets it run: it is told, bounded, and interrupted; with nobody there: bounded still."""
    one = lied(lie)
    with contextlib.closing((d := one.debugger()).client):
        looks_around(d)
        d.run()
        with contextlib.suppress(TimeoutError):
            d.stop(0.15)
            d.run()
            d.stop(0.1)
        d.client.interrupt()
        with contextlib.suppress(TimeoutError):
            d.stop(0.3)     # what stood already has no answer to that
        assert d.ask("g")[:1] != "E" and len(d.text) < 400000
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b]", d.text)
        d.detach()
    if STORMS[lie] and "slowed" in STORMS[lie]:
        until(lambda: any("slowed" in g for g in one.guards()), "it to be slowed")
        before, began = one.liar.done(), time.monotonic()
        time.sleep(0.3)
        assert one.liar.done() - before < 10 + 60 * (time.monotonic() - began)
    assert not STORMS[lie] or any(STORMS[lie] in g for g in one.guards()), one.guards()
    one.next_is_met()


@pytest.mark.parametrize("lie, why", [("resends-without-end", "it asks for the same packet again and again"),
                                      ("damaged-without-end", "its packets are damaged"),
                                      ("resets-without-end", "it resets the line again and again"), ("no-version", "it does not tell its version"),
                                      ("another-machine", "its processor is one that kdgate does not know")])
def test_a_target_is_given_up_that(lie, why, lied):
    one = lied(lie)
    if lie.startswith(("damaged", "resets")):     # the others are not even met
        d = one.debugger()
        for i in range(16):
            d.client.say(f"Z0,{kd_liar.CODE + 0x20 + i:x},1")
        until(lambda: why in one.gate.log(), why)
        d.client.close()
    until(lambda: why in one.gate.log(), why)
    one.next_is_met()


def test_a_stream_that_begins_anew_with_each_packet_hangs_nobody(lied):
    one = lied("begins-without-end")
    with contextlib.closing((d := one.debugger()).client):
        assert len(looks_around(d)) == 7
    assert any("it began anew in the middle of a request" in g for g in one.guards())
    one.next_is_met()


def test_a_breakpoint_that_the_target_will_not_take_out_is_written_over(lied):
    """W 7 and 16: disowned, its int3 would be stepped into the middle of an instruction."""
    one = lied("keeps-breakpoints")
    with contextlib.closing((d := one.debugger()).client):
        assert d.plant(kd_liar.CODE + 0x20) == "OK" and one.liar.memory[0x1020] == 0xcc
        assert d.lift(kd_liar.CODE + 0x20) == "OK"
        d.run()
        until(lambda: not one.liar.standing, "it to run")
        assert one.liar.memory[0x1020] == 0x90 and any("its byte is put back" in g for g in one.guards())
    one.next_is_met()


def test_a_breakpoint_whose_handle_got_lost_is_taken_out(slow_lies):
    """KD 9: the request was done, its answer was lost; a second one would be refused."""
    one, d = slow_lies["no-answer-once"]
    assert d.hear(20)[:1] == "E" and not one.liar.breaks and one.liar.memory[0x1020] == 0x90
    assert any("no answer to WriteBreakPoint" in g for g in one.guards()) and d.plant(kd_liar.CODE + 0x20) == "OK"
    d.client.close()
    one.next_is_met()


def test_a_resume_that_is_refused_ends_and_is_not_tried_for_ever(lied):
    """W 14.2: debuggers would step for ever; and nobody asks again and again when they have gone."""
    one = lied("keeps-registers")
    with contextlib.closing((d := one.debugger()).client):
        d.run()
        assert d.hear()[:1] == "E"
    time.sleep(0.3)
    before = len(one.liar.asked)
    time.sleep(0.5)
    assert len(one.liar.asked) - before < 50
    one.next_is_met()


@pytest.mark.parametrize("lie", ["no-answer", "no-ack"])
def test_a_target_is_given_up_that_gives(lie, slow_lies):
    one, d = slow_lies[lie]
    why = until(lambda: re.search(r"target lost: (it does not \w+.*)", one.gate.log()), "it to be given up")
    assert "answer any more" in why[1] or "acknowledge" in why[1]
    d.client.close()
    one.next_is_met()


def test_every_lie_is_tried():
    tried = {*LIES, *STORMS, "resends-without-end", "damaged-without-end", "resets-without-end", "no-version", "another-machine", "begins-without-end",
             "no-answer-once", "no-answer", "no-ack"}
    assert set(kd_liar.Liar.lies) - {"goes-on", "talks"} == tried - {"honest"}
