"""demo_windows.py - the demo's first part: a Windows-like kernel and its driver over KD, and stock gdb with symbols.

The kernel is no Windows: it is tests/sim/kdtarget, which runs an image of its own, and speaks KD as Windows does."""
import re
import signal

import gate as gate_module
import kd
import kd_host
from demo_stage import Missing, ask, audit, expect, scene, show, start

CALL = "KdDriverRead"   # the driver's, called by the kernel for every sector that is read


def attach(gate, policy):
    scene(f"gdb, by the {policy} listener: it is told where the images lie, the module list says where they are loaded")
    g = kd.Gdb("amd64")
    for line in ("set sysroot", f"set solib-search-path {kd.image('amd64', kd.KERNEL).parent}"):
        ask(g, "gdb", line)
    ask(g, "gdb", f"target remote {gate.address(policy)}", "Remote debugging using")
    ask(g, "gdb", "sharedlibrary")
    return g


def look(g):
    ask(g, "gdb", "info sharedlibrary", rf"{kd.KERNEL}(.|\n)*{kd.DRIVER}")
    ask(g, "gdb", "backtrace", r"DbgBreakPointWithStatus(.|\n)* at tests/\S+kernel.c:\d+")
    ask(g, "gdb", "info registers rip rsp cr3 gs_base", r"^rip +0x(.|\n)*^gs_base")
    ask(g, "gdb", "info threads", r"Thread 2 \(processor 1")
    scene("a breakpoint by name, in the driver; the way there, with source lines")
    ask(g, "gdb", f"break {CALL}", r"Breakpoint 1 at .*driver\.c")
    ask(g, "gdb", "continue", rf"hit Breakpoint 1, {CALL} .*driver\.c")
    ask(g, "gdb", "backtrace", r"IopReadDisk .*io\.c:\d+(.|\n)*KiSystemStartup .*kernel\.c:\d+")
    ask(g, "gdb", "print *Irp", "Length = 64")
    ask(g, "gdb", "delete")
    ask(g, "gdb", "next", r"^\d+\s.*KdDriverReads")
    scene("a watchpoint: who writes there")
    ask(g, "gdb", "watch IopLastSector", "Hardware watchpoint 2")
    ask(g, "gdb", "continue", r"Old value = \d+\nNew value = \d+\nIopReadDisk .*io\.c:\d+")
    ask(g, "gdb", "delete")


def ask_kernel(g):
    scene("what kdgate knows of the kernel beyond what gdb asks for")
    ask(g, "gdb", "monitor version", "amd64, 2 processors")
    ask(g, "gdb", "monitor modules", rf"{kd.KERNEL}(.|\n)*{kd.DRIVER}")
    ask(g, "gdb", "monitor processors", r"^\*\d pc 0x")


def fail(g, target):
    scene("the kernel prints (DbgPrint), and fails: bugcheck")
    target.do("print the kernel says hello")
    target.do("bugcheck 0xd1")
    said = ask(g, "gdb", "continue", r"kdgate: bugcheck 0xd1")
    expect("the kernel says hello", said, "the text")
    expect("SIGABRT", said, "the stop")
    ask(g, "gdb", "backtrace 4", r"KeBugCheckEx .*bugcheck\.c:\d+")
    scene("it reboots under its debugger, and is met again: another place, another list of images")
    ask(g, "gdb", "continue", rf"kdgate: the target has booted again(.|\n)*{kd.KERNEL} is loaded at 0x142000000")
    ask(g, "gdb", "nosharedlibrary")
    ask(g, "gdb", "sharedlibrary")
    ask(g, "gdb", "info symbol $pc", "DebugService")
    scene("a breakpoint in a driver that is not there yet")
    ask(g, "gdb", "set breakpoint pending on")
    ask(g, "gdb", "tbreak DriverEntry", "pending")
    ask(g, "gdb", "continue", rf"{kd.DRIVER} is loaded at(.|\n)*breakpoint \d+, DriverEntry .*driver\.c:\d+")
    ask(g, "gdb", "backtrace 3", r"MmLoadDriver .*module\.c:\d+")
    scene("detach: the kernel runs")
    ask(g, "gdb", "detach", "detached")


def observe(gate, g):
    scene("a second gdb, at the same time, by the observe listener: it reads, and its write does not pass")
    before = g.value("IopLastSector")
    with kd.Gdb("amd64") as other:
        other.meet(gate.address("observe"))
        ask(other, "gdb", "print IopLastSector", rf"= {before}$")
        ask(other, "gdb", f"set var IopLastSector = {before + 1}", "Cannot access memory|kdgate: .*policy observe")
        ask(other, "gdb", "set $rax = 0x6b6467617465", "kdgate: policy observe does not allow reg.write")
        ask(other, "gdb", "monitor reboot", "kdgate: .*policy observe")
    g.ask("maintenance flush dcache")
    if g.value("IopLastSector") != before:
        raise Missing("the kernel's memory is as it was")


def vanish(target, g):
    scene("kill -9 of the first gdb, its breakpoint set: that is taken out, and the kernel runs, as --on-disconnect says")
    ask(g, "gdb", f"break {CALL}")
    ask(g, "gdb", "continue", rf"hit Breakpoint \d+, {CALL}")
    status(target, breakpoints="0")     # where it stands the kernel has taken it out already; it is set when the kernel runs
    g.process.send_signal(signal.SIGKILL)
    g.process.wait()
    status(target, stopped="0", breakpoints="0")


def status(target, **wanted):
    """The machine's own word, shown."""
    def there():
        now = target.status()
        return now if all(now[k] == v for k, v in wanted.items()) else None

    now = gate_module.until(there, f"the machine to have {wanted}")
    show("the machine: " + " ".join(f"{k}={now[k]}" for k in ("stopped", "breakpoints", "boots", "requests")))


def leave(gate, target):
    scene("kdgate is told to leave: exit code 0, and the kernel runs")
    gate.stop()
    status(target, stopped="0", breakpoints="0")


def prepare():
    """(gate, what plays, how it ends)"""
    scene("building a small Windows-like kernel, its driver, and the machine that runs them: make -f tests/sim/sim.mk kdtarget")
    kd_host.build()
    scene("starting it: two processors, KD on a Unix socket, as QEMU's -serial unix:PATH,server is to a Windows guest")
    target = kd_host.Target(processors=2)
    show(f"kdtarget: listening on {target.address}")
    gate = gate_module.Gate(None, ("full", "observe"))
    gate.target = f"kd+{target.address}"

    def play():
        start(gate)
        with attach(gate, "full") as g:
            look(g)
            ask_kernel(g)
            observe(gate, g)
            vanish(target, g)
        with attach(gate, "full") as g:
            fail(g, target)
        leave(gate, target)
        audit(gate, [("connect", "full"), ("connect", "observe"), ("deny", "observe")])

    return gate, play, target.close
