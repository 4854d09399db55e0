"""kdtarget_test.py - the simulated KD target itself, before anything is believed of what it says: a small KD host of our own at the other end."""
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CAPTURES = HERE.parents[2] / "shared" / "captures"
sys.path[:0] = [str(HERE)]

import kd_host as kd  # noqa: E402
from kd_host import AMD64, I386, u16, u32, u64  # noqa: E402

ARCHES = pytest.mark.parametrize("arch", [AMD64, I386], ids=["amd64", "i386"])
pytestmark = pytest.mark.skipif(not (shutil.which("x86_64-w64-mingw32-gcc") and shutil.which("i686-w64-mingw32-gcc")), reason="mingw-w64 is not installed")
KERNEL, DRIVER = b"ntoskrnl.exe\0", b"kddriver.sys\0"


@pytest.fixture(scope="session", autouse=True)
def program():
    kd.build()


@pytest.fixture
def target():
    targets = []

    def start(arch=AMD64, **options):
        targets.append(kd.Target(arch.name, **options))
        return targets[-1]

    yield start
    for t in targets:
        t.close()


def attached(target, arch=AMD64, **options):
    t = target(arch, **options)
    h = kd.Host(t, arch)
    return t, h, h.attach()


def let_go(h, state):
    """From the int3 of a break-in."""
    h.over_int3(state)
    h.go()


def code(state):
    return u32(state, 32)


def until_exception(h, seconds=10):
    """Load symbols are told, and continued."""
    loads = []
    while u32(state := h.state(seconds), 0) == kd.LOAD:
        loads.append(state)
        h.go()
    return state, loads


# --- what it is

@ARCHES
@pytest.mark.parametrize("carrier", ["unix", "tcp", "pty"])
def test_attach_by_break_in_and_version(target, arch, carrier):
    t, h, state = attached(target, arch, carrier=carrier)
    assert u32(state, 0) == kd.EXCEPTION and code(state) == kd.BREAKPOINT and u32(state, 184) == 1 and len(state) == 240
    assert u64(state, 24) == u64(state, 48) == h.signed(t.symbol("DbgBreakPointWithStatus"))
    version = h.ask(kd.VERSION, status=0).head
    assert (u16(version, 24), version[20]) == (arch.machine, 6)
    base, modules, data = (u64(version, at) for at in (32, 40, 48))
    assert h.memory(base, 2) == b"MZ"
    block = h.memory(h.pointer(data), 0x50)
    assert block[16:20] == b"KDBG" and u64(block, 0x18) == base and u64(block, 0x48) == modules
    entry = h.memory(h.pointer(modules), 0x48)
    assert h.signed(int.from_bytes(entry[6 * arch.word:7 * arch.word], "little")) == base
    let_go(h, state)


@ARCHES
def test_control_spaces_and_msr(target, arch):
    t, h, state = attached(target, arch)
    if arch is AMD64:
        pcr, prcb, thread = (u64(h.ask(kd.READ_SPACE, (16, "<Q", at), (24, "<I", 8), status=0).data, 0) for at in (0, 1, 3))
        assert h.pointer(pcr + 0x18) == pcr and h.pointer(pcr + 0x20) == prcb and h.pointer(prcb + 8) == thread == u64(state, 16)
        assert u64(h.special(), 0xa8) == pcr
        msr = h.ask(kd.READ_MSR, (16, "<I", 0xc0000101), status=0).head
        assert u32(msr, 20) | u32(msr, 24) << 32 == pcr
    else:
        eip = h.ask(kd.READ_SPACE, (16, "<Q", 0xb8), (24, "<I", 4), status=0).data
        assert h.signed(u32(eip, 0)) == u64(state, 24)
    assert u32(h.special(), 0) & 0x80000001 == 0x80000001
    assert h.ask(kd.READ_MSR, (16, "<I", 0x1234)).status == 0xc0000001


