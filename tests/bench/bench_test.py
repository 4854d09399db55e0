"""bench_test.py - that the bench still works. No figure of it is looked at, but what is counted, not timed."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tests" / x) for x in ("bench", "sim", "e2e")]

import kd_cost  # noqa: E402

KDGATE = os.environ.get("KDGATE", str(HERE.parents[1] / "build" / "kdgate"))
WANTED = {"rtt": {"rtt.p50_us", "rtt.p99_us", "rtt.mb_s", "rtt.added_us"}, "confined": {"confined.p50_us"}, "dump": {"dump.seconds"}, "instructions": {"instructions.per_packet"},
          "idle": {"idle.rss_before_kib", "idle.rss_kib", "idle.rss_each_kib", "idle.cpu_seconds"},
          "paced": {"paced.bytes"}, "kd": {"kd.requests", "kd.line"}, "kdnet": {"kdnet.read", "kdnet.reaction", "kdnet.attach", "kdnet.stop"},
          "usb": {"usb.us", "usb.us_with_way_in", "usb.trips"}}
NEEDS = {"rtt": ["socat"], "confined": [], "dump": ["socat", "gdb", "qemu-system-x86_64"], "instructions": ["valgrind"], "idle": [],
         "paced": ["socat", "gdb", "qemu-system-x86_64"], "kd": ["gdb", "x86_64-w64-mingw32-gcc", "i686-w64-mingw32-gcc"],
         "kdnet": ["gdb", "x86_64-w64-mingw32-gcc", "i686-w64-mingw32-gcc"], "usb": ["qemu-system-x86_64", "gdbserver"]}


@pytest.mark.skipif(KDGATE == "none", reason="KDGATE=none")
@pytest.mark.parametrize("name", WANTED)
def test_bench(name, tmp_path):
    missing = [n for n in NEEDS[name] if not shutil.which(n)]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    out = tmp_path / "bench.json"
    done = subprocess.run([sys.executable, HERE / "bench.py", "--quick", "--only", name, "--out", out], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert {line["figure"] for line in lines} == WANTED[name]
    COUNTS.get(name, lambda lines: None)(lines)


def counts_paced(lines):
    """A kernel on a slow line is not asked twice, and not for much at first."""
    kdgate = {line["what"]: line for line in lines if line["way"] == "kdgate"}
    for what, line in kdgate.items():
        assert line["value"] == line["trips"] == 0 or not what.endswith((", again", ", anew")), line
    assert max(kdgate["bt"]["bytes_to_direct"], kdgate["bt"]["trips_to_direct"], kdgate["first look"]["trips_to_direct"]) <= 0.5, kdgate


def counts_kd(lines):
    """A Windows kernel is asked for little before its debugger is answered, and its line carries little but what was asked for."""
    asked = {line["what"]: line["value"] for line in lines if line["figure"] == "kd.requests"}
    assert {what: n for what, n in asked.items() if n > kd_cost.GOALS.get(what, n)} == {}
    assert next(line["wire_use"] for line in lines if line["figure"] == "kd.line") >= 0.95


def counts_kdnet(lines):
    asked = {line["what"]: line["requests"] for line in lines if line["figure"] == "kdnet.stop"}
    assert asked == {"a stop until the client is told": kd_cost.GOALS["stop"], "a stop until gdb shows it": 3}


def counts_usb(lines):
    """On its device kdgate does as well as a program that does nothing else. The time is counted instructions."""
    to_loop = {line["figure"]: line["to_loop"] for line in lines}
    assert to_loop["usb.trips"] <= 1.2 and to_loop["usb.us"] <= 1.2


COUNTS = {"paced": counts_paced, "kd": counts_kd, "kdnet": counts_kdnet, "usb": counts_usb}
