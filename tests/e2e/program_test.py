"""program_test.py - kdgate as a program: what it is told, how it starts and ends, what it says when it cannot."""
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import termios
import time

import pytest

import gate as gate_module
import rsp_client
from sim_gate import gated, sim  # noqa: F401

pytestmark = pytest.mark.gated
PROGRAM = gate_module.PROGRAM


def run(*words, seconds=10, program=PROGRAM, **how):
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=seconds, **how)


CONFIG = """
audit = "%(dir)s/audit.jsonl"
policy: { reader: { rules = [ "deny mem.read range 0x2000-0x2fff", "allow query mem.read reg.read" ] } }
target: {
  a: { connect = "rsp+unix:%(stub)s"
       listen: ( { address = "tcp:127.0.0.1:%(port)d"  policy = "debug"  allow = [ "user=%(uid)d policy=reader", "any" ] },
                 { address = "unix:%(dir)s/a.sock"  policy = "observe" } ) }
}
"""


@pytest.fixture
def served(sim, tmp_path):  # noqa: F811
    """The daemon in front of the simulated stub; its folder and its port."""
    s = sim()
    s.gate.stop()
    port = gate_module.free_port()
    conf = tmp_path / "kdgate.conf"
    conf.write_text(CONFIG % {"dir": tmp_path, "stub": s.stub.path, "port": port, "uid": os.getuid()})
    with open(tmp_path / "log", "w") as log:
        p = subprocess.Popen([PROGRAM, "serve", "-c", str(conf)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    gate_module.until(lambda: f"listening on unix:{tmp_path}/a.sock" in (tmp_path / "log").read_text(), "kdgate to listen")
    yield tmp_path, port, p
    if p.poll() is None:
        p.terminate()
    assert p.wait(10) == 0, (tmp_path / "log").read_text()
    assert not (tmp_path / "a.sock").exists()


def handshake(address):
    def attempt():
        c = rsp_client.Client(address)
        if c.handshake()[:1] in ("T", "S"):
            return c
        c.close()
        return None
    return gate_module.until(attempt, "a client to be served")


def test_serve(served):
    """A policy of the file's own, by user; a partial read before the range that it denies."""
    folder, port, _ = served
    c = handshake(f"127.0.0.1:{port}")
    assert len(c.ask("m1000,10")) == 32
    assert len(c.ask("m1ff0,20")) == 32, "up to the denied byte"
    assert c.ask("m2000,4").startswith("E")
    assert c.ask("M1000,1:00").startswith("E")
    assert '"policy":"reader"' in (folder / "audit.jsonl").read_text()
    o = handshake(f"unix:{folder}/a.sock")
    assert len(o.ask("m2000,4")) == 8
    assert (os.stat(folder / "a.sock").st_mode & 0o777) == 0o600


def test_rotation(served):
    folder, port, p = served
    handshake(f"127.0.0.1:{port}").close()
    (folder / "audit.jsonl").rename(folder / "audit.1")
    p.send_signal(signal.SIGHUP)
    gate_module.until((folder / "audit.jsonl").exists, "the new audit file")
    handshake(f"127.0.0.1:{port}").close()
    gate_module.until(lambda: '"connect"' in (folder / "audit.jsonl").read_text(), "lines in the new file")


def in_terminal(words, log, before=()):
    """The process, whose controlling terminal is a new one; its other end, which closes it."""
    ours, its = os.openpty()
    p = subprocess.Popen([*before, PROGRAM, *words], stdin=its, stdout=log, stderr=log, start_new_session=True,
                         preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(its)
    return p, ours


@pytest.mark.parametrize("before, ends", [([], True), (["nohup"], False)], ids=["plain", "nohup"])
def test_a_terminal_that_is_closed(sim, tmp_path, before, ends):  # noqa: F811
    """Told twice, as by the kernel and a shell, it still leaves its target in order."""
    s = sim()
    s.gate.stop()
    log, audit = tmp_path / "log", tmp_path / "audit"
    with open(log, "w") as to:
        words = [f"rsp+unix:{s.stub.path}", "--listen", f"tcp:127.0.0.1:{gate_module.free_port()}", "--audit", str(audit)]
        p, terminal = in_terminal(words, to, before)
    try:
        gate_module.until(lambda: "target found" in log.read_text(), "kdgate to meet its target")
        audit.rename(tmp_path / "moved")
        os.close(terminal)
        p.send_signal(signal.SIGHUP)
        if not ends:
            gate_module.until(audit.exists, "the new audit file")
            p.terminate()
        assert p.wait(10) == 0, log.read_text()
    finally:
        p.kill()
    assert ("its terminal was closed" in log.read_text()) == ends
    assert "target left" in log.read_text()


def test_serve_outlives_its_terminal(served):
    folder, _, p = served
    p.terminate()
    assert p.wait(10) == 0
    audit = folder / "audit.jsonl"
    with open(folder / "log", "w") as to:
        again, terminal = in_terminal(["serve", "-c", folder / "kdgate.conf"], to)
    try:
        gate_module.until(lambda: "listening on unix" in (folder / "log").read_text(), "kdgate to listen")
        audit.rename(folder / "moved")
        os.close(terminal)
        gate_module.until(audit.exists, "the new audit file")
        again.terminate()
        assert again.wait(10) == 0
    finally:
        again.kill()


def test_check_says_what_it_means(served):
    folder, _, _ = served
    out = run("check", "-c", folder / "kdgate.conf")
    assert out.returncode == 0, out.stderr
    for word in ("reader", "0x2000-0x2fff", "a.sock", "observe"):
        assert word in out.stdout


@pytest.mark.parametrize("text, line, words", [
    ('target: { a: { connect = "rsp+tcp:127.0.0.1:1"\n listne = 1 } }', 2, "listne"),
    ('policy: { p: { rules = [ "allow mem.reed" ] } }', 1, "mem.reed"),
    ('\n\ntarget: { a: {\n connect = "rsp+tcp:nowhere" } }', 4, "port"),
    ('target: {', 1, "syntax error"),
])
def test_bad_configuration(tmp_path, text, line, words):
    conf = tmp_path / "bad.conf"
    conf.write_text(text)
    out = run("check", "-c", conf)
    assert out.returncode == 1
    assert f"{conf}:{line}: " in out.stderr and words in out.stderr and "expected" in out.stderr
    assert run("serve", "-c", conf).returncode == 1


def test_check_of_policies_alone(tmp_path):
    """As --learn writes them: what serve refuses is fine where the target comes with the command line."""
    conf = tmp_path / "learned.conf"
    conf.write_text('policy: { learned: { rules = [ "allow query" ] } }')
    out = run("check", "-c", conf)
    assert out.returncode == 0 and "target: none" in out.stdout and "policy learned\n" in out.stdout, out
    out = run("serve", "-c", conf)
    assert out.returncode == 1 and f"{conf}: there is no target" in out.stderr and "kdgate TARGET -c FILE --policy learned" in out.stderr, out
    conf.write_text('policy: { learned: { rules = [ "alow query" ] } }')
    assert run("check", "-c", conf).returncode == 1


@pytest.mark.parametrize("text, place, words", [
    ('audit = "/dev/null"', "", "there is no target"),
    ('audit_failure = "stop"\ntarget: { a: { connect = "rsp+unix:/x" listen: { address = "unix:/x/y" } } }', "", "there is no audit"),
    ('target: {\n a: { connect = "kdnet:127.0.0.1:1" key_file = "/x/k" listen: { address = "unix:/x/y" } } }', ":2", "the key in /x/k cannot be used"),
])
def test_place_of_what_only_the_whole_tells(tmp_path, text, place, words):
    conf = tmp_path / "bad.conf"
    conf.write_text(text)
    for command in ("check", "serve"):
        out = run(command, "-c", conf)
        assert out.returncode == 1 and out.stderr.startswith(f"kdgate: {conf}{place}: ") and words in out.stderr, out


def test_a_key_in_quiet():
    out = run("keygen", "-q")
    assert out.returncode == 0 and len(out.stdout.splitlines()) == 1 and not out.stderr, out.stderr


@pytest.mark.skipif(os.path.exists("/etc/kdgate/kdgate.conf"), reason="this machine has a configuration")
def test_no_configuration():
    out = run("check")
    assert out.returncode == 1 and "-c FILE" in out.stderr and "kdgate.conf.example" in out.stderr


def test_what_is_installed(gated, tmp_path):  # noqa: F811
    """A program's own prefix stands in its unit, with which systemd agrees."""
    built, prefix = tmp_path / "build", tmp_path / "a prefix"
    built.mkdir()
    (built / "kdgate").symlink_to(PROGRAM)
    for place in ([f"DESTDIR={tmp_path}/a root", "PREFIX=/usr"], [f"PREFIX={prefix}"]):
        subprocess.run(["make", "-s", "-o", built / "kdgate", "install", f"BUILD={built}", *place], cwd=gate_module.ROOT, check=True, timeout=60)
    usr = tmp_path / "a root" / "usr"
    for file in ("share/man/man1/kdgate.1", "lib/udev/rules.d/70-kdgate.rules", "share/kdgate/lldb_images.py", "share/doc/kdgate/kdgate.conf.example"):
        assert (usr / file).is_file()
    assert 'ExecStart="/usr/bin/kdgate" serve' in (usr / "lib/systemd/system/kdgate.service").read_text()
    assert run("--version", program=usr / "bin/kdgate").returncode == 0
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    out = subprocess.run(["systemd-analyze", "verify", "--man=no", prefix / "lib/systemd/system/kdgate.service"], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0 and not out.stderr, out


def test_usage():
    assert run("--help").returncode == 0
    assert run("rsp+tcp:127.0.0.1:1", "--polcy", "x").returncode == 2
    assert run("explain", "--policy", "observe", "m1000,4").returncode == 0
    assert run("explain", "--policy", "observe", "M1000,1:00").returncode == 1


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["explain", "--policy", "full", "m1000,4"], ["keygen"]], ids=lambda words: words[0])
def test_standard_output_that_is_full(words):
    with open("/dev/full", "w") as full:
        out = subprocess.run([PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=10)
    assert out.returncode == 1
    assert out.stderr.startswith("kdgate: ")


def test_check_into_a_full_disk(served):
    with open("/dev/full", "w") as full:
        out = subprocess.run([PROGRAM, "check", "-c", served[0] / "kdgate.conf"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=10)
    assert out.returncode == 1
    assert "standard output" in out.stderr


def place_of(kind, folder):
    """A target that is not there, and what keeps its sockets open."""
    path, port, held = folder / "stub.sock", gate_module.free_port(), []
    if kind == "deaf":
        held = [socket.socket(socket.AF_UNIX)]
        held[0].bind(str(path))
    if kind == "taken":
        held = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        held[0].bind(str(path))
        held[0].listen(0)
        held[1].connect(str(path))
    if kind == "raw":
        held = [socket.create_server(("127.0.0.1", port))]
    return {"closed": f"rsp+tcp:127.0.0.1:{port}", "server": f"kgdb+telnet:127.0.0.1:{port}",
            "raw": f"kd+rfc2217:127.0.0.1:{port}"}.get(kind, f"rsp+unix:{path}"), held


@pytest.mark.parametrize("kind, words", [
    ("closed", "Connection refused (nothing listens there: does the target run, with its port open?)"),
    ("server", "Connection refused (nothing listens there: does the terminal server run, with that port open?)"),
    ("raw", "it is no RFC 2217 port, or does not take that speed and mode"),
    ("none", "no such socket (does the virtual machine run?)"),
    ("deaf", "Connection refused (nothing listens there: does the virtual machine run?)"),
    ("taken", "another program has it, and others wait (another debugger, another kdgate?)"),
])
def test_why_there_is_no_target(tmp_path, kind, words):
    """It is told with its remedy, to whoever runs kdgate once for all tries, and to a debugger that asks."""
    target, held = place_of(kind, tmp_path)
    port, log = gate_module.free_port(), tmp_path / "log"
    with open(log, "w") as to:
        p = subprocess.Popen([PROGRAM, target, "--listen", f"tcp:127.0.0.1:{port}"], stdin=subprocess.DEVNULL, stdout=to, stderr=to)
    try:
        gate_module.until(lambda: words in log.read_text(), "the reason")
        c = rsp_client.Client(f"127.0.0.1:{port}", timeout=10)
        assert words in c.ask("qSupported:error-message+"), "the target is called at once for it, and more than once"
        c.close()
    finally:
        p.terminate()
        assert p.wait(10) == 0
        for s in held:
            s.close()
    assert log.read_text().count("trying again") == 1, log.read_text()


def test_why_nobody_has_dialled_yet(tmp_path):
    """A debugger that comes before kdgate has given up for the first time is told what it waits for."""
    port, log, key = gate_module.free_port(), tmp_path / "log", tmp_path / "key"
    key.write_text(run("keygen").stdout)
    key.chmod(0o600)
    with open(log, "w") as to:
        p = subprocess.Popen([PROGRAM, f"kdnet:127.0.0.1:{gate_module.free_port()}", "--key-file", key, "--listen", f"tcp:127.0.0.1:{port}"],
                             stdin=subprocess.DEVNULL, stdout=to, stderr=to)
    try:
        gate_module.until(lambda: "listening on" in log.read_text(), "kdgate to listen")
        c = rsp_client.Client(f"127.0.0.1:{port}", timeout=30)
        assert "is away: no datagram has come" in c.ask("qSupported:error-message+")
        c.close()
    finally:
        p.terminate()
        assert p.wait(10) == 0


def test_what_is_learned_and_cannot_be_written(sim):  # noqa: F811
    s = sim()
    s.gate.stop()
    p = subprocess.Popen([PROGRAM, f"rsp+unix:{s.stub.path}", "--listen", "stdio", "--learn", "/dev/full"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = p.communicate(timeout=10)[1]
    assert p.returncode == 1
    assert "the policy that was learned cannot be written: No space left on device" in log


def test_audit_that_cannot_be_written(sim):  # noqa: F811
    """audit_failure = stop: no decision without its line. The target is left as at any end."""
    s = sim()
    s.gate.stop()
    out = run(f"rsp+unix:{s.stub.path}", "--listen", f"tcp:127.0.0.1:{gate_module.free_port()}", "--audit", "/dev/full", "--audit-failure", "stop")
    assert out.returncode == 1
    assert "audit log cannot be written" in out.stderr and "target left" in out.stderr


def test_standard_input(sim):  # noqa: F811
    """As gdb starts it: target remote | kdgate ... The program ends with its client."""
    s = sim()
    s.gate.stop()
    ours, its = socket.socketpair()
    p = subprocess.Popen([PROGRAM, f"rsp+unix:{s.stub.path}", "--listen", "stdio"], stdin=its, stdout=its, stderr=subprocess.PIPE)
    its.close()
    ours.settimeout(5)
    ours.sendall(b"+$qSupported:swbreak+#8b")
    got = b""
    while b"#" not in got:
        got += ours.recv(4096)
    assert got.startswith(b"+$PacketSize="), got
    ours.close()
    log = p.communicate(timeout=10)[1].decode()
    assert p.returncode == 0, log
    assert "the client on standard input has left" in log


def test_two_cannot_listen_at_one_place(sim):  # noqa: F811
    s = sim()
    host, port = s.debug.rsplit(":", 1)
    out = run(f"rsp+unix:{s.stub.path}", "--listen", f"tcp:{host}:{port}")
    assert out.returncode == 1
    assert "another program listens there" in out.stderr


def test_ends_at_once_when_told_twice(sim):  # noqa: F811
    """A target that does not answer holds the first SIGTERM for a while, never the second."""
    s = sim()
    s.stub.process.send_signal(signal.SIGSTOP)
    try:
        s.gate.process.terminate()
        time.sleep(0.2)
        s.gate.process.terminate()
        assert s.gate.process.wait(3) == 0
    finally:
        s.stub.process.send_signal(signal.SIGCONT)
