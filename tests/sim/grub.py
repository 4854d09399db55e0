#!/usr/bin/python3
"""grub.py - GRUB with its GDB stub on com0, in QEMU: the second real serial target, and an unkind one.

    grub.py boot    boot, say where it is, stay until interrupted

It stops at boot, and runs when its debugger lets it: then it tells beats on its second serial line, and listens to nobody. It sends
every answer again until it is acknowledged, thousands of times a second. 32-bit; answers reads, writes and steps, little else.
"""
import contextlib
import io
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kernel  # noqa: E402

MODULES = pathlib.Path("/usr/lib/grub/i386-pc")
CONFIG = b"""\
set timeout=0
insmod serial
insmod gdb
serial --unit=1 --speed=115200
terminal_output serial_com1
serial --unit=0 --speed=115200
gdbstub com0
while true; do
    echo "beat"
    sleep 1
done
"""
NEEDED = ["biosdisk", "memdisk", "tar", "normal", "configfile", "echo", "sleep", "test", "true", "serial", "terminal", "gdb", "reboot"]


def memdisk():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo("boot/grub/grub.cfg")
        member.size = len(CONFIG)
        archive.addfile(member, io.BytesIO(CONFIG))
    return data.getvalue()


def disk_image(folder):
    """boot.img loads what lies behind it."""
    (folder / "memdisk.tar").write_bytes(memdisk())
    subprocess.run(["grub-mkimage", "-O", "i386-pc", "-d", MODULES, "-p", "(memdisk)/boot/grub", "-m", folder / "memdisk.tar",
                    "-o", folder / "core.img", *NEEDED], check=True, stdout=subprocess.DEVNULL)
    image = (MODULES / "boot.img").read_bytes() + (folder / "core.img").read_bytes()
    path = folder / "disk.img"
    path.write_bytes(image + bytes(-len(image) % 512))
    return path


class Grub(kernel.Kernel):
    """One virtual machine. .serial: the stub's line, a Unix socket; .console: what it printed, a file; .wire: what the stub sent."""

    def __init__(self):
        super().__init__(cpus=1)
        self.serial, self.wire = str(self.dir / "grub.sock"), self.line

    def start(self):
        image = disk_image(self.dir)
        self.console.write_bytes(b"")
        self.wire.write_bytes(b"")
        self.process = subprocess.Popen(
            [kernel.QEMU, "-nodefaults", "-display", "none", "-vga", "std", "-accel", "tcg", "-m", "32",
             "-drive", f"file={image},format=raw",
             "-chardev", f"socket,id=grub,path={self.serial},server=on,wait=off,logfile={self.wire}", "-serial", "chardev:grub",
             "-serial", f"file:{self.console}",
             "-qmp", f"unix:{self.dir / 'qmp.sock'},server=on,wait=off"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.dir / "qemu.err", "wb"))
        return self

    def boot(self):
        """Until it stands in its stub."""
        self.start()
        self.wait_for(lambda: b"connect the remote debugger" in self.console.read_bytes(), "GRUB", kernel.BOOT_SECONDS)
        return self

    def dial(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.serial)
        return s

    def beats(self):
        return len(re.findall(rb"beat\r?\n", self.console.read_bytes()))

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()


def main(words):
    if words != ["boot"]:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    vm = Grub().boot()
    print(f"serial: {vm.serial}; console: {vm.console}; process: {vm.process.pid}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        vm.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
