"""test_usb.py - targets behind USB, in a machine that is host and device at once: kdgate runs in it, confined, and stock gdb outside."""
import contextlib
import os
import re
import subprocess
import sys
import time

import debuggers
import gate as gate_module
import kd as kd_module
import pytest
import rsp_client
import stub as stub_module
from sim_gate import SimGate

sys.path.insert(0, str(gate_module.ROOT / "tests" / "sim"))

import usb  # noqa: E402

pytestmark = [pytest.mark.gated, pytest.mark.seconds(120)]
RSP_PORT, KD_PORT, OTHER_PORT = usb.GATES
PATTERN = bytes((i * 7 + (i >> 8)) & 255 for i in range(65536))
GONE = "no such device (is it plugged in?"
CYCLES = int(os.environ.get("USB_CYCLES", 10))
SANITIZED = usb.KDGATE.endswith("-san")


class InGuest:
    """A kdgate in the machine, confined; its listener is at .address here."""

    def __init__(self, vm, target, port, *options):
        self.vm, self.port, self.name = vm, port, f"kdgate{port}"
        self.options = ["--policy full", f"--allow {usb.HOST}", "--accept-plain-risk", *options]
        vm.spawn(f"kdgate {target} --trace --listen tcp:{usb.HERE}:{port} --sandbox {'off' if SANITIZED else 'must'} {' '.join(self.options)}", self.name)
        self.address = f"127.0.0.1:{vm.ports[port]}"

    def log(self):
        return self.vm.log(self.name)

    def met(self):
        """How often it has found a target."""
        return self.log().count(": target found")

    def wait_met(self, times=1, seconds=30):
        self.vm.wait_for(lambda: self.met() >= times, f"the target to be found: {self.log()}", seconds)

    def wait_said(self, words, seconds=30):
        self.vm.wait_for(lambda: words in self.log(), f"{words!r}", seconds)

    def wait_said_times(self, words, times, seconds=30):
        self.vm.wait_for(lambda: self.log().count(words) >= times, f"{words!r}, {times} times", seconds)

    def held(self):
        """Descriptors, and KiB of memory."""
        told = self.vm.sh(f"cd /proc/$(cat /run/{self.name}.pid) && ls fd | wc -l && grep VmRSS status")
        return [int(n) for n in re.findall(r"\d+", told)]

    def close(self):
        code, log = self.vm.end(self.name), self.log()
        print(f"--- kdgate's log\n{log[-6000:]}")
        assert code == 0 and not re.search("AddressSanitizer|runtime error|LeakSanitizer|Assertion", log)


@pytest.fixture(scope="module")
def machine():
    """Two devices: a debug server's, and a Windows kernel's. Both are unplugged."""
    usb.build()
    vm = usb.Usb().boot()
    try:
        vm.spawn("kdtarget --listen-unix /run/kd", "kd")
        vm.gadget(0, usb.RSP, "2000")
        vm.gadget(1, usb.KD, "/run/kd", serial="0002")
        vm.serial_gadget(2)
        yield vm
    finally:
        print(f"--- the machine\n{vm.last_words()}")
        vm.stop()


@pytest.fixture
def vm(machine):
    """Both devices plugged in, and well; a new debug server."""
    machine.spawn("gdbserver 127.0.0.1:2000 /bin/debuggee", "server")
    for which in (0, 1):
        machine.plug(which)
    yield machine
    for command in ("piece 0", "empty 0", "slow 0", "deaf 0"):
        machine.say("gadget0", command)
    for which in (0, 1):
        machine.unplug(which)
    machine.end("server", "KILL")


@pytest.fixture
def on_usb(vm):
    """on_usb(target): a kdgate that has met it."""
    gates = []

    def start(target, port=RSP_PORT, *options):
        gates.append(InGuest(vm, target, port, *options))
        gates[-1].wait_met()
        return gates[-1]

    yield start
    for g in gates:
        g.close()


@contextlib.contextmanager
def gdb_at(gate):
    with debuggers.Gdb(usb.DEBUGGEE) as g:
        text = g.attach(gate.address)
        assert "Remote debugging using" in text and "rror" not in text, text
        yield g


def pattern(g, path, first=0, end=len(PATTERN)):
    """gdb reads it, and it is right."""
    text = g.ask(f"dump binary memory {path} pattern+{first} pattern+{end}", 60)
    assert not text, text
    assert path.read_bytes() == PATTERN[first:end]


def rounds(g):
    """It runs, and stops in its next round: what it knows is there by then."""
    g.ask("tbreak next")
    text = g.ask("continue")
    assert "next (n=" in text, text


def pause(g):
    """Ctrl-C, at something that runs; gdb says that it continues before it has said so to the target."""
    g.start("continue")
    time.sleep(0.5)
    g.interrupt()
    g.hear(r"received signal SIGINT", 20)


