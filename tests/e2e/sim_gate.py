"""sim_gate.py - kdgate in front of the stub of tests/sim, for tests that want every byte that reached the target.

A test file takes the fixtures it needs: from sim_gate import sim, gated  # noqa: F401
"""
import os
import pathlib
import sys

import gate as gate_module
import pytest
import rsp_client

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sim"))

import stub as stub_module  # noqa: E402


class SimGate:
    """A stub and a kdgate in front of it: .debug and .observe are addresses; the latter also as a Unix socket, .socket."""

    def __init__(self, on_disconnect="stay", options=(), policies=("debug", "observe"), **stub):
        self.stub = stub_module.Stub(**stub)
        self.gate = gate_module.Gate(self.stub.path, policies, on_disconnect=on_disconnect)
        self.socket = f"unix:{self.gate.dir}/observe.sock"
        self.gate.options = ["--listen", self.socket, "--policy", "observe", *options]

    def start(self):
        self.gate.start()
        return self

    @property
    def debug(self):
        return self.gate.address("debug")

    @property
    def observe(self):
        return self.gate.address("observe")

    def client(self, policy="debug", **how):
        return rsp_client.Client(self.gate.address(policy), **how)

    def attach(self, policy="debug", seconds=10, **how):
        """A client that has shaken hands; waits while kdgate has not met its target yet."""
        return gate_module.until(lambda: self.try_attach(policy, **how), f"a client to be served by {policy}", seconds)

    def try_attach(self, policy, **how):
        c = None
        try:
            c = self.client(policy, **how)
            if c.handshake()[:1] in ("T", "S") and c.ask("m1000,4") == self.word():
                return c
        except (OSError, rsp_client.Closed, TimeoutError):
            pass
        if c:
            c.close()
        return None

    @staticmethod
    def word(addr=0x1000, n=4):
        """What the stub's memory holds, before anybody wrote."""
        return bytes((i * 2654435761 & 0xffffffff) >> 11 & 255 for i in range(addr, addr + n)).hex()

    def faults(self):
        """Lines of the stub's record that no honest client causes."""
        return self.stub.record("VIOLATION", "OVERRUN", "DESTROYED", "badsum", "noise")

    def close(self):
        try:
            self.gate.stop()
            assert not self.gate.complaints()
        finally:
            print(f"--- kdgate's log\n{self.gate.log()[-20000:]}")
            self.gate.close()
            self.stub.close()


@pytest.fixture
def gated():
    if gate_module.DIRECT:
        pytest.skip("KDGATE=none")
    if not os.path.exists(gate_module.PROGRAM):
        pytest.fail(f"{gate_module.PROGRAM} is not built")


@pytest.fixture
def sim(gated):  # noqa: F811
    """sim(profile="qemu", ...): a running kdgate in front of a running stub."""
    gates = []

    def start(**how):
        gates.append(SimGate(**how))
        return gates[-1].start()

    yield start
    for g in gates:
        g.close()
