"""test_kgdb_two_lines.py - a real Linux kernel whose console is on one UART and KGDB on another: a kdgate that has both lines."""
import contextlib
import os
import re
import select
import socket
import threading
import time

import debuggers
import gate as gate_module
import kgdb
import pytest
from test_kgdb import CALL, hear, runs

pytestmark = [pytest.mark.gated, pytest.mark.seconds(180)]
SYSRQ = "echo g > /proc/sysrq-trigger"


class Cable:
    """From a loopback port of its own to a far end, which near() connects to. Pulled, it throws out who is there, and lets nobody in."""

    def __init__(self, far):
        self.far, self.lock, self.over, self.ends = far, threading.Lock(), threading.Event(), []
        self.listener, self.port = None, gate_module.free_port()
        self.plug()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def plug(self):
        with self.lock:
            self.listener = socket.create_server(("127.0.0.1", self.port))

    def pull(self):
        with self.lock:
            self.listener.close()
            self.listener = None
            self.drop()

    def drop(self):
        for end in self.ends:
            end.close()
        self.ends = []

    def carry(self, source):
        data = source.recv(4096)
        if data:
            self.ends[source is self.ends[0]].sendall(data)
        else:
            self.drop()

    def turn(self):
        waits = self.ends or [self.listener] if self.listener else []
        for s in select.select(waits, [], [], 0.01)[0]:
            if s is self.listener:
                self.ends = [s.accept()[0], self.far()]
            elif s in self.ends:
                self.carry(s)

    def run(self):
        while not self.over.is_set():
            with self.lock, contextlib.suppress(OSError):
                self.turn()
            self.over.wait(0.0005)      # lets go of the lock

    def close(self):
        self.over.set()
        self.thread.join()
        if self.listener:
            self.pull()


class Board:
    """A kernel and a kdgate on its two lines, each behind a cable; but pseudo-terminals, which it has itself. before(vm): what befalls the
    kernel while kdgate is not there yet."""

    def __init__(self, options=(), before=None, console_link="telnet", link="unix", **how):
        self.vm = kgdb.Kgdb(one_line=False, link=link, console_link=console_link, **how)
        with contextlib.ExitStack() as undo:
            undo.callback(self.vm.stop)
            self.vm.boot()
            if before:
                before(self.vm)
            self.begin(link, console_link, options)
            undo.pop_all()

    def begin(self, link, console_link, options):
        self.line, self.console_line = Cable(self.vm.dial), Cable(lambda: self.vm.dial(console=True))
        self.gate = gate_module.Gate(self.vm.serial, ("full", "observe"))
        self.gate.target = f"kgdb+{self.place(link, self.line, self.vm.serial)}"
        self.console_path = self.gate.dir / "console.sock"
        self.gate.options = ["--console-line", self.place(console_link, self.console_line, self.vm.console_serial), "--console", f"unix:{self.console_path}",
                             "--policy", "full", "--console-log", str(self.gate.dir / "console.log"), "--trace", *options]
        self.gate.start()

    @staticmethod
    def place(link, cable, path):
        return {"telnet": f"telnet:127.0.0.1:{cable.port}", "unix": f"tcp:127.0.0.1:{cable.port}", "pty": f"serial:{path}"}[link]

    def met(self):
        return self.gate.log().count("target found")

    def wait_met(self, times=1, seconds=40):
        gate_module.until(lambda: self.met() >= times, "the kernel to be met", seconds)

    def wait_said(self, words, seconds=30):
        gate_module.until(lambda: words in self.gate.log(), f"{words!r} in the log", seconds)

    def gdb(self):
        g = debuggers.Gdb(self.vm.vmlinux)
        text = g.attach(self.gate.address("full"), 60)
        assert "Remote debugging using" in text and "rror" not in text, text
        return g

    def console(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(self.console_path))
        s.settimeout(10)
        return s

    def stops_and_goes_on(self):
        """Broken in, and left: it runs, and does not stop anew."""
        with self.gdb() as g:
            assert "sysrq_handle_dbg" in g.ask("bt 3") or "kgdb_breakpoint" in g.text
            g.goes_on_and_is_stopped(lambda: runs(self.vm), 40)
            g.ask("detach")
        runs(self.vm, beats=10)

    def close(self):
        try:
            self.gate.stop()
            assert not self.gate.complaints()
        finally:
            print(f"--- kdgate's log\n{self.gate.log()[-6000:]}")
            self.gate.close()
            self.line.close()
            self.console_line.close()
            self.vm.stop()


