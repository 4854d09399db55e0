"""line_test.py - the line that can be unplugged: what goes through, and what is lost."""
import os
import pathlib
import select
import socket
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from kgdb import Terminal  # noqa: E402
from line import Line  # noqa: E402


@pytest.fixture
def ends(tmp_path):
    """The target's end, and the line."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "target.sock"))
        server.listen()
        line = Line(tmp_path / "target.sock")
        target, _ = server.accept()
        yield target, line
        line.close()
        target.close()


def hears(end, data, seconds=10):
    got = b""
    while len(got) < len(data):
        assert select.select([end], [], [], seconds)[0], got
        got += end.recv(100)
    return got == data


def test_both_ways(ends):
    target, line = ends
    terminal = Terminal(str(line.path))
    terminal.sendall(b"\x03$g#67\r\n\xff")
    assert hears(target, b"\x03$g#67\r\n\xff")
    target.sendall(b"$S05#b8\r\n\x04")
    assert hears(terminal, b"$S05#b8\r\n\x04")
    terminal.close()


def test_garbled(ends):
    target, line = ends
    line.garbled = True
    terminal = Terminal(str(line.path))
    terminal.sendall(b"g")
    assert hears(target, bytes([ord("g") ^ 0xa5]))
    terminal.close()


def test_unplugged_and_plugged_in_again(ends):
    target, line = ends
    first = Terminal(str(line.path))
    line.unplug()
    assert not os.path.lexists(line.path)
    with pytest.raises(OSError):
        assert first.recv(10) == b"" and first.sendall(b"x")    # hung up
    first.close()
    target.sendall(b"lost")
    line.plug()
    second = Terminal(str(line.path))
    second.sendall(b"back")
    assert hears(target, b"back")
    target.sendall(b"kept")
    got = b""
    while not got.endswith(b"kept"):    # what was said before may still have been on its way
        assert select.select([second], [], [], 10)[0], got
        got += second.recv(100)
    second.close()
