#!/usr/bin/python3
"""run.py - runs the tests and counts them. The last line is "N passed, N failed, N skipped".

    run.py [unit] [fuzz] [python] [checks] [e2e]    all, when none is named

unit    the cmocka programs of tests/**/*_test.c, under the address and undefined-behaviour sanitizers; a count for each case
fuzz    every libFuzzer target, a bounded number of runs; with FUZZ_KEEP, a folder, what they find stays there, and each begins with it
python  what pytest finds outside tests/e2e
checks  the tree itself: includes, documents, text
e2e     stock debuggers through kdgate; RUN_E2E_KDGATE names another program than build/kdgate. A debugger on a machine that others share may be held up
        for longer than a test waits: up to E2E_AGAIN (5) that fail are run once more by themselves, and the count says so; 0: none
"""
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
PYTHON = "/usr/bin/python3"
JOBS = os.cpu_count() or 1
UNIT_SECONDS, PYTEST_SECONDS, MAKE_SECONDS = 1200, 2700, 1800
FUZZ_RUNS, FUZZ_SECONDS = int(os.environ.get("FUZZ_RUNS", 100000)), int(os.environ.get("FUZZ_SECONDS", 20))
FUZZ_KEEP = os.environ.get("FUZZ_KEEP")
E2E_AGAIN = int(os.environ.get("E2E_AGAIN", 5))

# more: what is said beside the counts; kept: files that were written for whoever looks into a failure
Result = collections.namedtuple("Result", "name passed failed skipped output more kept", defaults=("", "", ()))