@ARCHES
def test_context_is_what_it_was_set_to(target, arch):
    t, h, state = attached(target, arch)
    before = h.context()
    assert h.pc(before) == u64(state, 24)
    wanted = bytearray(before)
    rax, fx = (0x78, 0x100) if arch is AMD64 else (0xb0, 0xcc)
    wanted[rax:rax + 4] = b"\x11\x22\x33\x44"
    wanted[fx + 0xa0:fx + 0xb0] = bytes(range(16))
    h.ask(kd.SET_CONTEXT, data=bytes(wanted), status=0)
    assert h.context() == wanted
    h.ask(kd.SET_CONTEXT, data=bytes(before), status=0)
    assert h.context() == before
    let_go(h, state)


def test_both_pictures_of_the_x87_agree(target):
    t, h, state = attached(target, I386)
    context = h.context()
    one = bytes.fromhex("0000000000000080ff3f")
    context[0x1c + 4:0x1c + 6] = (7 << 11).to_bytes(2, "little")     # TOP is 7: st0 is register 7
    context[0x1c + 8:0x1c + 10] = b"\xff\x3f"                        # which is valid, all others are empty
    context[0x38:0x42] = one
    h.ask(kd.SET_CONTEXT, data=bytes(context), status=0)
    now = h.context()
    assert now[0xcc + 4] == 0x80 and now[0xcc + 0x20:0xcc + 0x2a] == one == now[0x38:0x42] and u16(now, 0x1c + 8) == 0x3fff


@ARCHES
def test_context_in_pieces_takes_effect_when_it_is_whole(target, arch):
    t, h, state = attached(target, arch)
    wanted, size = h.context(), arch.context
    at = 0x78 if arch is AMD64 else 0xb0
    old = bytes(wanted)
    wanted[at] ^= 0xff
    for offset in range(0, size, 512):
        piece = bytes(wanted[offset:offset + 512])
        assert h.context() == old
        h.ask(kd.SET_CONTEXT_EX, (16, "<I", offset), (20, "<I", len(piece)), (24, "<I", size), data=piece, status=0)
    assert h.context() == wanted
    some = h.ask(kd.GET_CONTEXT_EX, (16, "<I", at), (20, "<I", 4), status=0)
    assert some.data == bytes(wanted[at:at + 4]) and u32(some.head, 24) == 4


def test_set_context_needs_get_context(target):
    t, h, state = attached(target)
    context = bytes(h.context())
    let_go(h, state)
    state = h.attach()
    assert h.ask(kd.SET_CONTEXT, data=context).status == 0xc0000001


# --- breakpoints and steps

@ARCHES
def test_breakpoint_hit_step_continue(target, arch):
    t, h, state = attached(target, arch)
    site = h.signed(t.symbol("NtReadFile"))
    byte = h.memory(site, 1)
    handle = h.plant(site)
    assert h.memory(site, 1) == byte, "hidden"
    let_go(h, state)
    for _ in range(2):
        state = h.state()
        assert (code(state), u64(state, 24)) == (kd.BREAKPOINT, site)
        assert h.restore(handle) == 0xc0000001, "it was deleted: near PC"
        h.go(trace=1)
        state = h.state()
        assert code(state) == kd.STEP and u64(state, 24) == site + 1 and u64(state, 192) & 0x4000
        assert u32(state, arch.report_flags) & 0x100
        handle = h.plant(site)
        h.go()
    state = h.state()
    assert u64(state, 24) == site
    h.go()
    assert h.hear(0.1) is None and t.status()["stopped"] == "0"


@ARCHES
def test_a_plain_continue_keeps_the_trace_flag(target, arch):
    t, h, state = attached(target, arch)
    h.over_int3(state)
    h.go(trace=1)
    state = h.state()
    h.tell(kd.CONTINUE, (16, "<I", kd.HANDLED))
    again = h.state()
    assert code(state) == code(again) == kd.STEP and u64(again, 24) != u64(state, 24)


def test_table_of_breakpoints(target):
    t, h, state = attached(target)
    site = t.symbol("NtReadFile")
    handles = [h.plant(site + i) for i in range(32)]
    assert handles == list(range(1, 33))
    assert h.ask(kd.WRITE_BREAK, (16, "<Q", site + 40)).status == 0xc0000001, "full"
    assert h.restore(7) == 0 and h.restore(7) == 0xc0000001 and h.restore(33) == 0xc0000001 and h.restore(0) == 0xc0000001
    assert h.ask(kd.WRITE_BREAK, (16, "<Q", site)).status == 0xc0000001, "it is there"
    assert h.ask(kd.WRITE_BREAK, (16, "<Q", 0x10)).status == 0xc0000001, "no memory"
    assert h.plant(site + 40) == 7
    assert t.status()["breakpoints"] == "32"


