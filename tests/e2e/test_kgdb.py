"""test_kgdb.py - a real Linux kernel with KGDB on the wire of its console: stock gdb and lldb, the console meanwhile, and what goes wrong."""
import re
import select
import socket
import time

import debuggers
import gate as gate_module
import kgdb
import pytest
import slow_line

pytestmark = [pytest.mark.gated, pytest.mark.seconds(180)]
CALL = "__x64_sys_newuname"   # the guest calls it five times a second


class Board:
    """A kernel and a kdgate on its one wire. paced: as slow as one. policies: of the debuggers' listeners. before(vm): what
    befalls the kernel while kdgate is not there yet."""

    def __init__(self, options=(), paced=False, policies=("full", "observe"), before=None, **how):
        self.how = {"link": "telnet", **how}
        self.vm = kgdb.Kgdb(**self.how).boot()
        if before:
            before(self.vm)
        self.wire = slow_line.SlowLine(lambda: self.vm.dial()) if paced else None
        port = self.wire.port if paced else self.vm.telnet_port
        place = {"telnet": f"telnet:127.0.0.1:{port}", "unix": f"unix:{self.vm.serial}", "pty": f"serial:{self.vm.serial}"}
        self.gate = gate_module.Gate(self.vm.serial, policies, on_disconnect="run")
        self.gate.target = f"kgdb+{place[self.vm.link]}"
        self.console_path, self.look_path = self.gate.dir / "console.sock", self.gate.dir / "look.sock"
        self.gate.options = ["--console", f"unix:{self.console_path}", "--policy", "full", "--console", f"unix:{self.look_path}", "--policy", "observe",
                             "--console-log", str(self.gate.dir / "console.log"), "--trace", *options]
        self.gate.start()

    def wait_met(self, seconds=30):
        gate_module.until(lambda: "target found" in self.gate.log(), "the kernel to be met", seconds)

    def gdb(self, policy="full"):
        g = debuggers.Gdb(self.vm.vmlinux)
        text = g.attach(self.gate.address(policy), 60)
        assert "Remote debugging using" in text and "rror" not in text, text
        return g

    def console(self, path=None):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(path or self.console_path))
        s.settimeout(10)
        return s

    def close(self):
        try:
            self.gate.stop()
            assert not self.gate.complaints()
        finally:
            print(f"--- kdgate's log\n{self.gate.log()[-6000:]}")
            self.gate.close()
            if self.wire:
                self.wire.stop()
            self.vm.stop()


@pytest.fixture
def board():
    """board(options, link=...): made when asked for, and left."""
    boards = []

    def make(*options, **how):
        boards.append(Board(options, **how))
        return boards[-1]

    yield make
    for b in boards:
        b.close()


@pytest.fixture(scope="module")
def lab():
    b = Board()
    b.wait_met()
    yield b
    b.close()


def hear(s, pattern, seconds=20):
    """Reads a console until the pattern; all of it."""
    got, end = b"", time.monotonic() + seconds
    while not re.search(pattern, got):
        assert time.monotonic() < end, f"no {pattern!r} on the console: {got[-500:]!r}"
        try:
            more = s.recv(65536)
        except TimeoutError:
            continue
        assert more, f"the console was closed: {got[-500:]!r}"
        got += more
    return got


def hear_all(sockets, end, seconds):
    """Reads several consoles at once, each until its text ends so; their texts. One that is not read loses text."""
    got, by = {s: b"" for s in sockets}, time.monotonic() + seconds
    while waiting := [s for s in sockets if not got[s].endswith(end)]:
        assert time.monotonic() < by, f"no {end!r} on a console: {[got[s][-200:] for s in waiting]}"
        for s in select.select(waiting, [], [], 1)[0]:
            more = s.recv(65536)
            assert more, f"the console was closed: {got[s][-200:]!r}"
            got[s] += more
    return list(got.values())


def runs(vm, beats=2, seconds=30):
    before = vm.beats()
    gate_module.until(lambda: vm.beats() >= before + beats, "the kernel to run", seconds)


