"""test_sandbox.py - kdgate in an intruder's hands (compromised.c): what it tries fails or ends it, and would do without the sandbox."""
import os
import pathlib
import signal
import socket
import subprocess

import pytest

import gate as gate_module

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "kdgate-compromised"
ROOT_USER = os.getuid() == 0
pytestmark = [pytest.mark.gated]

# What is tried, with what, and does it end the process (else it is refused)? {words} are filled in by the place it happens in.
DOES = [
    ("read {secret}", False), ("read /bin/true", False), ("read /", False), ("list {home}", False), ("list /etc", False),
    ("write {secret}", False), ("append {secret}", False), ("append {home}/new", False), ("create {home}/new", False),
    ("create {logs}/new", False), ("truncate {secret}", False), ("truncate {logs}/audit.jsonl", False), ("remove {secret}", False),
    ("rename {logs}/audit.jsonl", False), ("link {logs}/new", False), ("directory {logs}/new", False), ("mode {logs}/audit.jsonl", False),
    ("tcp {other_port}", False), ("fastopen {other_port}", False), ("mptcp {port}", False), ("listen 0", False),
    ("unix {socket}", False), ("abstract {abstract}", False), ("udp", False), ("netlink 0", False),
    ("exec /bin/echo", True), ("fork", True), ("clone", True), ("clone3", False), ("memory {pid}", True), ("kill {pid}", False), ("sigio {pid}", False),
    ("map", False), ("protect", False), ("memfd", False),
]
DOES_AS_ROOT = [("ptrace {pid}", True), ("raw", False), ("setuid 65534", True), ("userns", True), ("chroot {home}", True), ("append /etc/passwd", False),
                ("read /etc/shadow", False)]
# The kernel would not do these either, as they are asked for; but there it is an error.
REACHES = [("mount", True), ("module", True), ("bpf", True), ("perf", True), ("ring", False)]
# What serving needs.
NEEDS = ["nothing", "read /etc/passwd", "read /proc/self/net/tcp", "read /proc/net/tcp6", "append {logs}/audit.jsonl", "append {logs}/new", "read {logs}/audit.jsonl",
         "tcp {port}", "remove {sockets}/left", "user root", "netlink 4"]


@pytest.fixture(scope="session")
def program():
    made = subprocess.run(["make", str(PROGRAM.relative_to(ROOT))], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return PROGRAM


class Place:
    """Everything around that an intruder could want."""

    def __init__(self, folder):
        self.folder, self.closing = folder, []
        for name in ("home", "logs", "sockets"):
            (folder / name).mkdir()
        self.secret = folder / "home" / "secret"
        self.secret.write_text("secret")
        (folder / "sockets" / "left").touch()
        self.abstract = f"kdgate-test-{os.getpid()}"
        self.port, self.other_port = self.tcp(), self.tcp()
        self.socket = folder / "home" / "socket"
        self.unix(str(self.socket))
        self.unix("\0" + self.abstract)
        self.sleeper = subprocess.Popen(["sleep", "60"])

    def tcp(self):
        self.closing.append(socket.create_server(("127.0.0.1", 0)))
        return self.closing[-1].getsockname()[1]

    def unix(self, name):
        s = socket.socket(socket.AF_UNIX)
        s.bind(name)
        s.listen()
        self.closing.append(s)

    def words(self, text):
        f = self.folder
        return text.format(home=f / "home", logs=f / "logs", sockets=f / "sockets", secret=self.secret, socket=self.socket, abstract=self.abstract,
                           port=self.port, other_port=self.other_port, pid=self.sleeper.pid)

    def command(self, program, target=None, *options):
        return [program, target or f"rsp+tcp:127.0.0.1:{self.port}", "--listen", f"tcp:127.0.0.1:{gate_module.free_port()}",
                "--listen", f"unix:{self.folder}/sockets/own", "--audit", f"{self.folder}/logs/audit.jsonl", *options]

    def attempt(self, program, text, mode, **how):
        """"did", "failed: EPERM"; "died"."""
        words = self.command(program, how.get("target"), "--sandbox", mode)
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, env={**os.environ, "KDGATE_TRY": self.words(text)})
        if done.returncode == -signal.SIGSYS:
            return "died"
        assert done.returncode == how.get("code", 0), (done.returncode, done.stdout, done.stderr)
        assert mode == "off" or "confined by seccomp, Landlock" in done.stderr
        return done.stdout.strip()

    def close(self):
        self.sleeper.kill()
        self.sleeper.wait()
        for s in self.closing:
            s.close()


