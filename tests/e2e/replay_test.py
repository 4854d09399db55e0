"""replay_test.py - stock gdb looks at recorded sessions: WinDbg's with a boot debugger over KDNET, a probing host's with ReactOS.

The recordings are not in the project; without them these tests are skipped.
"""
import re
import subprocess

import pytest

import debuggers
import gate as gate_module
import kd
from decode_test import CAPTURES, KDNET, KEY, capture, key_file  # noqa: F401

pytestmark = pytest.mark.gated
START = ("set sysroot", "set confirm off")


@pytest.fixture
def replay(tmp_path, key_file):  # noqa: F811
    """replay(file, option...): the address of a kdgate that shows it."""
    running = []

    def start(file, *options):
        sock, log = tmp_path / "r.sock", open(tmp_path / "log", "w")
        words = [gate_module.PROGRAM, "replay", str(capture(file)), "--listen", f"unix:{sock}", *options]
        if file == KDNET:
            words += ["--key-file", key_file(KEY)]
        p = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        running.append(p)
        gate_module.until(lambda: sock.exists() or p.poll() is not None, "kdgate to listen")
        assert p.poll() is None, (tmp_path / "log").read_text()
        return str(sock)

    yield start
    for p in running:
        p.terminate()
        assert p.wait(10) == 0, (tmp_path / "log").read_text()


def gdb(address, *commands):
    words = ["/usr/bin/gdb-multiarch", "-q", "-nx", "-batch", "-ex", "set pagination off", "-ex", "set width 0"]
    for c in (*START, f"target remote {address}", *commands):
        words += ["-ex", c]
    with debuggers.Talker(*words) as run:
        return run.finish(60)


def test_what_windbg_saw(replay):
    text = gdb(replay(KDNET), "info registers rip cr3 dr7 rsp", "x/2i $pc", "x/2xb 0x96f000", "info threads")
    assert re.search(r"rip +0x9cf07e", text) and re.search(r"cr3 +0x1ab000 ", text) and re.search(r"dr7 +0x400 ", text)
    assert re.search(r"=> 0x9cf07e:\s+int3", text) and re.search(r"0x9cf07f:\s+mov +0x40\(%rsp\),%rbx", text)
    assert re.search(r"0x96f000:\s+0x4d\s+0x5a", text)
    assert "Thread 1 (processor 0)" in text


def test_what_windbg_did_not_see(replay):
    text = gdb(replay(KDNET), "x/2xb 0x1000", "x/2xb 0xfffff780000003d8", "x/4xb 0x9cf07e")
    assert "Cannot access memory at address 0x1000" in text and "Cannot access memory at address 0xfffff780000003d8" in text
    assert re.search(r"0x9cf07e:\s+0xcc\s+0x48\s+0x8b\s+0x5c", text)   # and it goes on


def test_nothing_is_changed(replay):
    text = gdb(replay(KDNET), "set $rax = 1", "set {char}0x9cf07e = 0", "continue", "info registers rip", "x/xb 0x9cf07e")
    assert "policy observe does not allow reg.write" in text
    assert "the target stands, and nobody is connected who may run it" in text
    assert re.search(r"rip +0x9cf07e", text) and re.search(r"0x9cf07e:\s+0xcc", text)


def test_nothing_is_changed_whatever_the_policy(replay):
    text = gdb(replay(KDNET, "--policy", "full"), "set {char}0x9cf07e = 0", "x/xb 0x9cf07e", "monitor version", "monitor modules")
    assert "Cannot access memory at address 0x9cf07e" in text and re.search(r"0x9cf07e:\s+0xcc", text)
    assert "boot debugger, build 10586, amd64, 1 processor, kernel at 0x96f000" in text and "0x000000000096f000 0x0017d000" in text


def test_to_the_end(replay):
    text = gdb(replay(KDNET, "--policy", "full"), "continue", "info registers rip")
    assert "kdgate: the recording ends here" in text and re.search(r"rip +0x9cf07e", text)


def test_a_serial_line(replay):
    text = gdb(replay(CAPTURES / "kdcom-bp-step.tagged.gz"), "info registers rip rsp", "x/3i $pc")
    assert re.search(r"rip +0xfffff80000587d12", text) and re.search(r"rsp +0xfffff880052bfa18", text)
    assert re.search(r"=> 0xfffff80000587d12:\s+int3", text) and re.search(r"0xfffff80000587d13:\s+ret", text)


def test_from_stop_to_stop(replay):
    text = gdb(replay(CAPTURES / "kdcom-idle2.tagged.gz", "--policy", "full"), *["info registers rip", "continue"] * 6)
    kernel, user = "0xfffff80000587d12", "0x7ffb704b0d2"
    assert re.findall(r"rip +(0x[0-9a-f]+)", text) == [kernel, kernel, kernel, user, kernel, kernel]
    assert re.findall(r"idle: tick (\d)|(the recording ends here)", text)[:6] == [(n, "") for n in "123456"]
    assert "kdgate: the recording ends here" in text


@pytest.mark.seconds(60)
def test_our_own_recording(replay, tmp_path):
    """A session with a simulated kernel, kept by --record: the kernel is gone, and gdb sees what it saw."""
    tape = tmp_path / "own.pcap"
    machine = kd.Machine(gate=["--record", tape])
    try:
        live = gdb(machine.gate.address("full"), "info registers rip rsp", "x/3i $pc", "monitor modules")
    finally:
        machine.close()
    again = gdb(replay(tape, "--policy", "full"), "info registers rip rsp", "x/3i $pc", "monitor modules")
    told = [[line for line in text.splitlines() if re.match(r"r[is]p |=> |   0x|0x0", line)] for text in (live, again)]
    assert told[0] == told[1] and len(told[0]) == 8 and "ntoskrnl.exe" in again


def test_refusals(tmp_path, key_file):  # noqa: F811
    def run(*words):
        return subprocess.run([gate_module.PROGRAM, "replay", *map(str, words)], capture_output=True, text=True, timeout=30)

    done = run(capture(KDNET))
    assert done.returncode == 1 and "it has KDNET that was not opened; expected --key-file with the key of its target" in done.stderr
    done = run(KDNET, "--key-file", key_file("1.2.3.4"))
    assert done.returncode == 1 and "it has KDNET that was not opened" in done.stderr
    nothing = tmp_path / "nothing"
    nothing.write_text("0.1 T 00\n")
    done = run(nothing)
    assert done.returncode == 1 and "no KD conversation in which a target stopped and told its version" in done.stderr
    assert run(tmp_path / "none").returncode == 1 and run().returncode == 2
