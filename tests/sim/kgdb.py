#!/usr/bin/python3
"""kgdb.py - Linux with KGDB in QEMU, its serial lines in the tests' hands: the real serial target.

    kgdb.py boot [SERIAL.sock] [wait] [two] [kdb]    boot, say where everything is, stay until interrupted
    kgdb.py symbols                                  print the path of vmlinux

One line: ttyS0 is console and debugger's wire; ttyS1 is a shell for the tests' own use. Two lines: ttyS0 is the console, ttyS1 the
debugger's. What the guest sends is logged by QEMU, whoever listens. kgdb_build.py has made the kernel.

How a BREAK gets in: send_break() on any link; IAC BRK (ff f3) on "telnet". "unix", "tcp" and "pty" carry none: tcsendbreak on QEMU's
pseudo-terminal succeeds, and nothing happens. Linux hears it on the console alone, and takes the next byte, `g`, as the request.
"""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kernel  # noqa: E402
import kgdb_build  # noqa: E402

# No panic=: with a time to reboot in, Linux does not enter KGDB when it panics.
CMDLINE = "nokaslr no5lvl tsc=reliable no_timer_check loglevel=7"
BEAT = rb"beat \d+\r?\n"
UP, WAITS = b"guest: up", b"Waiting for connection from remote gdb"
CHARDEVS = {
    "unix": "socket,id={name},path={dir}/{name}.sock,server=on,wait=off",
    "tcp": "socket,id={name},host=127.0.0.1,port=0,server=on,wait=off",
    "telnet": "socket,id={name},host=127.0.0.1,port=0,server=on,wait=off,telnet=on",
    "pty": "pty,id={name}",
}


def initrd():
    busybox, init = pathlib.Path(kernel.BUSYBOX).read_bytes(), (kernel.HERE / "kgdb-init").read_bytes()
    folders = b"".join(kernel.cpio_entry(d, 0o040755) for d in ("bin", "dev", "proc", "sys"))
    files = kernel.cpio_entry("bin/busybox", 0o100755, busybox) + kernel.cpio_entry("init", 0o100755, init)
    return folders + files + kernel.cpio_entry("TRAILER!!!", 0)