@pytest.fixture
def board():
    """board(options, link=...): made when asked for, and left."""
    with contextlib.ExitStack() as boards:
        def make(*options, **how):
            made = Board(options, **how)
            boards.callback(made.close)
            return made

        yield make


@pytest.fixture(scope="module")
def lab():
    b = Board()
    try:
        b.wait_met()
        yield b
    finally:
        b.close()


def test_gdb_finds_it_running_and_leaves_it_so(lab):
    assert "it was running and is stopped now" in lab.gate.log()
    runs(lab.vm)
    for _ in range(2):
        with lab.gdb() as g:
            assert "kgdb_breakpoint" in g.ask("bt 3") and "sysrq_handle_dbg" in g.text
            assert "swapper/0" in g.ask("print init_task.comm")
            status = g.ask("monitor kdgate status")
            assert f"its console at telnet:127.0.0.1:{lab.console_line.port}" in status, status
            g.ask("detach")
        runs(lab.vm, beats=10)     # no BREAK was left for it


def test_gdb_breaks_in_a_system_call_and_steps(lab):
    with lab.gdb() as g:
        g.ask(f"break *{CALL}")
        assert "Breakpoint 1," in g.ask("continue", 40)
        assert g.value("$rip") == g.value(f"&{CALL}")
        assert "do_syscall_64" in g.ask("bt 6")
        g.ask("stepi")
        assert g.value("$rip") != g.value(f"&{CALL}")
        assert "Breakpoint 1," in g.ask("continue", 40)
        g.ask("delete")
        g.ask("detach")
    runs(lab.vm)


def test_ctrl_c_and_the_console_meanwhile(lab):
    with lab.console() as console, lab.gdb() as g:
        for _ in range(2):
            g.start("continue")
            runs(lab.vm)
            console.sendall(b"\recho answer-$((6*7))\r")   # a BREAK that was said twice leaves its second key in the shell's line
            text = hear(console, rb"answer-42")
            assert not re.search(rb"\$[^#]*#[0-9a-f]{2}", text), text
            g.interrupt()
            g.hear(r"received signal", 30)
            assert "sysrq_handle_dbg" in g.ask("bt 3")
            assert "answer-42" not in g.text
        g.ask("detach")
    runs(lab.vm)


def test_what_is_typed_while_it_stands_comes_when_it_runs(lab):
    with lab.console() as console, lab.gdb() as g:
        console.sendall(b"echo later-$((6*7)) with more than a line of a few bytes could hold by itself\r")
        time.sleep(0.5)
        assert "kgdb_breakpoint" in g.ask("bt 3")
        g.start("continue")
        hear(console, rb"later-42 with more than a line of a few bytes could hold by itself\r")
        g.interrupt()
        g.hear(r"received signal", 30)
        g.ask("detach")
    runs(lab.vm)


def test_lldb_stands_on_the_breakpoint_and_steps_from_it(lab):
    out = debuggers.lldb(lab.gate.address("full"), f"breakpoint set -n {CALL}", "continue", "register read rip", "thread step-inst", "register read rip",
                         "breakpoint delete -f", "detach", symbols=lab.vm.vmlinux, seconds=120)
    assert "stop reason = breakpoint 1.1" in out, out
    rips = [int(x, 16) for x in re.findall(r"rip = (0x[0-9a-f]+)", out)]
    assert rips[0] < rips[1] < rips[0] + 16, out
    runs(lab.vm)


@pytest.mark.parametrize("which", ["line", "console_line"])
def test_a_line_that_is_cut_and_back(lab, which):
    cable, words = getattr(lab, which), {"line": "the debugger's line: it was closed", "console_line": "the console's line: it was closed"}[which]
    before = lab.met()
    with lab.gdb() as g:
        g.start("continue")
        runs(lab.vm)
        cable.pull()
        g.hear(re.escape(words) + "|Remote connection closed", 30)
        lab.wait_said(f"target lost: {words}")
        lab.wait_said(f"{words.removesuffix('it was closed')}Connection refused")
        cable.plug()
    lab.wait_met(before + 1)
    lab.stops_and_goes_on()


