"""kd_cost.py - what a Windows kernel is asked for on behalf of a debugger: requests over KD; and how full its serial line is.

The kernel is tests/sim/kdtarget, which counts what it is asked. WinDbg's figures are from a recording of it with Windows 10 over
KDNET, where requests are the same: 57 from the first until the kernel is let run, 34 from a stop to the prompt. They are for its own
displays, too.
"""
import contextlib
import re
import sys
import tempfile

import gate as gate_module
import kd
import kd_host
import rsp_client
import slow_line

CALL = "IopReadDisk"
READ_MAX, EACH = 3944, 178  # of KD: bytes a reply brings; bytes around them: two packets of 16 + 56 + 1, two ACKs of 16
BAUD, STACK, STACKS, STEP = 115200, 0x10000, 0x200000000, 0x20000
GOALS = {"attach": 12, "attach, met before": 12, "stop": 1, "bt + info registers": 6, "step": 2}
WINDBG = {"attach": 57, "stop": 34}


class Meter:
    """.costs: {what: requests}"""

    def __init__(self, target):
        self.target, self.costs = target, {}

    def asked(self):
        self.target.do("count")
        return sum(int(n) for n in re.findall(r"=(\d+)", self.target.until("count(.*)")[1]))

    def cost(self, what, do):
        before = self.asked()
        said = do()
        self.costs[what] = self.asked() - before
        return said

    def since_stop(self):
        """Requests after the last state change, by the target's log."""
        self.asked()
        kinds = self.target.log(r"(?m)^\S+ (T state|H manipulate) ")
        return kinds[::-1].index("T state")


@contextlib.contextmanager
def machine_of(**options):
    machine = kd.Machine(processors=2, **options)
    try:
        yield machine
    finally:
        with contextlib.redirect_stdout(sys.stderr):    # kdgate's log is no figure
            machine.close()


def stop_it(target):
    with kd_host.Host(target) as h:
        h.attach()


def first_meeting():
    """Requests of a kdgate that finds a stopped kernel, until its first client is answered: all there are."""
    with machine_of(before=stop_it) as machine, rsp_client.Client(machine.gate.address("full"), timeout=20) as c:
        assert c.handshake()[:1] in "TS"
        return Meter(machine.target).asked()


def by_client(meter, address):
    """From a client's first byte until it is answered; from a stop until the client hears of it; a step and its stop."""
    where = meter.target.symbol(CALL)
    with rsp_client.Client(address, timeout=20) as c:
        assert meter.cost("attach, met before", c.handshake)[:1] in "TS"
        assert c.ask(f"Z0,{where:x},1") == "OK"
        assert "swbreak" in (stop := c.ask("vCont;c"))
        meter.costs["stop"] = meter.since_stop()
        assert c.ask(f"z0,{where:x},1") == "OK"
        thread = re.search(r"thread:(\w+)", stop)[1]
        assert meter.cost("step", lambda: c.ask(f"vCont;s:{thread};c"))[:3] == "T05"
        assert c.ask("D") == "OK"


def by_gdb(meter, machine):
    """What gdb asks for of itself, for what it shows."""
    with kd.Gdb(machine.arch) as g:
        meter.cost("gdb: target remote", lambda: g.attach(machine.gate.address("full")))
        meter.cost("gdb: sharedlibrary", lambda: g.ask("sharedlibrary"))
        g.ask(f"break {CALL}")
        meter.cost("gdb: continue", lambda: g.ask("continue"))
        said = meter.cost("bt + info registers", lambda: g.ask("bt") + g.ask("info registers"))
        assert CALL in said and "KiSystemStartup" in said and "cr3" in said, said
        g.ask("delete")
        meter.cost("gdb: stepi", lambda: g.ask("stepi"))
        g.ask("detach")


def requests():
    """{what: requests}"""
    with machine_of() as machine:
        gate_module.until(lambda: "target found" in machine.gate.log(), "kdgate to find the target")
        machine.runs()
        meter = Meter(machine.target)
        meter.costs = {"attach": first_meeting(), "found running, and let run": meter.asked()}
        by_client(meter, machine.gate.address("full"))
        machine.runs()
        by_gdb(meter, machine)
        return meter.costs


def ideal(n):
    """Bytes on the wire that KD needs to read so many: one request at a time, and one half of the line at a time."""
    return n + -(-n // READ_MAX) * EACH


def read(g, line, n):
    """(bytes on the wire, seconds) for n bytes of the processors' stacks."""
    before, took = line.settle(), 0.0
    with tempfile.NamedTemporaryFile() as to:
        for at in range(0, n, STACK):
            where = STACKS + at // STACK * STEP
            dump = f"dump binary memory {to.name} {where:#x} {where + min(STACK, n - at):#x}"
            said = g.ask(f"python t = time.monotonic(); gdb.execute('{dump}'); print('took', time.monotonic() - t)", 60)
            took += float(re.search(r"took (\S+)", said)[1])
    return line.settle()[0] - before[0], took


def line_use(n):
    """(bytes on the wire, seconds) of gdb reading n bytes over 115200 baud."""
    target = kd_host.Target(processors=4)
    line = slow_line.SlowLine(target.join, BAUD)
    gate = gate_module.Gate(None, ("full",))
    gate.target = f"kd+tcp:127.0.0.1:{line.port}"
    try:
        gate.start()
        with kd.Gdb("amd64") as g:
            assert "Remote debugging using" in g.attach(gate.address("full"), 60)
            g.ask("python import time")
            cost = read(g, line, n)
            g.ask("detach", 60)
        return cost
    finally:
        gate.close()
        line.stop()
        target.close()