def test_gdb_finds_it_running_and_leaves_it_so(lab):
    runs(lab.vm)
    with lab.gdb() as g:
        assert "kgdb_breakpoint" in g.ask("bt 3")
        assert "kthreadd" in g.ask("info threads", 60)
        assert "swapper/0" in g.ask("print init_task.comm")
        g.ask("detach")
    runs(lab.vm)
    with lab.gdb() as g:                  # again
        assert g.value("$rip") == g.value("&kgdb_breakpoint") + 11 or "kgdb" in g.ask("info symbol $pc")
        g.ask("detach")
    runs(lab.vm)


def test_gdb_breaks_in_a_system_call_and_steps(lab):
    with lab.gdb() as g:
        g.ask(f"break *{CALL}")
        assert "Breakpoint 1," in g.ask("continue", 40)
        assert g.value("$rip") == g.value(f"&{CALL}")
        assert "do_syscall_64" in g.ask("bt 6")
        g.ask("stepi")
        assert g.value("$rip") != g.value(f"&{CALL}")
        assert "Breakpoint 1," in g.ask("continue", 40)    # and again, off its own breakpoint
        g.ask("delete")
        g.ask("detach")
    runs(lab.vm)


def test_ctrl_c_and_the_console_meanwhile(lab):
    console = lab.console()
    with lab.gdb() as g:
        g.start("continue")
        runs(lab.vm)
        console.sendall(b"echo answer-$((6*7))\r")
        text = hear(console, rb"answer-42")
        assert b"$T" not in text and not re.search(rb"\$[^#]*#[0-9a-f]{2}", text), text
        g.interrupt()
        g.hear(r"received signal", 30)
        assert "sysrq_handle_dbg" in g.ask("bt 3")
        assert "$T" not in g.text and "answer-42" not in g.text
        g.ask("detach")
    runs(lab.vm)
    console.close()


def test_lldb_stands_on_the_breakpoint_and_steps_from_it(lab):
    out = debuggers.lldb(lab.gate.address("full"), f"breakpoint set -n {CALL}", "continue", "register read rip", f"image lookup -s {CALL}", "thread step-inst",
                         "register read rip", "bt 3", "breakpoint delete -f", "detach", symbols=lab.vm.vmlinux, seconds=120)
    assert "stop reason = breakpoint 1.1" in out, out
    rips = [int(x, 16) for x in re.findall(r"rip = (0x[0-9a-f]+)", out)]
    at = int(re.search(r"address = (0x[0-9a-f]+)", out)[1], 16)
    assert rips[0] == at and at < rips[1] < at + 16, out
    runs(lab.vm)


def test_who_may_not_type_only_reads(lab):
    look = lab.console(lab.look_path)
    look.sendall(b"echo never\r")
    text = hear(look, rb"does not allow typing")
    assert b"echo never" not in text + hear(look, rb"beat \d+")
    look.close()


def requests(text):
    """What was asked of the kernel's stub: g, p and m go there alone in this form; clients are asked with gdb's own x."""
    return re.findall(r"^\d+\.\d+ #\d+ > \+?\$([gpm][0-9a-f,]*)#", text, re.M)


def test_what_was_read_is_not_asked_for_again(lab):
    with lab.gdb() as g:
        look = ("bt", "info registers", "x/64i $pc")
        first = [g.ask(x) for x in look]
        mark = len(lab.gate.log())
        g.ask("maintenance flush register-cache")
        g.ask("maintenance flush dcache")
        assert [g.ask(x) for x in look] == first
        assert re.search(r"^\d+\.\d+ #\d+ < .*\$(?:g|p|m|x)", lab.gate.log()[mark:], re.M), "gdb did not even ask"
        assert not requests(lab.gate.log()[mark:])
        g.ask("detach")
    runs(lab.vm)


def test_the_log_has_the_console_with_times(lab):
    text = (lab.gate.dir / "console.log").read_text()
    assert re.search(r"^\d{4}-\d\d-\d\dT[\d:.]+Z beat \d+$", text, re.M), text[-500:]
    assert "\x1b" not in text and "\r" not in text


