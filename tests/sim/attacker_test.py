"""attacker_test.py - the attacker on the way: what it does to a host and a target of our own, who are not to mind."""
import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

import attack  # noqa: E402
import kd_host as kd  # noqa: E402
import kdnet_host as net  # noqa: E402
from kd_host import u32  # noqa: E402

COMPILERS = ("x86_64-w64-mingw32-gcc", "i686-w64-mingw32-gcc")
pytestmark = pytest.mark.skipif(not all(map(shutil.which, COMPILERS)), reason="mingw-w64 is not installed")


@pytest.fixture(scope="session", autouse=True)
def program():
    kd.build()
    attack.build()


@pytest.fixture
def on_the_way():
    made = []

    def start(*options, **target):
        host = net.Host()
        attacker = attack.Attacker(host.port, *options)
        made.extend([host, attacker, net.Target(attacker.port, **target)])
        return made[-1], host, attacker

    yield start
    for one in reversed(made):
        one.close()


def work(h):
    for _ in range(20):
        assert h.ask(kd.VERSION, status=0)


@pytest.mark.parametrize("beside", [[], ["--from", "127.0.0.1:0"], ["--from", "127.0.0.9:0"]], ids=["way", "port", "address"])
def test_a_host_that_is_attacked_keeps_its_session(on_the_way, beside):
    t, h, a = on_the_way("--count", 4000, "--rate", 4000, *beside, poke_ms=100)
    h.attach()
    while len(h.pokes) < 4:     # later ones say that there is a host; only those of before may be answered
        h.poke()
    h.answers = False
    work(h)
    a.do("go")
    before = h.bad + h.old
    work(h)
    counts = a.counts()
    work(h)
    assert counts["sent"] == 4000 and set(attack.names()) <= counts.keys() and h.bad + h.old > before
    assert t.net()["sessions"] == 1


def test_a_target_that_is_attacked_keeps_its_session(on_the_way):
    kinds = [word for name in attack.names() if not name.startswith("replay") for word in ("--do", name)]
    t, h, a = on_the_way("--at", "target", "--count", 20000, "--rate", 20000, *kinds)
    h.attach()
    work(h)
    a.do("go")
    assert a.counts()["sent"] == 20000
    work(h)
    counts = t.net()
    assert counts["sessions"] == 1 and counts["tag"] and counts["shape"] and counts["direction"]


def test_a_line_that_is_cut(on_the_way):
    t, h, a = on_the_way()
    h.attach()
    a.do("hold")
    h.patience = 0.1
    with pytest.raises(AssertionError):
        h.say(kd.MANIPULATE, kd.VERSION.to_bytes(4, "little") + bytes(52), tries=2)
    a.do("pass")
    answer = h.ask(kd.VERSION, status=0)
    assert u32(answer.head, 0) == kd.VERSION


@pytest.mark.parametrize("rate", [0, 1000])
def test_it_does_nothing_more_than_it_was_told(on_the_way, rate):
    t, h, a = on_the_way("--do", "forge", "--do", "stub", "--count", 500, "--rate", rate, "--now")
    assert a.counts()["sent"] == 500
    assert {k for k, v in a.do("status").items() if v} <= {"sent", "passed", "forge", "stub"}
