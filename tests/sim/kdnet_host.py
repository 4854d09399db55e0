"""kdnet_host.py - a small KDNET host and a simulated target that dials it. Written apart from the bridge and from the target, for tests."""
import collections
import ctypes
import ctypes.util
import hashlib
import hmac
import os
import select
import socket
import struct
import time

import kd_host as kd

HEAD, DATA, CONTROL, HOST = b"MDBG", 0, 1, 0x80
CRYPTO = ctypes.CDLL(ctypes.util.find_library("crypto"))
CRYPTO.EVP_CIPHER_CTX_new.restype = CRYPTO.EVP_aes_256_cbc.restype = ctypes.c_void_p
KEY = "3w5e11264sgsf.kdhost.1.zzzz"

Datagram = collections.namedtuple("Datagram", "version channel from_host sequence body pad source", defaults=(None,))


def aes_cbc(key, iv, data, encrypt):
    context, out, n = ctypes.c_void_p(CRYPTO.EVP_CIPHER_CTX_new()), ctypes.create_string_buffer(len(data) + 16), ctypes.c_int()
    try:
        assert CRYPTO.EVP_CipherInit_ex(context, ctypes.c_void_p(CRYPTO.EVP_aes_256_cbc()), None, key, iv, int(encrypt)) == 1
        CRYPTO.EVP_CIPHER_CTX_set_padding(context, 0)
        assert CRYPTO.EVP_CipherUpdate(context, out, ctypes.byref(n), data, len(data)) == 1 and n.value == len(data)
    finally:
        CRYPTO.EVP_CIPHER_CTX_free(context)
    return out.raw[:n.value]


class Keys:
    def __init__(self, text):
        self.control = b"".join(struct.pack("<Q", int(group, 36)) for group in text.split("."))
        self.mac, self.data = bytes(b ^ 0xff for b in self.control), bytes(32)

    def agree(self, response):
        self.data = hashlib.sha256(self.control + response).digest()

    def tag(self, plain):
        return hmac.new(self.mac, plain, "sha256").digest()[:16]

    def seal(self, version, channel, sequence, body, from_host=True):
        pad = -(8 + len(body)) % 16
        head = HEAD + bytes([version, channel])
        plain = struct.pack(">Q", sequence << 8 | (HOST if from_host else 0) | pad) + body + bytes(pad)
        tag = self.tag(head + plain)
        return head + aes_cbc(self.control if channel else self.data, tag, plain, True) + tag

    def open(self, raw, source=None):
        """A Datagram, or None: it is not one."""
        if len(raw) < 38 or (len(raw) - 6) % 16 or raw[:4] != HEAD or raw[5] > 1:
            return None
        plain = aes_cbc(self.control if raw[5] else self.data, raw[-16:], raw[6:-16], False)
        if self.tag(raw[:6] + plain) != raw[-16:]:
            return None
        meta = struct.unpack(">Q", plain[:8])[0]
        pad = meta & 0x7f
        return Datagram(raw[4], raw[5], bool(meta & HOST), meta >> 8, plain[8:len(plain) - pad], pad, source)


class Target(kd.Target):
    """Dials port; options as for kd.Target, and kdnet_version, poke_ms, loss, ..."""

    def __init__(self, port, arch="amd64", key=KEY, **options):
        super().__init__(arch, "kdnet", kdnet=f"127.0.0.1:{port}", key=key, **{"poke_ms": 200, **options})

    def net(self, line="net"):
        self.do(line)
        return {name: int(value) for name, value in (word.split("=") for word in self.until(r" net (joined.*)")[1].split())}


