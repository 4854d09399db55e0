"""test_running.py - a debug server whose program runs already, since whoever resumed it is gone: it hears nothing but a break-in."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess

import gate as gate_module
import pytest
from gate import until
from line_gate import LineGate, on_line  # noqa: F401

pytestmark = [pytest.mark.gated, pytest.mark.seconds(120)]
SER2NET = shutil.which("ser2net", path=os.environ.get("PATH", "") + ":/usr/sbin")
RAN = ": target found, it was running and is stopped now"
STOOD = ": target found, stopped"


class Server:
    """gdbserver at a pseudo-terminal, whose other end is .path: a socket, or another pseudo-terminal. attached: the program ran before, by
    itself."""

    def __init__(self, folder, attached, end="UNIX-LISTEN:"):
        self.path, self.terminal, self.program = folder / "line", folder / "ttyTEST1", folder / "debuggee"
        subprocess.run(["gcc", "-g", "-O0", "-static", "-o", self.program, gate_module.ROOT / "tests/sim/debuggee.c"], check=True)
        self.log, self.processes = folder / "server.log", []
        self.held, self.pidfd = [], None
        try:
            self.start(attached, end)
        except BaseException:
            self.close()
            raise

    def start(self, attached, end):
        self.run("socat", f"PTY,rawer,link={self.terminal}", f"{end}{self.path}")
        until(lambda: self.path.exists() and self.terminal.exists(), "the line")
        self.held = [open(side, "rb+", buffering=0) for side in (self.terminal, self.path) if side.is_char_device()]   # or leaving hangs up
        if attached:
            self.pid = self.run(self.program).pid
            self.run("gdbserver", "--attach", self.terminal, self.pid)
        else:
            self.run("gdbserver", self.terminal, self.program)
            self.pid = int(until(lambda: re.search(r"pid = (\d+)", self.log.read_text()), "gdbserver to start it")[1])
        self.pidfd = os.pidfd_open(self.pid)
        until(lambda: "Remote debugging using" in self.log.read_text(), "gdbserver to open its line")

    def run(self, *words):
        """In a group of its own: gdbserver interrupts the whole of it."""
        with open(self.log, "ab") as log:
            p = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        self.processes.append(p)
        return p

    def status(self, name):
        return re.search(rf"^{name}:\s*(\S+)", pathlib.Path(f"/proc/{self.pid}/status").read_text(), re.M)[1]

    def wait_beats(self):
        """It runs, and goes on to."""
        for _ in range(2):
            before = int(self.status("voluntary_ctxt_switches"))
            until(lambda b=before: int(self.status("voluntary_ctxt_switches")) > b + 20, "the program to run")

    def wait_stands(self):
        until(lambda: self.status("State") == "t", "the program to stand")

    def close(self):
        for side in self.held:
            side.close()
        for p in reversed(self.processes):
            p.kill()
            p.wait()
        if self.pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)    # gdbserver was told to let it go
            os.close(self.pidfd)
        print(f"--- the server\n{self.log.read_text()[-2000:]}")


@pytest.fixture(params=["started", "attached"])
def server(request, tmp_path):
    s = Server(tmp_path, request.param == "attached")
    yield s
    s.close()


class NetGate(LineGate):
    """A kdgate that reaches its .server through ser2net."""

    def __init__(self, folder):
        self.policy, self.port = "full", gate_module.free_port()
        self.server = Server(folder, False, "PTY,rawer,link=")
        config = folder / "ser2net.yaml"
        config.write_text(f"connection: &line\n  accepter: tcp,127.0.0.1,{self.port}\n"
                          f"  connector: serialdev,{os.path.realpath(self.server.path)},115200n81,local\n")
        self.server.run(SER2NET, "-n", "-u", "-c", config)
        self.gate = gate_module.Gate("", (self.policy,))
        self.gate.target = f"rsp+tcp:127.0.0.1:{self.port}"

    def finish(self):
        print(f"--- kdgate's log\n{self.log()}")
        self.gate.close()
        self.server.close()


@pytest.fixture
def through_ser2net(tmp_path):
    """It has met its target."""
    b = NetGate(tmp_path)
    try:
        b.gate.start()
        b.wait_met()
        yield b
    finally:
        b.finish()


def rounds(g, server):
    """It is read, and stepped."""
    n = g.value("rounds")
    g.ask("tbreak next")
    assert "next (n=" in g.ask("continue")
    assert g.value("n") == g.value("rounds") >= n
    g.ask("stepi")
    server.wait_stands()


def abandon(b, server):
    """kdgate resumes it, and can do nothing more."""
    with b.gdb(server.program) as g:
        rounds(g, server)
        g.start("continue")
        server.wait_beats()
        b.gate.kill()
        g.kill()
    server.wait_beats()


def test_it_is_stopped_and_met(server, on_line):  # noqa: F811
    """Nobody leads it then, so it is let run; whoever comes finds it as usual. Twice: nothing is left on the line."""
    b = on_line(server.path)
    b.wait_met()
    assert STOOD in b.log()
    for n in range(1, 3):
        abandon(b, server)
        start = len(b.gate.log())
        b.gate.start()
        b.wait_met(n + 1)
        assert b.log().count(RAN) == n and b.gate.log()[start:].partition(RAN)[0].count(" > \\x03\n") == 1
        server.wait_beats()
        with b.gdb(server.program) as g:
            server.wait_stands()
            rounds(g, server)
            g.ask("detach")
        server.wait_beats()
        with b.gdb(server.program) as g:
            rounds(g, server)
            g.ask("detach")
        server.wait_beats()
    assert b.log().count("target lost") == 0


@pytest.mark.skipif(not SER2NET, reason="ser2net is not installed (scripts/setup)")
def test_behind_a_terminal_server(through_ser2net):
    """A connection is made at once there, whoever is at the other end of its line."""
    b = through_ser2net
    abandon(b, b.server)
    b.gate.start()
    b.wait_met(2)
    assert b.log().count(RAN) == 1
    b.server.wait_beats()
    with b.gdb(b.server.program) as g:
        rounds(g, b.server)
        g.ask("detach")
    b.server.wait_beats()


def test_one_that_stands(server, on_line):  # noqa: F811
    """It hears no break-in, and is left as it was."""
    b = on_line(server.path)
    b.wait_met()
    b.gate.kill()
    b.gate.start()
    b.wait_met(2)
    assert b.log().count(STOOD) == 2 and "\\x03" not in b.gate.log()
    server.wait_stands()
