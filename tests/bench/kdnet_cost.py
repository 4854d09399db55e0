"""kdnet_cost.py - what a Windows kernel over KDNET costs: how fast it is read, how soon it is answered, how many datagrams a stop takes.

The kernel is tests/sim/kdtarget; udp_way.c is between it and kdgate, and stamps what passes. WinDbg's figures are from a recording of it
with Windows 10; what it waited for on the way is in them.
"""
import contextlib
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import gate as gate_module
import kd
import kd_cost
import kd_host
import kdnet
import rsp_client

WAY = kd_host.ROOT / "build" / "tests" / "bench" / "udp_way"
CONTROL = 54                       # bytes of a datagram with an ACK, RESEND or RESET
RESPONSE, REPORT = 358, 294        # of one that answers a poke; of one with a state change
WINDBG = {"ACK": 213, "next request": 335, "datagrams to a prompt": 138, "requests to a prompt": 34}
GOALS = {"ACK": 50, "next request": 100}


class Way:
    """Between a target and the port it believes to dial; .port: where it dials."""

    def __init__(self, port, delay_us):
        self.folder = tempfile.TemporaryDirectory(prefix="kdgate-way-")
        self.file = pathlib.Path(self.folder.name) / "trace"
        words = [str(WAY), "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port}", "--delay-us", str(delay_us), "--trace", str(self.file)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port, self.marks = int(self.process.stdout.readline().split()[1]), 0

    def trace(self):
        """(side, bytes, came, passed) of what passed since the last call."""
        self.marks += 1
        self.process.stdin.write(f"mark {self.marks}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()
        lines = self.file.read_text().split(f"mark {self.marks - 1}\n")[-1].splitlines()
        return [(w[0], int(w[1]), int(w[2]), int(w[3])) for w in map(str.split, lines) if w[0] in "TH"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()


@contextlib.contextmanager
def machine_of(delay_us=None, **options):
    """(machine, way); delay_us None: with nothing in between."""
    ways = []

    def via(port):
        ways.append(Way(port, delay_us))
        return ways[0].port

    machine = kdnet.Machine(via=via if delay_us is not None else lambda port: port, gate=["--no-cache"], processors=4, **options)
    try:
        machine.met()
        yield machine, ways[0] if ways else None
    finally:
        with contextlib.redirect_stdout(sys.stderr):    # kdgate's log is no figure
            machine.close()
        for way in ways:
            way.close()


def asked(machine):
    machine.target.do("count")
    return sum(int(n) for n in re.findall(r"=(\d+)", machine.target.until("count(.*)")[1]))


def read(client, n, each):
    """Seconds for each piece of n bytes of the processors' stacks."""
    times = []
    for at in range(0, n, each):
        where = kd_cost.STACKS + at // kd_cost.STACK % 4 * kd_cost.STEP + at % kd_cost.STACK
        began = time.monotonic()
        assert len(client.ask(f"m{where:x},{each:x}")) == 2 * each
        times.append(time.monotonic() - began)
    return times


def speed(delay_us, n, each):
    """(MiB a second, requests a second), by the median: others have the machine, too"""
    with machine_of(delay_us) as (machine, _), rsp_client.Client(machine.gate.address("full"), timeout=60, no_ack=True) as c:
        assert c.handshake()[:1] in "TS"
        read(c, each * 4, each)
        before = asked(machine)
        times = read(c, n, each)
        requests = (asked(machine) - before) / len(times)
        assert c.ask("D") == "OK"
        return each / p50(times) / (1 << 20), requests / p50(times)


def after(trace, first, then):
    """For each datagram that is first, how long after it the next of the other side came that is then: in us."""
    found = []
    for i, (side, size, came, passed) in enumerate(trace):
        if first(side, size):
            came_then = next((c for s, n, c, _ in trace[i + 1:i + 8] if then(s, n)), None)
            found += [(came_then - passed) / 1000] if came_then else []
    return found


def reactions(n, each):
    """{what: [us]}: from a datagram that is passed to its receiver until what that says to it came."""
    with machine_of(0) as (machine, way), rsp_client.Client(machine.gate.address("full"), timeout=60, no_ack=True) as c:
        assert c.handshake()[:1] in "TS"
        read(c, each * 4, each)
        way.trace()
        read(c, n, each)
        trace = way.trace()
        assert c.ask("D") == "OK"
    return {"ACK": after(trace, lambda s, n: s == "T" and n > CONTROL, lambda s, n: s == "H" and n == CONTROL),
            "next request": after(trace, lambda s, n: s == "T" and n > CONTROL, lambda s, n: s == "H" and n > CONTROL),
            "the target's ACK": after(trace, lambda s, n: s == "H" and n > CONTROL, lambda s, n: s == "T" and n == CONTROL),
            "the target's reply": after(trace, lambda s, n: s == "H" and n > CONTROL, lambda s, n: s == "T" and n > CONTROL)}


def attach(delay_us, before=None):
    """ms from the answer to its poke until a target's first state change has come, both as the host sees them."""
    with machine_of(delay_us, before=before) as (_, way):
        trace = way.trace()
    answered = next(came for side, size, came, _ in trace if side == "H" and size == RESPONSE)
    return next(passed - answered for side, size, _, passed in trace if side == "T" and size == REPORT and passed > answered) / 1e6


def stop_it(target):
    with contextlib.redirect_stdout(sys.stderr):
        target.do("int3")
        gate_module.until(lambda: target.status()["stopped"] == "1", "the target to stand")


def to_a_prompt():
    """(datagrams, requests) from a stop: until the client hears of it, and until gdb shows the prompt."""
    with machine_of(0) as (machine, way):
        where = machine.symbol(kd_cost.CALL)
        with rsp_client.Client(machine.gate.address("full"), timeout=20) as c:
            assert c.handshake()[:1] in "TS" and c.ask(f"Z0,{where:x},1") == "OK"
            way.trace()
            assert "swbreak" in c.ask("vCont;c")
            reply = since_report(way.trace())
            assert c.ask(f"z0,{where:x},1") == "OK" and c.ask("D") == "OK"
        machine.runs()
        with kd.Gdb(machine.arch) as g:
            g.meet(machine.gate.address("full"))
            g.ask(f"break {kd_cost.CALL}")
            way.trace()
            g.ask("continue")
            prompt = since_report(way.trace())
            g.ask("delete")
            g.leave()
    return reply, prompt


def since_report(trace):
    kept = trace[max(i for i, (side, size, _, _) in enumerate(trace) if side == "T" and size == REPORT):]
    kept = [size for side, size, _, _ in kept if size not in (RESPONSE, 374)]
    return len(kept), sum(1 for side, size, _, _ in trace[-len(kept):] if side == "H" and size > CONTROL)


def p50(times):
    return statistics.median(times)


def p90(times):
    return statistics.quantiles(times, n=10)[8]