def test_a_kernel_that_is_dead_is_told(board):
    b = board()
    b.wait_met()
    with b.gdb() as g:
        g.start("continue")
        runs(b.vm)
        b.vm.qmp("stop")
        g.interrupt()
        g.hear(r"the kernel does not answer BREAK and g", 60)
        b.vm.qmp("cont")
        g.hear(r"received signal", 60)    # it was still waited for
        assert "sysrq_handle_dbg" in g.ask("bt 3")
        g.ask("detach")
    runs(b.vm)


def test_a_kernel_that_died_is_found_again(board):
    """Its machine loses power under a debugger that waits, and comes back at the same place: no one has to start anything anew."""
    b = board(paced=True)
    b.wait_met()
    with b.gdb() as g:
        g.start("continue")
        runs(b.vm)
        b.vm.kill()
        g.hear(r"Remote connection closed|Connection reset|SIG|exited|lost", 40)
    b.vm.stop()
    b.vm = kgdb.Kgdb(**b.how).boot()
    gate_module.until(lambda: b.gate.log().count("target found") == 2, "the kernel to be met again", 60)
    runs(b.vm)
    with b.gdb() as g:
        assert "kgdb_breakpoint" in g.ask("bt 3")
        g.ask("detach")
    runs(b.vm)


def test_what_hardware_watchpoints_may_be_worth_is_told_once(lab):
    words = r"KGDB takes hardware breakpoints, but on some machines, virtual ones above all, it never reports them"
    with lab.gdb() as g:
        g.ask("watch *(int *)&jiffies")
        g.start("continue")
        g.hear(words, 30)
        runs(lab.vm)
        g.interrupt()
        g.hear(r"received signal|Hardware watchpoint", 40)
        g.ask("delete")
        g.ask(f"hbreak {CALL}")
        g.start("continue")
        runs(lab.vm)
        g.interrupt()
        g.hear(r"received signal|Breakpoint", 40)
        g.ask("delete")
        assert len(re.findall(words, g.text)) == 1
        g.ask("detach")
    runs(lab.vm)


def test_text_at_the_lines_full_speed_loses_nothing(board):
    """200 KB without a pause over 115200 baud, while a debugger lets the kernel run and another reader looks on."""
    b, last = board(paced=True, quiet=True), 30000
    b.wait_met()
    wanted = b"".join(b"%d\r\n" % n for n in range(1, last + 1))
    b.vm.run("dmesg -n 1")     # else the kernel itself may put a word in
    with b.gdb() as g, b.console() as full, b.console(b.look_path) as look, b.vm.side_line() as side:
        g.start("continue")
        runs(b.vm)
        side.sendall(b"seq %d > /dev/ttyS0; echo end > /dev/ttyS0\n" % last)
        heard = hear_all((full, look), b"\r\nend\r\n", 120)
        g.interrupt()
        g.hear(r"received signal", 40)
        g.ask("detach")
    for text in heard:
        text = text[text.index(b"1\r\n2\r\n"):]
        assert text.startswith(wanted + b"end\r\n"), f"{len(text)} of {len(wanted)} bytes"
    print(f"{len(wanted)} bytes of text; over the line: {b.wire.back}")


def test_gdb_mi_pauses_and_goes_on(lab):
    """As VS Code's C/C++ extension and CLion do it."""
    with debuggers.Mi(lab.vm.vmlinux) as mi:
        mi.must("-gdb-set mi-async on")
        mi.must(f"-target-select remote {lab.gate.address('full')}", 60)
        for _ in range(2):
            mi.must("-exec-continue")
            runs(lab.vm)
            mi.must("-exec-interrupt")
            assert re.search(r'reason="signal-received".*signal-name="SIG(INT|TRAP)"', mi.stopped(40)), mi.text[-2000:]
            assert 'func="sysrq_handle_dbg"' in mi.must("-stack-list-frames 0 5")
        mi.must(f"-break-insert {CALL}")
        mi.must("-exec-continue")
        assert 'reason="breakpoint-hit"' in mi.stopped(40)
        mi.must("-break-delete")
        mi.must("-target-detach")
    runs(lab.vm)


