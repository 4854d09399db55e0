"""kdnet_test.py - the simulated target over KDNET, before anything is believed of what it says: a KDNET host of our own that it dials."""
import json
import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CAPTURES = HERE.parents[2] / "shared" / "captures"
sys.path[:0] = [str(HERE)]

import kd_host as kd  # noqa: E402
import kdnet_host as net  # noqa: E402
from kd_host import AMD64, I386, u16, u32, u64  # noqa: E402

ARCHES = pytest.mark.parametrize("arch", [AMD64, I386], ids=["amd64", "i386"])
COMPILERS = ("x86_64-w64-mingw32-gcc", "i686-w64-mingw32-gcc")
pytestmark = pytest.mark.skipif(not all(map(shutil.which, COMPILERS)), reason="mingw-w64 is not installed")
NEVER = 30000     # ms between pokes: none but the first comes in a test


@pytest.fixture(scope="session", autouse=True)
def program():
    kd.build()


@pytest.fixture
def pair():
    """start(...) gives a target and the host it dials."""
    made = []

    def start(arch=AMD64, key=net.KEY, **options):
        host = net.Host(arch, key)
        made.append(host)
        made.append(net.Target(host.port, arch.name, key, **options))
        return made[-1], host

    yield start
    for one in made:
        one.close()


def let_go(h, state):
    h.over_int3(state)
    h.go()


def endpoint(poke, n):
    at = 34 + 18 * n
    return poke.body[at:at + 12], poke.body[at + 12:at + 16], int.from_bytes(poke.body[at + 16:at + 18], "big")


# --- the outside

@pytest.mark.parametrize("name, file", [("S", HERE / "kdnet_vectors.json"), ("A", CAPTURES / "kdnet_vectors.json")], ids=["S", "A"])
def test_the_hosts_own_datagrams_are_right(name, file):
    if not file.exists():
        pytest.skip(f"{file.name} is not there")
    one = json.loads(file.read_text())[name]
    keys = net.Keys(one["key"])
    keys.data = bytes.fromhex(one["data_key"])
    for frame in one["frames"].values():
        raw, plain = bytes.fromhex(frame["raw"]), bytes.fromhex(frame["plain"])
        got = keys.open(raw)
        assert (got.channel, got.sequence, got.pad, got.from_host) == (frame["chan"], frame["seq"], frame["pad"], frame["dir"] == "H>T")
        assert got.body == plain[8:len(plain) - got.pad]
        assert keys.seal(got.version, got.channel, got.sequence, got.body, got.from_host) == raw


@pytest.mark.parametrize("version", range(2, 6))
def test_handshake(pair, version):
    t, h = pair(kdnet_version=version)
    first = h.poke()
    own, host, peer = (endpoint(first, n) for n in range(3))
    loopback = (bytes(10) + b"\xff\xff", bytes([127, 0, 0, 1]))
    assert len(first.body) == 344 and first.body[:2] == b"\1\1" and not any(first.body[88:])
    assert first.version == version and first.sequence == 3
    assert own == (*loopback, first.source[1]) and host == (*loopback, h.port) and peer == (loopback[0], bytes(4), 0)
    second = h.poke()
    while endpoint(second, 2)[2] == 0:     # it was under way
        second = h.poke()
    steps = (second.sequence - 3) // 3
    assert second.sequence % 3 == 0 and endpoint(second, 2) == (*loopback, h.port)
    assert int.from_bytes(second.body[2:34], "little") - int.from_bytes(first.body[2:34], "little") == steps
    counts = t.net()
    assert counts["joined"] == counts["sessions"] == 1 and counts["heard"] == 1, "the RESEND"
    h.break_in()
    assert u32(h.state(), 0) == kd.EXCEPTION and h.checks == [bytes([1, 0, 0, 127])] and h.seen[0] == 0


def test_another_version_than_it_speaks_is_not_heard(pair):
    t, h = pair(poke_ms=NEVER, kdnet_version=4)
    h.poke()
    h.version = 5
    h.write(b"b")
    h.version = 4
    let_go(h, h.attach())
    assert t.net()["version"] == 1


