"""tap.py - a wire tap: stands in front of a stub's Unix socket, passes bytes on, and remembers the packets.

What a test proves with it is what the target was told, whatever the client was told.
"""
import pathlib
import re
import socket
import threading

PACKET = re.compile(rb"\$((?:[^#$]|\n)*)#[0-9a-fA-F]{2}|(\x03)", re.S)


def hang_up(s):
    """Wakes the thread that reads it, too: closing alone does not."""
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Tap:
    """Listens on .path (Unix) and .port (TCP, loopback); every client gets a connection of its own to the stub."""

    def __init__(self, stub, folder):
        self.stub, self.path = str(stub), str(pathlib.Path(folder) / "tap.sock")
        self.up, self.down = bytearray(), bytearray()   # to the stub, from the stub
        self.sockets, self.lock = [], threading.Lock()
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(self.path)
        tcp = socket.create_server(("127.0.0.1", 0))
        self.port = tcp.getsockname()[1]
        for listener in (unix, tcp):
            listener.listen()
            self.keep(listener)
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def keep(self, s):
        with self.lock:
            self.sockets.append(s)

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if client.family == socket.AF_INET:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stub = socket.socket(socket.AF_UNIX)
            self.keep(client)
            self.keep(stub)
            try:
                stub.connect(self.stub)
            except OSError:
                client.close()
                continue
            for source, sink, record in ((client, stub, self.up), (stub, client, self.down)):
                threading.Thread(target=self.copy, args=(source, sink, record), daemon=True).start()

    def copy(self, source, sink, record):
        try:
            while data := source.recv(65536):
                record += data
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            hang_up(s)

    def close(self):
        with self.lock:
            for s in self.sockets:
                hang_up(s)
                s.close()

    def sent(self, start=0):
        """Packets that went to the stub since byte start: "Z0,...", "vCont;c", and "^C" for a break."""
        return ["^C" if brk else body.decode("latin-1") for body, brk in PACKET.findall(bytes(self.up[start:]))]

    def mark(self):
        return len(self.up)
