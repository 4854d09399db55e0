"""attack.py - the attacker (attacker.c) as a process: on the way between a KDNET target and its host."""
import re
import subprocess

import kd_host

PROGRAM = kd_host.ROOT / "build" / "tests" / "sim" / "attacker"


def build():
    subprocess.run(["make", "-s", "-f", "tests/sim/sim.mk", str(PROGRAM.relative_to(kd_host.ROOT))], cwd=kd_host.ROOT, check=True, timeout=120)


def names():
    said = subprocess.run([str(PROGRAM), "--attacks"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.split()[0] for line in said.splitlines()]


class Attacker:
    def __init__(self, port, *options):
        words = [str(PROGRAM), "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port}", *map(str, options)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.until(r"port (\d+)")[1])

    def until(self, pattern):
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"it ended without {pattern}")

    def do(self, line):
        """Its counts then."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.counts(line)

    def counts(self, word="done"):
        return {name: int(n) for name, n in (pair.split("=") for pair in self.until(rf"attacker: {word} (.*)")[1].split())}

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
