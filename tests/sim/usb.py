#!/usr/bin/python3
"""usb.py - a machine that is USB host and USB device at once (dummy_hcd, FunctionFS), with kdgate inside: USB targets without hardware.

    usb.py boot     boot, say where everything is, stay until interrupted

Debian's stock kernel; usb_build.py has fetched it. Inside, kdgate, debug servers and gadget.c; the debugger is outside, at forwarded
ports. QEMU's usb-serial, which is an FTDI adapter, is plugged while something holds its socket, .adapter.
"""
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kernel  # noqa: E402
import usb_build  # noqa: E402

ROOT = kernel.HERE.parents[1]
BUILD = ROOT / "build"
SIM = BUILD / "tests" / "sim"
GADGET, DEBUGGEE, KDTARGET = SIM / "gadget", SIM / "debuggee", SIM / "kdtarget" / "kdtarget"
BENCH = BUILD / "tests" / "bench"
KDGATE = os.environ.get("KDGATE", str(BUILD / "kdgate"))
KERNEL, DRIVER = "ntoskrnl.exe", "kddriver.sys"
CMDLINE = "console=ttyS0 quiet nokaslr panic=-1 mitigations=off tsc=reliable"
SHELL, GATES = 9, (1234, 1235, 1236)   # ports in the guest
HERE, HOST = "10.0.2.15", "10.0.2.2"   # the guest's address, and from where its forwarded ports are dialled
LINUX, SERIAL = (0x1d6b, 0x0010), (0x1d6b, 0x0104)
RSP, KD = 1, 0                         # protocols of the debug class


def build():
    """All that goes into the machine, but kdgate itself; quick when it is there."""
    usb_build.build()
    subprocess.run(["make", "-s", "-f", "tests/sim/sim.mk", "usb"], cwd=ROOT, check=True, timeout=240)


