"""hostile_run.py - one debugger, one kdgate, one stub that attacks, and a host to be attacked: what became of each."""
import atexit
import ctypes
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import secrets
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import debuggers
import gate as gate_module
import rsp_client

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "sim"))
STUB = ROOT / "tests" / "sim" / "hostile.py"
BREAK, STACK = 0xffffffff81002000, 0xffffc90000003f00


# --- the host
class Opens:
    """Which files below a folder were opened. Linux's inotify, by hand."""

    IN_OPEN = 0x20

    def __init__(self, folder):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.fd >= 0 and self.libc.inotify_add_watch(self.fd, os.fsencode(str(folder)), self.IN_OPEN) >= 0

    def names(self):
        found = set()
        try:
            while data := os.read(self.fd, 65536):
                while data:
                    size = struct.unpack_from("iIII", data)[3]
                    found.add(data[16:16 + size].rstrip(b"\0").decode())
                    data = data[16 + size:]
        except BlockingIOError:
            pass
        return sorted(found - {""})

    def close(self):
        os.close(self.fd)


class Host:
    """A home, a folder to work in, and things that an attacker would like."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kdgate-host-"))
        self.home, self.cwd, self.canary = (self.dir / n for n in ("home", "cwd", "canary"))
        for folder in (self.home / ".ssh", self.cwd, self.canary):
            folder.mkdir(parents=True)
        for name in (self.home / ".profile", self.home / ".ssh" / "authorized_keys", self.cwd / "notes", self.canary / "secret"):
            name.write_text(f"canary {secrets.token_hex(8)}\n")
        for folder in (self.cwd, self.canary):
            shutil.copy("/bin/true", folder / "canary.elf")
        self.opens = Opens(self.canary), Opens(self.cwd)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.server.getsockname()[1]

    def snapshot(self):
        """Names, sizes, contents."""
        found = {}
        for path in sorted(self.dir.rglob("*")):
            data = path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(self.dir))] = (len(data), hashlib.sha256(data).hexdigest())
        for o in self.opens:
            o.names()                       # our own
        return found

    def opened(self):
        return sorted({name for o in self.opens for name in o.names()})

    def called(self):
        """Somebody connected to the URL."""
        return bool(select.select([self.server], [], [], 0)[0])

    def close(self):
        for o in self.opens:
            o.close()
        self.server.close()
        shutil.rmtree(self.dir, ignore_errors=True)


# --- the stub
class Stubs:
    """One process that makes them all."""

    def __init__(self):
        self.lock, self.process = threading.Lock(), None

    def start(self, **how):
        with self.lock:
            if self.process is None:
                self.process = subprocess.Popen(["/usr/bin/python3", str(STUB), "--many"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                atexit.register(self.process.kill)
            self.process.stdin.write(json.dumps(how) + "\n")
            self.process.stdin.flush()
            return int(self.process.stdout.readline())


STUBS = Stubs()


class Stub:
    def __init__(self, case, host):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kdgate-hostile-"))
        self.path, self.record_file = self.dir / "stub.sock", self.dir / "record"
        self.record_file.touch()
        self.pid = STUBS.start(listen=f"unix:{self.path}", case=case, record=str(self.record_file), canary=str(host.canary), url=host.url,
                               errors=str(self.dir / "stderr"))

    def record(self, kind):
        lines = self.record_file.read_text(encoding="latin-1").splitlines()
        return [line.partition(" ")[2].strip("'\"") for line in lines if line.startswith(kind + " ")]

    def errors(self):
        return (self.dir / "stderr").read_text() if (self.dir / "stderr").exists() else ""

    def signal(self, number):
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def close(self):
        self.signal(signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)


# --- debuggers
OUT_MAX = 16 << 20      # no test looks at more


class Driver:
    """A debugger told what to do line by line, whatever it answers; interrupted where it takes too long."""

    command, mark_line, after = (), "", []

    def __init__(self, host, patience=9.0):
        env = {**debuggers.ENV, "HOME": str(host.home), "XDG_CACHE_HOME": str(host.home / ".cache"), "TMPDIR": str(host.dir), "COLUMNS": "200"}
        env.pop("XDG_CONFIG_HOME", None)
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=host.cwd,
                                        start_new_session=True)
        self.out, self.patience, self.lines, self.slow = bytearray(), patience, 0, []
        self.nonce = secrets.token_hex(4)

    def read_some(self, seconds):
        if select.select([self.process.stdout], [], [], max(seconds, 0))[0]:
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            self.out += data[:max(0, OUT_MAX - len(self.out))]
            return data
        return None

    def write(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def wait_for(self, mark, seconds):
        end, tail = time.monotonic() + seconds, b""
        while (left := end - time.monotonic()) > 0:
            data = self.read_some(min(left, 0.5))
            if data == b"":
                return True                 # it has ended
            tail = (tail + (data or b""))[-(1 << 20):]
            if mark in tail:
                return True
            tail = tail[-4096:]
        return False

    def ask(self, line):
        """Interrupted after a while; False: not even that helped."""
        self.lines += 1
        mark = f"mark-{self.nonce}-{self.lines}"
        self.write(line)
        self.write(self.mark_line % mark)
        if self.wait_for(mark.encode(), self.patience):
            return True
        self.slow.append(line)
        for _ in range(3):
            self.interrupt()
            if self.wait_for(mark.encode(), 4):
                return True
        return False

    def interrupt(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def finish(self, seconds=15):
        """Told to end. None: it did not."""
        self.write("quit")
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.read_some(end - time.monotonic()):
            pass
        try:
            return self.process.wait(max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Gdb(Driver):
    command, mark_line = (debuggers.GDB, "-q", "-nx", "-ex", "set confirm off", "-ex", "set pagination off", "-ex", "set width 0"), "echo %s\\n"

    def begin(self, address):
        return ["set tcp connect-timeout 3", f"target remote {address}"]

    def steps(self, case):
        return ["info registers", "info registers rip eflags", "x/8xg $rsp", "x/2i $pc", "info threads", *case.gdb,
                f"break *{BREAK:#x}", "continue", "delete", "x/4xb 0xffffffff81000000", "RUN", "monitor help", "detach"]

    def run(self):
        """Without a breakpoint: until it is interrupted."""
        self.lines += 1
        mark = f"mark-{self.nonce}-{self.lines}"
        self.write("continue")
        self.write(self.mark_line % mark)
        if self.wait_for(mark.encode(), 0.5):
            return True
        for _ in range(3):
            self.interrupt()
            if self.wait_for(mark.encode(), self.patience):
                return True
        return False


class Lldb(Driver):
    # Without the last two it searches the disk for symbols, and the whole memory for a Darwin kernel.
    SETTINGS = ("stop-disassembly-display never", "interpreter.prompt-on-quit false", "auto-confirm true", "symbols.enable-external-lookup false",
                "plugin.dynamic-loader.darwin-kernel.scan-type none")
    command = (debuggers.LLDB, "--no-lldbinit", "--no-use-colors", *(w for s in SETTINGS for w in ("-o", f"settings set {s}")))
    mark_line = "# %s"
    after = ["target delete --all"]

    def begin(self, address):
        return [f"gdb-remote {address}"]

    def steps(self, case):
        return ["register read rip rsp eflags", "register read", f"memory read -c 64 {STACK:#x}", "thread list", *case.lldb,
                f"breakpoint set -a {BREAK:#x}", "RUN", "breakpoint delete -f", "memory read -c 4 0xffffffff81000000", "RUN",
                "process plugin packet monitor help", "detach"]

    def run(self):
        """lldb comes back at once; what comes of it is waited for, then it is interrupted."""
        start = len(self.out)
        self.ask("continue")
        end = time.monotonic() + 0.7
        while time.monotonic() < end and not re.search(rb"stop reason|exited|error", self.out[start:]):
            if self.read_some(end - time.monotonic()) == b"":
                break
        return self.ask("process interrupt")


DRIVERS = {"gdb": Gdb, "lldb": Lldb}


# --- what came of it
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]")


def controls(out):
    """Control characters, and bytes that are no UTF-8."""
    text = bytes(out).decode("utf-8", "surrogateescape")
    return sorted({f"{ord(c):#x}" for c in set(text) if CONTROL.match(c)})


@dataclasses.dataclass
class Outcome:
    code: object = None         # the debugger's exit code; None: it did not end when it was told to
    stuck: str = ""             # the command that nothing could end
    slow: tuple = ()            # commands that had to be interrupted
    out: bytes = b""
    controls: tuple = ()
    changed: tuple = ()         # on disk
    opened: tuple = ()          # files that an attacker named
    called: bool = False        # the URL
    attacks: tuple = ()
    files: tuple = ()           # answers to requests for files
    wrote: tuple = ()           # into the target's memory, for those
    packets: tuple = ()
    audit: tuple = ()
    alive: str = ""             # what is wrong with kdgate afterwards
    serves: str = ""            # and with what the next client gets
    log: str = ""
    seconds: float = 0
    peak_kb: int = 0
    stub_errors: str = ""

    def kinds(self):
        """{"reply": 3}: incidents told, by kind."""
        found = {}
        for line in self.audit:
            if line.get("event") == "guard":
                found[kind_of(line)] = found.get(kind_of(line), 0) + 1
        return found

    def lost(self):
        return any(line.get("event") == "target-lost" for line in self.audit)


def kind_of(line):
    return line.get("kind") or line.get("what") or re.match(r"\w+", line.get("text", "?"))[0]


def differences(before, after):
    return tuple(sorted({f"{'new' if n not in before else 'gone' if n not in after else 'changed'} {n}"
                         for n in before.keys() | after.keys() if before.get(n) != after.get(n)}))


def drive(driver, address, case, found, last):
    """Through all of it, whatever comes of it. last: and to its end."""
    start = len(driver.out)
    driver.slow = []
    for line in driver.begin(address) + driver.steps(case) + driver.after:
        if driver.process.poll() is not None:
            break
        if not (driver.run() if line == "RUN" else driver.ask(line)):
            found.stuck = line
            break
    last = last or found.stuck or driver.process.poll() is not None
    found.code = driver.finish() if last else 0
    found.out = bytes(driver.out[start:])
    found.controls, found.slow = tuple(controls(found.out)), tuple(driver.slow)


def peak(pid):
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
    except (OSError, TypeError):
        return 0


def look_after(gate, stub, found):
    """kdgate lives, and serves whoever comes next: at least with a word of what is wrong; in full, when the target is honest again."""
    if gate.process.poll() is not None:
        found.alive = f"kdgate ended with {gate.process.returncode}"
        return
    found.peak_kb = peak(gate.process.pid)
    try:
        with gate_client(gate) as c:
            c.raw(b"+")
            c.ask("qSupported:multiprocess+", 25)
    except rsp_client.Closed:
        pass                                # turned away, with a word
    except (OSError, AssertionError) as e:
        found.serves = f"the next client is not answered: {e!r}"
    stub.signal(signal.SIGUSR1)
    end, why = time.monotonic() + 30, ""
    while time.monotonic() < end:
        why = full_service(gate)
        if not why:
            break
        time.sleep(0.1)
    found.serves = found.serves or why
    try:
        gate.stop()
    except AssertionError as e:
        found.alive = str(e)
    found.alive = found.alive or "; ".join(gate.complaints()[:3])


def gate_client(gate):
    return rsp_client.Client(gate.address("full"), timeout=6)


def full_service(gate):
    import hostile
    try:
        with gate_client(gate) as c:
            first, word = c.handshake()[:1], c.ask("m1000,4")
            if first in ("T", "S") and word == hostile.Machine().read(0x1000, 4).hex():
                return ""
            return f"? is answered {first!r}, m {word!r}"
    except (OSError, AssertionError, rsp_client.Closed) as e:
        return repr(e)


class Session:
    """A debugger at a host. It may meet several targets, one after the other."""

    def __init__(self, kind, patience=9.0):
        self.host = Host()
        self.driver = DRIVERS[kind](self.host, patience)

    def usable(self, found):
        return found.code == 0 and not found.stuck and not found.changed and self.driver.process.poll() is None

    def close(self):
        self.driver.close()
        self.host.close()


def meet(session, case, last):
    """A debugger behind kdgate, the stub before it. last: then it is told to end."""
    host, driver, gate, stub, found, began = session.host, session.driver, None, None, Outcome(), time.monotonic()
    try:
        stub = Stub(case.name, host)
        gate = gate_module.Gate(stub.path, ("full",), on_disconnect="stay").start()
        before = host.snapshot()
        drive(driver, gate.address("full"), case, found, last)
        watch(host, before, stub, found)
        found.audit = told(gate, case)
        look_after(gate, stub, found)
        found.log = gate.log()[-6000:]
        found.stub_errors = stub.errors()
    finally:
        found.seconds = time.monotonic() - began
        close(gate, stub)
    return found


def through_gate(case, kind):
    session = Session(kind, case.patience)
    try:
        return meet(session, case, True)
    finally:
        session.close()


def through_gate_in_turn(cases, kind):
    """{case: Outcome}. lldb takes longer to start than for all the rest: one may meet several targets, until one spoils it."""
    results, session = {}, None
    try:
        for i, case in enumerate(cases):
            session = session or Session(kind)
            results[case] = meet(session, case, i == len(cases) - 1)
            if not session.usable(results[case]):
                session.close()
                session = None
    finally:
        close(session)
    return results


def direct(case, kind, patience=6.0):
    """The debugger on the stub itself: the harm that kdgate is to prevent."""
    session, stub, found = Session(kind, patience), None, Outcome()
    try:
        stub = Stub(case.name, session.host)
        before = session.host.snapshot()
        if kind == "lldb":
            session.driver.begin = lambda path: [f"process connect unix-connect://{path}"]
        drive(session.driver, str(stub.path), case, found, True)
        watch(session.host, before, stub, found)
    finally:
        close(stub, session)
    return found


def watch(host, before, stub, found):
    found.opened, found.called = tuple(host.opened()), host.called()     # before we open them ourselves
    found.changed = differences(before, host.snapshot())
    found.attacks, found.files, found.wrote = (tuple(stub.record(k)) for k in ("attack", "file", "wrote"))
    found.packets = tuple(stub.record("packet"))


def told(gate, case, seconds=8):
    """The audit, when it has what it must have: kdgate may wait for an answer longer than the debugger did."""
    end = time.monotonic() + seconds
    while missing(case, Outcome(audit=(lines := audit_of(gate))).kinds()) and time.monotonic() < end and gate.process.poll() is None:
        time.sleep(0.05)
    return tuple(lines)


def audit_of(gate):
    lines = gate.audit_file.read_text().splitlines() if gate.audit_file.exists() else []
    return [json.loads(line) for line in lines]


def close(*things):
    for t in things:
        if t is not None:
            t.close()


class Pool:
    """Runs begun together, asked for one by one. Debuggers mostly wait. A job is a function that answers {key: Outcome}."""

    def __init__(self, jobs, workers=8):
        self.jobs, self.lock = list(jobs), threading.Lock()
        self.results, self.ready = {}, {key: threading.Event() for keys, _ in jobs for key in keys}
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(min(workers, len(self.jobs)))]
        for t in self.threads:
            t.start()

    def work(self):
        while job := self.next_job():
            keys, made = job
            try:
                self.results.update(made())
            except Exception as e:      # told to whoever asks for one of them
                self.results.update({k: e for k in keys if k not in self.results})
            for k in keys:
                self.ready[k].set()

    def next_job(self):
        with self.lock:
            return self.jobs.pop(0) if self.jobs else None

    def result(self, key):
        self.ready[key].wait()
        if isinstance(self.results[key], Exception):
            raise self.results[key]
        return self.results[key]

    def stop(self):
        with self.lock:
            self.jobs.clear()
        for t in self.threads:
            t.join()


TOGETHER = 8


def jobs_of(wanted):
    """For the pool: [((case, debugger)...)]. Slow ones first, and alone; lldb meets some in turn."""
    slow = [(c, k) for c, k in wanted if c.slow]
    alone = [(c, k) for c, k in wanted if not c.slow and k != "lldb"]
    turns = [c for c, k in wanted if not c.slow and k == "lldb"]
    jobs = [([(c, k)], lambda c=c, k=k: {(c, k): through_gate(c, k)}) for c, k in slow]
    rest = [([(c, k)], lambda c=c, k=k: {(c, k): through_gate(c, k)}) for c, k in alone]
    for i in range(0, len(turns), TOGETHER):
        group = turns[i:i + TOGETHER]
        rest.insert(min(i, len(rest)), ([(c, "lldb") for c in group], lambda g=group: in_turn_or_alone(g)))
    return jobs + rest


def in_turn_or_alone(group):
    """What looks bad among others is tried again by itself, and that counts."""
    found = through_gate_in_turn(group, "lldb")
    for case, one in found.items():
        if suspicious(case, one):
            found[case] = through_gate(case, "lldb")
    return {(case, "lldb"): one for case, one in found.items()}


def suspicious(case, found):
    return any((found.code != 0, found.stuck, found.changed, found.opened, found.called, found.controls, found.slow, [*untold(case, found)],
                [*trouble(found)]))


# --- what may not have come of it
def harm(case, found, clean):
    """To the debugger and the host, whatever kdgate told of it. clean: the same without an attack."""
    if found.code is None or found.stuck and not case.sticks:
        yield f"the debugger hangs{f' at {found.stuck}' if found.stuck else ', told to end'}"
    elif found.code < 0:
        yield f"the debugger dies by {signal.Signals(-found.code).name}"
    if found.slow and not case.slow:
        yield f"the debugger had to be interrupted at {', '.join(found.slow)}"
    if found.changed != clean.changed:
        yield f"on disk: {', '.join(set(found.changed) ^ set(clean.changed))}"
    if found.opened != clean.opened:
        yield f"the debugger opened {', '.join(found.opened)}"
    if found.called:
        yield "the debugger connected to a URL"
    if set(found.controls) - set(clean.controls):
        yield f"on the terminal: {' '.join(sorted(set(found.controls) - set(clean.controls)))}"
    yield from harm_by_files(found)
    text = found.out.decode("utf-8", "replace")
    if case.shows and not re.search(case.shows, text):
        yield f"the debugger does not show {case.shows!r}"
    if case.hides and re.search(case.hides, text):
        yield f"the debugger shows {case.hides!r}"


def harm_by_files(found):
    """A request for a file is refused; writing to descriptors 1 and 2 may be said to have worked: it is text."""
    for line in found.files:
        call, _, answer = line.partition(" -> ")
        if answer == "nothing" or not (answer.startswith("F-1") or call == "Fwrite" and re.fullmatch(r"F[0-9a-f]+", answer)):
            yield f"{call} was answered {answer}"
    if found.wrote:
        yield f"a file's contents went to the target: {found.wrote[0][:60]}"


def trouble(found):
    """With kdgate itself."""
    if found.alive:
        yield f"kdgate: {found.alive}"
    if found.serves:
        yield f"the next client: {found.serves}"
    if found.peak_kb > PEAK_KB and "san" not in gate_module.PROGRAM:
        yield f"kdgate took {found.peak_kb} KiB"
    if found.stub_errors:
        yield f"the stub itself failed: {found.stub_errors[-300:]}"


PEAK_KB = 65536


def missing(case, kinds):
    """What it must tell: "stop/unasked" is either."""
    return [words for words in case.guard if not set(words.split("/")) & kinds.keys()]


def untold(case, found):
    """Of what the audit should say, and what it should not."""
    kinds = found.kinds()
    if case.never_asked:
        if found.attacks:
            yield f"it was asked all the same: {found.attacks[0]}"
    elif not found.attacks and not case.supported and not case.frame and not case.threads and not case.ack and case.name != "honest":
        yield "the attack was not made"
    for words in missing(case, kinds):
        yield f"the audit does not tell {words}: {kinds}"
    if more := kinds.keys() - {kind for words in case.guard for kind in words.split("/")} - set(case.may):
        yield f"the audit tells of {sorted(more)} as well: {kinds}"
    if case.lost and not found.lost():
        yield "the target is not given up"
    if found.lost() and not case.lost and "lost" not in case.may + case.guard:
        yield f"the target is given up: {kinds}"