def test_a_target_with_another_key_is_not_heard(pair):
    t, h = pair(key="1.2.3.4")
    h.keys = net.Keys("1.2.3.5")
    assert h.receive(1) is None and h.bad >= 2 and t.net()["joined"] == 0


def test_a_target_of_another_address(pair):
    t, h = pair(own_addr="127.0.0.2")
    poke = h.poke()
    assert poke.source[0] == "127.0.0.2" and endpoint(poke, 0)[1:] == (bytes([127, 0, 0, 2]), poke.source[1])
    assert h.attach()


def test_two_targets_with_keys_of_their_own_dial_one_port(pair):
    t, h = pair()
    other = net.Target(h.port, key="a.b.c.d")
    try:
        keys, sources = [net.Keys(net.KEY), net.Keys("a.b.c.d")], [set(), set()]
        while not all(sources):
            raw, source = h.line.recvfrom(8192)
            opened = [k.open(raw) is not None for k in keys]
            assert sum(opened) == 1
            sources[opened.index(True)].add(source)
        assert not sources[0] & sources[1]
    finally:
        other.close()


# --- a session

@ARCHES
def test_a_debugging_session(pair, arch):
    t, h = pair(arch)
    state = h.attach()
    assert u64(state, 24) == h.signed(t.symbol("DbgBreakPointWithStatus"))
    version = h.ask(kd.VERSION, status=0).head
    base = u64(version, 32)
    assert u16(version, 24) == arch.machine and h.memory(base, 2) == b"MZ"
    answer = h.read(base, 3000)
    assert u32(answer.head, 28) == len(answer.data) == 0x448
    assert h.pc(h.context()) == u64(state, 24)
    handle = h.plant(h.signed(t.symbol("NtReadFile")))
    let_go(h, state)
    state = h.state()
    assert (u32(state, 32), u64(state, 24)) == (kd.BREAKPOINT, h.signed(t.symbol("NtReadFile"))) and handle == 1
    h.go(trace=1)
    assert u32(h.state(), 32) == kd.STEP
    h.go()
    assert h.hear(0.1) is None and t.status()["stopped"] == "0"
    assert h.seen == sorted(set(h.seen)) and all(i % 2 == 0 for i in h.seen), "no packet came twice"


def test_it_pokes_while_it_stands(pair):
    t, h = pair(poke_ms=50)
    h.attach()
    before = len(h.pokes)
    while len(h.pokes) < before + 3:
        h.poke()
    assert all(endpoint(p, 2)[2] == h.port for p in h.pokes[-3:]) and t.net()["sessions"] == 1


def test_it_is_hurried(pair):
    t, h = pair(poke_ms=NEVER)
    h.attach()
    h.hurry()
    h.poke()
    assert t.net()["asked"] == 1 and len(h.pokes) == 2


def test_a_boot_that_waits_for_its_host(pair):
    t, h = pair(boot=True)
    h.poke()
    state = h.state(20)
    assert u32(state, 0) == kd.LOAD and h.seen[0] == 0 and h.expect_id >= 2


def test_prints_reach_the_host(pair):
    t, h = pair()
    let_go(h, h.attach())
    t.do("print over the net")
    while "over the net" not in h.prints:
        h.hear(0.2)


# --- hazards

def test_an_answered_keepalive_is_another_session(pair):
    t, h = pair()
    h.attach()
    old = h.keys.data
    h.respond(h.poke())
    h.control(kd.RESEND, 0)
    assert h.state(), "whoever stands says so again"
    assert h.keys.data != old and t.net()["sessions"] == 2
    assert h.ask(kd.VERSION, status=0)


def test_a_replayed_answer_opens_the_way_for_replayed_data(pair):
    t, h = pair(poke_ms=NEVER)
    h.attach()
    h.ask(kd.VERSION, status=0)
    request = h.sent[-2]     # behind it is only the ACK of the answer
    before = t.net()
    h.send(request)
    h.ask(kd.VERSION, status=0)
    assert t.net()["old"] == before["old"] + 1
    h.send(h.responses[-1])
    h.send(request)
    h.ask(kd.VERSION, status=0)
    after = t.net()
    assert (after["sessions"], after["old"]) == (2, before["old"] + 1)
    assert t.log(r"acknowledged and dropped"), "by its id"


