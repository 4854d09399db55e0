#!/usr/bin/python3
"""kernel.py - Debian's kernel in QEMU, with QEMU's GDB stub on a Unix socket: the real target of the tests.

    kernel.py boot STUB.sock    boot, say where the symbols are, stay until interrupted
    kernel.py symbols           print the path of the symbol file (made at first use)

scripts/setup has put the kernel into the cache. Made there at first use, by kernel version: symbols.elf.
"""
import atexit
import contextlib
import fcntl
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import symbols  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
QEMU = "/usr/bin/qemu-system-x86_64"
BUSYBOX = shutil.which("busybox", path="/bin:/usr/bin") or "/bin/busybox"
# nokaslr: the symbols hold for every boot. panic=-1 with -no-reboot: a kernel that dies ends QEMU.
CMDLINE = "console=ttyS0 quiet nokaslr panic=-1 mitigations=off tsc=reliable"
BOOT_SECONDS = 120


def cache():
    own = os.environ.get("KDGATE_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME", "/var/tmp"), ".cache")
    return pathlib.Path(own or os.path.join(home, "kdgate"))


def kernel_dir():
    """The folder of the kernel in use; raises FileNotFoundError when scripts/setup has not run."""
    return (cache() / "kernel" / "current").resolve(strict=True)


def cpio_entry(name, mode, data=b""):
    """One member of a "newc" archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def initrd():
    busybox, init = pathlib.Path(BUSYBOX).read_bytes(), (HERE / "guest-init").read_bytes()
    folders = b"".join(cpio_entry(d, 0o040755) for d in ("bin", "dev", "proc"))
    return folders + cpio_entry("bin/busybox", 0o100755, busybox) + cpio_entry("init", 0o100755, init) + cpio_entry("TRAILER!!!", 0)


class Kernel:
    """One virtual machine. Its files (console, beats, sockets) are in .dir, which goes with it."""

    def __init__(self, stub=None, cpus=2, extra=""):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kdgate-vm-"))
        self.stub = pathlib.Path(stub or self.dir / "stub.sock")
        self.console, self.line = self.dir / "console", self.dir / "line"
        self.cpus, self.extra, self.process = cpus, extra, None
        atexit.register(self.stop)

    def start(self):
        (self.dir / "initrd").write_bytes(initrd())
        self.console.write_bytes(b"")
        self.line.write_bytes(b"")
        self.process = subprocess.Popen(
            [QEMU, "-nodefaults", "-display", "none", "-no-reboot", "-accel", "tcg,tb-size=64", "-cpu", "max",
             "-smp", str(self.cpus), "-m", "256", "-kernel", str(kernel_dir() / "vmlinuz"), "-initrd", str(self.dir / "initrd"),
             "-append", f"{CMDLINE} {self.extra}",
             "-serial", f"file:{self.console}", "-serial", f"file:{self.line}",
             "-chardev", f"socket,id=gdb,path={self.stub},server=on,wait=off", "-gdb", "chardev:gdb",
             "-qmp", f"unix:{self.dir / 'qmp.sock'},server=on,wait=off"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.dir / "qemu.err", "wb"))
        return self

    def boot(self):
        self.start()
        self.wait_for(lambda: b"guest: up" in self.console.read_bytes(), "the guest to come up", BOOT_SECONDS)
        return self

    def wait_for(self, condition, what, seconds):
        end = time.monotonic() + seconds
        while not condition():
            if not self.alive():
                raise RuntimeError(f"QEMU ended while waiting for {what}: {self.last_words()}")
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s for {what}; console: {self.last_words()}")
            time.sleep(0.02)

    def last_words(self):
        return ((self.dir / "qemu.err").read_bytes()[-500:] + self.console.read_bytes()[-500:]).decode(errors="replace")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def beats(self):
        """Rounds of the guest's life so far: it goes up while the kernel runs."""
        found = re.findall(rb"beat (\d+)\n", self.line.read_bytes())
        return int(found[-1]) if found else 0

    def wait_beats(self, more=3, seconds=20):
        goal = self.beats() + more
        self.wait_for(lambda: self.beats() >= goal, f"{more} more rounds of the guest", seconds)

    def listens(self):
        """QEMU's monitor: its socket has a name before anybody may connect."""
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.dir / "qmp.sock")) == 0

    def qmp(self, execute, **arguments):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(self.dir / "qmp.sock"))
            talk = s.makefile("rw")
            talk.readline()
            for command in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
                talk.write(json.dumps(command) + "\n")
                talk.flush()
                answer = json.loads(talk.readline())
                while "event" in answer:
                    answer = json.loads(talk.readline())
        return answer["return"]

    def monitor(self, line):
        return self.qmp("human-monitor-command", **{"command-line": line})

    def runs(self):
        return self.qmp("query-status")["running"]

    def cont(self):
        self.qmp("cont")

    def memory(self, addr, size):
        """Bytes at a kernel address, read behind the stub's back."""
        text = self.monitor(f"x/{size}xb {addr:#x}")
        return bytes(int(b, 16) for line in text.splitlines() for b in line.split(":", 1)[1].split())

    def kill(self):
        """As a power cut."""
        if self.alive():
            self.process.kill()
        self.process.wait()
        with contextlib.suppress(FileNotFoundError):
            self.stub.unlink()

    def stop(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def kallsyms():
    """The kernel's own list of symbols, told by a guest that boots for this alone."""
    vm = Kernel(cpus=1, extra="kdgate=symbols").start()
    try:
        vm.process.wait(BOOT_SECONDS)
        return gzip.decompress(vm.line.read_bytes()).decode()
    finally:
        vm.stop()


def symbol_file():
    """Path of the ELF file with the kernel's symbols; one process makes it, others wait for it."""
    folder = kernel_dir()
    path = folder / "symbols.elf"
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            (folder / ".new.elf").write_bytes(symbols.elf(kallsyms()))
            (folder / ".new.elf").rename(path)
    return path


def main(words):
    if words[:1] == ["symbols"] and len(words) == 1:
        print(symbol_file())
        return 0
    if words[:1] != ["boot"] or len(words) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    names = symbol_file()
    vm = Kernel(stub=words[1]).boot()
    print(f"kernel {kernel_dir().name} runs; stub: {words[1]}; symbols: {names}; process: {vm.process.pid}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        vm.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
