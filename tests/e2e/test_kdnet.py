"""test_kdnet.py - a Windows kernel over KDNET: it dials, is met, and met again when either side begins anew; what can be done over a serial
line can be done over a network that loses, repeats and swaps; and whose key it is."""
import os
import pathlib
import re
import shutil
import socket
import time

import attack
import gate as gate_module
import kd
import kd_host
import kdnet
import pytest
import test_kd as line
from kd import program  # noqa: F401
from kdnet import machine  # noqa: F401

pytestmark = [pytest.mark.gated, pytest.mark.seconds(120),
              pytest.mark.skipif(not shutil.which("x86_64-w64-mingw32-gcc"), reason="mingw-w64 is not installed")]
BAD = {"loss": 5, "dup": 10, "reorder": 10}    # percent


@pytest.fixture
def on_the_way():
    """via of a machine: an attacker is. .options: its own."""
    def way(port):
        way.made.append(attack.Attacker(port, *way.options))
        return way.made[-1].port

    way.made, way.options = [], []
    attack.build()
    yield way
    for attacker in way.made:
        attacker.close()


# --- the sessions of test_kd.py

ALONE = [line.test_break_next_step_finish_stepi, line.test_step_into_the_driver, line.test_watchpoints_of_all_kinds_and_hbreak,
         line.test_ctrl_c_and_what_it_prints, line.test_nothing_of_a_debugger_stays, line.test_registers_and_memory_are_written,
         line.test_an_int3_of_its_own_is_passed, line.test_forty_breakpoints_are_too_many_and_that_is_told]
MAKING = [line.test_two_processors, line.test_a_breakpoint_in_a_driver_that_is_not_there_yet, line.test_an_exception_that_nobody_handles_ends_in_a_bugcheck,
          line.test_a_bugcheck_is_told_in_words_and_the_machine_boots_again, line.test_a_reboot_under_a_debugger_with_breakpoints,
          line.test_a_kdgate_that_is_killed_leaves_breakpoints_and_the_next_one_removes_them,
          line.test_what_happens_while_nobody_is_there_is_passed]


def over(sessions):
    return pytest.mark.parametrize("session", sessions, ids=lambda session: session.__name__.removeprefix("test_"))


@over(ALONE)
def test_at_one_processor(machine, session):
    session(machine("amd64"), "amd64")


@over(MAKING)
def test_at_machines(machine, session):
    session(machine, "amd64")


@over(ALONE[:6])
def test_at_one_processor_over_a_bad_network(machine, session):
    session(machine("amd64", seed=3, **BAD), "amd64")


@over(MAKING)
def test_at_machines_over_a_bad_network(machine, session):
    session(lambda *names, **how: machine(*names, seed=3, **BAD, **how), "amd64")


# --- what is KDNET's own

def twin(m, **options):
    """Another target that dials the same port."""
    return kd_host.Target("amd64", "kdnet", kdnet=f"127.0.0.1:{m.port}", **{"key": kdnet.KEYS[0], "poke_ms": kdnet.POKE_MS, **options})


def test_more_than_a_datagram_brings(machine):
    m = machine()
    with m.gdb() as g:
        at = g.value("$sp") - 2048 & -4096
        bytes_read = [int(x, 16) for x in re.findall(r"\t0x(\w\w)\b", g.ask(f"x/4096xb {at:#x}").replace("\t", "\t\t"))]
        words_read = [int(x, 16) for x in re.findall(r"\t0x(\w+)", g.ask(f"x/512xg {at:#x}"))]
        assert len(bytes_read) == 4096 and bytes(bytes_read) == b"".join(word.to_bytes(8, "little") for word in words_read)
        g.leave()
    m.free()


def test_kdgate_is_killed_while_it_stands(machine):
    m = machine()
    with m.gdb() as g:
        pc = g.value("$pc")
        m.gate.kill()
    m.gate.start()
    m.met(2)
    with m.gdb() as g:
        assert g.value("$pc") == pc
        g.leave()
    m.free()


def test_it_is_switched_off_while_it_runs(machine):
    """That is told when it has been silent for ten seconds, once; and it is met again when it is on."""
    m = machine()
    with m.gdb() as g:
        g.start("continue")
        m.until(stopped=0)
        m.target.process.kill()
        g.hear(r"^kdgate: the target has been silent for ten seconds: no data, and no poke")
        m.target.close()
        m.target = twin(m, base=0x150000000)
        g.hear(r"^kdgate: the target is heard again(?s:.*)^kdgate: the target has booted again(?s:.*)received signal SIGPWR")
        assert re.search(r"kernel at 0x[0-9a-f]+", g.ask("monitor version"))
        g.leave()
    assert m.gate.log().count("silent for ten seconds") == 1 == len(m.gate.audit(event="guard"))
    m.free()


def test_the_network_is_cut_and_mended(machine, on_the_way):
    m = machine(via=on_the_way)
    attacker = on_the_way.made[-1]
    with m.gdb() as g:
        g.start("continue")
        m.until(stopped=0)
        attacker.do("hold")
        g.hear(r"^kdgate: the target has been silent for ten seconds")
        attacker.do("pass")
        g.hear(r"^kdgate: the target is heard again")
        assert "KdCheckForDebugBreak" in g.pause() and m.net()["sessions"] == 1
        g.leave()
    m.free()


