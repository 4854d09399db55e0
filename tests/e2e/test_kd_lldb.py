"""test_kd_lldb.py - a Windows kernel over KD and stock lldb; and what a user types to each debugger for its images and their symbols."""
import re
import time
import shutil
import struct

import debuggers
import gate as gate_module
import kd
import pytest
from kd import machine, program  # noqa: F401

pytestmark = [pytest.mark.gated, pytest.mark.seconds(90),
              pytest.mark.skipif(not (shutil.which("x86_64-w64-mingw32-gcc") and shutil.which("i686-w64-mingw32-gcc")), reason="mingw-w64 is not installed")]
ARCHES = pytest.mark.parametrize("arch", ["amd64", "i386"])
PLACES = pytest.mark.parametrize("arch,base", [("amd64", None), ("amd64", 0x123450000000), ("i386", None), ("i386", 0x1400000)])


def gdb_images(d):
    """name -> its base; of those that are placed."""
    found = re.findall(r"^(0x[0-9a-f]+) +0x[0-9a-f]+ +\w+ +(?:\(\*\) +)?\S*/(\S+)$", d.ask("info sharedlibrary"), re.M)
    return {name: int(at, 16) - 0x1000 for at, name in found}


def lldb_images(d):
    return {name: int(at, 16) for at, name in re.findall(r"^\[ *\d+\] (0x[0-9a-f]+) +\S*/(\S+)$", d.ask("image list -h -f"), re.M)}


def lldb_value(d, expression):
    for _ in range(50):    # gdb-remote may be done before lldb has taken note of the first stop
        text = d.ask(f"expression -f x -- (unsigned long long)({expression})")
        if "process is unloaded" not in text:
            break
        time.sleep(0.2)
    m = re.search(r"= (0x[0-9a-f]+)$", text)
    assert m, text
    return int(m[1], 16)


class Lldb(debuggers.Lldb):
    """lldb as a driver's developer has it: a folder of images, and the sources."""

    def __init__(self, folder):
        super().__init__()
        self.ask(f"settings set target.source-map . {gate_module.ROOT}")
        self.ask(f"settings set target.exec-search-paths {folder}")

    def meet(self, m, policy="full"):
        self.say(f"gdb-remote {m.gate.address(policy)}")
        self.hear(r"stop reason = signal SIG\w+$")
        return self

    def value(self, expression):
        return lldb_value(self, expression)

    def images(self):
        return lldb_images(self)

    def go(self, pattern=r"stop reason = ([^\n]*)\n", line="continue"):
        """Until it stops so."""
        self.say(line)
        return self.hear(pattern)

    def start(self):
        self.say("continue")
        self.hear(r"Process 1 resuming$")


def unmarked(to, arch):
    """The images as Microsoft's linker leaves them: no kernel and no driver is marked as a DLL. Also where the driver wants to be."""
    (to / arch).mkdir()
    for name in (kd.KERNEL, kd.DRIVER):
        image = bytearray(kd.image(arch, name).read_bytes())
        at = struct.unpack_from("<I", image, 0x3c)[0]
        flags = struct.unpack_from("<H", image, at + 22)[0]
        assert flags & 0x2000
        struct.pack_into("<H", image, at + 22, flags & ~0x2000)
        (to / arch / name).write_bytes(image)
    return struct.unpack_from("<Q" if arch == "amd64" else "<I", image, at + (48 if arch == "amd64" else 52))[0]


# --- what the user types: {folder} has the images, {address} is kdgate's

TYPED = {
    "gdb, found": ("gdb", "set sysroot", "set solib-search-path {folder}", "target remote {address}", "sharedlibrary"),
    "gdb, given": ("gdb", "set sysroot", "set solib-search-path {folder}", "file {folder}/ntoskrnl.exe", "target remote {address}"),
    "gdb-multiarch, found": ("gdb-multiarch", "set sysroot", "set solib-search-path {folder}", "target remote {address}", "sharedlibrary"),
    "gdb-multiarch, given": ("gdb-multiarch", "set sysroot", "set solib-search-path {folder}", "file {folder}/ntoskrnl.exe", "target remote {address}"),
    "lldb, found": ("lldb", "settings set target.exec-search-paths {folder}", "gdb-remote {address}"),
    "lldb, given": ("lldb", "settings set target.exec-search-paths {folder}", "target create {folder}/ntoskrnl.exe", "gdb-remote {address}"),
}