def test_a_debug_server(on_usb, tmp_path):
    """Attach, break, step, memory, registers, Ctrl-C, and another debugger after the first."""
    b = on_usb("rsp+usb:debug")
    assert SANITIZED or "confined by seccomp, Landlock (files)" in b.log()
    for _ in range(2):
        with gdb_at(b) as g:
            rounds(g)
            before = g.value("n")
            assert "return more;" in g.ask("next") and g.value("more") == before + 1
            at = g.value("$pc")
            g.ask("stepi")
            assert 0 < g.value("$pc") - at < 16
            g.ask("set var more = 7")
            assert g.value("more") == 7
            pattern(g, tmp_path / "all")
            pause(g)
            assert "main ()" in g.ask("bt")
            g.ask("detach")


@pytest.mark.parametrize("command, size", [("piece 512", 65536), ("piece 1", 600), ("piece 64", 16384), ("empty 3", 16384), ("slow 20", 8192)])
def test_transfers_of_every_kind(vm, on_usb, tmp_path, command, size):
    """A device that ends on a full packet and sends no empty one behind it, sends empty ones, single bytes, late."""
    b = on_usb("rsp+usb:debug")
    with gdb_at(b) as g:
        rounds(g)
        vm.say("gadget0", command)
        pattern(g, tmp_path / "some", end=size)
        g.ask("detach")


@pytest.mark.parametrize("way", ["in", "out"])
def test_an_endpoint_that_halts(vm, on_usb, tmp_path, way):
    """It is cleared, and the debugger notices nothing."""
    b = on_usb("rsp+usb:debug")
    with gdb_at(b) as g:
        rounds(g)
        before = vm.log("gadget0").count("gadget: halted")
        for first in range(0, 40000, 8000):
            vm.say("gadget0", f"stall {way}")
            pattern(g, tmp_path / "some", first, first + 8000)
        g.ask("detach")
    assert b.met() == 1
    assert vm.log("gadget0").count("gadget: halted") == before + 5


def test_a_device_that_takes_nothing(vm, on_usb):
    """It is given up after a while, and found when it does."""
    b = on_usb("rsp+usb:debug")
    with rsp_client.Client(b.address, timeout=20) as c:
        c.handshake()
        vm.say("gadget0", "deaf 1")
        answers = [c.ask(f"m{at:x},4") for at in range(0x401000, 0x401800, 0x200)]
        assert answers[-1].startswith("E"), answers
        b.wait_said("target lost: the device does not take what it is sent")
        vm.say("gadget0", "deaf 0")
        b.wait_met(2)
        assert len(c.ask("m401000,4")) == 8


def test_unplugged_in_the_middle_of_a_read(vm, on_usb, tmp_path):
    """gdb is told, and so is whoever reads the log; the same gdb reads on when the device is back."""
    b = on_usb("rsp+usb:1d6b:0010/0001")
    with gdb_at(b) as g:
        rounds(g)
        vm.say("gadget0", "slow 50")
        g.say(f"dump binary memory {tmp_path}/all pattern pattern+65536")
        time.sleep(0.5)
        vm.unplug(0)
        g.hear(r"Cannot access memory at address .*\n", 10)
        b.wait_said(f"target lost: {GONE}")
        g.ask("maintenance flush register-cache")
        g.say("info registers rip")
        g.hear(rf"kdgate: target rsp\+usb:1d6b:0010/0001 is away: {re.escape(GONE)}", 10)
        vm.say("gadget0", "slow 0")
        vm.plug(0)
        b.wait_met(2)
        g.ask("maintenance flush register-cache")
        pattern(g, tmp_path / "all")
        rounds(g)
        g.ask("detach")


def test_unplugged_while_it_runs(vm, on_usb, tmp_path):
    """Who waits for a stop is told of the loss, and of the stop that meeting it again is."""
    b = on_usb("rsp+usb:debug")
    with gdb_at(b) as g:
        rounds(g)
        g.start("continue")
        vm.unplug(0)
        b.wait_said("target lost")
        vm.plug(0)
        b.wait_met(2)
        g.hear(r"Program (received signal|stopped)", 30)
        g.ask("print 1")
        pattern(g, tmp_path / "all")
        rounds(g)
        g.ask("detach")


def test_two_who_want_it(vm, on_usb):
    """The second is told, and gets it when the first has gone."""
    first = on_usb("rsp+usb:debug")
    second = InGuest(vm, "rsp+usb:debug", OTHER_PORT)
    second.wait_said("another program has the device")
    assert first.met() == 1 and second.met() == 0
    second.close()


def test_what_is_not_there(vm):
    b = InGuest(vm, "rsp+usb:1d6b:0010/0009", RSP_PORT)
    b.wait_said(GONE)
    b.close()
    b = InGuest(vm, "rsp+usb:1d6b:0010:7", RSP_PORT)
    b.wait_said("the device has no such interface")
    b.close()


