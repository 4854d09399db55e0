"""kgdb_test.py - the serial targets themselves, before anything is believed of what they say: plain bytes, nothing between."""
import pathlib
import re
import select
import subprocess
import sys
import termios
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import grub as grub_module  # noqa: E402
import kgdb as kgdb_module  # noqa: E402
from rsp_client import frame  # noqa: E402


class Wire:
    """A debugger's side of a line that a console shares: packets are found in whatever else there is."""

    def __init__(self, line):
        self.line, self.heard = line, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.line.close()

    def wait(self, pattern, seconds=20):
        """What fits, and everything before it is gone."""
        end = time.monotonic() + seconds
        while not (m := re.search(pattern, self.heard)):
            ready, _, _ = select.select([self.line], [], [], max(end - time.monotonic(), 0))
            data = self.line.recv(65536) if ready else b""
            assert data, f"no {pattern!r} within {seconds} s: {self.heard[-400:]!r}"
            self.heard += data
        self.heard = self.heard[m.end():]
        return m

    def ask(self, body):
        self.line.sendall(frame(body))
        m = self.wait(rb"\+\$([^#$]*)#..")
        self.line.sendall(b"+")
        return m[1].decode("latin-1")

    def resume(self):
        """Detaches."""
        assert self.ask("D") == "OK"


@pytest.fixture
def boot():
    machines = []

    def start(what, **how):
        machines.append(what(**how))
        return machines[-1].boot()

    yield start
    for m in machines:
        m.stop()


def rip(registers):
    return int.from_bytes(bytes.fromhex(registers[16 * 16:17 * 16]), "little")


def in_kernel(address):
    return address >> 32 == 0xffffffff


def symbol(vm, name):
    text = subprocess.run(["nm", vm.vmlinux], capture_output=True, text=True, check=True).stdout
    return int(re.search(rf"^([0-9a-f]+) \w {name}$", text, re.M)[1], 16)


def look_and_leave(vm, wire):
    """In the stub: one read of registers, one of memory, and on."""
    assert wire.ask("?") == "S05"
    assert in_kernel(rip(wire.ask("g")))
    assert bytes.fromhex(wire.ask(f"m{symbol(vm, 'linux_banner'):x},e")) == b"Linux version "
    assert vm.stands()
    wire.resume()


def test_one_line_break_in_and_resume(boot):
    vm = boot(kgdb_module.Kgdb)
    vm.wait_beats()
    with Wire(vm.dial()) as wire:
        wire.wait(rb"beat \d+")         # the console is there
        vm.send_break()
        wire.line.sendall(b"g")
        wire.wait(rb"sysrq: DEBUG")
        look_and_leave(vm, wire)
        vm.wait_beats()
        wire.line.sendall(b"echo again-$((6 * 7))\n")
        wire.wait(rb"again-42")


def test_two_lines_sysrq_and_resume(boot):
    vm = boot(kgdb_module.Kgdb, one_line=False)
    vm.wait_beats()
    with Wire(vm.dial()) as wire:
        vm.sysrq()
        look_and_leave(vm, wire)
    vm.wait_beats()
    assert vm.run("echo $((6 * 7))").strip() == "42"


@pytest.mark.parametrize("link", ("telnet", "tcp", "pty"))
def test_links(boot, link):
    vm = boot(kgdb_module.Kgdb, link=link)
    with Wire(vm.dial()) as wire:
        if link == "telnet":
            wire.line.sendall(b"\xff\xf3g")
        else:
            vm.sysrq()
        wire.wait(rb"sysrq: DEBUG")
        look_and_leave(vm, wire)
    vm.wait_beats()


def test_a_terminal_carries_no_break(boot):
    vm = boot(kgdb_module.Kgdb, link="pty", quiet=True)
    line = vm.dial()
    with Wire(line) as wire:
        termios.tcsendbreak(line.fd, 0)
        wire.line.sendall(b"g\n")
        wire.wait(rb"g: not found")
        vm.wait_beats()


def test_kgdbwait_then_reboot(boot):
    vm = boot(kgdb_module.Kgdb, wait=True)
    for again in (True, False):
        with Wire(vm.dial()) as wire:
            assert wire.ask("?") == "S05"
            assert in_kernel(rip(wire.ask("g")))
            wire.resume()
        vm.wait_for(lambda: vm.console.read_bytes().count(kgdb_module.UP) == 2 - again, "the guest to come up", 60)
        if again:
            vm.reboot()


def test_an_orderly_reboot_says_goodbye(boot):
    vm = boot(kgdb_module.Kgdb, quiet=True)
    with Wire(vm.dial()) as wire:
        vm.send_break()
        wire.line.sendall(b"g")
        wire.wait(rb"Entering KGDB")
        assert wire.ask("?") == "S05"
        wire.line.sendall(frame("c"))
        wire.wait(rb"\+")
        wire.line.sendall(b"reboot -f\n")
        wire.wait(rb"\$W01#b8")
        wire.wait(rb"guest: up", 60)


def test_kdb(boot):
    vm = boot(kgdb_module.Kgdb, kdb=True)
    with Wire(vm.dial()) as wire:
        vm.send_break()
        wire.line.sendall(b"g")
        wire.wait(rb"kdb> ")
        wire.line.sendall(b"go\r")
        vm.wait_beats()


def test_grub(boot):
    vm = boot(grub_module.Grub)
    with Wire(vm.dial()) as wire:
        wire.wait(rb"(?:\$T05[^#$]*#..){3}")    # again and again
        wire.line.sendall(b"+")
        assert wire.ask("?") == "S05"
        assert len(wire.ask("g")) == 16 * 8
        wire.line.sendall(frame("c"))
        vm.wait_for(lambda: vm.beats() > 1, "GRUB to run", 20)
