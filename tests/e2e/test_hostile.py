"""test_hostile.py - stock gdb and lldb on a target that attacks them: behind kdgate nothing comes of it, and the audit tells.

Each case of tests/sim/hostile.py, with each debugger. The runs are begun together, some at a time, since they mostly wait.
direct: the same without kdgate, to show that the attacks are real.
"""
import os
import re
import sys

import gate as gate_module
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "sim"))

import hostile_cases  # noqa: E402
import hostile_run  # noqa: E402
from sim_gate import gated  # noqa: E402,F401


def died(found):
    return found.code is not None and found.code < 0


CASES = hostile_cases.CASES
EACH = [(name, kind) for name, case in CASES.items() for kind in case.only]
# What comes of some of them where nobody stands in between.
DIRECT = [("file-create", "gdb", lambda f: "new canary/created" in f.changed), ("file-unlink", "gdb", lambda f: "gone canary/secret" in f.changed),
          ("file-truncate", "gdb", lambda f: "changed canary/secret" in f.changed), ("file-rename", "gdb", lambda f: "new canary/renamed" in f.changed),
          ("file-read", "gdb", lambda f: any(b"canary ".hex() in w or "canary " in w for w in f.wrote)),
          ("exec-file", "gdb", lambda f: "canary.elf" in f.opened), ("libraries", "gdb", lambda f: "canary.elf" in f.opened),
          ("text-title", "gdb", lambda f: {"0x1b", "0x7"} <= set(f.controls)), ("text-title", "lldb", lambda f: {"0x1b", "0x7"} <= set(f.controls)),
          ("extra-escapes", "gdb", lambda f: "0x1b" in f.controls), ("monitor-escapes", "gdb", lambda f: "0x1b" in f.controls),
          ("p-4k", "gdb", died), ("xml-self", "lldb", died)]
pytestmark = pytest.mark.seconds(400)


@pytest.fixture(scope="module")
def runs(request):
    """runs(case, debugger): what came of it. Only what this session's tests ask for; slow ones are begun first."""
    wanted = {item.callspec.params.get("attack") for item in request.session.items if hasattr(item, "callspec")}
    wanted |= {("honest", kind) for kind in hostile_run.DRIVERS}
    jobs = hostile_run.jobs_of([(CASES[name], kind) for name, kind in EACH if (name, kind) in wanted])
    directly = {("honest", "gdb"), *((d[0], d[1]) for d in DIRECT)} if any("direct" in item.name for item in request.session.items) else ()
    jobs += [([("direct", n, k)], lambda n=n, k=k: {("direct", n, k): hostile_run.direct(CASES[n], k)}) for n, k in sorted(directly)]
    pool = hostile_run.Pool(jobs, int(os.environ.get("HOSTILE_WORKERS", 8)))
    yield lambda name, kind, direct=False: pool.result(("direct", name, kind) if direct else (CASES[name], kind))
    pool.stop()


@pytest.mark.parametrize("attack", EACH, ids=lambda a: f"{a[0]}-{a[1]}")
def test_nothing_comes_of_it(gated, runs, attack):  # noqa: F811
    name, kind = attack
    case, found, clean = CASES[name], runs(name, kind), runs("honest", kind)
    incidents = [line["text"] for line in found.audit if line["event"] == "guard"]
    print(f"{found.seconds:.1f} s; attacks {found.attacks[:4]}; interrupted {found.slow}; incidents {incidents}")
    print(f"--- kdgate's log\n{found.log}\n--- the debugger\n{found.out[-4000:].decode('utf-8', 'backslashreplace')!r}")
    assert [*hostile_run.harm(case, found, clean), *hostile_run.trouble(found)] == []
    assert [*hostile_run.untold(case, found)] == []


@pytest.mark.parametrize("kind, seen", [("gdb", [r"rip +0xffffffff81001000", r"hit Breakpoint 1", r"received signal SIGINT"]),
                                        ("lldb", [r"rip = 0xffffffff81001000", r"stop reason = breakpoint 1\.1", r"signal SIGINT"])])
def test_the_same_without_an_attack_works(gated, runs, kind, seen):  # noqa: F811
    """That what a clean run is measured by is a run at all."""
    found = runs("honest", kind)
    text = found.out.decode()
    assert [s for s in (*seen, r"commands: help", r"detached") if not re.search(s, text)] == []
    assert found.code == 0 and not found.slow and not found.kinds() and not found.opened and not found.changed


# --- without kdgate
@pytest.mark.parametrize("harm", DIRECT, ids=lambda d: f"{d[0]}-{d[1]}")
def test_direct_harm_is_done(runs, harm):
    name, kind, seen = harm
    found = runs(name, kind, direct=True)
    print(f"{found!r:.6000}")
    assert found.attacks and seen(found)


def test_direct_a_clean_run_is_clean(runs):
    found = runs("honest", "gdb", direct=True)
    assert found.code == 0 and not found.changed and not found.opened and not found.controls and not found.attacks


# --- that the judge can judge
def test_the_judge_sees_what_is_wrong():
    clean, case = hostile_run.Outcome(code=0), CASES["g-short"]
    bad = hostile_run.Outcome(code=-11, changed=("new canary/created",), opened=("secret",), called=True, controls=("0x1b",), files=("Fopen -> F5",),
                              wrote=("M0,1:00",))
    assert len([*hostile_run.harm(case, bad, clean)]) == 7
    assert [*hostile_run.harm(case, clean, clean)] == [] == [*hostile_run.trouble(clean)]
    assert len([*hostile_run.trouble(hostile_run.Outcome(alive="dead", serves="nobody", stub_errors="?"))]) == 3
    assert len([*hostile_run.untold(case, clean)]) == 2
    assert len([*hostile_run.untold(CASES["x-long"], hostile_run.Outcome(attacks=("x",)))]) == 1
    assert [*hostile_run.harm(case, hostile_run.Outcome(code=None), clean)] == ["the debugger hangs, told to end"]


@pytest.mark.parametrize("out, seen", [(b"\x1b[31m", ["0x1b"]), (b"a\x07", ["0x7"]), (b"\x9b", ["0xdc9b"]), ("\x9b".encode(), ["0x9b"]), (b"\r\n", ["0xd"]),
                                       (b"\x7f", ["0x7f"]), (b"a\tb\n", []), ("\u00e9\u20ac".encode(), [])])
def test_the_judge_sees_controls(out, seen):
    assert hostile_run.controls(out) == seen


def test_every_case_is_of_some_use():
    assert [c.name for c in CASES.values() if not (c.guard or c.lost or c.never_asked or c.accepted)] == []
    assert len(CASES) > 200 and gate_module.PROGRAM
