"""bench_test.py - that the bench still works. No figure of it is looked at."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
KDGATE = os.environ.get("KDGATE", str(HERE.parents[1] / "build" / "kdgate"))
WANTED = {"rtt": {"rtt.p50_us", "rtt.p99_us", "rtt.mb_s", "rtt.added_us"}, "confined": {"confined.p50_us"}, "dump": {"dump.seconds"}, "instructions": {"instructions.per_packet"},
          "idle": {"idle.rss_before_kib", "idle.rss_kib", "idle.rss_each_kib", "idle.cpu_seconds"}}
NEEDS = {"rtt": ["socat"], "confined": [], "dump": ["socat", "gdb", "qemu-system-x86_64"], "instructions": ["valgrind"], "idle": []}


@pytest.mark.skipif(KDGATE == "none", reason="KDGATE=none")
@pytest.mark.parametrize("name", WANTED)
def test_bench(name, tmp_path):
    missing = [n for n in NEEDS[name] if not shutil.which(n)]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    out = tmp_path / "bench.json"
    done = subprocess.run([sys.executable, HERE / "bench.py", "--quick", "--only", name, "--out", out], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {json.loads(line)["figure"] for line in out.read_text().splitlines()} == WANTED[name]