@pytest.mark.parametrize("typed", TYPED)
@PLACES
def test_what_is_typed_lists_images_and_places_their_symbols(machine, arch, base, typed):
    """The driver's object is told by the kernel, its function by the driver's symbols."""
    program, *lines = TYPED[typed]
    m = machine(arch, **({"base": base} if base else {}))
    with debuggers.Lldb() if program == "lldb" else debuggers.Gdb(program=kd.GDBS[program]) as d:
        for line in lines:
            d.ask(line.format(folder=kd.image(arch, kd.KERNEL).parent, address=m.gate.address("full")))
        value, images = (lldb_value, lldb_images) if program == "lldb" else (debuggers.Gdb.value, gdb_images)
        for name in ("KeTickCount", "KdSimCommand", "KiBugCheckData"):
            assert value(d, f"&{name}") == m.symbol(name)
        assert value(d, "&KdDriverRead") == value(d, "MmDriverObject.DriverRead")
        assert images(d) == {kd.KERNEL: m.base(), kd.DRIVER: value(d, "MmDriverObject.DriverStart")}
        trace = d.ask("bt")
        assert re.search(r"KdCheckForDebugBreak.*kd\.c:\d+.*\n.*KeUpdateRunTime.*kd\.c:\d+", trace), trace
        d.ask("detach")
    m.free()


@pytest.mark.parametrize("by", ["hand", "script"])
@ARCHES
def test_lldb_and_images_that_are_not_marked_as_dlls(machine, arch, by, tmp_path):
    """lldb would make a driver its program, and forget where all lies: it is not told of such. The kernel is given; a driver is placed by hand."""
    wants = unmarked(tmp_path, arch)
    m = machine(arch, image=tmp_path, base={"amd64": 0x123450000000, "i386": 0x1400000}[arch])
    with Lldb(tmp_path / arch) as d:
        d.ask(f"target create {tmp_path / arch / kd.KERNEL}")
        d.meet(m)
        assert d.images() == {kd.KERNEL: m.base()} and d.value("&KeTickCount") == m.symbol("KeTickCount")
        start = d.value("MmDriverObject.DriverStart")
        assert f"{start:#018x}" in d.ask("process plugin packet monitor modules")
        if by == "hand":
            d.ask(f"target modules add {tmp_path / arch / kd.DRIVER}")
            d.ask(f"target modules load --file {kd.DRIVER} --slide {start - wants}")
        else:
            d.ask(f"command script import {gate_module.ROOT / 'scripts' / 'lldb_images.py'}")
            d.ask(f"kdgate-images {tmp_path / arch}")
        assert d.images() == {kd.KERNEL: m.base(), kd.DRIVER: start}
        assert d.value("&KdDriverRead") == d.value("MmDriverObject.DriverRead")
        d.ask("breakpoint set -n KdDriverChecksum")
        assert d.go()[1].startswith("breakpoint")
        assert re.search(r"kddriver.sys`KdDriverRead.*at driver.c:\d+.*\n.*ntoskrnl.exe`IopReadDisk.*at io.c:\d+", d.ask("bt"))
        d.ask("breakpoint delete -f")
        d.detach()
    m.free()


# --- lldb at work

@ARCHES
def test_break_next_step_finish(machine, arch):
    m = machine(arch)
    with Lldb(kd.image(arch, kd.KERNEL).parent).meet(m) as d:
        d.ask("breakpoint set -n IopReadDisk")
        assert d.go()[1] == "breakpoint 1.1"
        trace = d.ask("bt")
        assert re.search(r"#0: .*IopReadDisk\(Irp=0x[0-9a-f]+\) at io.c:(\d+)", trace) and re.search(r"#1: .*NtReadFile\(.* at io.c:\d+", trace)
        d.ask("breakpoint delete -f")
        line = int(re.search(r"at io.c:(\d+)", trace)[1])
        assert d.go(line="thread step-over")[1] == "step over"
        assert int(re.search(r"at io.c:(\d+)", d.ask("frame info"))[1]) == line + 1
        assert d.go(line="thread step-in")[1] == "step in"
        assert "IopFillSector(" in d.ask("frame info")
        d.go(r"Return value: \(uint32_t\) \$\d+ = \d+", line="thread step-out")
        d.ask("script 0")
        assert "IopReadDisk(" in d.ask("frame info")
        before = d.value("$pc")
        assert d.go(line="thread step-inst")[1] == "instruction step into"
        assert d.value("$pc") != before
        assert d.value("Irp->Length") == 64
        d.detach()
    m.free()