@ARCHES
def test_debug_registers(target, arch):
    t, h, state = attached(target, arch)
    ticks, function = h.signed(t.symbol("KeTickCount")), h.signed(t.symbol("NtReadFile"))
    for slot, where, bits, after in ((0, ticks, 0x000d0402, 1), (1, function, 0x00000408, 0)):
        special = h.special()
        at = arch.dr0 + slot * arch.word
        special[at:at + arch.word] = (where & (1 << 8 * arch.word) - 1).to_bytes(arch.word, "little")
        special[arch.dr6:arch.dr6 + 4] = bytes(4)
        special[arch.dr7:arch.dr7 + 4] = bits.to_bytes(4, "little")
        assert h.set_special(special) == 0 and h.special()[at:at + arch.word] == special[at:at + arch.word]
        if h.memory(u64(state, 24), 1) == b"\xcc":
            h.over_int3(state)
        h.go(dr7=bits)
        state = h.state()
        assert code(state) == kd.STEP and u64(state, 192) & 0xf == 1 << slot and (u64(state, 24) == function) == (not after)
        assert not u32(state, arch.report_flags) & 0x10000
    h.go(dr7=bits)
    assert u64(h.state(), 24) == function, "without RF it stops there again"
    h.go(dr7=0x400)
    assert h.hear(0.1) is None


# --- what it says

@ARCHES
def test_prints_and_prompts(target, arch):
    t, h, state = attached(target, arch)
    let_go(h, state)
    t.do("print hello \x1b[31m there")
    t.do("prints 3")
    t.do("prompt")
    while "hello, me" not in h.prints:
        assert h.hear(0.2) is None
    assert h.prints.startswith("hello \x1b[31m there") and h.prints.count("kdsim: print") == 3
    t.do("prompt Break? (bi)")
    assert h.hear(0.3) is None and t.until("answer me")


@ARCHES
def test_boot_tells_its_modules(target, arch):
    t = target(arch, boot=True, processors=2)
    h = kd.Host(t, arch)
    kernel, driver = h.state(), None
    assert h.seen[0] == 0x80800800 and (u32(kernel, 0), kernel[64]) == (kd.LOAD, 0) and kernel[240:].endswith(KERNEL)
    assert h.memory(u64(kernel, 40), 2) == b"MZ" and u64(kernel, 40) == u64(h.ask(kd.VERSION).head, 32)
    h.tell(kd.CONTINUE, (16, "<I", kd.HANDLED))
    driver = h.state()
    assert driver[240:].endswith(DRIVER) and u32(driver, 32) == len(driver) - 240 and "2 processors" in h.prints
    h.go()
    t.do("unload")
    gone = h.state()
    assert gone[64] == 1 and u64(gone, 40) == u64(driver, 40)
    h.go()
    t.do("load")
    assert h.state()[40:64] == driver[40:64]


def test_a_command_string_and_a_file(target):
    t = target(boot=True, quirk=["file-io"])
    h = kd.Host(t)
    assert h.state()[240:].endswith(KERNEL) and not h.files
    h.go()
    h.state()
    assert u32(h.files[0], 0) == 0x3430 and "kddriver.sys" in h.files[0][64:].decode("utf-16-le") and len(h.files) == 1
    h.go()
    t.do("command")
    state = h.state()
    assert u32(state, 0) == kd.COMMAND and state[240:].count(b"\0") == 2
    h.go()


# --- faults, ends

@ARCHES
def test_faults(target, arch):
    t, h, state = attached(target, arch)
    let_go(h, state)
    for words, status in (("fault av", 0xc0000005), ("fault div", 0xc0000094), ("fault ill", 0xc000001d)):
        t.do(words)
        state = h.state()
        assert code(state) == status and u32(state, 184) == 1
        h.go()
        assert u64(h.state(), 24) == u64(state, 24), "handled, so it is tried again"
        h.go(status=kd.NOT_HANDLED)
        assert h.hear(0.1) is None, "the kernel caught it"


