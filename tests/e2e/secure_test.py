"""secure_test.py - secure mode as a program: what it refuses under every policy, and that nothing takes it back."""
import contextlib
import json
import os
import signal
import subprocess

import pytest

import gate as gate_module
import rsp_client
from sim_gate import gated, sim  # noqa: F401

pytestmark = pytest.mark.gated
PROGRAM = gate_module.PROGRAM
WORDS = "kdgate: secure mode: "
ENVIRONMENT = {"KDGATE_SECURE": "0", "KDGATE_OPTIONS": "--no-secure", "SECURE": "false", "KDGATE_CONFIG": "/dev/null"}

CONFIG = """
secure = %(secure)s
sandbox = "try"
audit = "%(dir)s/audit.jsonl"
policy: { all: { rules = "allow all" }
          named: { rules = [ "allow query mem.read reg.read process", "allow monitor match 'info *'" ] } }
target: { a: { connect = "rsp+unix:%(stub)s"
       listen: ( { address = "tcp:127.0.0.1:%(all)d"  policy = "all" },
                 { address = "tcp:127.0.0.1:%(full)d"  policy = "full" },
                 { address = "tcp:127.0.0.1:%(named)d"  policy = "named" } ) } }
"""


def hexed(text):
    return text.encode().hex()


# What is refused where a policy allows it all, and the answer: never an empty one where a debugger would then look at home.
FILES = [f"vFile:{p}" for p in ("setfs:0", f"open:{hexed('/etc/passwd')},0,0", "close:3", "pread:3,10,0", "pwrite:3,0,x", "fstat:3",
                                f"stat:{hexed('/')}", f"lstat:{hexed('/')}", f"unlink:{hexed('/x')}", f"readlink:{hexed('/x')}",
                                f"size:{hexed('/x')}", f"mode:{hexed('/x')}", f"exists:{hexed('/x')}", f"MD5:{hexed('/x')}",
                                f"symlink:{hexed('/x')},{hexed('/y')}")]
TOLD = [f"vRun;{hexed('/bin/sh')}", "vRun;", "vAttach;1", f"vAttachName;{hexed('sh')}", f"vAttachWait;{hexed('sh')}",
        f"A4,0,{hexed('sh')}", "QEnvironment:A=b", f"QEnvironmentHexEncoded:{hexed('LD_PRELOAD=/x')}", "QEnvironmentReset",
        f"QSetWorkingDir:{hexed('/')}", "QStartupWithShell:1", "QDisableRandomization:0", f"QSetSTDOUT:{hexed('/x')}", "qLaunchSuccess",
        f"qRcmd,{hexed('reset')}", f"qRcmd,{hexed('info x')}", f"qRcmd,{hexed('migrate exec:sh')}"]
EMPTY = ["qXfer:exec-file:read::0,fff", "qXfer:osdata:read:processes:0,fff", f"qPlatform_shell:{hexed('sh')},1", f"qPlatform_mkdir:1ff,{hexed('/x')}",
         f"qModuleInfo:{hexed('/x')};{hexed('x86_64')}", f"qPathComplete:0,{hexed('/')}", "qGetWorkingDir", "qSaveCore", f"QTSave:{hexed('/x')}",
         "QTDP:1:1000:E:0:0", "QTStart", "QAgent:1", "qfProcessInfo", "qUserName:0", "qLaunchGDBServer;host:x;", "_M1000,rwx", "vSecret;1",
         "qXfer:spu:read:/etc/passwd:0,fff", f"vFile:chown:{hexed('/x')}", "F0,0"]


class Secure:
    """kdgate in secure mode, as the daemon, in front of the simulated stub. .ports by policy."""

    def __init__(self, stub, folder, secure="true", options=()):
        self.stub, self.dir, self.options = stub, folder, options
        self.ports = {p: gate_module.free_port() for p in ("all", "full", "named")}
        self.conf, self.log_file, self.process = folder / "kdgate.conf", folder / "log", None
        self.configure(secure)

    def configure(self, secure):
        self.conf.write_text(CONFIG % {"dir": self.dir, "stub": self.stub.path, "secure": secure, **self.ports})

    def log(self):
        return self.log_file.read_text()

    def start(self):
        with open(self.log_file, "w") as log:
            self.process = subprocess.Popen([PROGRAM, "serve", "-c", str(self.conf), *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **ENVIRONMENT})
        gate_module.until(lambda: self.process.poll() is not None or self.log().count("listening on") == 3, "kdgate to listen")
        assert self.process.poll() is None, self.log()
        return self

    def audit(self, **wanted):
        lines = [json.loads(line) for line in (self.dir / "audit.jsonl").read_text().splitlines()]
        return [line for line in lines if all(line.get(k) == v for k, v in wanted.items())]

    @contextlib.contextmanager
    def client(self, policy="all"):
        """One that has shaken hands and controls the target."""
        def attempt():
            c = rsp_client.Client(f"127.0.0.1:{self.ports[policy]}")
            with contextlib.suppress(OSError, rsp_client.Closed, TimeoutError):
                if c.handshake()[:1] in ("T", "S"):
                    return c
            c.close()
            return None
        c = gate_module.until(attempt, "a client to be served")
        with c:
            yield c

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.wait(10) == 0, self.log()
        assert "runtime error" not in self.log() and "AddressSanitizer" not in self.log(), self.log()