def test_a_line_that_is_cut_while_it_stands(lab):
    """It is met again by a question: with a BREAK it would stop once more when it goes on."""
    before = lab.met()
    with lab.gdb() as g:
        assert "kgdb_breakpoint" in g.ask("bt 3")
        lab.console_line.pull()
        lab.wait_said("the console's line: it was closed")
        lab.console_line.plug()
    lab.wait_met(before + 1)
    assert lab.gate.log().rstrip().rpartition("target found, ")[2].startswith("stopped")
    with lab.gdb() as g:
        g.start("continue")
        runs(lab.vm, beats=10)
        assert "received signal" not in g.text
        g.interrupt()
        g.hear(r"received signal", 30)
        g.ask("detach")
    runs(lab.vm)


def test_the_log_has_the_console_with_times(lab):
    text = (lab.gate.dir / "console.log").read_text()
    assert re.search(r"^\d{4}-\d\d-\d\dT[\d:.]+Z beat \d+$", text, re.M), text[-500:]
    assert not re.search(r"\$[^#\n]*#[0-9a-f]{2}", text), "a packet was heard on the console"


def test_a_kernel_that_waits_at_boot(board):
    b = board(wait=True)
    b.wait_met()
    assert "target found, stopped" in b.gate.log()
    assert b.vm.stands(), "nobody told it to run"
    with b.gdb() as g:
        assert "kgdb" in g.ask("bt 4")
        g.start("continue")
        gate_module.until(lambda: b.vm.beats() > 10, "the kernel to boot on", 60)
        assert "received signal" not in g.text
        g.interrupt()
        g.hear(r"received signal", 30)
        g.ask("detach")
    runs(b.vm)


def test_a_kernel_that_is_dead_is_told(board):
    """What becomes of the BREAKs that wait in QEMU's UART is not looked at: it keeps one flag for all of them."""
    b = board()
    b.wait_met()
    with b.gdb() as g:
        g.start("continue")
        runs(b.vm)
        b.vm.qmp("stop")
        g.interrupt()
        g.hear(r"the kernel does not answer BREAK and g\. Is the console line its console", 60)
        b.vm.qmp("cont")


def test_a_reboot_under_an_attached_debugger(board):
    b = board()
    b.wait_met()
    with b.gdb() as g:
        g.start("continue")
        runs(b.vm)
        b.vm.reboot()
        g.hear(r"seems to have booted again", 40)
        g.interrupt()
        g.hear(r"received signal", 40)
        assert "kgdb_breakpoint" in g.ask("bt 2")
        g.ask("detach")
    runs(b.vm)


def test_a_console_line_without_break_says_so(board):
    b = board(console_link="unix")
    with debuggers.Gdb(b.vm.vmlinux) as g:
        assert "away" in g.attach(b.gate.address("full"), 60)
    b.wait_said("the console's line cannot carry a BREAK that would stop a kernel that runs")
    runs(b.vm)


@pytest.mark.parametrize("link", ["unix", "pty"])
def test_a_break_in_that_is_typed(board, link):
    b = board("--break-in", SYSRQ, console_link=link, link=link)
    b.wait_met()
    with b.gdb() as g:
        assert "write_sysrq_trigger" in g.ask("bt 8")
        g.goes_on_and_is_stopped(lambda: runs(b.vm), 40)
        g.ask("detach")
    runs(b.vm)


def test_a_kernel_with_kdb(board):
    """Its prompt is said on both lines, and heard on the debugger's; gdb attaches all the same."""
    b = board(kdb=True)
    b.wait_met()
    with b.console() as console, b.gdb() as g:
        assert b"Entering kdb (" in hear(console, rb"Entering kdb \(")
        assert "kgdb_breakpoint" in g.ask("bt 3")
        g.goes_on_and_is_stopped(lambda: runs(b.vm), 40)
        assert "sysrq_handle_dbg" in g.ask("bt 3")
        g.ask("detach")
    runs(b.vm)


def test_a_line_that_is_not_there_is_named(board):
    b = board()
    b.wait_met()
    gone = b.gate.dir / "ttyGONE"
    b.gate.stop()
    b.gate.options[1] = f"serial:{gone}"
    b.gate.start()
    b.wait_said(f"the console's line serial:{gone}: no such device (is it plugged in?")
    assert not os.path.exists(gone)
