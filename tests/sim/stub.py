"""stub.py - the stub of stub.c as a process: starts it, reads its record, asks for its state."""
import collections
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "tests"
LINE = re.compile(r"(\d+\.\d+) (\S+) (.*)")

Line = collections.namedtuple("Line", "time kind text")


def build(*names):
    """The programs of tests/sim/sim.mk; quick when they are there."""
    subprocess.run(["make", "-s", "-f", "tests/sim/sim.mk", *(f"build/tests/{n}" for n in names)], cwd=ROOT, check=True, timeout=120)


class Stub:
    """options: profile="qemu", threads=2, delay_ms=10, run_stops_after=100, memory=65536."""

    def __init__(self, listen=None, once=False, recorded=True, **options):
        build("sim/stub")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kdgate-stub-"))
        self.listen = listen or f"unix:{self.dir}/stub.sock"
        self.record_file = self.dir / "record"
        self.options = [f"--{k.replace('_', '-')}={v}" for k, v in options.items()] + ["--once"] * once
        self.options += [f"--record={self.record_file}"] * recorded
        self.process = None
        self.start()

    def start(self):
        """Again, after it was killed: a new record, nothing remembered."""
        self.process = subprocess.Popen([BUILD / "sim" / "stub", "--listen", self.listen, *self.options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("stub: listening on "), "the stub did not start"
        self.listen = line.split()[-1]
        return self

    @property
    def path(self):
        return self.listen.removeprefix("unix:")

    def record(self, *kinds):
        """Lines of the record so far, of these kinds."""
        lines = [Line(float(m[1]), m[2], m[3]) for m in map(LINE.match, self.record_file.read_text().splitlines()) if m]
        return [line for line in lines if not kinds or line.kind in kinds]

    def packets(self):
        return [line.text for line in self.record("packet")]

    def state(self):
        """{"breakpoints": 0, "running": 0, ...} and "list": ["0,1000,1"]."""
        before = len(self.record("STATE"))
        self.process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + 5
        while len(self.record("STATE")) == before:
            assert time.monotonic() < end and self.process.poll() is None, "the stub does not tell its state"
            time.sleep(0.005)
        lines = self.record("STATE", "BREAKPOINT")
        last = len(lines) - 1 - next(i for i, line in enumerate(lines[::-1]) if line.kind == "STATE")
        state = {k: int(v) for k, v in (word.split("=") for word in lines[last].text.split())}
        state["list"] = [line.text for line in lines[last - state["breakpoints"]:last]]
        return state

    def kill(self):
        self.process.kill()
        self.process.wait(5)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(5)

    def close(self):
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