class Host(kd.Host):
    """Answers pokes that say that nobody is there. pokes: all that came; old: datagrams that were seen before; bad: what does not open."""

    def __init__(self, arch=kd.AMD64, key=KEY):
        self.arch, self.keys = arch, Keys(key)
        self.line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.line.bind(("127.0.0.1", 0))
        self.port = self.line.getsockname()[1]
        self.queue, self.prints, self.answer, self.files, self.seen = collections.deque(), "", b"me", [], []
        self.backlog = collections.deque()     # of the data channel, while a poke was waited for
        self.patience = 0.7
        self.answers, self.mute, self.deaf = True, False, 0     # whether pokes are; nothing goes out; so many datagrams of KD are not heard
        self.pokes, self.checks, self.responses, self.bad, self.old = [], [], [], 0, 0
        self.peer, self.version, self.sequence, self.heard, self.sent = None, 0, 0, 0, []
        self.restart()

    def restart(self):
        self.send_id, self.expect_id = 0x80000000, 0

    # --- datagrams

    def send(self, raw):
        self.sent.append(raw)
        if not self.mute:
            self.line.sendto(raw, self.peer)

    def write(self, body):
        self.sequence += 1
        self.send(self.keys.seal(self.version, DATA, self.sequence, body))

    def hurry(self):
        """Please poke."""
        self.send(self.keys.seal(self.version, CONTROL, 1, b""))

    def receive(self, seconds):
        """The next good Datagram, or None."""
        end = time.monotonic() + seconds
        while select.select([self.line], [], [], max(end - time.monotonic(), 0))[0]:
            raw, source = self.line.recvfrom(8192)
            datagram = self.keys.open(raw, source)
            if datagram and not datagram.from_host:
                return datagram
            self.bad += 1
        return None

    def respond(self, poke, random=None):
        self.peer, self.version = poke.source, poke.version
        response = b"\1\2" + poke.body[2:34] + (random or os.urandom(32)) + bytes(256)
        self.keys.agree(response)
        self.heard = 0
        self.responses.append(self.keys.seal(self.version, CONTROL, poke.sequence, response))
        self.send(self.responses[-1])

    def on_poke(self, poke):
        self.pokes.append(poke)
        free = poke.body[86:88] == b"\0\0"
        if self.answers and (free or not self.responses):
            self.respond(poke)
            self.control(kd.RESEND, 0)
            if free:
                self.restart()

    def poke(self, seconds=5.0):
        """Waits for the next."""
        end, n = time.monotonic() + seconds, len(self.pokes)
        while len(self.pokes) == n:
            datagram = self.receive(end - time.monotonic())
            assert datagram, "no poke"
            if datagram.channel == CONTROL:
                self.on_poke(datagram)
            else:
                self.backlog.append(datagram)
        return self.pokes[-1]

    # --- packets

    def packet(self, seconds=5.0):
        end = time.monotonic() + seconds
        while (datagram := self.backlog.popleft() if self.backlog else self.receive(end - time.monotonic())) is not None:
            body = datagram.body
            if datagram.channel == CONTROL:
                self.on_poke(datagram)
            elif datagram.sequence <= self.heard:
                self.old += 1
            else:
                self.heard = datagram.sequence
                if len(body) == 12 and not any(body[:8]):
                    self.checks.append(body[8:])
                elif self.deaf:
                    self.deaf -= 1
                else:
                    return self.parse(body)
        return None

    def parse(self, body):
        kind, size, number, total = struct.unpack_from("<HHII", body, 4)
        assert body[:4] in (b"0000", b"iiii") and len(body) == 16 + size and (body[:1] == b"i" or sum(body[16:]) == total), body.hex()
        return kd.Packet(body[:1], kind, number, body[16:])

    def data(self, kind, body, number):
        self.write(b"0000" + struct.pack("<HHII", kind, len(body), number, sum(body)) + body)

    def reset(self):
        self.control(kd.RESET, self.send_id)

    def on_data(self, packet):
        self.seen.append(packet.id)
        self.control(kd.ACK, packet.id)
        if packet.id < self.expect_id:
            return False
        self.expect_id = packet.id + 2
        return True

    def on_reset(self):
        """The target counts on from what it told; it has heard what comes next from here."""

    def say(self, kind, body, tries=20):
        for _ in range(tries):
            self.data(kind, body, self.send_id)
            end = time.monotonic() + self.patience
            while (packet := self.packet(end - time.monotonic())) is not None:
                if packet.leader == b"0":
                    if self.on_data(packet):
                        self.queue.append(packet)
                elif packet.type == kd.ACK and packet.id == self.send_id:
                    self.send_id += 2
                    return
                elif packet.type == kd.RESEND:
                    break
        raise AssertionError("never acknowledged")

    def go(self, **words):
        """A target that runs acknowledges nothing: where the ACK was lost, that it goes on is all there is to be known."""
        try:
            super().go(**words)
        except AssertionError:
            self.send_id += 2

    def attach(self, seconds=20.0):
        """A break-in, a RESET, ... every half second until it stands; then both know each other's ids."""
        end, turn = time.monotonic() + seconds, 0
        while not self.responses:
            self.poke(end - time.monotonic())
        while time.monotonic() < end:
            if turn % 2:
                self.reset()
            else:
                self.break_in()
            turn += 1
            packet = self.hear(0.5)
            if packet is not None and packet.type == kd.STATE:
                return packet.body
        raise AssertionError("it does not stop")
