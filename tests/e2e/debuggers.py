"""debuggers.py - stock gdb and lldb as people and IDEs drive them: by script, by gdb/MI, by the Debug Adapter Protocol."""
import json
import os
import re
import select
import signal
import subprocess
import time

GDB, LLDB, LLDB_DAP = "/usr/bin/gdb", "/usr/bin/lldb-19", "/usr/bin/lldb-dap-19"
ENV = dict(os.environ, LC_ALL="C", TERM="dumb", DEBUGINFOD_URLS="", PAGER="cat")


class Talker:
    """A process with pipes, read with a deadline. .text is all it has said."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENV,
                                        start_new_session=True)
        self.text, self.seen = "", 0

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def read_some(self, seconds):
        """One gulp; False at the end of the output or after that time."""
        ready, _, _ = select.select([self.process.stdout], [], [], max(seconds, 0))
        data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def hear(self, pattern, seconds=30):
        """Waits for the pattern in what comes after the last match; the match. It may have come only in part: let a
        pattern that is open at its end close with a newline."""
        end = time.monotonic() + seconds
        while not (m := re.compile(pattern, re.M).search(self.text, self.seen)):
            left = end - time.monotonic()
            assert self.read_some(left) or left > 0 and self.process.poll() is None, \
                f"no {pattern!r} within {seconds} s; since the last match: {self.text[self.seen:]!r}"
        self.seen = m.end()
        return m

    def finish(self, seconds=30):
        """Waits for its end; all it said."""
        self.process.stdin.close()
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.read_some(end - time.monotonic()):
            pass
        try:
            self.process.wait(max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {seconds} s: {self.text[-3000:]!r}") from None
        return self.text

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.process.stdout.close()


class Gdb(Talker):
    """gdb at a prompt of its own, one command after the other."""

    PROMPT = r"^\(gdb\) $"

    def __init__(self, symbols=None, *options, program=GDB):
        super().__init__(program, "-q", "-nx", *options, *([str(symbols)] if symbols else []))
        self.ask("set confirm off")
        self.ask("set pagination off")
        self.ask("set width 0")

    def ask(self, line, seconds=30):
        """What gdb prints until the next prompt. gdb without a terminal prints its prompt, but does not echo."""
        self.say(line + "\necho \\n-done-\\n")
        start = self.seen
        self.hear(r"^-done-$", seconds)
        return self.text[start:self.seen].replace("(gdb) ", "").replace("\n-done-", "").strip()

    def attach(self, address, seconds=30):
        return self.ask(f"target remote {address}", seconds)

    def start(self, line):
        """A command that is not waited for: continue."""
        self.say(line)
        self.hear(r"Continuing\.$")

    def goes_on_and_is_stopped(self, runs, seconds):
        """runs: what shows that it does."""
        self.start("continue")
        runs()
        self.interrupt()
        self.hear(r"received signal", seconds)

    def value(self, expression, seconds=30):
        """An expression's value as an integer."""
        text = self.ask(f"output/x (unsigned long)({expression})", seconds)
        m = re.search(r"0x[0-9a-f]+$", text)
        assert m, text
        return int(m[0], 16)


def gdb(address, *commands, symbols=None, seconds=60):
    """A gdb run by script, attached first; all it printed."""
    words = [GDB, "-q", "-nx", "-batch", "-ex", "set pagination off", "-ex", "set width 0", "-ex", f"target remote {address}"]
    for c in commands:
        words += ["-ex", c]
    with Talker(*words, *([str(symbols)] if symbols else [])) as run:
        return run.finish(seconds)


def lldb(address, *commands, symbols=None, seconds=60):
    """An lldb run by script, attached first; all it printed. It stops at its first error, as a script should: not here."""
    words = [LLDB, "--no-lldbinit", "--no-use-colors", "--batch"]
    words += ["-o", "settings set stop-disassembly-display never"]
    if symbols:
        words += ["-o", f"target create {symbols}"]
    for c in (f"gdb-remote {address}", *commands):
        words += ["-o", c]
    with Talker(*words) as run:
        return run.finish(seconds)