def libraries(program):
    """What a program loads; nothing, if it is static."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True)
    return re.findall(r"(/\S+) \(0x", told.stdout)


def programs():
    """Name in the guest -> file. Libraries keep their names, and so does the loader."""
    own = {"kdgate": KDGATE, "gdbserver": "/usr/bin/gdbserver", "gadget": GADGET, "debuggee": DEBUGGEE, "kdtarget": KDTARGET,
           "stub": SIM / "stub", "usb_loop": BENCH / "usb_loop", "rtt": BENCH / "rtt"}
    files = {f"bin/{name}": pathlib.Path(path) for name, path in own.items()} | {"bin/busybox": pathlib.Path(kernel.BUSYBOX)}
    for path in own.values():
        files |= {name.lstrip("/"): pathlib.Path(name) for name in libraries(path)}
    files |= {f"bin/amd64/{name}": KDTARGET.parent / "amd64" / name for name in (KERNEL, DRIVER)}
    return files | {"init": kernel.HERE / "usb-init"}


def initrd():
    cache = usb_build.folder()
    files = programs() | {f"modules/{p.name}": p for p in (cache / "modules").iterdir()} | {"modules/load-order": cache / "load-order"}
    folders = sorted({str(parent) for name in files for parent in pathlib.PurePath(name).parents} - {"."})
    parts = [kernel.cpio_entry(name, 0o040755) for name in folders]
    parts += [kernel.cpio_entry(name, 0o100755, path.read_bytes()) for name, path in files.items()]
    return b"".join([*parts, kernel.cpio_entry("TRAILER!!!", 0)])


class Usb(kernel.Kernel):
    """One virtual machine. .ports: port in the guest -> port here. counted=True: its time is the number of instructions it has executed, one a
    nanosecond, so that what is measured in it does not depend on what else is going on here."""

    def __init__(self, extra="", counted=False):
        super().__init__(cpus=1, extra=extra)
        self.counted = ["-icount", "shift=0,sleep=off"] * counted
        self.adapter, self.ports = self.dir / "adapter.sock", {}

    def command(self):
        forward = ",".join(f"hostfwd=tcp:127.0.0.1:0-{HERE}:{port}" for port in (SHELL, *GATES))
        return [kernel.QEMU, "-nodefaults", "-display", "none", "-no-reboot", "-accel", "tcg,tb-size=128", "-cpu", "max", "-m", "512",
                "-kernel", str(usb_build.folder() / "vmlinuz"), "-initrd", str(self.dir / "initrd"), "-append", f"{CMDLINE} {self.extra}",
                "-serial", f"file:{self.console}",
                "-netdev", f"user,id=net,restrict=on,{forward}", "-device", "e1000,netdev=net,romfile=",
                "-device", "piix3-usb-uhci,id=uhci", "-chardev", f"socket,id=adapter,path={self.adapter},server=on,wait=off",
                "-device", "usb-serial,bus=uhci.0,chardev=adapter",
                "-qmp", f"unix:{self.dir / 'qmp.sock'},server=on,wait=off", *self.counted]

    def start(self):
        (self.dir / "initrd").write_bytes(initrd())
        self.console.write_bytes(b"")
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.dir / "qemu.err", "wb"))
        self.wait_for(self.listens, "QEMU", 20)
        forwarded = re.findall(r"127\.0\.0\.1 +(\d+) +[\d.]+ +(\d+)", self.monitor("info usernet"))
        self.ports = {int(guest): int(here) for here, guest in forwarded}
        return self

    # --- inside

    def sh(self, script, seconds=30):
        """What a script of shell prints, standard error too. What it leaves running must have none of its descriptors."""
        with socket.create_connection(("127.0.0.1", self.ports[SHELL]), seconds) as s:
            s.sendall(f"exec 2>&1\n{script}\nexit\n".encode())
            got = b""
            while data := s.recv(65536):
                got += data
        return got.decode(errors="replace")

    def spawn(self, command, name):
        """Runs it in the background. In /run: NAME.log is what it says, NAME.in what says something to it, NAME.pid its process, NAME.code
        how it ended."""
        self.sh(f"""cd /run; rm -f {name}.*; mkfifo {name}.in
            {{ sh -c 'echo $$ >{name}.pid; exec {command}'; echo $? >{name}.code; }} 0<>{name}.in >{name}.log 2>&1 &""")

    def end(self, name, signal="TERM"):
        """Its exit code."""
        self.sh(f"kill -{signal} $(cat /run/{name}.pid)")
        self.until(f"cat /run/{name}.code 2>/dev/null", f"{name} to end")
        return int(self.sh(f"cat /run/{name}.code"))

    def say(self, name, line):
        self.sh(f"echo '{line}' >/run/{name}.in")

    def log(self, name):
        return self.sh(f"cat /run/{name}.log")

    def until(self, script, what, seconds=30):
        """Until a script prints something."""
        self.wait_for(lambda: self.sh(script).strip(), what, seconds)

    def device(self, which, function, ids, serial):
        """A USB device that is not plugged yet; which: 0 to 2, of those that can be there."""
        place, (vid, pid) = f"/sys/kernel/config/usb_gadget/g{which}", ids
        self.sh(f"""mkdir {place} && cd {place} && mkdir strings/0x409 configs/c.1 functions/{function}
            echo {vid:#06x} >idVendor; echo {pid:#06x} >idProduct; echo {serial} >strings/0x409/serialnumber
            echo 'Debug Target {which}' >strings/0x409/product; ln -s functions/{function} configs/c.1/""")

    def gadget(self, which, protocol, target, ids=LINUX, serial="0001"):
        """A debug device with a target behind it."""
        self.device(which, f"ffs.d{which}", ids, serial)
        self.sh(f"mkdir /run/ffs{which}; mount -t functionfs d{which} /run/ffs{which}")
        self.spawn(f"gadget /run/ffs{which} {protocol} {target}", f"gadget{which}")
        self.until(f"grep ready /run/gadget{which}.log", "the gadget")

    def serial_gadget(self, which, ids=SERIAL):
        """A serial adapter, whose line is /dev/ttyGS0. As a host the kernel has it as /dev/ttyACM0."""
        self.device(which, "acm.0", ids, "0001")

    def plug(self, which):
        self.sh(f"echo dummy_udc.{which} >/sys/kernel/config/usb_gadget/g{which}/UDC")

    def unplug(self, which):
        self.sh(f"echo >/sys/kernel/config/usb_gadget/g{which}/UDC")

    def boot(self):
        self.start()
        self.wait_for(lambda: b"guest: up" in self.console.read_bytes(), "the guest to come up", kernel.BOOT_SECONDS)
        return self


def main(words):
    if words != ["boot"]:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    vm = Usb().boot()
    print(f"shell: nc 127.0.0.1 {vm.ports[SHELL]}; ports: {vm.ports}; adapter: {vm.adapter}; console: {vm.console}; process: {vm.process.pid}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        vm.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