@pytest.mark.seconds(60 + 6 * CYCLES)
def test_unplugged_and_replugged_again_and_again(vm, on_usb):
    """One client all the time; nothing is held any longer than before. With KDGATE=build/kdgate-san USB_CYCLES=200 the sanitizer looks, too."""
    b = on_usb("rsp+usb:debug")
    symbols, before = subprocess.run(["nm", usb.DEBUGGEE], capture_output=True, text=True, check=True).stdout, None
    at = re.search(r"^0*(\w+) . pattern$", symbols, re.M)[1]
    with rsp_client.Client(b.address, timeout=20) as c:
        c.handshake()
        for n in range(CYCLES):
            vm.unplug(0)
            b.wait_said_times("target lost", n + 1)
            vm.plug(0)
            b.wait_met(n + 2)
            assert len(c.ask(f"m{at},40")) == 128
            if n == CYCLES // 2:
                before = b.held()
        after = b.held()
    assert after[0] == before[0] and (SANITIZED or after[1] < before[1] + 200), (before, after)


# --- a Windows kernel

@contextlib.contextmanager
def windows(gate):
    with kd_module.Gdb("amd64") as g:
        yield g.meet(gate.address)


def test_a_windows_kernel(on_usb):
    """Attach, memory, registers, break, step, Ctrl-C; the other device is there as well, and is not taken for it."""
    b = on_usb("kd+usb:debug", KD_PORT, "--unconfirmed")
    with windows(b) as g:
        assert usb.KERNEL in g.libraries()
        assert "KiSystemStartup" in g.ask("bt")
        g.ask("break KiSelectNextThread")
        assert "KiSelectNextThread (" in g.ask("continue")
        at = g.value("$pc")
        g.ask("stepi")
        assert 0 < g.value("$pc") - at < 16
        g.ask("delete")
        g.start("continue")
        time.sleep(0.5)
        assert "KiSystemStartup" in g.pause()
        g.leave()


def test_a_windows_kernel_unplugged_in_the_middle_of_a_read(vm, on_usb, tmp_path):
    b = on_usb("kd+usb:debug", KD_PORT, "--unconfirmed")
    with windows(b) as g:
        base = g.libraries()[usb.KERNEL] & ~0xfff
        dump = f"dump binary memory {tmp_path}/some {base:#x} {base + 8192:#x}"
        vm.say("gadget1", "slow 300")
        g.say(dump)
        time.sleep(1)
        vm.unplug(1)
        g.hear(r"Cannot access memory at address .*\n", 10)
        b.wait_said("target lost")
        vm.say("gadget1", "slow 0")
        vm.plug(1)
        b.wait_met(2)
        g.ask("maintenance flush register-cache")
        text = g.ask(dump)
        assert not text, text
        assert (tmp_path / "some").read_bytes()[:4096] in kd_module.image("amd64", usb.KERNEL).read_bytes()
        g.leave()


# --- an adapter

class Adapter:
    """QEMU's FTDI adapter, in front of a stub outside; plugged as long as its socket is held."""

    def __init__(self, vm, stub):
        self.words, self.process = ["socat", f"UNIX-CONNECT:{vm.adapter}", f"UNIX-CONNECT:{stub.path}"], None

    def plug(self):
        self.process = subprocess.Popen(self.words)

    def unplug(self):
        self.process.terminate()
        self.process.wait()


def test_an_adapter(vm, on_usb):
    """Its line is set up, the stub is spoken to; unplugged, and found again."""
    stub = stub_module.Stub(profile="plain")
    adapter = Adapter(vm, stub)
    adapter.plug()
    try:
        b = on_usb("rsp+usb:0403:6001@115200", OTHER_PORT)
        with rsp_client.Client(b.address, timeout=20) as c:
            c.handshake()
            for n in range(3):
                assert c.ask("m1000,200") == SimGate.word(0x1000, 0x200)
                adapter.unplug()
                b.wait_said_times("target lost", n + 1)
                adapter.plug()
                b.wait_met(n + 2)
    finally:
        adapter.unplug()
        stub.close()


def test_an_adapter_that_the_kernel_has(vm, tmp_path):
    """A CDC ACM one, and a debug server at its line. While kdgate has it the kernel's driver has not, and afterwards it has."""
    vm.plug(2)
    vm.until("ls /dev/ttyACM0 2>/dev/null", "the kernel's driver")
    vm.spawn("gdbserver /dev/ttyGS0 /bin/debuggee", "line")
    try:
        b = InGuest(vm, "rsp+usb:1d6b:0104@115200", OTHER_PORT)
        b.wait_met()
        assert not vm.sh("ls /dev/ttyACM0 2>/dev/null")
        with gdb_at(b) as g:
            rounds(g)
            pattern(g, tmp_path / "all")
            pause(g)
        b.close()
        vm.until("ls /dev/ttyACM0 2>/dev/null", "the kernel's driver")
    finally:
        vm.end("line", "KILL")
        vm.unplug(2)
