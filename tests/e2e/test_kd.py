"""test_kd.py - a Windows kernel over KD: stock gdb finds it, stops it, breaks, steps, watches, and leaves it as it was. The kernel is the
tests' own, and executes."""
import re
import shutil

import gate as gate_module
import kd
import pytest
from kd import machine, program  # noqa: F401

pytestmark = [pytest.mark.gated, pytest.mark.seconds(60),
              pytest.mark.skipif(not (shutil.which("x86_64-w64-mingw32-gcc") and shutil.which("i686-w64-mingw32-gcc")), reason="mingw-w64 is not installed")]
ARCHES = pytest.mark.parametrize("arch", ["amd64", "i386"])
IDLE = r"KiIdle|KiSchedule|KdSimPoll|KiIdleLoop"   # where its processors are found


class Labs:
    """One machine of each kind for all tests that leave it as it was."""

    def __init__(self):
        self.machines = {}

    def get(self, arch):
        if arch not in self.machines:
            self.machines[arch] = kd.Machine(arch)
        return self.machines[arch]

    def drop(self, arch):
        if arch in self.machines:
            self.machines.pop(arch).close()


@pytest.fixture(scope="module")
def labs():
    all_of_them = Labs()
    yield all_of_them
    for arch in list(all_of_them.machines):
        all_of_them.drop(arch)


@pytest.fixture
def lab(labs, arch):
    """A machine with one processor, on its first boot; a test that leaves it otherwise costs the next one a new machine."""
    try:
        yield labs.get(arch)
        labs.get(arch).free()
        assert labs.get(arch).status("boots") == "1"
    except BaseException:
        labs.drop(arch)
        raise


# --- it is found

@pytest.mark.parametrize("carrier", ["unix", "pty", "tcp"])
def test_one_that_runs_is_stopped_looked_at_and_left(machine, carrier):
    m = machine(carrier=carrier)
    m.runs()
    for _ in range(2):
        with m.gdb() as g:
            assert re.search(rf"^#1 .* KdCheckForDebugBreak \(\) at \S+/kd\.c:\d+$(?s:.*)^#\d+ .*({IDLE}) (?s:.*) KiSystemStartup \(Processor=0\)", g.ask("bt"), re.M)
            g.leave()
        m.free()


@ARCHES
def test_one_that_stands_is_found_standing(machine, arch):
    """Where its own breakpoint stopped it, when nobody was there; and nobody lets it go on but who attaches."""
    def stand(target):
        target.do("int3")
        gate_module.until(lambda: target.status()["stopped"] == "1", "the target to stand")

    m = machine(arch, before=stand)
    gate_module.until(lambda: "target found, stopped" in m.gate.log(), "kdgate to find it")
    with m.gdb() as g:
        assert m.status("stopped") == "1"
        assert re.search(r"^#0 +DbgBreakPoint \(\).*\n#1 .* KdSimBreak ", g.ask("bt 2"), re.M)
        g.leave()
    m.free()


@pytest.mark.parametrize("program,base_too", [("gdb", False), ("gdb", True), ("gdb-multiarch", True)])
@pytest.mark.parametrize("main", [False, True], ids=["found", "given"])
@pytest.mark.parametrize("arch,base", [("amd64", 0x150000000), ("i386", 0x80400000)])
def test_images_and_symbols_are_where_they_are(machine, program, base_too, main, arch, base):
    """Also of a kernel at another place than its file's. A driver's object is told by the kernel, its function by the driver's symbols."""
    m = machine(arch, **({"base": base} if base_too else {}))
    assert (m.base() == base) == base_too
    with m.gdb(program, main=main) as g:
        for name in ("KeTickCount", "KiUnhandledException", "KdSimCommand"):
            assert g.value(f"&{name}") == m.symbol(name)
        assert g.value("&KdDriverRead") == g.value("MmDriverObject.DriverRead") and g.value("*KiBugCheckData") == 0
        places = {kd.KERNEL: m.base() + 0x1000, kd.DRIVER: g.value("MmDriverObject.DriverStart") + 0x1000}
        assert g.libraries() == places
        assert "KdDriverChecksum (Buffer=" in g.ask("break KdDriverChecksum") + g.ask("continue") + g.ask("bt 4")
        g.leave()
    m.free()