class Kgdb(kernel.Kernel):
    """One virtual machine.

    .serial          the debugger's line: a path (Unix socket or pseudo-terminal), or "127.0.0.1:port"
    .telnet_port     the port, with link="telnet" or "tcp"
    .console_serial  the console's line; the same one with one_line
    .console_port    its port, with two lines and console_link="telnet" or "tcp"; else it is at a Unix socket
    .console         what the console's line carried from the guest so far, a file; .wire the debugger's line
    wait=True        kgdbwait: boot() is done when the kernel waits for its debugger. Its text stays writable, so that breakpoints
                     set then can be removed later (rodata=off); rodata=True: it is protected, as everywhere else
    kdb=True         a kernel with KDB
    quiet=True       no heartbeat on the console: the line is silent while the kernel runs
    """

    def __init__(self, one_line=True, wait=False, link="unix", console_link="unix", kdb=False, quiet=False, rodata=None, cpus=2, extra=""):
        super().__init__(cpus=cpus, extra=extra)
        self.one_line, self.waits, self.link, self.quiet = one_line, wait, link, quiet
        self.side_link = "unix" if one_line else console_link
        self.rodata = not wait if rodata is None else rodata
        self.folder = kgdb_build.folder() / ("kdb" if kdb else "")
        self.vmlinux = self.folder / "vmlinux"
        self.wire = self.console if one_line else self.line
        self.side = self.line if one_line else self.console
        self.serial = self.console_serial = self.telnet_port = self.console_port = None

    def lines(self):
        """Chardev and log of ttyS0 and ttyS1. With one line the tests' own shell is on a Unix socket."""
        debugger = ("kgdb", self.link, self.wire)
        other = ("side", self.side_link, self.side)
        return (debugger, other) if self.one_line else (other, debugger)

    def cmdline(self):
        words = ["console=ttyS0,115200", f"kgdboc=ttyS{0 if self.one_line else 1},115200", CMDLINE]
        words += ["kgdbwait"] * self.waits + ["rodata=off"] * (not self.rodata) + ["kdgate.quiet"] * self.quiet
        return " ".join([*words, self.extra])

    def command(self):
        words = [kernel.QEMU, "-nodefaults", "-display", "none", "-accel", "tcg,tb-size=64", "-cpu", "max", "-m", "128",
                 "-smp", f"{self.cpus},sockets={self.cpus}",    # without ACPI Linux learns of one CPU a socket
                 "-kernel", str(self.folder / "bzImage"), "-initrd", str(self.dir / "initrd"), "-append", self.cmdline(),
                 "-qmp", f"unix:{self.dir / 'qmp.sock'},server=on,wait=off"]
        for name, link, log in self.lines():
            words += ["-chardev", CHARDEVS[link].format(name=name, dir=self.dir) + f",logfile={log}", "-serial", f"chardev:{name}"]
        return words

    def start(self):
        (self.dir / "initrd").write_bytes(initrd())
        self.console.write_bytes(b"")
        self.line.write_bytes(b"")
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.dir / "qemu.err", "wb"))
        self.wait_for(self.listens, "QEMU", 20)
        self.serial = self.address("kgdb", self.link)
        self.telnet_port = self.port_of(self.serial)
        self.console_serial = self.serial if self.one_line else self.address("side", self.side_link)
        self.console_port = None if self.one_line else self.port_of(self.console_serial)
        return self

    def address(self, label, link):
        """Where QEMU put a line."""
        name = next(c["filename"] for c in self.qmp("query-chardev") if c["label"] == label)
        if link == "unix":
            return str(self.dir / f"{label}.sock")
        if link == "pty":
            return name.removeprefix("pty:")
        return re.search(r"127\.0\.0\.1:\d+", name)[0]

    @staticmethod
    def port_of(place):
        return None if place.startswith("/") else int(place.rpartition(":")[2])

    def boot(self):
        self.start()
        self.wait_up(0)
        return self

    def wait_up(self, since):
        """since: how much of the console to pass over."""
        word = WAITS if self.waits else UP
        self.wait_for(lambda: word in self.console.read_bytes()[since:], "the guest to come up", kernel.BOOT_SECONDS)

    def beats(self):
        """Rounds of the guest's life so far, over all its lives: it goes up while the kernel runs."""
        return len(re.findall(BEAT, self.side.read_bytes()))

    def stands(self, seconds=1):
        """Nothing happens in that time."""
        before = self.beats()
        time.sleep(seconds)
        return self.beats() == before

    def send_break(self):
        """A BREAK on the console's line; it is for whoever holds the line to send `g` next."""
        self.qmp("chardev-send-break", id="kgdb" if self.one_line else "side")

    def dial(self, console=False):
        """A connected socket, or a descriptor's file, for the debugger's line. One at a time."""
        place = self.console_serial if console else self.serial
        if place.startswith("/dev/"):
            return Terminal(place)
        if place.startswith("/"):
            s = socket.socket(socket.AF_UNIX)
            s.connect(place)
            return s
        host, _, port = place.rpartition(":")
        return socket.create_connection((host, int(port)))

    def say(self, line, log, text, expect, seconds):
        """Sends to a line, and stays connected until its log shows what is expected: QEMU drops what it has not read of a
        client that leaves."""
        start = log.stat().st_size

        def found():    # a heartbeat may come in the middle of anything
            return re.search(expect, re.sub(BEAT, b"", log.read_bytes()[start:]))

        line.sendall(text)
        try:
            self.wait_for(found, f"{expect!r} after {text!r}", seconds)
        finally:
            line.close()
        return found()

    def type(self, text, expect=None, seconds=20):
        """On the console, when nobody else holds its line. Waits for the echo, or what is expected."""
        return self.say(self.dial(console=True), self.console, text.encode(), expect or re.escape(text.strip().encode()), seconds)

    def side_line(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(self.dir / "side.sock"))
        return s

    def run(self, command, seconds=20):
        """A command in the guest, by the tests' own shell (with two lines: the console); what it printed."""
        m = self.say(self.side_line(), self.side, f"{command}; echo do''ne $?\n".encode(), rb"(?s)\$\?\r?\n(.*)done (\d+)\r", seconds)
        return m[1].decode(errors="replace").replace("\r", "")

    def sysrq(self, letter="g"):
        """Waits for the kernel's own word of it, on the console: it may stand before the shell's echo has gone out."""
        start = self.console.stat().st_size
        line = self.side_line()
        line.sendall(f"echo {letter} > /proc/sysrq-trigger\n".encode())
        try:
            self.wait_for(lambda: b"sysrq: " in self.console.read_bytes()[start:], "the kernel to hear of sysrq", 20)
        finally:
            line.close()

    def reset(self):
        """The button. A client that is connected must read, or the kernel waits with its text."""
        self.qmp("system_reset")

    def reboot(self):
        """Back when it is up, or waits for its debugger."""
        since = self.console.stat().st_size
        self.reset()
        self.wait_up(since)

    def kill(self):
        """As a power cut."""
        if self.alive():
            self.process.kill()
        self.process.wait()


class Terminal:
    """A terminal, with a socket's manners."""

    def __init__(self, path):
        self.fd, self.seconds = os.open(path, os.O_RDWR | os.O_NOCTTY), None

    def sendall(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def recv(self, n):
        return os.read(self.fd, n)

    def fileno(self):
        return self.fd

    def close(self):
        os.close(self.fd)


def main(words):
    if words == ["symbols"]:
        print(kgdb_build.folder() / "vmlinux")
        return 0
    if words[:1] != ["boot"]:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    vm = Kgdb(one_line="two" not in words, wait="wait" in words, kdb="kdb" in words, link="pty" if "pty" in words else "unix").boot()
    print(f"serial: {vm.serial}; console: {vm.console_serial}; log: {vm.console}; symbols: {vm.vmlinux}; process: {vm.process.pid}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        vm.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
