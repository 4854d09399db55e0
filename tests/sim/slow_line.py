"""slow_line.py - between two sockets, a line as slow as a serial one, both ways; it counts what goes over it.

Ten bits a byte. Bytes come out as a UART gives them: when its FIFO holds a few, or the line is silent.
"""
import contextlib
import select
import socket
import threading
import time

FIFO, HELD = 14, 64   # bytes: of a receiver before it says so; taken of a sender ahead of the wire


class Way:
    """One direction; a byte is through when its last bit is."""

    def __init__(self, source, sink, byte_seconds):
        self.source, self.sink, self.byte = source, sink, byte_seconds
        self.held, self.at, self.open = bytearray(), 0.0, True   # at: when the byte before these was through

    def take(self, now):
        data = self.source.recv(HELD - len(self.held))
        self.open = bool(data)
        if not self.held:
            self.at = max(self.at, now)
        self.held += data

    def due(self):
        """When to look again; None: nothing is on its way."""
        return self.at + self.byte * min(len(self.held), FIFO) if self.held else None

    def give(self, now):
        n = min(int((now - self.at) / self.byte + 1e-6), len(self.held))
        self.sink.sendall(self.held[:n])
        del self.held[:n]
        self.at += n * self.byte
        return n


class SlowLine:
    """far() connects to the far end; whoever comes to 127.0.0.1:.port gets that, one at a time.

    .out, .back   bytes, to the far end and from it
    .turns        how often something went to the far end after something had come from it: round trips
    """

    def __init__(self, far, baud=115200):
        self.far, self.byte = far, 10 / baud
        self.out = self.back = self.turns = 0
        self.last, self.ends = "back", False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.ends:
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            near, _ = self.listener.accept()
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with near, contextlib.suppress(OSError), self.far() as far:    # nobody there, or who left in the middle of a byte
                self.carry(near, far)

    def carry(self, near, far):
        ways = {"out": Way(near, far, self.byte), "back": Way(far, near, self.byte)}
        while not self.ends and (all(w.open for w in ways.values()) or any(w.held for w in ways.values())):
            dues = [w.due() for w in ways.values() if w.held]
            hears = [w.source for w in ways.values() if w.open and len(w.held) < HELD]
            ready, _, _ = select.select(hears, [], [], max(0, min(dues) - time.monotonic()) if dues else 0.1)
            for name, way in ways.items():
                self.move(name, way, way.source in ready)

    def move(self, name, way, ready):
        now = time.monotonic()
        if ready:
            way.take(now)
        if not way.held or now < way.due():
            return
        n = way.give(now)
        setattr(self, name, getattr(self, name) + n)
        self.turns += name == "out" and self.last == "back"
        self.last = name

    def settle(self, seconds=0.1):
        """Waits until nothing has gone over it for that long; (bytes, round trips) so far."""
        before = None
        while before != (now := (self.out + self.back, self.turns)):
            before = now
            time.sleep(seconds)
        return now

    def stop(self):
        self.ends = True
        self.thread.join()
        self.listener.close()
