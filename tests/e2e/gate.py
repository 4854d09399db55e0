"""gate.py - kdgate as a process in front of a target; or, with KDGATE=none, nothing in front of it.

Direct, the stub has one client at a time and no policy: what a test needs beyond that is marked `gated` and skipped.
"""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import tap

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("KDGATE", str(ROOT / "build" / "kdgate"))
DIRECT = PROGRAM == "none"


PORTS = random.sample(range(20000, 32000), 12000)  # below those that connections take for themselves


def free_port():
    """One that nobody listens at, and that was not given before."""
    while True:
        port = PORTS.pop()
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue


def until(condition, what, seconds=20, step=0.02):
    """Waits for a condition; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(step)
    return value


class Gate:
    """listeners: policy name -> a loopback port of its own. tapped: with a tap between kdgate and the stub."""

    def __init__(self, stub, policies=("debug",), tapped=False, on_disconnect="run", options=()):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kdgate-e2e-"))
        self.tap = tap.Tap(stub, self.dir) if tapped or DIRECT else None
        self.target = f"rsp+unix:{self.tap.path if self.tap else stub}"
        self.ports = {p: self.tap.port if DIRECT else free_port() for p in policies}
        self.audit_file, self.log_file = self.dir / "audit.jsonl", self.dir / "log"
        self.log_file.touch()
        self.on_disconnect, self.options, self.process = on_disconnect, list(options), None

    def command(self):
        words = [PROGRAM, self.target]
        for policy, port in self.ports.items():
            words += ["--listen", f"tcp:127.0.0.1:{port}", "--policy", policy]
        return words + ["--audit", str(self.audit_file), "--on-disconnect", self.on_disconnect] + self.options

    def start(self):
        if not DIRECT:
            with open(self.log_file, "ab") as log:
                start = log.tell()
                self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            until(lambda: self.process.poll() is not None or self.listens(start), "kdgate to listen")
            assert self.process.poll() is None, f"kdgate ended with {self.process.returncode}: {self.log()}"
        return self

    def listens(self, start):
        text = self.log()[start:]
        return all(f"listening on tcp:127.0.0.1:{port}" in text for port in self.ports.values())

    def address(self, policy="debug"):
        return f"127.0.0.1:{self.ports[policy]}"

    def log(self):
        return self.log_file.read_text(errors="replace")

    def audit(self, **wanted):
        """The audit's lines, those whose fields have the values wanted."""
        lines = [json.loads(line) for line in self.audit_file.read_text().splitlines()] if self.audit_file.exists() else []
        return [line for line in lines if all(line.get(k) == v for k, v in wanted.items())]

    def stop(self):
        """As its owner would. kdgate must say yes to that: exit code 0, within ten seconds."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"kdgate did not leave within 10 s of SIGTERM: {self.log()}") from None
        assert code == 0, f"kdgate left with {code}: {self.log()}"

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.kill()
        if self.tap:
            self.tap.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def complaints(self):
        """Lines of its log that no run should have."""
        return re.findall(r".*(?:AddressSanitizer|runtime error|LeakSanitizer|Assertion).*", self.log())