def test_lldb_dap_pauses_and_goes_on(lab):
    """As an editor with lldb-dap does it."""
    with debuggers.Dap() as d:
        d.attach(lab.gate.address("full"), lab.vm.vmlinux, 120)
        d.event("stopped", 60)
        thread = d.ask("threads", 60)["threads"][0]["id"]
        for _ in range(2):
            d.resume(thread)
            runs(lab.vm)
            d.ask("pause", 60, threadId=thread)
            d.event("stopped", 60)
            names = [f["name"] for f in d.ask("stackTrace", 60, threadId=thread, levels=5)["stackFrames"]]
            assert "sysrq_handle_dbg" in names, names
        d.ask("disconnect", 60, terminateDebuggee=False)
    runs(lab.vm)


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


def test_a_kernel_that_waits_at_boot(board):
    b = board(wait=True)
    b.wait_met()
    time.sleep(1)
    assert b.vm.stands(), "nobody told it to run"
    with b.gdb() as g:
        assert "kgdb" in g.ask("bt 4")
        g.ask("detach")
    gate_module.until(lambda: b.vm.beats() > 2, "the kernel to boot on", 60)


def test_a_line_without_break_says_so(board):
    b = board(link="unix")
    with debuggers.Gdb(b.vm.vmlinux) as g:
        assert "away" in g.attach(b.gate.address("full"), 60)
    runs(b.vm)


def test_a_break_in_that_is_typed(board):
    b = board("--break-in", "echo g > /proc/sysrq-trigger", link="unix")
    b.wait_met()
    with b.gdb() as g:
        assert "write_sysrq_trigger" in g.ask("bt 8")
        g.goes_on_and_is_stopped(lambda: runs(b.vm), 40)
        g.ask("detach")
    runs(b.vm)


KDB = """policy: { kdb: { rules = [ "allow query mem.read reg.read run break", "allow monitor match 'ps' 'summary' 'dmesg *'" ] } }
"""
PROMPT = rb"\[\d+\]kdb> $"


def test_monitor_is_kdb_by_rule(board, tmp_path):
    conf = tmp_path / "kdgate.conf"
    conf.write_text(KDB)
    b = board("-c", str(conf), policies=("full", "kdb"), kdb=True)
    b.wait_met()
    with b.gdb("kdb") as g:
        assert re.search(r"^0x[0-9a-f]+ +1 +0 .* init$", g.ask("monitor ps", 60), re.M), g.text[-2000:]
        assert re.search(r"^sysname +Linux$", g.ask("monitor summary", 60), re.M), g.text[-2000:]
        assert len(re.findall(r"^<\d>\[", g.ask("monitor dmesg 3", 60), re.M)) == 3
        for text in ("mm 0xffffffff81000000 0", "reboot", "kill", "ps A", "PS", "md 0xffffffff81000000 1"):
            assert g.ask(f"monitor {text}") == "kdgate: policy kdb does not allow monitor"
        assert "kgdb_breakpoint" in g.ask("bt 3")     # still the stub, not kdb's prompt
        g.ask("detach")
    assert {bytes.fromhex(x).decode() for x in re.findall(r" > \+?\$qRcmd,([0-9a-f]+)#", b.gate.log())} == {"ps", "summary", "dmesg 3"}
    assert len(b.gate.audit(event="deny", policy="kdb", effect="monitor")) == 6
    runs(b.vm)


def test_a_break_in_lands_at_kdbs_prompt_and_gdb_attaches_all_the_same(board):
    b = board(kdb=True)
    b.wait_met()
    with b.console() as console, b.gdb() as g:
        assert b"Entering kdb (" in hear(console, rb"Entering kdb \(")
        assert "kgdb_breakpoint" in g.ask("bt 3")
        g.goes_on_and_is_stopped(lambda: runs(b.vm), 40)
        assert "sysrq_handle_dbg" in g.ask("bt 3")
        g.ask("detach")
    runs(b.vm)


def test_a_kernel_that_stands_at_kdbs_prompt_is_met(board):
    def prompt(vm):
        vm.sysrq()
        gate_module.until(lambda: re.search(PROMPT, vm.console.read_bytes()), "kdb's prompt")

    b = board(kdb=True, before=prompt)
    b.wait_met()
    assert "target found, stopped" in b.gate.log()
    with b.gdb() as g:
        assert "sysrq_handle_dbg" in g.ask("bt 3")
        g.ask("detach")
    runs(b.vm)