# --- it is stepped and watched

@ARCHES
def test_break_next_step_finish_stepi(lab, arch):
    with lab.gdb() as g:
        g.ask("break IopReadDisk")
        assert re.search(r"Breakpoint 1, IopReadDisk \(Irp=0x[0-9a-f]+\) at \S+/io\.c:\d+", g.ask("continue"))
        chain = r"IopReadDisk \(Irp=.*NtReadFile \(Handle=.*KiSystemService \(Thread=.*, Service=0\).*KiSchedule \(Prcb=.*KiIdleLoop.*KiSystemStartup"
        assert re.search(chain, g.ask("bt"), re.S)
        assert "uint32_t Sum = " in g.ask("next")
        assert (g.value("Sector"), g.value("Irp->Length")) == (g.value("Irp->Offset") // 64, 64)
        assert re.search(r"^Sector = \d+$", g.ask("info locals"), re.M)
        assert "struct _DRIVER_OBJECT *Driver" in g.ask("next")
        g.ask("delete")
        assert "IopReadCount++" in g.ask("next")
        assert re.search(r"Run till exit.*NtReadFile \(.*Value returned is \$\d+ = \d+", g.ask("finish"), re.S)
        at = g.value("$pc")
        g.ask("stepi")
        assert 0 < g.value("$pc") - at < 16
        g.ask("tbreak KiSelectNextThread")
        g.ask("continue")
        g.ask("up")
        assert g.value("Prcb->Number") == 0
        g.ask("down")
        text = g.ask("next") + g.ask("next") + g.ask("next") + g.ask("step")
        assert re.search(r"KiSchedule \(Prcb=[^)]*\) at \S+/kernel\.c:\d+", text), text
        g.leave()


@ARCHES
def test_step_into_the_driver(lab, arch):
    with lab.gdb() as g:
        g.ask("break IopReadDisk")
        g.ask("continue")
        for _ in range(9):
            if "Driver->DriverRead" in g.ask("next"):
                break
        assert "KdDriverRead (Driver=" in g.ask("step")
        assert re.search(r"KdDriverRead .*driver\.c:\d+.*IopReadDisk .*io\.c:\d+", g.ask("bt 2"), re.S)
        assert "KdDriverChecksum (Buffer=" in g.ask("step")
        g.leave()


@ARCHES
def test_watchpoints_of_all_kinds_and_hbreak(lab, arch):
    with lab.gdb() as g:
        assert "Hardware watchpoint 1" in g.ask("watch KeTickCount")
        before = g.value("KeTickCount")
        for n in (1, 2):
            text = g.ask("continue")
            assert f"Old value = {before + n - 1}" in text and f"New value = {before + n}" in text and "KiSchedule (Prcb=" in text, text
        g.ask("delete")
        assert "Hardware read watchpoint 2" in g.ask("rwatch KdSimCommand")
        assert re.search(r"Hardware read watchpoint 2: KdSimCommand\s+Value = 0\s.*KdSimPoll \(", g.ask("continue"), re.S)
        g.ask("delete")
        assert "Hardware access (read/write) watchpoint 3" in g.ask("awatch KiServiceCount")
        assert re.search(r"watchpoint 3: KiServiceCount\s+Value = \d+\s.*KiSystemService \(", g.ask("continue"), re.S)
        assert re.search(r"watchpoint 3: KiServiceCount\s+Old value = \d+\s+New value = \d+\s.*KiSystemService \(", g.ask("continue"), re.S)
        g.ask("delete")
        assert "Hardware assisted breakpoint 4" in g.ask("hbreak KiSelectNextThread")
        for _ in range(3):
            assert "Breakpoint 4, KiSelectNextThread (Prcb=" in g.ask("continue")
        assert lab.status("breakpoints") == "0"    # not one in memory
        g.ask("watch KeTickCount")
        g.ask("watch KiServiceCount")
        g.ask("watch IopReadCount")
        assert "watchpoint" in g.ask("continue")
        g.ask("watch IopLastSector")
        assert re.search(r"[Cc]ould not insert|debug registers are all in use", g.ask("continue"))
        g.ask("delete")
        g.leave()


@ARCHES
def test_two_processors(machine, arch):
    """The second one turns in a loop; the first one takes the break-in."""
    m = machine(arch, processors=2)
    m.do("processor 1", "spin")
    m.until(waiting=0)
    with m.gdb() as g:
        threads = g.ask("info threads")
        assert re.search(r"^\* 1 +Thread 1 \(processor 0, .*DbgBreakPointWithStatus.*\n +2 +Thread 2 \(processor 1.*KdSimTurn", threads, re.M), threads
        g.ask("thread 2")
        assert re.search(r"KdSimTurn \(Argument=0\) .*KdSimPoll .*KiSystemStartup \(Processor=1\)", g.ask("bt"), re.S)
        for _ in range(5):
            at = g.value("$pc")
            g.ask("stepi")
            assert g.value("$pc") != at
            assert re.search(r"^\* 2 .*KdSimTurn", g.ask("info threads"), re.M)
        assert re.search(r"^9\d\t", g.ask("next"), re.M)
        g.ask("thread 1")
        assert re.search(IDLE + "|KeUpdateRunTime|KiClockInterrupt|KdCheckForDebugBreak", g.ask("bt"))
        g.ask("set var KdSimSpin = 0")
        g.ask("break KdSimPrint")
        m.do("print")
        assert re.search(r"Thread 2 hit Breakpoint 1, KdSimPrint ", g.ask("continue"))
        assert "Processor=1" in g.ask("bt") and g.value("Argument") == 0
        assert re.search(r"^kdsim: print \d+\n\d+\t.*while \(Argument", g.ask("next"), re.M)
        g.ask("delete")
        g.ask("hbreak KdSimBreak")     # in the registers of both
        m.do("int3")
        assert "Thread 2 hit Breakpoint 2, KdSimBreak" in g.ask("continue")
        assert "Thread 2 received signal SIGTRAP" in g.ask("continue")
        m.do("processor 0", "int3")
        assert "Thread 1 hit Breakpoint 2, KdSimBreak" in g.ask("continue")
        assert "Thread 1 received signal SIGTRAP" in g.ask("continue")
        g.leave()
    m.free()


# --- it runs, and speaks

@ARCHES
def test_ctrl_c_and_what_it_prints(lab, arch):
    with lab.gdb() as g:
        lab.do("print")
        g.start("continue")
        g.hear(r"^kdsim: print \d+$")
        lab.do("print out of the machine", "prints 3")
        g.hear(r"out of the machinekdsim: print \d+\n^kdsim: print \d+\n^kdsim: print \d+$")
        assert "KdCheckForDebugBreak" in g.pause()
        lab.do("prompt")
        g.start("continue")
        g.hear(r"^kdsim: name\? (?s:.*)the prompt is answered with an empty line\n(?s:.*)^kdsim: hello, $")
        lab.do("prompt Break repeatedly, break Once, Ignore, terminate Process or terminate Thread (boipt)? ")
        g.hear(r"boipt\)\? (?s:.*)the prompt is answered with \"o\"$")
        lab.do("command", "print")
        g.hear(r"^kdsim: print \d+$")     # the command is not run, and no stop
        g.pause()
        g.leave()
    assert "it wants a debugger command to be run" in lab.gate.log()


@ARCHES
def test_a_breakpoint_in_a_driver_that_is_not_there_yet(machine, arch):
    m = machine(arch)
    m.do("unload")
    m.until(waiting=0, stopped=0)
    with m.gdb() as g:
        assert list(g.libraries()) == [kd.KERNEL]
        g.ask("set breakpoint pending on")
        assert "pending" in g.ask("break DriverEntry")
        m.do("load")
        text = g.ask("continue")
        assert re.search(r"kdgate: kddriver\.sys is loaded at 0x[0-9a-f]+", text), text
        assert re.search(r"Breakpoint 1, DriverEntry \(Driver=0x[0-9a-f]+ <MmDriverObject>, Path=.*\) at \S+/driver\.c:\d+", text), text
        assert re.search(r"DriverEntry .*MmStartDriver .*MmLoadDriver .*KdSimLoad ", g.ask("bt"), re.S)
        assert g.libraries()[kd.DRIVER] == g.value("Driver->DriverStart") + 0x1000
        m.do("unload")
        g.ask("set stop-on-solib-events 1")
        text = g.ask("continue")
        assert "Stopped due to shared library event" in text and "kdgate: kddriver.sys goes" in text and "kddriver: unload at" in text, text
        m.do("load")
        g.ask("set stop-on-solib-events 0")
        assert "Breakpoint 1, DriverEntry" in g.ask("continue")
        g.leave()
    m.free()


# --- it goes wrong

FAULTS = pytest.mark.parametrize("what,signal,words", [
    ("av", "SIGSEGV", r"access violation \(0xc0000005\), first chance, at 0x[0-9a-f]+: reads 0x10"),
    ("write", "SIGSEGV", r"access violation \(0xc0000005\), first chance, at 0x[0-9a-f]+: writes 0x20"),
    ("div", "SIGFPE", r"integer division by zero \(0xc0000094\), first chance"),
    ("ill", "SIGILL", r"illegal instruction \(0xc000001d\), first chance"),
])


@FAULTS
@ARCHES
def test_an_exception_is_the_kernels_to_handle_or_the_debuggers(lab, arch, what, signal, words):
    with lab.gdb() as g:
        lab.do(f"fault {what}")
        text = g.ask("continue")
        assert re.search(words, text) and f"received signal {signal}" in text and re.search(r"KiFault\w+ \(\) at", text), text
        at = g.value("$pc")
        text = g.ask("signal 0")               # handled, says gdb, but it is not: there it is again
        assert f"received signal {signal}" in text and "first chance" in text and g.value("$pc") == at, text
        lab.do("print")
        g.prints()    # the kernel has a handler
        lab.do(f"fault {what}")
        assert signal in g.ask("continue")
        g.ask("set $pc = KiExceptionHandler")  # mended by hand
        lab.do("print")
        g.say("signal 0")
        g.hear(r"^kdsim: print \d+$")
        g.pause()
        g.leave()


@ARCHES
def test_an_exception_that_nobody_handles_ends_in_a_bugcheck(machine, arch):
    m = machine(arch)
    with m.gdb() as g:
        m.do("fault av unhandled")
        assert "first chance" in g.ask("continue")
        assert "second chance" in g.ask("continue")
        text = g.ask("continue")
        assert re.search(r"kdgate: bugcheck 0x1e KMODE_EXCEPTION_NOT_HANDLED \(0x(ffffffff)?c0000005, 0x", text) and "SIGABRT" in text, text
        g.leave()
    m.until(boots=2)
    m.free()


@ARCHES
def test_a_bugcheck_is_told_in_words_and_the_machine_boots_again(machine, arch):
    m = machine(arch, processors=2)
    with m.gdb() as g:
        m.do("bugcheck 0xd1")
        text = g.ask("continue")
        assert "received signal SIGABRT" in text, text
        assert "kdgate: bugcheck 0xd1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x1, 0x2, 0x3, 0x4)" in text, text
        assert re.search(r"KeBugCheckEx \(Code=209, P1=1, P2=2, P3=3, P4=4\).*KdSimBugCheck", g.ask("bt"), re.S)
        assert g.ask("monitor bugcheck") == "bugcheck 0xd1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x1, 0x2, 0x3, 0x4)"
        text = g.ask("continue")
        assert "kdgate: the target has booted again" in text and "received signal SIGPWR" in text, text
        g.leave()
    m.until(boots=2)
    m.free()
    with m.gdb() as g:
        assert g.value("&KeTickCount") == m.symbol("KeTickCount")
        g.leave()
    m.free()


@ARCHES
def test_a_reboot_under_a_debugger_with_breakpoints(machine, arch):
    """What was set is void. Whoever attaches again finds everything at its new place."""
    m = machine(arch)
    with m.gdb() as g:
        g.ask("break KdSimPrint")
        g.ask("watch KiBugCheckActive")
        m.do("print")
        assert "Breakpoint 1, KdSimPrint" in g.ask("continue")
        g.start("continue")
        m.until(stopped=0, breakpoints=1)
        m.do("reset")
        g.hear(r"kdgate: the target has booted again; breakpoints and addresses of before are void(?s:.*)received signal SIGPWR")
        assert m.status("breakpoints") == "0"
        g.ask("disconnect")
        g.ask("delete")
        g.ask("nosharedlibrary")
        g.meet(m.gate.address("full"))
        assert g.value("&KeTickCount") == m.symbol("KeTickCount") and m.status("boots") == "2"
        g.ask("break KdSimPrint")
        m.do("print")
        assert "KdSimPrint (Argument=0)" in g.ask("continue")
        g.leave()
    m.free()


# --- it is left

@ARCHES
def test_nothing_of_a_debugger_stays(lab, arch):
    """Of one that detaches, of one that is killed where it stands, of one that is killed while the kernel runs."""
    def bring(g):
        g.ask("break KeBugCheckEx")
        g.ask("hbreak HalReturnToFirmware")
        g.ask("watch KiBugCheckActive")
        g.ask("break IopReadDisk")
        assert "IopReadDisk" in g.ask("continue")

    gone = lab.gate.log().count("leaves: ")
    with lab.gdb() as g:
        bring(g)
        g.leave()
    lab.free()
    with lab.gdb() as g:
        bring(g)
        g.kill()
    lab.free()
    with lab.gdb() as g:
        bring(g)
        g.ask("delete 4")
        g.start("continue")
        lab.until(stopped=0, breakpoints=1)
        g.kill()
    gate_module.until(lambda: lab.gate.log().count("leaves: ") == gone + 3, "kdgate to see it go")
    lab.do("int3")      # at its next stop
    lab.free()
    with lab.gdb() as g:
        assert g.ask("monitor breakpoints") == "0; the target's own table has room for 32"
        assert g.value("$dr7") & 0xff == 0
        g.leave()


@ARCHES
def test_a_kdgate_that_is_killed_leaves_breakpoints_and_the_next_one_removes_them(machine, arch):
    m = machine(arch)
    with m.gdb() as g:
        g.ask("break KeBugCheckEx")
        g.ask("break KdSimPrint")
        g.ask("watch KiBugCheckActive")
        g.start("continue")
        m.until(stopped=0, breakpoints=2)
        m.gate.kill()
    assert m.status("breakpoints") == "2"
    m.gate.start()
    m.until(breakpoints=0, stopped=0)
    m.free()
    with m.gdb() as g:
        g.ask("break KdSimPrint")
        g.start("continue")
        m.until(stopped=0, breakpoints=1)
        m.gate.kill()
    m.do("print")
    m.until(stopped=1)           # at a dead debugger's breakpoint
    m.gate.start()
    with m.gdb() as g:
        assert "KdSimPrint (Argument=0)" in g.ask("bt")
        g.leave()
    m.free()


@ARCHES
def test_what_happens_while_nobody_is_there_is_passed(machine, arch):
    """It prints, asks, loads, faults where its kernel has a handler, meets its own breakpoints; and it boots again. Only its kernel's way
    out of an exception leads on: handled, it would meet it for ever."""
    m = machine(arch, boot=True)
    m.free()
    m.do("print", "prompt", "unload", "load", "command", "int3", "fault av", "fault div", "fault ill", "print")
    m.free()
    assert m.status("boots") == "1"
    m.do("bugcheck")
    m.until(boots=2)
    m.free()
    with m.gdb() as g:
        assert set(g.libraries()) == {kd.KERNEL, kd.DRIVER} and g.value("&KeTickCount") == m.symbol("KeTickCount")
        g.ask("break KdSimRead")
        m.do("fault av")
        assert "KdSimRead" in g.ask("continue")
        g.ask("delete")
        assert "SIGSEGV" in g.ask("continue")
        g.leave()                # from an exception: it is the kernel's
    m.free()


def test_one_that_is_to_stay_as_it_was_left_stays(machine):
    m = machine(on_disconnect="stay")
    with m.gdb() as g:
        g.ask("break KdSimPrint")
        m.do("print")
        assert "KdSimPrint" in g.ask("continue")
        g.kill()
    gate_module.until(lambda: "leaves: " in m.gate.log(), "kdgate to see it go")
    with m.gdb() as g:
        assert m.status("stopped") == "1" and "KdSimPrint (Argument=0)" in g.ask("bt")
        g.leave()
    m.free()


# --- it is changed

@ARCHES
def test_an_int3_of_its_own_is_passed(lab, arch):
    with lab.gdb() as g:
        for way in ("stepi", "next", "continue"):
            lab.do("int3")
            text = g.ask("continue")
            assert "received signal SIGTRAP" in text and "DbgBreakPoint ()" in text, text
            at = g.value("$pc")
            assert "int3" in g.ask("x/i $pc")
            if way != "continue":
                g.ask(way)
                assert g.value("$pc") == at + 1
                g.ask("stepi")
                assert "KdSimBreak" in g.ask("bt 1")
        lab.do("print")
        g.prints()
        g.leave()


@ARCHES
def test_registers_and_memory_are_written(lab, arch):
    with lab.gdb() as g:
        g.ask("break RtlpPutNumber")
        lab.do("print")
        assert "RtlpPutNumber" in g.ask("continue")
        assert "Value=" in g.ask("frame")
        g.ask("set var Value = 4711")
        g.ask("set $xmm3.v4_int32[2] = 77")
        old = g.value("$rax" if arch == "amd64" else "$eax")
        name = "$rax" if arch == "amd64" else "$eax"
        g.ask(f"set {name} = 0x1234567")
        g.ask("maintenance flush register-cache")
        assert (g.value(name), g.value("$xmm3.v4_int32[2]"), g.value("Value")) == (0x1234567, 77, 4711)
        g.ask(f"set {name} = {old}")
        g.ask("stepi")
        assert g.value("$xmm3.v4_int32[2]") == 77
        at = g.value("$pc")
        g.ask("stepi")
        g.ask(f"set $pc = {at}")
        assert g.value("$pc") == at
        g.ask("delete")
        g.prints(4711)
        assert "rror" not in g.ask("set var KdSimPrints = 41")
        lab.do("print")
        g.prints(42)
        g.leave()


@ARCHES
def test_memory_is_written_over_a_breakpoint(lab, arch):
    """By a debugger that keeps its breakpoints in: both are there then, what was written and the breakpoint."""
    with lab.gdb() as g:
        g.ask("set breakpoint always-inserted on")
        g.ask("break *KiFaultIllegal")
        before = g.ask("x/4xb &KiFaultIllegal")
        code = g.value("*(unsigned char *)&KiFaultIllegal")
        g.ask("set var *(unsigned char *)&KiFaultIllegal = 0x90")
        assert g.ask("x/4xb &KiFaultIllegal") != before and g.value("*(unsigned char *)&KiFaultIllegal") == 0x90
        lab.do("fault ill")
        assert "Breakpoint 1, KiFaultIllegal" in g.ask("continue")
        at = g.value("$pc")
        g.ask("stepi")
        assert g.value("$pc") == at + 1     # what was written was run
        g.ask(f"set $pc = {at}")
        g.ask(f"set var *(unsigned char *)&KiFaultIllegal = {code}")
        assert g.ask("x/4xb &KiFaultIllegal").split()[1:] == before.split()[1:]
        assert "Breakpoint 1, KiFaultIllegal" in g.ask("continue")
        assert "SIGILL" in g.ask("continue")
        g.leave()


@ARCHES
def test_forty_breakpoints_are_too_many_and_that_is_told(lab, arch):
    with lab.gdb() as g:
        for n in range(40):
            g.ask(f"break *((char *)&KeBugCheckEx + {n})")
        lab.do("print")
        g.start("continue")     # gdb itself says nothing: of a library's breakpoints it takes no offence
        text = g.hear(r"(?s:.*)^kdsim: print \d+$")[0]
        refused = re.findall(r"^kdgate: no breakpoint is set at (0x[0-9a-f]+): the target has room for 32 breakpoints, .*use hbreak$", text, re.M)
        assert [int(x, 16) - int(refused[0], 16) for x in refused] == list(range(8)), text
        lab.until(stopped=0, breakpoints=32)
        g.pause()
        assert len(re.findall(r"^software 0x", g.ask("monitor breakpoints"), re.M)) == 32
        g.leave()


@ARCHES
def test_a_step_that_never_ends_is_interrupted(lab, arch):
    with lab.gdb() as g:
        g.ask("break KdSimTurn")
        lab.do("spin")
        assert "KdSimTurn" in g.ask("continue")
        g.ask("delete")
        for _ in range(2):
            g.say("finish")
            g.hear(r"Run till exit.*\n")
            lab.until(stopped=0)
            assert "KdSimTurn (Argument=0)" in g.pause()
            g.ask("frame function KdSimTurn")
        g.ask("set var KdSimSpin = 0")
        assert "KdSimPoll" in g.ask("finish")
        g.leave()


# --- who may

def test_who_may_only_look_only_looks(machine):
    m = machine(policies=("full", "observe"))
    with m.gdb() as g, m.gdb(policy="observe") as look:
        value = g.value("KeTickCount")
        assert look.value("KeTickCount") == value and "KdCheckForDebugBreak" in look.ask("bt")
        assert re.search(r"observe|annot", look.ask("set var KeTickCount = 7"))
        assert re.search(r"observe|rror|ould not", look.ask("set $pc = 0"))
        look.ask("break KiSchedule")
        assert "observe" in look.ask("monitor reboot")
        assert (g.value("KeTickCount"), m.status("boots")) == (value, "1")
        assert {line["effect"] for line in m.gate.audit(event="deny", policy="observe")} >= {"mem.write", "reg.write", "monitor"}
        g.leave()
    m.free()


@ARCHES
def test_monitor_commands(lab, arch):
    with lab.gdb() as g:
        assert all(word in g.ask("monitor help") for word in ("version", "modules", "processors", "msr", "phys", "bugcheck", "breakpoints", "reboot"))
        assert re.search(rf"^Windows, build 9600, {arch}, 1 processor, kernel at 0x{lab.base():x}$", g.ask("monitor version"), re.M)
        modules = {name: int(base, 16) for base, name in re.findall(r"^(0x\w+) 0x\w+ (\S+)$", g.ask("monitor modules"), re.M)}
        assert {name: at + 0x1000 for name, at in modules.items()} == g.libraries()
        assert g.ask("monitor processors") == f"*0 pc {g.value('$pc'):#x} sp {g.value('$sp'):#x}"
        assert g.ask("monitor bugcheck") == "no bugcheck"
        g.ask("set breakpoint always-inserted on")
        at = re.search(r"at (0x[0-9a-f]+)", g.ask("break KeBugCheckEx"))[1]
        assert g.ask("monitor breakpoints") == f"software {at}\n1; the target's own table has room for 32"
        assert "no such command" in g.ask("monitor nonsense")
        g.leave()


def test_monitor_reboot(machine):
    m = machine()
    with m.gdb() as g:
        g.ask("monitor reboot")
    m.until(boots=2)
    m.free()
    with m.gdb() as g:
        assert g.value("&KeTickCount") == m.symbol("KeTickCount")
        g.leave()
    m.free()
