"""telnet_test.py - the telnet link with a real server of serial ports: ser2net, over a pseudo-terminal that stands for the line."""
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import subprocess
import termios
import threading
import time
import tty

import pytest

import gate as gate_module

ROOT = pathlib.Path(__file__).resolve().parents[2]
TALK = ROOT / "build" / "telnet-talk"
SER2NET = shutil.which("ser2net", path=os.environ.get("PATH", "") + ":/usr/sbin")
pytestmark = [pytest.mark.gated, pytest.mark.skipif(not SER2NET, reason="ser2net is not installed (scripts/setup)")]

MODE = ("115200", "8", "n", "1")
ODD = b"$X10,3:\xff\xff\r#00\r\n\r\0\xff"     # all that telnet makes something of
BREAK_ON, BREAK_OFF = b"\xff\xfa\x2c\x05\x05\xff\xf0", b"\xff\xfa\x2c\x05\x06\xff\xf0"
BREAK_TAKEN = b"\xff\xfa\x2c\x69\x05\xff\xf0"     # ser2net says this to both


@pytest.fixture(scope="module")
def program():
    made = subprocess.run(["make", str(TALK.relative_to(ROOT))], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return TALK


class Relay:
    """Between the link and the server: remembers what each said."""

    def __init__(self, port):
        self.to, self.asked, self.said = port, b"", b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        client, _ = self.listener.accept()
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            while True:
                for s in select.select([client, server], [], [])[0]:
                    data = s.recv(4096)
                    if not data:
                        return
                    if s is server:
                        self.said += data
                        client.sendall(data)
                    else:
                        self.asked += data
                        server.sendall(data)

    def close(self):
        self.listener.close()


class Line:
    """A serial line with ser2net at its near end; `far` is the machine's."""

    def __init__(self, folder, accepter):
        self.far, self.near = pty.openpty()
        tty.setraw(self.near)
        os.set_blocking(self.far, False)
        self.port, self.got = gate_module.free_port(), b""
        config = folder / "ser2net.yaml"
        config.write_text(f"connection: &line\n  accepter: {accepter},tcp,127.0.0.1,{self.port}\n"
                          f"  connector: serialdev,{os.ttyname(self.near)},9600n81,local\n")
        self.log = open(folder / "log", "wb")
        self.server = subprocess.Popen([SER2NET, "-n", "-u", "-c", str(config)], stdout=self.log, stderr=self.log)
        gate_module.until(self.listens, "ser2net")

    def listens(self):
        """Without connecting: it serves one client at a time."""
        assert self.server.poll() is None
        wanted = f"0100007F:{self.port:04X}"
        return any(line.split()[1] == wanted and line.split()[3] == "0A" for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])

    def read(self, n):
        """The n bytes that have come to the machine."""
        def enough():
            try:
                self.got += os.read(self.far, 4096)
            except BlockingIOError:
                pass
            return len(self.got) >= n
        gate_module.until(enough, f"{n} bytes on the line")
        got, self.got = self.got, b""
        return got

    def speed(self):
        return termios.tcgetattr(self.near)[4]

    def close(self):
        self.server.terminate()
        self.server.wait(10)
        self.log.close()
        os.close(self.far)
        os.close(self.near)


@pytest.fixture
def line(tmp_path):
    lines = []

    def start(accepter):
        lines.append(Line(tmp_path, accepter))
        return lines[-1]

    yield start
    for one in lines:
        one.close()


class Talk:
    def __init__(self, program, port, mode):
        self.process = subprocess.Popen([program, str(port), *mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        os.set_blocking(self.process.stdout.fileno(), False)

    def say(self, data):
        self.process.stdin.write(data)

    def read(self, n):
        got = b""

        def enough():
            nonlocal got
            got += self.process.stdout.read(4096) or b""
            return len(got) >= n
        gate_module.until(enough, f"{n} bytes from the line")
        return got

    def attention(self):
        self.process.send_signal(signal.SIGUSR1)

    def end(self):
        """Exit code and last words."""
        self.process.stdin.close()
        words = self.process.stderr.read().decode().strip()
        return self.process.wait(10), words

    def lost(self):
        """What it says when it has ended by itself."""
        gate_module.until(lambda: self.process.poll() is not None, "the end of the line")
        return self.process.returncode, self.process.stderr.read().decode().strip()

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def talk(program):
    talks = []

    def start(port, mode=()):
        talks.append(Talk(program, port, mode))
        return talks[-1]

    yield start
    for one in talks:
        one.close()


def test_a_port_takes_its_mode(line, talk):
    serial = line("telnet(rfc2217)")
    client = talk(serial.port, MODE)
    client.say(ODD)
    assert serial.read(len(ODD)) == ODD
    assert serial.speed() == termios.B115200        # was 9600
    os.write(serial.far, ODD)
    assert client.read(len(ODD)) == ODD
    assert client.end() == (0, "")


def test_all_bytes_both_ways(line, talk):
    serial = line("telnet(rfc2217)")
    client = talk(serial.port, MODE)
    data = bytes(range(256)) * 8
    client.say(data)
    assert serial.read(len(data)) == data
    os.write(serial.far, data)
    assert client.read(len(data)) == data


def test_break_lasts_and_bytes_wait_for_its_end(line, talk):
    serial = line("telnet(rfc2217)")
    relay = Relay(serial.port)
    client = talk(relay.port, MODE)
    client.say(b"x")
    serial.read(1)
    client.attention()
    gate_module.until(lambda: BREAK_TAKEN in relay.said, "the break")
    began = time.monotonic()
    client.say(b"g")
    assert serial.read(1) == b"g"
    assert relay.asked.endswith(BREAK_ON + BREAK_OFF + b"g")
    assert time.monotonic() - began > 0.1
    relay.close()


def test_plain_telnet_and_its_break(line, talk):
    serial = line("telnet")
    client = talk(serial.port)
    client.say(b"$?#3f")
    assert serial.read(5) == b"$?#3f"
    client.attention()
    os.write(serial.far, ODD)
    assert client.read(len(ODD)) == ODD
    client.say(ODD)
    assert serial.read(len(ODD)) == ODD             # the break is no byte
    assert client.end() == (0, "")


def test_a_server_that_refuses(line, talk):
    assert talk(line("telnet").port, MODE).lost() == (1, "it refuses the COM-PORT option: this is no RFC 2217 port")


def test_a_server_that_knows_no_telnet(talk):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = talk(mute.getsockname()[1], MODE)
        assert client.lost() == (1, "it does not answer the COM-PORT option: this is no RFC 2217 port")


def test_the_server_goes(line, talk):
    serial = line("telnet(rfc2217)")
    client = talk(serial.port, MODE)
    client.say(b"x")
    serial.read(1)
    serial.server.kill()
    serial.server.wait()
    code, words = client.lost()
    assert code == 1 and words