def test_what_it_said_itself_is_not_taken(pair):
    t, h = pair(poke_ms=NEVER)
    h.attach()
    h.send(h.keys.seal(h.version, net.DATA, 1 << 30, b"b", from_host=False))
    h.ask(kd.VERSION, status=0)
    assert t.net()["direction"] == 1 and t.status()["pending"] == "0"


def test_noise_is_dropped(pair):
    t, h = pair(poke_ms=NEVER)
    h.attach()
    good = h.keys.seal(h.version, net.DATA, 1 << 30, b"b")
    wrong = [bytes(b ^ (i == at) for i, b in enumerate(good)) for at in (0, 20)]
    for raw in (b"", b"MDBG", good[:-1], good[:-16], good + bytes(16), *wrong):
        h.send(raw)
    h.ask(kd.VERSION, status=0)
    counts = t.net()
    assert (counts["shape"], counts["tag"]) == (5, 2)


def test_an_old_answer_is_not_taken(pair):
    t, h = pair(poke_ms=50)
    first = h.poke()
    for _ in range(5):
        h.poke()
    old = h.keys.data
    h.send(h.keys.seal(h.version, net.CONTROL, first.sequence, b"\1\2" + first.body[2:34] + bytes(288)))
    assert h.keys.data == old and h.attach() and t.net()["answer"] == 1


def test_a_lost_answer(pair):
    t, h = pair()
    h.mute = True
    h.poke()
    h.mute = False
    h.poke()
    assert len(h.responses) == 2
    h.attach()
    assert t.net()["sessions"] == 1


def test_a_new_host_finds_it_standing(pair):
    """Its ids go on; a RESET tells it the host's."""
    t, h = pair()
    h.attach()
    for _ in range(3):
        h.ask(kd.VERSION, status=0)
    h.responses.clear()
    h.send_id, h.expect_id = 0x80000000, 0
    h.queue.clear()
    h.poke()
    assert endpoint(h.pokes[-1], 2)[2] == h.port and u32(h.state(), 0) == kd.EXCEPTION, "by the RESEND behind the answer"
    h.data(kd.MANIPULATE, (kd.VERSION).to_bytes(4, "little") + bytes(52), h.send_id)
    packet = h.packet()
    assert (packet.type, packet.id) == (kd.ACK, h.send_id) and h.packet(0.2) is None, "an old id, to it"
    h.reset()
    packet = h.packet()
    assert packet.type == kd.RESET and packet.id == h.expect_id
    assert u32(h.state(), 0) == kd.EXCEPTION and h.ask(kd.VERSION, status=0)


# --- the line's rules

def test_what_is_not_acknowledged_comes_again_under_another_sequence(pair):
    t, h = pair(poke_ms=NEVER)
    h.attach()
    h.data(kd.MANIPULATE, (kd.VERSION).to_bytes(4, "little") + bytes(52), h.send_id)
    assert h.packet().type == kd.ACK
    sequences, ids = set(), set()
    for _ in range(3):
        packet = h.packet()
        sequences.add(h.heard)
        ids.add(packet.id)
    assert len(sequences) == 3 and len(ids) == 1


def test_data_where_an_ack_is_due_is_asked_for_again(pair):
    t, h = pair(poke_ms=NEVER)
    h.attach()
    question = (kd.VERSION).to_bytes(4, "little") + bytes(52)
    h.data(kd.MANIPULATE, question, h.send_id)
    assert [h.packet().type for _ in range(2)] == [kd.ACK, kd.MANIPULATE]
    h.data(kd.MANIPULATE, question, h.send_id + 2)
    while (packet := h.packet()).type == kd.MANIPULATE:     # a busy machine: it came again
        pass
    assert (packet.type, packet.id) == (kd.RESEND, 0)
    h.data(kd.MANIPULATE, question, h.send_id + 2)
    packet = h.packet()
    assert (packet.type, packet.id) == (kd.ACK, h.send_id + 2)