@ARCHES
def test_a_fault_that_nobody_handles_is_the_end(target, arch):
    t, h, state = attached(target, arch)
    let_go(h, state)
    t.do("fault av unhandled")
    first = h.state()
    h.go(status=kd.NOT_HANDLED)
    second = h.state()
    assert u32(first, 184) == 1 and u32(second, 184) == 0 and first[24:32] == second[24:32]
    h.go(status=kd.NOT_HANDLED)
    for _ in range(2):
        state = h.state()
        assert code(state) == kd.BREAKPOINT and "*** Fatal System Error: 0x0000001E" in h.prints
        let_go(h, state)
    state, loads = until_exception_or_print(h, "Refreshing")
    assert loads[0][64] == 1 and u64(loads[0], 40) == (1 << 64) - 1


def until_exception_or_print(h, words):
    """All that is told until a print has come, and the first stop after it."""
    loads = []
    while True:
        state = h.state()
        loads.append(state)
        if words in h.prints:
            return state, loads
        h.go()


@ARCHES
@pytest.mark.parametrize("how", ["command", "api", "crash", "reset"])
def test_another_boot_is_elsewhere_and_starts_anew(target, arch, how):
    t, h, state = attached(target, arch)
    base = u64(h.ask(kd.VERSION).head, 32)
    h.plant(h.signed(t.symbol("NtReadFile")))
    if how == "command":
        let_go(h, state)
        t.do("reboot")
    elif how == "reset":
        t.do("reset")
    else:
        h.tell(kd.REBOOT if how == "api" else kd.CRASH)
    before = len(h.seen)
    state, _ = until_exception_or_print(h, "KDTARGET: Refreshing KD connection")
    assert 0x80800800 in h.seen[before:] and u32(state, 0) == kd.LOAD
    assert u64(h.ask(kd.VERSION).head, 32) == u64(state, 40) != base
    assert t.status()["breakpoints"] == "0"
    h.go()


# --- processors

@ARCHES
def test_each_processor_has_its_registers_and_may_be_stepped(target, arch):
    t, h, state = attached(target, arch, processors=2)
    assert u32(state, 8) == 2
    owner = u16(state, 6)
    other = 1 - owner
    assert h.reg(h.context(other), arch.sp) != h.reg(h.context(owner), arch.sp)
    h.over_int3(state)
    h.tell(kd.SWITCH, cpu=other)
    switched = h.state()
    assert (u16(switched, 6), code(switched)) == (other, kd.WAKE) and u64(switched, 24) == h.pc(h.context(other))
    h.go(trace=1, cpu=other)
    again = h.state()
    assert (u16(again, 6), code(again)) == (owner, kd.BREAKPOINT)
    h.go(cpu=owner)
    stepped = h.state()
    assert (u16(stepped, 6), code(stepped)) == (other, kd.STEP)
    h.tell(kd.SWITCH, cpu=9)
    assert h.state()[:32] == stepped[:32], "there is none: the same again"
    h.go(cpu=other)
    assert h.hear(0.1) is None


# --- the line

def test_what_is_not_acknowledged_comes_again(target):
    t = target(timeout_ms=50)
    h = kd.Host(t)
    h.break_in()
    ids = [h.packet().id for _ in range(3)]
    assert ids == [0x80800800] * 3
    state = h.state()
    assert u64(h.ask(kd.VERSION, status=0).head, 32) and h.hear(0.2) is None
    let_go(h, state)


def test_a_print_is_given_up_and_the_debugger_with_it(target):
    t = target(timeout_ms=20, retries=3)
    h = kd.Host(t)
    let_go(h, h.attach())
    t.do("print nobody hears")
    assert len([p for p in iter(lambda: h.packet(0.5), None)]) == 3 and t.status()["present"] == "0"
    state = h.attach()
    assert h.seen[-1] & kd.SYNC and u64(h.ask(kd.VERSION, status=0).head, 32)
    let_go(h, state)


def test_reset_is_answered_and_the_report_comes_again(target):
    t, h, state = attached(target)
    h.ask(kd.VERSION)
    h.control(kd.RESET, 0)
    packet = h.packet()
    assert (packet.leader, packet.type, packet.id) == (b"i", kd.RESET, 0)
    h.on_reset()
    assert h.state() == state and h.seen[-1] == 0x80800000
    assert h.ask(kd.VERSION).status == 0


