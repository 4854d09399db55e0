"""line.py - a pseudo-terminal under a name of its own in front of a serial line's socket: what can be unplugged, and plugged in again.

While it is unplugged the name is gone, and what the target says is lost, as on a wire.
"""
import contextlib
import os
import pathlib
import random
import select
import socket
import tempfile
import threading
import tty


class Line:
    """.path: the name, a symbolic link. .garbled: every byte comes out wrong, both ways, as at another baud rate. .noisy: whatever is sent,
    as much noise comes back, and the target hears nothing. .carried: bytes that the target has said."""

    def __init__(self, target):
        self.folder = tempfile.TemporaryDirectory(prefix="kdgate-line-")
        self.path = pathlib.Path(self.folder.name) / "ttyTEST0"
        self.target = self.dial(target)
        self.garbled = self.noisy = False
        self.noise = random.Random(1)
        self.master, self.slave, self.carried = None, None, 0
        self.lock, self.over = threading.Lock(), threading.Event()
        self.plug()
        self.pump = threading.Thread(target=self.run, daemon=True)
        self.pump.start()

    @staticmethod
    def dial(target):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(target))
        return s

    def plug(self, other=None):
        """The slave is held open, so that nobody's leaving looks like unplugging. other: the socket of another target, which the line
        leads to from now on."""
        with self.lock:
            if other is not None:
                self.target.close()
                self.target = self.dial(other)
            self.master, self.slave = os.openpty()
            tty.setraw(self.slave)
            os.set_blocking(self.master, False)
            os.symlink(os.ttyname(self.slave), self.path)

    def unplug(self):
        with self.lock:
            self.path.unlink()
            os.close(self.master)
            os.close(self.slave)
            self.master = None

    def wrong(self, data):
        return bytes(b ^ 0xa5 for b in data) if self.garbled else data

    def to_terminal(self):
        data = b""
        with contextlib.suppress(ConnectionResetError):
            data = self.target.recv(4096)
        self.carried += len(data)
        if self.master is not None:
            with contextlib.suppress(BlockingIOError):  # nobody reads: lost
                os.write(self.master, self.wrong(data))
        return bool(data)

    def to_target(self):
        with contextlib.suppress(OSError):
            data = os.read(self.master, 4096)
            if self.noisy:
                os.write(self.master, self.noise.randbytes(len(data)))
            else:
                self.target.sendall(self.wrong(data))
        return True

    def turn(self):
        """One round; False when the target is gone."""
        with self.lock:
            ready, _, _ = select.select([self.target, *([self.master] if self.master is not None else [])], [], [], 0.01)
            return all(self.to_terminal() if r is self.target else self.to_target() for r in ready)

    def run(self):
        while not self.over.is_set() and self.turn():
            self.over.wait(0.0005)      # lets go of the lock

    def close(self):
        self.over.set()
        with contextlib.suppress(OSError):
            self.target.shutdown(socket.SHUT_RDWR)      # who does not read is not waited for
        self.pump.join()
        if self.master is not None:
            self.unplug()
        self.target.close()
        self.folder.cleanup()