def test_its_port_changes(machine):
    """It was not restarted, and says where it has its debugger: as long as it may be another one, that is not answered."""
    m = machine()
    with m.gdb() as g:
        pc = g.value("$pc")
        m.net("rebind")
        gate_module.until(lambda: m.net()["sessions"] == 2, "it to be met at its other port", 30)
        assert g.value("$pc") == pc and "KdCheckForDebugBreak" in g.ask("bt")
        g.ask("break KdSimPoll")
        assert "Breakpoint 1, KdSimPoll" in g.ask("continue")
        g.leave()
    m.free()


def test_another_one_with_the_same_key_waits(machine):
    m = machine()
    with m.gdb() as g:
        pc = g.value("$pc")
        other = twin(m, own_addr="127.0.0.9")
        try:
            gate_module.until(lambda: other.do("net") or int(other.until(r"pokes=(\d+)")[1]) > 5, "it to poke")
            assert m.gate.log().count("asks for a debugger from another address, with the same key: refused") == 1
            other.do("net")
            assert other.until(r"sessions=(\d+)")[1] == "0" and g.value("$pc") == pc and m.net()["sessions"] == 1
        finally:
            other.close()
        g.leave()
    m.free()


def test_its_port_changes_while_it_runs(machine):
    """Nobody but it knows whether it booted: it is looked at, and let run."""
    m = machine()
    with m.gdb() as g:
        g.ask("break KdSimPrint")
        g.start("continue")
        m.until(stopped=0, breakpoints=1)
        m.net("rebind")
        gate_module.until(lambda: m.net()["sessions"] == 2, "it to be met at its other port", 30)
        stops = len(m.target.log(r"(?m)^\S+ T state "))
        gate_module.until(lambda: len(m.target.log(r"(?m)^\S+ T state ")) > stops, "it to be looked at")
        m.until(stopped=0, breakpoints=1)
        assert "received signal" not in g.text
        m.do("print")
        g.hear(r"Breakpoint 1, KdSimPrint")
        g.leave()
    m.free()


def test_two_targets_at_one_port(tmp_path):
    lab = kdnet.Lab({"one": kdnet.KEYS[0], "two": kdnet.KEYS[1]}).start()
    machines = {name: lab.boot(key) for name, key in lab.keys.items()}
    try:
        gate_module.until(lambda: lab.log().count("target found") == 2, "both to be met", 40)
        with kd.Gdb("amd64") as one, kd.Gdb("amd64") as two:
            clients = {"one": one, "two": two}
            for name, g in clients.items():
                g.meet(lab.address(name))
                g.ask("break KdSimPrint")
                machines[name].do("print")
            for name, g in clients.items():
                assert "Breakpoint 1, KdSimPrint" in g.ask("continue")
                g.ask(f"set var KdSimPrints = {100 if name == 'one' else 200}")
            for name, g in clients.items():
                g.ask("delete")
                g.prints(101 if name == "one" else 201)
                g.leave()
        lab.stop()
    finally:
        print(lab.log()[-4000:])
        for m in machines.values():
            m.close()
        lab.close()


def test_words_for_why_nobody_is_met():
    """Nothing comes; what comes is of another key; what comes is no KDNET. The key itself is in no log."""
    gates = {name: kdnet.Lab({"vm": kdnet.KEYS[0]}).start() for name in ("no datagram has come", "not of this key", "not KDNET")}
    wrong = gates["not of this key"].boot(kdnet.KEYS[1])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"hello", ("127.0.0.1", gates["not KDNET"].port))
        for words, gate in gates.items():
            gate_module.until(lambda: "cannot be used" in gate.log(), "words", 40)    # noqa: B023
            assert [w for w in gates if w in gate.log()] == [words] and not set(kdnet.KEYS) & set(re.split(r"\s", gate.log()))
    finally:
        wrong.close()
        for gate in gates.values():
            gate.close()


# --- and is attacked

COUNT = int(os.environ.get("KDGATE_ATTACK", "20000"))    # of datagrams; a million takes minutes


def usage(pid):
    """(seconds of a processor, KiB of memory)"""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE") >> 10


def look(g):
    g.ask("maintenance flush register-cache")
    return g.ask("info registers"), g.ask("x/64xg $sp"), g.ask("x/32xb &KeBugCheckEx")


@pytest.mark.seconds(120 + COUNT // 1000)
@pytest.mark.parametrize("beside", [[], ["--from", "127.0.0.1:0"], ["--from", "127.0.0.9:0"]], ids=["way", "port", "address"])
def test_an_attack_changes_nothing(machine, on_the_way, beside):
    on_the_way.options = ["--count", COUNT, "--rate", 10000, *beside]
    m = machine(via=on_the_way, gate=["--no-cache"])
    attacker = on_the_way.made[-1]
    with m.gdb() as g:
        g.ask("break IopReadDisk")
        assert "Breakpoint 1, IopReadDisk" in g.ask("continue")
        seen, log = look(g), len(m.gate.log().splitlines())
        before, began = usage(m.gate.process.pid), time.monotonic()
        attacker.do("go")
        assert [look(g) for _ in range(3)] == [seen] * 3
        assert "Breakpoint 1, IopReadDisk" in g.ask("continue") and "NtReadFile" in g.ask("bt")
        seen = look(g)
        counts, took = attacker.counts(), time.monotonic() - began
        after = usage(m.gate.process.pid)
        assert look(g) == seen and counts["sent"] == COUNT and m.net()["sessions"] == 1
        lines = len(m.gate.log().splitlines()) - log
        print(f"{COUNT} datagrams in {took:.1f} s: {after[0] - before[0]:.2f} s of a processor, {after[1] - before[1]} KiB more, {lines} lines of log")
        assert after[1] - before[1] < 1024 and lines <= 20 + took
        g.ask("delete")
        m.do("print")
        g.prints()
        g.leave()
    m.free()