def test_a_wrong_id_is_acknowledged_and_dropped(target):
    t, h, state = attached(target)
    request = b"\x46\x31" + bytes(54)
    h.data(kd.MANIPULATE, request, h.send_id ^ 1)
    packet = h.packet()
    assert (packet.type, packet.id) == (kd.ACK, h.send_id ^ 1) and h.packet(0.3) is None
    h.data(kd.FILE_IO, bytes(64), h.send_id)
    assert h.packet().type == kd.ACK and h.packet(0.3) is None, "the wrong type"
    assert h.ask(kd.VERSION, status=0)


def test_a_broken_packet_is_asked_for_again(target):
    t, h, state = attached(target)
    request = b"\x46\x31" + bytes(54)
    for wrong in (b"0000" + bytes.fromhex("02003800") + h.send_id.to_bytes(4, "little") + b"\1\2\3\4" + request + b"\xaa",
                  b"0000" + bytes.fromhex("02000400") + h.send_id.to_bytes(4, "little") + b"\0\0\0\0" + bytes(4) + b"\xaa"):
        h.write(wrong)
        assert h.packet().type == kd.RESEND
    assert h.ask(kd.VERSION, status=0)


def test_data_where_an_ack_is_due_is_asked_for_again(target):
    t = target()
    h = kd.Host(t)
    h.break_in()
    assert h.packet().type == kd.STATE
    h.expect_id ^= 1
    h.data(kd.MANIPULATE, b"\x46\x31" + bytes(54), h.send_id)
    assert h.packet().type == kd.RESEND
    assert h.ask(kd.VERSION, status=0)


def test_a_break_in_while_it_stands_is_kept(target):
    t, h, state = attached(target, timeout_ms=100)
    h.break_in()
    assert h.state() == state and t.status()["pending"] == "1"
    let_go(h, state)
    state = h.state()
    assert code(state) == kd.BREAKPOINT
    let_go(h, state)
    assert h.hear(0.1) is None


def test_a_second_host_finds_it_stopped(target):
    t, h, state = attached(target)
    h.ask(kd.VERSION)
    h.close()
    with kd.Host(t) as second:
        assert second.hear(0.3) is None, "silent for ever"
        second.control(kd.RESET, 0)
        assert second.state() == state and second.ask(kd.VERSION).status == 0


# --- what differs

@pytest.mark.parametrize("noise", ["twice", "loses-acks", "loses-packets", "corrupts", "unprovoked-resend", "prints-between", "lossy-breakin", "short-prints"])
def test_a_bad_line_is_survived(target, noise):
    t, h, state = attached(target, quirk=[noise], timeout_ms=100)
    h.patience = 0.2
    for _ in range(40):
        assert h.memory(u64(h.ask(kd.VERSION, status=0).head, 32), 64)[:2] == b"MZ"
    h.plant(t.symbol("NtReadFile"))
    let_go(h, state)
    assert u64(h.state(), 24) == t.symbol("NtReadFile")
    h.go()


@ARCHES
def test_as_reactos_does(target, arch):
    t, h, state = attached(target, arch, profile="reactos")
    after = 1 if arch is AMD64 else 0
    assert len(state) == 244 and u64(state, 48) == u64(state, 24) + after
    site = h.signed(t.symbol("NtReadFile"))
    h.plant(site)
    assert h.memory(site, 1) == b"\xcc"
    last = u64(h.ask(kd.VERSION).head, 32) + 0xfffff000
    assert h.read(last & (1 << 64) - 1, 64).status == 0xc0000001
    assert h.ask(kd.SEARCH).status == 0xc0000001 and "unhandled" in h.prints
    let_go(h, state)
    assert u64(h.state(), 24) == site


def test_a_read_into_a_hole(target):
    for profile, there in (("windows", 0), ("reactos", 16)):
        t, h, state = attached(target, profile=profile)
        stack = h.reg(h.context(), AMD64.sp)
        end = next(page for page in range(stack & ~0xfff, stack + 0x1000000, 0x1000) if h.read(page, 1).status)
        answer = h.read(end - 16, 64)
        assert (answer.status, u32(answer.head, 28), len(answer.data)) == (0xc0000001, there, there)
        h.close()


