"""demo_linux.py - the demo's second part: a running Linux kernel in QEMU, by its GDB stub; gdb and lldb at the same time."""
import signal
import time

import debuggers
import gate as gate_module
import kernel as kernel_module
from demo_stage import Missing, ask, audit, scene, show, start

HIT = "__x64_sys_newuname"      # the guest calls uname(2) ten times a second


def control(gate, symbols):
    scene(f"gdb, by the debug listener: target remote {gate.address('debug')}")
    d = debuggers.Gdb(symbols)
    show(d.attach(gate.address("debug")))
    ask(d, "gdb", "info registers rip rsp cr3", r"^rip +0x")
    ask(d, "gdb", "x/3i $pc", r"^=> 0xffffffff")
    ask(d, "gdb", "info threads", r"CPU#1")
    ask(d, "gdb", f"break {HIT}", r"Breakpoint 1 at")
    ask(d, "gdb", "continue", rf"hit Breakpoint 1, .* in {HIT}")
    ask(d, "gdb", "backtrace 3", "do_syscall_64")
    ask(d, "gdb", "stepi", rf"in {HIT}|^0x")
    scene("what policy debug does not grant: QEMU's own monitor")
    ask(d, "gdb", "monitor system_reset", "kdgate: .*policy debug")
    return d


def observe(gate, kernel, symbols, controller):
    scene(f"a second gdb, at the same time, by the observe listener: target remote {gate.address('observe')}")
    addr = controller.value("&linux_banner")
    with debuggers.Gdb(symbols) as d:
        show(d.attach(gate.address("observe")))
        ask(d, "gdb", "x/s &linux_banner", "Linux version")
        if d.value("$pc") != controller.value("$pc"):
            raise Missing("the two debuggers see the same machine")
        scene("its write does not pass: this gdb has one sentence for that, the audit will have the reason")
        ask(d, "gdb", f"set var *(char *){addr:#x} = 'M'", "Cannot access memory|kdgate: .*policy observe")
        if kernel.memory(addr, 1) != b"L":
            raise Missing("the kernel's memory is as it was")
        scene("where gdb shows them, the words are there")
        ask(d, "gdb", "set $rax = 1", "kdgate: policy observe does not allow reg.write")
        ask(d, "gdb", "monitor system_powerdown", "kdgate: .*policy observe")
        scene("its continue moves nothing: it waits for the next stop, until Ctrl-C")
        d.start("continue")
        time.sleep(0.5)
        if kernel.runs():
            raise Missing("the kernel stands still")
        d.interrupt()
        show("(gdb) continue\n^C" + d.hear("\n.*received signal SIGINT.*\n")[0].rstrip())
    scene("lldb, by the observe listener")
    with debuggers.Lldb(symbols) as d:
        d.attach(gate.address("observe"))
        ask(d, "lldb", "register read rip", "rip = 0xffffffff")
        ask(d, "lldb", f"memory write {addr:#x} 0x4d", "^error: ")
        ask(d, "lldb", "process plugin packet monitor system_powerdown", "kdgate: .*policy observe")
        d.detach()


def vanish(gate, kernel, symbols, controller):
    scene("kill -9 of the controlling gdb, its breakpoint set: that is taken out, and the kernel stands, as --on-disconnect says")
    addr = controller.value(f"&{HIT}")
    code = kernel.memory(addr, 1)
    controller.start("continue")
    gate_module.until(kernel.runs, "the kernel to run")
    controller.process.send_signal(signal.SIGKILL)
    controller.process.wait()
    gate_module.until(lambda: not kernel.runs(), "the kernel to stand")
    if kernel.memory(addr, 1) != code:
        raise Missing("the kernel's code is as it was")
    show(f"the guest's rounds: {kernel.beats()}")
    scene("an observer's continue, when nobody is there who may run the kernel")
    with debuggers.Gdb(symbols) as d:
        d.attach(gate.address("observe"))
        ask(d, "gdb", "continue", "kdgate: the target stands, and nobody is connected who may run it")
    scene("a new gdb by the debug listener; its detach lets the kernel run")
    with debuggers.Gdb(symbols) as d:
        d.attach(gate.address("debug"))
        ask(d, "gdb", "info breakpoints", "No breakpoints")
        ask(d, "gdb", "detach", "detached")
    before = kernel.beats()
    kernel.wait_beats(5)
    show(f"the guest's rounds: {before}, and now {kernel.beats()}")


def leave(gate, kernel):
    scene("kdgate is told to leave: exit code 0, and the kernel runs")
    gate.stop()
    kernel.wait_beats(3)
    show(f"the guest's rounds: {kernel.beats()}")


def prepare():
    """(gate, what plays, how it ends)"""
    scene(f"booting Debian's kernel {kernel_module.kernel_dir().name} in QEMU, with its GDB stub on a Unix socket")
    symbols = kernel_module.symbol_file()
    kernel = kernel_module.Kernel().boot()
    show(kernel.console.read_text(errors="replace").strip().splitlines()[-1])
    gate = gate_module.Gate(kernel.stub, ("debug", "observe"), on_disconnect="stay")

    def play():
        start(gate)
        with control(gate, symbols) as controller:
            observe(gate, kernel, symbols, controller)
            vanish(gate, kernel, symbols, controller)
        leave(gate, kernel)
        audit(gate, [(event, policy) for event in ("connect", "deny") for policy in ("debug", "observe")])

    return gate, play, kernel.stop
