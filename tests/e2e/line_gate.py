"""line_gate.py - kdgate on a serial line that can be pulled out, plugged in again, or go bad; for the tests of both.

A test file takes the fixture it needs: from line_gate import on_line  # noqa: F401
"""
import pathlib
import sys

import debuggers
import gate as gate_module
import pytest
import rsp_client

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sim"))

import line as line_module  # noqa: E402


class LineGate:
    """A line in front of a target's socket, and a kdgate that has the line."""

    def __init__(self, socket, policy="full", protocol="rsp"):
        self.policy, self.line = policy, line_module.Line(socket)
        self.gate = gate_module.Gate(socket, (policy,))
        self.gate.target = f"{protocol}+serial:{self.line.path}"
        self.gate.options = ["--trace"]

    @property
    def address(self):
        return self.gate.address(self.policy)

    def log(self):
        """Without the bytes."""
        return "".join(x for x in self.gate.log().splitlines(True) if x.startswith("kdgate: "))

    def met(self):
        """How often it has found a target."""
        return self.log().count(": target found")

    def wait_met(self, times=1, seconds=30):
        gate_module.until(lambda: self.met() >= times, "the target to be found", seconds)

    def wait_said(self, words, seconds=30):
        gate_module.until(lambda: words in self.log(), f"{words!r} in the log", seconds)

    def gdb(self, symbols=None):
        g = debuggers.Gdb(symbols)
        text = g.attach(self.address)
        assert "Remote debugging using" in text and "rror" not in text, text
        return g

    def ask(self, *packets):
        """The answers to a client that says hello and nothing else."""
        with rsp_client.Client(self.address, timeout=10) as c:
            c.handshake()
            return [c.ask(p) for p in packets]

    def close(self):
        try:
            self.gate.stop()
            assert not self.gate.complaints()
        finally:
            print(f"--- kdgate's log\n{self.log()}\n--- and its end\n{self.gate.log()[-3000:]}")
            self.gate.close()
            self.line.close()


@pytest.fixture
def on_line():
    """on_line(socket): a running kdgate on a line to that target."""
    gates = []

    def start(socket, **how):
        gates.append(LineGate(socket, **how))
        gates[-1].gate.start()
        return gates[-1]

    yield start
    for g in gates:
        g.close()