def run(*command, seconds, **env):
    """(exit code, all it said); a code of its own for what takes too long."""
    try:
        done = subprocess.run([str(c) for c in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds, env={**os.environ, **env})
    except subprocess.TimeoutExpired as late:
        return "timeout", (late.stdout or b"").decode(errors="replace") + f"\nended after {seconds} s"
    return done.returncode, done.stdout.decode(errors="replace")


def build(goal):
    """Builds what can be built, and says nothing if that is all."""
    code, text = run("make", "-k", f"-j{JOBS}", goal, seconds=MAKE_SECONDS)
    if code:
        yield Result(f"build {goal}", 0, 1, 0, text)


def program_of(source):
    return BUILD / source.relative_to(ROOT).with_suffix("")


def sources(pattern):
    return sorted((ROOT / "tests").rglob(pattern))


def count_cmocka(name, code, text):
    """cmocka's own summary; a program that breaks off, or runs nothing, is a failure."""
    def total(word):
        return sum(int(n) for n in re.findall(rf"\[  {word}\s*\] (\d+) test\(s\)", text))
    passed, failed, skipped = total("PASSED"), total("FAILED"), total("SKIPPED")
    if code and not failed or not passed + failed + skipped:
        failed += 1
    return Result(name, passed, failed, skipped, text if failed else "\n".join(sorted(set(re.findall(r"\[  SKIPPED \] (?!\d).*", text)))))


def run_unit(source):
    name, program = f"unit {source.relative_to(ROOT / 'tests').with_suffix('')}", program_of(source)
    if not program.exists():
        return Result(name, 0, 1, 0, "was not built")
    code, text = run(program, seconds=UNIT_SECONDS)
    return count_cmocka(name, code, text)


def found_folder(name):
    """What a fuzz target finds goes there."""
    if not FUZZ_KEEP:
        return tempfile.TemporaryDirectory(prefix="kdgate-fuzz-")
    folder = ROOT / FUZZ_KEEP / name
    folder.mkdir(parents=True, exist_ok=True)
    return contextlib.nullcontext(folder)


def run_fuzz(source):
    """Seeds, where the tree has some, are only read. An input that fails stays, also where the rest is thrown away."""
    name, program = f"fuzz {source.stem}", program_of(source)
    if not program.exists():
        return Result(name, 0, 1, 0, "was not built")
    seeds = [d for d in (source.parent / "corpus" / source.stem,) if d.is_dir()]
    with found_folder(source.stem) as found:
        code, text = run(program, f"-runs={FUZZ_RUNS}", f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
                         f"-artifact_prefix={BUILD}/{source.stem}-", found, *seeds, seconds=FUZZ_SECONDS + 120)
    inputs = re.search(r"stat::number_of_executed_units: *(\d+)", text)
    more = f"{int(inputs[1]):,} inputs" if inputs else "inputs not counted"
    return Result(name, int(not code), int(bool(code)), 0, text, more, tuple(re.findall(r"Test unit written to (\S+)", text)))


def run_pytest_once(folder, *words, **env):
    """(exit code, all it said, [passed, failed, skipped]); a run that breaks off is a failure, one that finds no test is nothing."""
    report = pathlib.Path(folder) / "report.xml"
    report.unlink(missing_ok=True)
    code, text = run(PYTHON, "-m", "pytest", "-q", "-o", f"cache_dir={folder}/cache", "--durations=8", "-rfEs", f"--junitxml={report}", *words,
                     seconds=PYTEST_SECONDS, PYTHONDONTWRITEBYTECODE="1", **env)
    if code == 5 or not report.exists():
        return code, text, [0, int(code != 5), 0]
    suite = next(xml.etree.ElementTree.parse(report).iter("testsuite"))
    total, skipped = int(suite.get("tests")), int(suite.get("skipped"))
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    if code and not failed:
        failed, total = 1, total + 1
    return code, text, [max(total - failed - skipped, 0), failed, skipped]


def run_pytest(name, *words, again=0, **env):
    """again: so many that fail, and no more, are run once more by themselves, which is told."""
    with tempfile.TemporaryDirectory(prefix="kdgate-pytest-") as folder:
        code, text, counts = run_pytest_once(folder, *words, **env)
        if code != 1 or counts[1] > again:
            return Result(name, *counts, text)
        _, second, (passed, failed, _) = run_pytest_once(folder, "--last-failed", *words, **env)
    failed = max(failed, counts[1] - passed)
    counts[0] += counts[1] - failed
    return Result(name, counts[0], failed, counts[2], f"{text}\n--- once more, by themselves ---\n{second}",
                  f"{passed} of them at the second attempt")


def run_check(name, *command):
    """A command that says what is wrong. Exit code 77: it cannot run here, and says why."""
    code, text = run(*command, seconds=300)
    return Result(f"check {name}", int(code == 0), int(code not in (0, 77)), int(code == 77), text)


def each(work, items, jobs=JOBS):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(work, items)


def unit():
    yield from build("unit-programs")
    yield from each(run_unit, sources("*_test.c"))


def fuzz():
    yield from build("fuzz-programs")
    yield from each(run_fuzz, sources("*_fuzz.c"))


def python():
    yield from build("all")
    yield run_pytest("python", "tests", "--ignore=tests/e2e")


def checks():
    yield run_check("boundaries", PYTHON, "scripts/boundaries")
    yield run_check("text", PYTHON, "scripts/lint-text")
    yield run_check("documents", PYTHON, "scripts/lint-docs")


def e2e():
    yield from build("all")
    program = os.environ.get("RUN_E2E_KDGATE")
    yield run_pytest("e2e", "tests/e2e", again=E2E_AGAIN, **({"KDGATE": program} if program else {}))


GROUPS = {"unit": unit, "fuzz": fuzz, "python": python, "checks": checks, "e2e": e2e}


def tell(result, seconds):
    verdict = "FAIL" if result.failed else "skip" if result.skipped and not result.passed else "ok"
    parts = [f"{n} {word}" for n, word in ((result.passed, "passed"), (result.failed, "failed"), (result.skipped, "skipped")) if n]
    parts += [result.more] if result.more else []
    print(f"{verdict:4} {result.name}: {', '.join(parts) or 'no tests'} ({seconds:.0f} s)", flush=True)
    if result.failed or result.skipped or result.name in ("e2e", "python"):
        print("\n".join("     | " + line for line in result.output.rstrip().splitlines()), flush=True)


def main(names):
    if unknown := set(names) - set(GROUPS):
        print(f"run.py: {', '.join(sorted(unknown))}: no such group; there are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    total, kept = [0, 0, 0], []
    for name in names or GROUPS:
        began = time.monotonic()
        for result in GROUPS[name]():
            tell(result, time.monotonic() - began)
            total = [a + b for a, b in zip(total, result[1:4])]
            kept += [(result.name, path) for path in result.kept]
    for name, path in kept:
        print(f"{name} fails with {path}", flush=True)
    print("{} passed, {} failed, {} skipped".format(*total), flush=True)
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