def test_an_old_packet_is_acknowledged_and_is_no_ack(pair):
    t, h = pair(poke_ms=NEVER)
    h.attach()
    question = (kd.VERSION).to_bytes(4, "little") + bytes(52)
    h.data(kd.MANIPULATE, question, h.send_id)
    assert h.packet().type == kd.ACK
    answer = h.packet()
    h.data(kd.MANIPULATE, question, h.send_id)
    got = [h.packet() for _ in range(2)]
    assert sorted(p.type for p in got) == [kd.MANIPULATE, kd.ACK] and {p.id for p in got} == {answer.id, h.send_id}


def test_one_that_takes_an_old_packet_for_an_ack(pair):
    t, h = pair(poke_ms=NEVER, quirk="old-data-acks")
    h.attach()
    question = (kd.VERSION).to_bytes(4, "little") + bytes(52)
    h.data(kd.MANIPULATE, question, h.send_id)
    assert [h.packet().type for _ in range(2)] == [kd.ACK, kd.MANIPULATE]
    h.data(kd.MANIPULATE, question, h.send_id)
    while (packet := h.packet()).type == kd.MANIPULATE:
        pass
    assert packet.type == kd.RESEND and h.packet(0.2) is None, "the answer does not come again"


def test_a_wrong_sum_is_asked_for_again(pair):
    t, h = pair(poke_ms=NEVER)
    h.attach()
    h.write(b"0000" + bytes([2, 0, 56, 0]) + h.send_id.to_bytes(4, "little") + bytes(4) + b"\1" * 56)
    packet = h.packet()
    assert (packet.type, packet.id) == (kd.RESEND, 0) and h.ask(kd.VERSION, status=0)


def test_a_break_in_while_it_stands_is_kept(pair):
    t, h = pair(poke_ms=NEVER)
    state = h.attach()
    h.break_in()
    let_go(h, state)
    assert u32(h.state(), 32) == kd.BREAKPOINT


def test_another_boot_starts_anew(pair):
    t, h = pair()
    state = h.attach()
    h.ask(kd.VERSION, status=0)
    before, base, sessions = h.pokes[-1], t.status()["base"], t.net()["sessions"]
    h.seen.clear()
    t.do("reset")
    while endpoint(h.poke(), 2)[2]:
        pass
    fresh = h.pokes[-1]
    assert fresh.sequence == 3 and fresh.body[10:34] != before.body[10:34] and h.send_id == 0x80000000
    assert u64(h.attach(), 24) != u64(state, 24) and h.seen[0] == 0
    assert t.status()["base"] != base and t.net()["sessions"] == sessions + 1
    assert "Refreshing" in h.prints


# --- a bad network

BAD = [{"loss": 5}, {"dup": 20}, {"reorder": 20}, {"loss": 5, "dup": 5, "reorder": 5}, {"loss": 30}]


@pytest.mark.parametrize("bad", BAD, ids="-".join)
def test_a_bad_network(pair, bad):
    t, h = pair(seed=7, timeout_ms=50, poke_ms=100, **bad)
    h.patience = 0.1
    state = h.attach()
    base = u64(h.ask(kd.VERSION, status=0).head, 32)
    code = h.memory(base, 0x400)
    for n in range(40):
        assert h.memory(base + n, 0x100) == code[n:n + 0x100]
    let_go(h, state)
    assert t.status()["stopped"] == "0" and h.attach()
    counts = t.net()
    names = {"loss": "lost", "dup": "doubled", "reorder": "late"}
    assert all((counts[name] > 0) == (option in bad) for option, name in names.items())
    assert (counts["old"] > 0 or h.old > 0) == bool(bad.keys() & {"dup", "reorder"})


def test_even_the_worst_network_lets_something_through(pair):
    t, h = pair(loss=100, poke_ms=20)
    h.poke()
    assert t.net()["lost"] >= 3


def test_a_port_that_changes(pair):
    t, h = pair()
    h.attach()
    before = h.pokes[-1].source
    t.net("rebind")
    while h.poke().source == before:
        pass
    assert endpoint(h.pokes[-1], 0)[2] == before[1] and endpoint(h.pokes[-1], 2)[2] == h.port, "it knows of nothing"
    h.peer = h.pokes[-1].source
    assert h.ask(kd.VERSION, status=0) and t.net()["sessions"] == 1