@pytest.fixture
def place(tmp_path):
    p = Place(tmp_path)
    yield p
    p.close()


def cases():
    needs_root = pytest.mark.skipif(not ROOT_USER, reason="needs root, whom nothing else refuses it")
    yield from ((text, dies) for text, dies in DOES)
    yield from (pytest.param(text, dies, marks=needs_root) for text, dies in DOES_AS_ROOT)


def attempt_confined(place, program, text, dies):
    outcome = place.attempt(program, text, "must")
    assert outcome == "died" if dies else outcome.startswith("failed: "), f"{text}: {outcome}"


@pytest.mark.parametrize("text, dies", cases())
def test_an_intruder_is_refused(place, program, text, dies):
    attempt_confined(place, program, text, dies)
    assert place.secret.read_text() == "secret" and place.sleeper.poll() is None
    free = place.attempt(program, text, "off")
    if text.startswith("mptcp") and free.split()[-1] in ("EPROTONOSUPPORT", "ENOPROTOOPT"):
        pytest.skip("this kernel has no multipath TCP")
    assert free == "did", f"{text}: {free}"


@pytest.mark.parametrize("text, dies", REACHES)
def test_an_intruder_does_not_reach_the_kernel(place, program, text, dies):
    attempt_confined(place, program, text, dies)
    assert place.attempt(program, text, "off").startswith("failed: ")


@pytest.mark.parametrize("text", NEEDS)
def test_what_serving_needs_goes_on(place, program, text):
    assert place.attempt(program, text, "must") == "did"


def test_it_may_still_end_itself(place, program):
    assert place.attempt(program, "abort", "must", code=-signal.SIGABRT) == ""


def test_sockets_are_those_of_the_targets(place, program):
    """A Unix target opens Unix sockets (of any path: Landlock has no word for them), and closes TCP; a name opens UDP, for DNS."""
    target = f"rsp+unix:{place.socket}"
    assert place.attempt(program, "unix {socket}", "must", target=target) == "did"
    assert place.attempt(program, "tcp {port}", "must", target=target).startswith("failed: ")
    assert place.attempt(program, "abstract {abstract}", "must", target=target).startswith("failed: ")
    assert place.attempt(program, "udp", "must", target=f"rsp+tcp:localhost:{place.port}") == "did"
    assert place.attempt(program, "tcp {other_port}", "must", target=f"rsp+tcp:localhost:{place.port}").startswith("failed: ")


def test_a_directory_with_more_than_logs_stays_closed(place, program):
    (place.folder / "logs" / ".profile").touch()
    assert place.attempt(program, "append {logs}/new", "must").startswith("failed: ")
    assert place.attempt(program, "append {logs}/audit.jsonl", "must") == "did"


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in f)}


def test_the_program_itself_is_confined(tmp_path):
    """Not only the one that was built for this test; and without a word about it."""
    if b"__asan_init" in pathlib.Path(gate_module.PROGRAM).read_bytes():
        pytest.skip("a sanitizer's build is not confined")
    place = Place(tmp_path)
    with open(tmp_path / "log", "w") as log:
        p = subprocess.Popen(place.command(gate_module.PROGRAM), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        gate_module.until(lambda: "confined by" in (tmp_path / "log").read_text() or p.poll() is not None, "kdgate to be confined")
        now = status(p.pid)
        assert now["NoNewPrivs"] == "1" and now["Seccomp"] == "2"
        assert {int(now[cap], 16) for cap in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    finally:
        p.terminate()
        assert p.wait(10) == 0
        place.close()
    assert not (tmp_path / "sockets" / "own").exists()