@ARCHES
def test_watch_and_hardware_breakpoint(machine, arch):
    m = machine(arch)
    with Lldb(kd.image(arch, kd.KERNEL).parent).meet(m) as d:
        d.ask("watchpoint set variable IopReadCount")
        before = d.value("IopReadCount")
        d.go(r"Watchpoint 1 hit:[\s\S]*?new value: (\d+)[\s\S]*?stop reason = watchpoint 1$")
        assert d.value("IopReadCount") == before + 1
        assert "IopReadDisk" in d.ask("frame info")
        d.ask("watchpoint delete -f")
        d.ask("breakpoint set -H -n NtReadFile")
        assert d.go()[1] == "breakpoint 1.1"
        assert "NtReadFile(" in d.ask("frame info")
        d.ask("breakpoint delete -f")
        d.detach()
    m.free()


def test_processors_are_threads_and_registers_what_they_hold(machine):
    m = machine("amd64", processors=2)
    with Lldb(kd.image("amd64", kd.KERNEL).parent).meet(m) as d:
        assert re.findall(r"thread #(\d): tid = 0x0*(\d)\b", d.ask("thread list")) == [("1", "1"), ("2", "2")]
        d.ask("thread select 2")
        assert "KiIdleLoop" in d.ask("bt")
        assert d.value("$gs_base") == d.value("&KiPcrs[1]") != d.value("&KiPcrs[0]")
        text = d.ask("register read rip cr3 efer xmm0")
        assert re.search(r"rip = 0x[0-9a-f]{16} ", text) and re.search(r"cr3 = 0x0*[1-9a-f]", text) and re.search(r"efer = 0x", text)
        d.ask("register write rax 0x1234")
        assert d.value("$rax") == 0x1234
        d.detach()
    m.free()


@ARCHES
def test_interrupt_and_what_it_prints(machine, arch):
    m = machine(arch)
    with Lldb(kd.image(arch, kd.KERNEL).parent).meet(m) as d:
        d.start()
        for n in (1, 2):
            m.do("print")
            d.hear(rf"^kdsim: print {n}$")
        d.say("process interrupt")
        d.hear(r"stop reason = signal SIGINT$")
        assert "KdCheckForDebugBreak" in d.ask("bt")
        d.detach()
    m.free()


@ARCHES
def test_a_breakpoint_in_a_driver_that_is_not_there_yet(machine, arch):
    m = machine(arch)
    m.do("unload")
    m.runs()
    with Lldb(kd.image(arch, kd.KERNEL).parent).meet(m) as d:
        assert d.images() == {kd.KERNEL: m.base()}
        assert "pending" in d.ask("breakpoint set -n DriverEntry")
        d.start()
        m.do("load")
        d.hear(r"kdgate: kddriver\.sys is loaded at 0x[0-9a-f]+$")
        d.hear(r"stop reason = signal SIGTRAP$")
        assert set(d.images()) == {kd.KERNEL, kd.DRIVER}
        assert d.go()[1] == "breakpoint 1.1"
        assert re.search(r"\* frame #0: .*kddriver.sys`DriverEntry\(.* at driver.c:\d+.*\n.*ntoskrnl.exe`MmStartDriver", d.ask("bt"))
        d.ask("breakpoint delete -f")
        d.start()
        m.do("unload")
        d.hear(r"kdgate: kddriver\.sys goes")
        d.hear(r"stop reason = signal SIGTRAP$")
        d.detach()
    m.free()


def test_detached_and_met_again(machine):
    m = machine("amd64")
    for _ in range(2):
        with Lldb(kd.image("amd64", kd.KERNEL).parent).meet(m) as d:
            d.ask("breakpoint set -n KdSimPoll")
            assert d.go()[1] == "breakpoint 1.1"
            d.detach()
        m.free()


def test_lldb_dap(machine):
    """An editor: attach, pause, stack, breakpoint, disconnect."""
    m = machine("amd64")
    with debuggers.Dap() as d:
        d.attach(m.gate.address("full"), kd.image("amd64", kd.KERNEL))
        d.event("stopped")
        thread = d.ask("threads")["threads"][0]["id"]
        d.resume(thread)
        d.ask("pause", threadId=thread)
        d.event("stopped")
        frames = d.ask("stackTrace", threadId=thread, levels=8)["stackFrames"]
        assert "KdCheckForDebugBreak" in [f["name"] for f in frames]
        d.ask("setFunctionBreakpoints", breakpoints=[{"name": "NtReadFile"}])
        d.resume(thread)
        assert d.event("stopped")["reason"] in ("breakpoint", "function breakpoint")
        top = d.ask("stackTrace", threadId=thread, levels=1)["stackFrames"][0]
        assert top["name"] == "NtReadFile" and top["source"]["name"] == "io.c"
        d.ask("setFunctionBreakpoints", breakpoints=[])
        d.ask("disconnect", terminateDebuggee=False)
    m.free()