@pytest.mark.parametrize("quirk, check", [
    ("pc-after", lambda t, h, s: u64(s, 24) == u64(s, 48) + 1),
    ("breakin-in-place", lambda t, h, s: h.memory(u64(s, 24), 1) != b"\xcc"),
    ("no-context-ex", lambda t, h, s: h.ask(kd.GET_CONTEXT_EX, (20, "<I", 4)).status == 0xc0000001),
    ("set-context-always", lambda t, h, s: h.ask(kd.SET_CONTEXT, data=bytes(8)).status == 0xc0000001),
    ("read-cap", lambda t, h, s: len(h.read(t.symbol("NtReadFile"), 2000).data) == 1096),
    ("short-refusals", lambda t, h, s: h.ask(kd.SEARCH).status == 0xc0000001),
    ("long-control-space", lambda t, h, s: len(h.ask(kd.READ_SPACE, (16, "<Q", 2), (24, "<I", 8)).data) == 0xe0),
    ("restore-keeps", lambda t, h, s: [h.plant(t.symbol("NtReadFile")), h.restore(1), h.restore(1)] == [1, 0, 0]),
    ("boot-debugger", lambda t, h, s: u16(h.ask(kd.VERSION).head, 16) == 0x040f),
    ("alternate", lambda t, h, s: u32(s, 0) == 0x13030),
])
def test_a_quirk(target, quirk, check):
    t, h, state = attached(target, quirk=[quirk])
    assert check(t, h, state)
    t.close()


def test_a_stale_break_in(target):
    t, h, state = attached(target, quirk=["stale-breakin"])
    let_go(h, state)
    state = h.state()
    let_go(h, state)
    assert h.hear(0.1) is None


def test_a_trace_flag_that_leaks(target):
    t, h, state = attached(target, quirk=["tf-leaks"])
    h.over_int3(state)
    h.go(trace=1)
    h.state()
    h.go()
    assert code(h.state()) == kd.STEP
    h.set_pc(h.pc(h.context()))


def test_quirks_are_listed(target):
    text = subprocess.run([kd.PROGRAM, "--quirks"], capture_output=True, text=True, check=True).stdout
    assert "hide-int3" in text and "[reactos]" in text and all("(" in line for line in text.splitlines())


def test_requests_are_counted(target):
    t, h, state = attached(target)
    h.context()
    h.ask(kd.VERSION)
    h.ask(kd.VERSION)
    t.do("count")
    assert t.until(r"count (.*)")[1] == "3132=1 3146=2" and len(t.log("GetVersion: 00000000")) == 2


# --- recordings

def recording(name):
    file = CAPTURES / f"kdcom-{name}.tagged.gz"
    if not file.exists():
        pytest.skip(f"{file.name} is not there")
    return file


def test_a_recording_answers_in_any_order(target):
    t = target(play=recording("short"))
    h = kd.Host(t)
    state = h.attach()
    assert code(state) == kd.BREAKPOINT and u64(state, 24) == 0xfffff800_00587d12
    context = h.context()
    base = u64(h.ask(kd.VERSION, status=0).head, 32)
    assert h.memory(base, 2) == b"MZ" and h.memory(base + 0x10, 8) == h.memory(base, 64)[0x10:0x18]
    assert h.pc(context) == 0xfffff800_00587d12
    assert h.ask(kd.READ, (16, "<Q", 0x1234), (24, "<I", 4)).status == 0xc0000001
    h.go()
    assert h.hear(1) is None and "idle: tick" in h.prints


@pytest.mark.parametrize("name", ["idle2", "bp-step", "events", "bugcheck"])
def test_a_recording_is_played_to_its_end(target, name):
    t = target(play=recording(name))
    h = kd.Host(t)
    while not any("played" in line for line in t.lines):
        h.break_in()
        packet = h.hear(0.3)
        if packet is not None and packet.type == kd.STATE:
            h.go()
        t.status()
    assert h.prints and "0 not in the recording" in t.lines[-2] + t.lines[-1]