@pytest.fixture
def stub(sim):  # noqa: F811
    s = sim()
    s.gate.stop()
    return s.stub


@pytest.fixture
def secure(stub, tmp_path):
    """secure(secure="true", options=[...]): a running daemon."""
    running = []

    def start(**how):
        running.append(Secure(stub, tmp_path, **how))
        return running[-1].start()

    yield start
    for s in running:
        s.stop()


def monitor(c, text):
    """What a monitor command prints, and how it ends."""
    said, answer = "", c.ask(f"qRcmd,{hexed(text)}")
    while answer[:1] == "O" and answer != "OK":
        said, answer = said + bytes.fromhex(answer[1:]).decode(), c.hear()
    return said + answer


def reached(stub, packets):
    """Those of the packets that the stub was sent, as they are or with other arguments."""
    names = {p.split(":")[0].split(";")[0].split(",")[0] for p in packets} - {"F0", "qXfer"}
    return [p for p in stub.packets() if p in packets or any(p.startswith(n) for n in names if len(n) > 1) or p.startswith("qXfer:exec-file")]


def assert_secure(s, c):
    before = len(s.audit(event="deny"))
    assert c.ask(FILES[1]) == "F-1,1"
    assert c.ask(TOLD[0]).startswith(f"E.{WORDS}")
    assert c.ask(EMPTY[0]) == ""
    gate_module.until(lambda: len(s.audit(event="deny")) == before + 3, "three lines of audit")
    assert not reached(s.stub, [FILES[1], TOLD[0], EMPTY[0]])


def test_refuses_where_a_policy_allows_all(secure):
    s = secure()
    with s.client("all") as c:
        for packet in FILES:
            assert c.ask(packet) == "F-1,1", packet
        for packet in TOLD:
            assert c.ask(packet).startswith(f"E.{WORDS}"), packet
        for packet in EMPTY:
            assert c.ask(packet) == "", packet
        n = len(FILES + TOLD + EMPTY)
        lines = gate_module.until(lambda: len(found := s.audit(event="deny")) == n and found, "a line for each")
        assert all(line["text"].startswith(WORDS) and line["policy"] == "all" for line in lines), lines
        assert not reached(s.stub, FILES + TOLD + EMPTY)
        assert len(c.ask("m1000,10")) == 32, "and the target is there as ever"
        assert c.ask("M1000,1:00") == "OK" and c.ask("Z0,1000,1") == "OK" and c.ask("z0,1000,1") == "OK"


def test_refuses_under_full(secure):
    """What full denies itself is denied by it; the rest of the host's by secure mode."""
    s = secure()
    with s.client("full") as c:
        assert all(c.ask(p) == "F-1,1" for p in FILES)
        assert all(c.ask(p).startswith(f"E.{WORDS}") for p in TOLD)
        assert all(c.ask(p) == "" for p in EMPTY)
        gate_module.until(lambda: len(s.audit(event="deny", policy="full")) == len(FILES + TOLD + EMPTY), "a line for each")
        assert not reached(s.stub, FILES + TOLD + EMPTY)
        assert c.ask("M1000,1:00") == "OK"


def test_monitor_by_name(secure):
    s = secure()
    with s.client("named") as c:
        assert "secure mode" not in monitor(c, "info registers")
        assert f"qRcmd,{hexed('info registers')}" in s.stub.packets()
        assert "policy named does not allow monitor" in monitor(c, "reset")
        assert c.ask("vAttach;1").startswith(f"E.{WORDS}")
    assert f"qRcmd,{hexed('reset')}" not in s.stub.packets()


def test_is_told(secure):
    """Before the first target; in the log, in the audit, by kdgate check, and to whoever asks."""
    s = secure()
    text = s.log()
    assert text.index("secure mode is on") >= 0
    first = [line["event"] for line in s.audit()]
    assert "latch" in first and ("target-found" not in first or first.index("latch") < first.index("target-found"))
    with s.client("all") as c:
        assert "on" in monitor(c, "secure") and "on" in monitor(c, "kdgate secure")
    out = subprocess.run([PROGRAM, "check", "-c", s.conf], capture_output=True, text=True, timeout=10)
    assert out.returncode == 0 and "secure mode: on" in out.stdout and "kdgate stops" in out.stdout, out


@pytest.mark.parametrize("how", [{"secure": "true"}, {"secure": "false", "options": ["--secure"]}, {"secure": "true", "options": ["--secure"]}])
def test_however_it_was_asked_for(secure, how):
    s = secure(**how)
    with s.client() as c:
        assert_secure(s, c)


def test_without_it_policy_decides(secure):
    s = secure(secure="false")
    assert "secure mode is on" not in s.log() and not s.audit(event="latch")
    with s.client() as c:
        assert c.ask(FILES[1]) == "F-1,1", "the stub has no files; gdb must not look for them at home"
        assert "off" in monitor(c, "secure")
        assert "secure mode" not in monitor(c, "reset")
        assert reached(s.stub, [f"qRcmd,{hexed('reset')}"])
        assert c.ask("QTStart") == "" and reached(s.stub, ["QTStart"])