class Lldb(Talker):
    """lldb at a prompt of its own."""

    def __init__(self, symbols=None):
        super().__init__(LLDB, "--no-lldbinit", "--no-use-colors", *([str(symbols)] if symbols else []))
        self.ask("settings set stop-disassembly-display never")

    def ask(self, line, seconds=30):
        """What lldb prints for a command, without its echo; the script command behind it marks the end."""
        self.say(line + "\nscript print('-do' + 'ne-')")
        start = self.seen
        self.hear(r"^-done-\n", seconds)
        lines = self.text[start:self.seen].splitlines()
        return "\n".join(x for x in lines if not x.startswith("(lldb) ") and x != "-done-").strip("\n")

    def attach(self, address, seconds=30):
        return self.ask(f"gdb-remote {address}", seconds)

    def detach(self):
        """lldb tells it when it comes to that, not before the next command."""
        self.say("detach")
        self.hear(r"Process \d+ detached")


class Mi(Talker):
    """gdb/MI, as an IDE speaks it."""

    def __init__(self, symbols=None):
        super().__init__(GDB, "-q", "-nx", "--interpreter=mi3", *([str(symbols)] if symbols else []))
        self.token = 100
        self.hear(r"^\(gdb\) $")

    def ask(self, command, seconds=30):
        """(result class, the rest of the result record)"""
        self.token += 1
        self.say(f"{self.token}{command}")
        m = self.hear(rf"^{self.token}\^(\w+)(.*)\n", seconds)
        return m[1], m[2]

    def must(self, command, seconds=30):
        verdict, rest = self.ask(command, seconds)
        assert verdict in ("done", "running", "connected"), f"{command}: {verdict}{rest}"
        return rest

    def stopped(self, seconds=30):
        """The rest of the next *stopped record."""
        return self.hear(r"^\*stopped(.*)\n", seconds)[1]


class Dap:
    """lldb-dap, as an editor speaks it."""

    def __init__(self):
        self.start()

    def start(self):
        self.process = subprocess.Popen([LLDB_DAP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENV)
        self.buffer, self.messages, self.seq = b"", [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def say(self, command, **arguments):
        self.seq += 1
        body = json.dumps({"seq": self.seq, "type": "request", "command": command, "arguments": arguments}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()
        return self.seq

    def next_message(self, end):
        while True:
            head, sep, rest = self.buffer.partition(b"\r\n\r\n")
            if sep:
                size = int(re.search(rb"Content-Length: (\d+)", head)[1])
                if len(rest) >= size:
                    self.buffer = rest[size:]
                    return json.loads(rest[:size])
            ready, _, _ = select.select([self.process.stdout], [], [], max(end - time.monotonic(), 0))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert data, f"lldb-dap says nothing; so far: {self.messages[-8:]}"
            self.buffer += data

    def hear(self, fits, seconds=30):
        """The first message that fits and was not taken yet."""
        end = time.monotonic() + seconds
        for m in self.messages:
            if fits(m):
                self.messages.remove(m)
                return m
        while not fits(m := self.next_message(end)):
            self.messages.append(m)
        return m

    def ask(self, command, seconds=30, **arguments):
        seq = self.say(command, **arguments)
        return self.answer(seq, seconds)

    def answer(self, seq, seconds=30):
        m = self.hear(lambda m: m["type"] == "response" and m["request_seq"] == seq, seconds)
        assert m["success"], m
        return m.get("body", {})

    def event(self, name, seconds=30):
        return self.hear(lambda m: m["type"] == "event" and m["event"] == name, seconds).get("body", {})

    def resume(self, thread):
        """continue; what stopped before that is forgotten: lldb-dap may tell a stop twice."""
        self.messages = [m for m in self.messages if m.get("event") != "stopped"]
        self.ask("continue", threadId=thread)

    def attach(self, address, symbols, seconds=60):
        """On a busy machine lldb-dap may look for its process before lldb has told it of the first stop, and gives up: an editor's user tries again."""
        for _ in range(3):
            if self.attaches(address, symbols, seconds):
                return
            self.__exit__()
            self.start()
        raise AssertionError("lldb-dap gave up three times")

    def attaches(self, address, symbols, seconds):
        """The order editors use: the answer to attach may come only after configurationDone. False: it gave up as above."""
        self.ask("initialize", adapterID="lldb", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        seq = self.say("attach", attachCommands=[f"target create {symbols}", f"gdb-remote {address}"], stopOnEntry=True)
        m = self.hear(lambda m: m.get("event") == "initialized" or m.get("request_seq") == seq and not m["success"], seconds)
        if m["type"] == "response":
            assert m["message"] == "process unloaded during launch or attach", m
            return False
        self.ask("configurationDone")
        self.answer(seq, seconds)
        return True
