"""kd.py - a Windows machine that is none (tests/sim/kdtarget), a kdgate on its wire, and stock gdb in front: for the tests of the KD bridge."""
import contextlib
import re

import debuggers
import gate as gate_module
import kd_host
import pytest

GDBS = {"gdb": "/usr/bin/gdb", "gdb-multiarch": "/usr/bin/gdb-multiarch"}
KERNEL, DRIVER = "ntoskrnl.exe", "kddriver.sys"


def image(arch, name):
    return kd_host.PROGRAM.parent / arch / name


class Gdb(debuggers.Gdb):
    """gdb as a driver's developer has it: a folder of images; main: the kernel's file from the start, or gdb finds it by itself."""

    def __init__(self, arch, program="gdb", main=False):
        super().__init__(image(arch, KERNEL) if main else None, program=GDBS[program])
        self.main = main
        for line in (f"directory {gate_module.ROOT}", "set sysroot", f"set solib-search-path {image(arch, KERNEL).parent}"):
            self.ask(line)

    def meet(self, address):
        text = self.attach(address)
        assert "Remote debugging using" in text and "rror" not in text, text
        if not self.main:
            self.ask("sharedlibrary")    # without a main file gdb does not read them by itself
        return self

    def libraries(self):
        """name -> where its text is."""
        found = re.findall(r"^(0x[0-9a-f]+) +0x[0-9a-f]+ +\w+ +(?:\(\*\) +)?(?:\S*/)?(\S+)$", self.ask("info sharedlibrary"), re.M)
        return {name: int(at, 16) for at, name in found}

    def pause(self):
        """Ctrl-C, at something that runs; what it printed."""
        self.interrupt()
        self.hear(r"received signal SIGINT", 30)
        return self.ask("bt")

    def prints(self, number=r"\d+"):
        """It goes on, prints its line of that number, and is stopped again."""
        self.start("continue")
        self.hear(rf"^kdsim: print {number}$")
        return self.pause()

    def leave(self):
        text = self.ask("detach")
        assert "detached" in text, text


class Machine:
    """options: of the target's program. policies: of the listeners, one each. before(target): what befalls it while kdgate is not there."""

    def __init__(self, arch="amd64", carrier="unix", policies=("full",), before=None, on_disconnect="run", gate=(), **options):
        self.arch, self.target, self.gate = arch, kd_host.Target(arch, carrier, **options), None
        if before:
            before(self.target)
        kind, _, where = self.target.address.partition(":")
        link = {"pty": f"serial:{where}@115200"}.get(kind, self.target.address)
        self.gate = gate_module.Gate(None, policies, on_disconnect=on_disconnect, options=gate)
        self.gate.target = f"kd+{link}"
        self.gate.start()

    def gdb(self, program="gdb", policy="full", main=False):
        return Gdb(self.arch, program, main).meet(self.gate.address(policy))

    def do(self, *lines):
        """Between two rounds of the kernel: if it stands, when it runs again."""
        for line in lines:
            self.target.do(line)

    def symbol(self, name):
        """Where something of the kernel's is, by the machine's own word."""
        return self.target.symbol(name)

    def status(self, key):
        return self.target.status()[key]

    def base(self):
        """Where its kernel is."""
        return int(self.status("base"), 16)

    def until(self, seconds=20, **wanted):
        """Until its status says so: until(stopped=0)."""
        def agrees():
            status = self.target.status()
            return all(status[k] == str(v) for k, v in wanted.items())
        gate_module.until(agrees, f"{wanted}", seconds)

    def runs(self):
        """It goes on: what it was told is taken, which its kernel does between two rounds."""
        self.until(stopped=0, waiting=0)
        self.do("print")
        self.until(stopped=0, waiting=0)

    def free(self):
        """It runs, with nothing of its debugger's in it."""
        self.runs()
        self.until(breakpoints=0)

    def close(self):
        try:
            if self.gate:
                self.gate.stop()
                assert not self.gate.complaints()
        finally:
            if self.gate:
                print(f"--- kdgate's log\n{self.gate.log()[-6000:]}")
                self.gate.close()
            self.target.close()


@pytest.fixture(scope="session", autouse=True)
def program():
    kd_host.build()


def making(kind):
    """make(arch, ...): a machine of that kind, when asked for. All are left in the end, whatever one of them says then."""
    with contextlib.ExitStack() as stack:
        def make(*names, **how):
            made = kind(*names, **how)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def machine():
    """machine(arch, ...)"""
    yield from making(Machine)