@pytest.mark.parametrize("how", ["true", "false"])
def test_gdb_opens_no_file_at_home(secure, how):
    """Where a stub is known to have no files, gdb opens the same path on its own host."""
    s = secure(secure=how)
    with s.client():  # it has met its target
        pass
    file = os.path.realpath("/bin/sh")
    script = ["set sysroot target:", f"target remote 127.0.0.1:{s.ports['all']}", f"file target:{file}", "info files", "detach"]
    out = subprocess.run(["gdb", "-nx", "-batch", *(word for line in script for word in ("-ex", line))], capture_output=True, text=True, timeout=60,
                         stdin=subprocess.DEVNULL)
    assert " in ?? ()" in out.stdout, out
    assert "file type" not in out.stdout and "local filesystem" not in out.stderr, out
    assert f"target:{file}" in out.stderr and "Operation not permitted" in out.stderr, out


def test_signals_do_not_undo_it(secure):
    s = secure()
    with s.client() as c:
        s.process.send_signal(signal.SIGHUP)
        assert_secure(s, c)


def test_a_changed_file_does_not_undo_it(secure):
    s = secure()
    with s.client() as c:
        s.configure("false")
        s.process.send_signal(signal.SIGHUP)
        assert_secure(s, c)
        s.conf.unlink()
        s.process.send_signal(signal.SIGHUP)
        assert_secure(s, c)
    with s.client() as c:  # nor for whoever comes after
        assert_secure(s, c)
        assert "on" in monitor(c, "secure")


@pytest.mark.parametrize("text", ["secure off", "secure 0", "secure false", "kdgate secure off", "kdgate secure=false", "secure\noff", " secure off"])
def test_monitor_commands_do_not_undo_it(secure, text):
    s = secure()
    with s.client() as c:
        said = monitor(c, text)
        assert "off" not in said.replace(text, "") or "secure mode: on" in said, said
        assert_secure(s, c)
        assert "on" in monitor(c, "secure")
    assert not [p for p in s.stub.packets() if p.startswith("qRcmd")]


def run(*words, seconds=10):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("options, words", [
    (["--secure"], "secure mode needs an audit"),
    (["--secure", "--audit", "/x", "--audit-failure", "continue"], "does not go on without its audit"),
    (["--secure", "--audit", "/x", "--sandbox", "off"], "secure mode has a sandbox"),
    (["--secure", "--audit", "/x", "--learn", "/y"], "secure mode does not learn"),
    (["--secure", "--audit", "/x", "--listen", "tcp:0.0.0.0:1", "--allow", "192.0.2.7", "--accept-plain-risk"], "beyond loopback"),
    (["--secure", "--audit", "/x", "--secure=false"], "takes no value"),
    (["--secure", "--audit", "/x", "--no-secure"], "unknown or ambiguous option --no-secure"),
    (["--secure", "--audit", "/x", "--insecure"], "unknown or ambiguous option --insecure"),
])
def test_refuses_to_start(gated, options, words):  # noqa: F811
    out = run("rsp+unix:/nowhere", *options)
    assert out.returncode == 2 and words in out.stderr, out


@pytest.mark.parametrize("lines, line, words", [
    ('audit = "/x"\naudit_failure = "continue"', 2, "does not go on without its audit"),
    ('audit = "/x"\nsandbox = "off"', 2, "secure mode has a sandbox"),
    ('audit = "/x"\n\npolicy: { p: { rules = [ ]\n paths = true } }', 4, "policy p has paths = true"),
    ('learn = "/x"', 1, "--learn FILE on the command line"),
])
def test_refuses_a_file(gated, tmp_path, lines, line, words):  # noqa: F811
    conf = tmp_path / "kdgate.conf"
    conf.write_text(f'{lines}\nsecure = true\ntarget: {{ a: {{ connect = "rsp+unix:/nowhere" listen: {{ address = "unix:/nowhere/s" }} }} }}\n')
    for command in ("check", "serve"):
        out = run(command, "-c", conf)
        assert out.returncode == 1 and f"{conf}:{line}: " in out.stderr and words in out.stderr, out


def test_refuses_a_file_without_an_audit(gated, tmp_path):  # noqa: F811
    conf = tmp_path / "kdgate.conf"
    conf.write_text('secure = true target: { a: { connect = "rsp+unix:/nowhere" listen: { address = "unix:/nowhere/s" } } }')
    for command in ("check", "serve"):
        out = run(command, "-c", conf)
        assert out.returncode == 1 and "secure mode needs an audit" in out.stderr, out


def test_ends_with_its_audit(stub):
    """audit_failure without a word: no decision without its line."""
    out = run(f"rsp+unix:{stub.path}", "--listen", f"tcp:127.0.0.1:{gate_module.free_port()}", "--audit", "/dev/full", "--secure", "--sandbox", "try")
    assert out.returncode == 1 and "audit log cannot be written" in out.stderr, out
