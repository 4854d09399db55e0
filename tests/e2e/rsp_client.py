"""rsp_client.py - a debugger's side of the wire in plain sockets: says exactly what a test wants said."""
import socket
import time


class Closed(Exception):
    """The other end closed the connection."""


def checksum(body):
    return sum(body) & 255


def frame(body):
    """body: str or bytes, escaped already."""
    body = body.encode("latin-1") if isinstance(body, str) else body
    return b"$%s#%02x" % (body, checksum(body))


def escape(data):
    return b"".join(bytes((0x7d, c ^ 0x20)) if c in b"$#}*" else bytes((c,)) for c in data)


def expand(body):
    """Undoes run-length."""
    out = bytearray()
    i = 0
    while i < len(body):
        if body[i] == 0x2a and out and i + 1 < len(body):
            out += out[-1:] * (body[i + 1] - 29)
            i += 2
        else:
            out.append(body[i])
            i += 1
    return bytes(out)


def dial(address, timeout=5):
    """address: "127.0.0.1:1234", "tcp:127.0.0.1:1234", "unix:/path" or a path. A connected socket."""
    text = str(address).removeprefix("unix:").removeprefix("tcp:")
    if "/" in text:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(text)
        return s
    host, _, port = text.rpartition(":")
    s = socket.create_connection((host, int(port)), timeout=timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Client:
    """In ack mode until no_ack(). Every wait has an end: TimeoutError, or Closed."""

    def __init__(self, address, timeout=5, no_ack=False):
        self.timeout, self.acks, self.buf, self.seen = timeout, True, b"", []
        self.socket = dial(address, timeout)
        if no_ack:
            self.no_ack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Gone without a word: the other end gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed(str(e)) from None

    def say(self, body):
        self.raw(frame(body))

    def more(self, end):
        self.socket.settimeout(max(0.001, end - time.monotonic()))
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(f"closed; unread {self.buf!r}")
        self.buf += data

    def take(self):
        """One item of what has come in: b"+", b"-", a whole packet, or None."""
        if self.buf[:1] in (b"+", b"-"):
            item, self.buf = self.buf[:1], self.buf[1:]
            return item
        end = self.buf.find(b"#")
        if self.buf[:1] not in (b"", b"$", b"%"):
            raise AssertionError(f"not RSP: {self.buf!r}")
        if end < 0 or len(self.buf) < end + 3:
            return None
        item, self.buf = self.buf[:end + 3], self.buf[end + 3:]
        return item

    def item(self, timeout=None):
        end = time.monotonic() + (timeout or self.timeout)
        while (item := self.take()) is None:
            if time.monotonic() >= end:
                raise TimeoutError(f"nothing came; unread {self.buf!r}")
            try:
                self.more(end)
            except (TimeoutError, BlockingIOError):
                raise TimeoutError(f"nothing came; unread {self.buf!r}") from None
        return item

    def hear(self, timeout=None):
        """The body of the next packet, as text; run-length and notifications gone. Acknowledges it in ack mode."""
        while True:
            item = self.item(timeout)
            if item in (b"+", b"-"):
                self.seen.append(item)
                continue
            assert int(item[-2:], 16) == checksum(item[1:-3]), f"bad checksum: {item!r}"
            if item[:1] == b"%":
                continue
            if self.acks:
                self.raw(b"+")
            return expand(item[1:-3]).decode("latin-1")

    def ask(self, body, timeout=None):
        self.say(body)
        return self.hear(timeout)

    def no_ack(self):
        assert self.ask("QStartNoAckMode") == "OK"
        self.acks = False

    def handshake(self, features="multiprocess+;swbreak+;hwbreak+;vContSupported+;error-message+"):
        """As gdb begins; the stop reply to '?'."""
        self.raw(b"+")
        got = self.ask(f"qSupported:{features}")
        if "QStartNoAckMode+" in got:
            self.no_ack()
        return self.ask("?")

    def interrupt(self):
        self.raw(b"\x03")

    def closed(self, timeout=None):
        """True when the other end closes within that time, whatever it says before."""
        try:
            while True:
                self.item(timeout)
        except Closed:
            return True
        except TimeoutError:
            return False
