"""paced.py - what it costs to look at a stopped kernel over a serial line's 115200 baud: bytes on the wire, round trips, time.

The kernel is tests/sim/kgdb.py's, with a line that is the debugger's alone, so that gdb can speak to it directly. Each look is
taken twice, and a third time with gdb's own caches emptied, as a second debugger would.
"""
import contextlib
import time

import debuggers
import kgdb
import slow_line

CALL, LOOKS = "do_sys_openat2", ("bt", "info registers", "x/64i $pc")


@contextlib.contextmanager
def board():
    """A kernel, and the line to it."""
    vm = kgdb.Kgdb(one_line=False, quiet=True).boot()
    line = slow_line.SlowLine(vm.dial)
    try:
        yield vm, line
    finally:
        line.stop()
        vm.stop()


class Meter:
    """.costs: {what: (bytes, round trips, seconds)}"""

    def __init__(self, line):
        self.line, self.costs = line, {}

    def cost(self, what, do):
        before, start = self.line.settle(), time.monotonic()
        said = do()
        took = time.monotonic() - start
        self.costs[what] = (*(b - a for a, b in zip(before, self.line.settle())), took)
        return said


def attach(vm, port):
    g = debuggers.Gdb(vm.vmlinux)
    said = g.attach(f"127.0.0.1:{port}", 60)
    assert "Remote debugging using" in said and "rror" not in said, said
    return g


def stop_in_call(g):
    g.ask(f"break {CALL}")
    said = g.ask("continue", 60)
    assert "Breakpoint 1," in said, said


def look(meter, g, suffix=""):
    return [meter.cost(x + suffix, lambda x=x: g.ask(x, 60)) for x in LOOKS]


def measure(vm, line, start):
    """start() starts what is between gdb and the line, and gives its port, and how it is ended."""
    vm.sysrq()
    meter = Meter(line)
    port, end = meter.cost("start", start)
    g = meter.cost("attach", lambda: attach(vm, port))
    with g:
        meter.cost("stop", lambda: stop_in_call(g))
        first, again = look(meter, g), look(meter, g, ", again")
        g.ask("maintenance flush register-cache")
        g.ask("maintenance flush dcache")
        assert first == again == look(meter, g, ", anew")
        g.ask("delete")
        g.ask("detach")
        line.settle()
    end()
    return meter.costs
