"""hostile_test.py - the stub that attacks: that it is a stub when it does not, that it attacks where it says, and that it can stop."""
import pathlib
import re
import signal
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import hostile  # noqa: E402
import hostile_cases  # noqa: E402
import rsp_client  # noqa: E402

CASES = hostile_cases.CASES


@pytest.fixture
def stub(tmp_path):
    """stub(case): a stub run by hand; its address. .process, .record()"""
    processes = []

    def start(case):
        words = ["/usr/bin/python3", str(HERE / "hostile.py"), "--listen", f"unix:{tmp_path}/{len(processes)}", "--case", case,
                 "--record", str(tmp_path / "record"), "--canary", str(tmp_path)]
        processes.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        line = processes[-1].stdout.readline()
        assert line.startswith(f"hostile: {case} listening on unix:")
        return line.split()[-1]

    start.processes, start.record = processes, lambda: (tmp_path / "record").read_text().splitlines()
    yield start
    for p in processes:
        p.kill()
        p.wait()
        p.stdout.close()


def document(c, name, n=0x1000):
    text = b""
    while True:
        piece = c.ask(f"qXfer:{name}:{len(text):x},{n:x}").encode("latin-1")
        text += hostile.unescape(piece[1:])
        if piece[:1] != b"m":
            return text


def test_honest_it_is_a_stub(stub):
    with rsp_client.Client(stub("honest")) as c:
        assert c.handshake() == "T05thread:1;"
        assert document(c, "features:read:target.xml") == hostile.DESCRIPTION
        assert len(c.ask("g")) == 2 * sum(hostile.SIZES)
        assert int.from_bytes(bytes.fromhex(c.ask("p10")), "little") == hostile.CODE + 0x1000
        assert len(c.ask(f"m{hostile.CODE:x},40")) == 128 and c.ask("mdead000000000000,4") == "E14"
        assert c.ask(f"M{hostile.CODE:x},2:abcd") == "OK" and c.ask(f"m{hostile.CODE:x},2") == "abcd"
        assert c.ask(f"Z0,{hostile.CODE + 0x10:x},1") == "OK" and c.ask("vCont;c").startswith("T05thread:1;swbreak:")
        assert c.ask(f"z0,{hostile.CODE + 0x10:x},1") == "OK"
        c.say("vCont;c")
        c.interrupt()
        assert c.hear().startswith("T02")
        assert c.ask("qfThreadInfo") == "m1,2" and c.ask("qsThreadInfo") == "l" and c.ask("qNonsense") == ""
        assert c.ask("D") == "OK"
    assert not [line for line in stub.record() if line.startswith("attack")]


def test_its_description_has_the_registers_it_says(stub):
    names = re.findall(r'<reg name="(\w+)" bitsize="(\d+)"[^>]* regnum="(\d+)"', hostile.DESCRIPTION.decode())
    assert [(int(bits) // 8, int(number)) for _, bits, number in sorted(names, key=lambda r: int(r[2]))] == [(s, i) for i, s in enumerate(hostile.SIZES)]


def test_it_attacks_and_says_so(stub):
    with rsp_client.Client(stub("p-4k")) as c:
        c.handshake()
        assert len(c.ask("p18")) == 8192 and len(c.ask("g")) == 2 * hostile.SHORT_G
    assert "attack 'p'" in stub.record()


def test_it_asks_for_files_and_hears_the_answer(stub, tmp_path):
    with rsp_client.Client(stub("file-create")) as c:
        c.handshake()
        call = c.ask("vCont;c")
        at, length = re.fullmatch(r"Fopen,([0-9a-f]+)/([0-9a-f]+),601,1b6", call).groups()
        assert bytes.fromhex(c.ask(f"m{at},{length}")) == f"{tmp_path}/created\0".encode()
        c.say("F-1,1")
        c.interrupt()
        assert c.hear().startswith("T02")
    assert "file 'Fopen -> F-1,1'" in stub.record()


def test_it_can_be_made_honest(stub):
    address = stub("m-not-hex")
    with rsp_client.Client(address) as c:
        c.handshake()
        assert "\x1b" in c.ask("m1000,4")
        stub.processes[0].send_signal(signal.SIGUSR1)
        assert c.closed(3)
    with rsp_client.Client(address) as c:
        c.handshake()
        assert c.ask("m1000,4") == hostile.Machine().read(0x1000, 4).hex()


@pytest.mark.parametrize("name", ["close-connect", "stop-early-flood", "kdb-connect"])
def test_it_attacks_at_once(stub, name):
    with rsp_client.Client(stub(name)) as c:
        try:
            c.item(3)
        except (rsp_client.Closed, AssertionError):
            pass
    assert "attack 'connect'" in stub.record()


def test_it_tells_its_cases_and_refuses_others():
    def run(*words):
        return subprocess.run(["/usr/bin/python3", str(HERE / "hostile.py"), *words], capture_output=True, text=True)
    told = run("--list").stdout.splitlines()
    assert len(told) == len(CASES) and told[0].split() == ["honest", "no", "attack", "at", "all"]
    assert run("--listen", "unix:/nonexistent/x", "--case", "nothing").returncode == 2 and run("--case", "honest").returncode == 2


@pytest.mark.parametrize("name, size", [("xml-10m", 10 << 20), ("libraries-10m", 10 << 20)])
def test_long_documents_are_as_long_as_they_say(name, size):
    (made,) = CASES[name].documents.values()
    doc = made(None)
    whole = doc[0:size]
    assert len(doc) == len(whole) == size
    assert b"".join(doc[i:i + 4093] for i in range(0, 40000, 4093)) == whole[:40930] and len(doc[size - 5:size + 5]) == 5


def test_cases_are_told_apart():
    assert len({c.what for c in CASES.values()}) == len(CASES)
    assert [c.name for c in CASES.values() if not c.what or "\n" in c.what or not re.fullmatch(r"[\w-]+", c.name)] == []
    kinds = {"reply", "stop", "unasked", "noise", "file", "text", "flood", "document", "threads", "lost"}
    assert [c.name for c in CASES.values() if {kind for words in (*c.guard, *c.may) for kind in words.split("/")} - kinds] == []
