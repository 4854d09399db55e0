"""test_kd_policy.py - what a KD target's gate refuses, by whatever name it is asked for, and that the target never hears of it."""
import re
import shutil

import gate as gate_module
import kd
import kd_host
import pytest
import rsp_client
from kd import machine, program  # noqa: F401

pytestmark = [pytest.mark.gated, pytest.mark.seconds(60),
              pytest.mark.skipif(not (shutil.which("x86_64-w64-mingw32-gcc") and shutil.which("i686-w64-mingw32-gcc")), reason="mingw-w64 is not installed")]
BASE = 0x80400000
FIRST, LAST = 0x150001800, 0x150002fff    # within the kernel's code
READS = {kd_host.READ, kd_host.GET_CONTEXT, kd_host.READ_SPACE, kd_host.READ_MSR, kd_host.VERSION}
POLICIES = """policy: {
    fenced: { rules: [ "deny mem.read mem.write break range 0x80400000-0x80400fff",
                       "allow query mem.read mem.write reg.read reg.write run break signal trace" ] }
    named:  { rules: [ "allow query mem.read reg.read", "allow monitor match 'modules' 'version'" ] }
    wild:   { rules: [ "allow query mem.read reg.read", "allow monitor" ] }
    fence:  { rules: [ "deny mem.read mem.write break flash range 0x%(first)x-0x%(last)x", "allow all" ] }
}
"""
BRIDGE = ("msr 0x1b", "msr 0x1b 0", "phys 0x1000", "phys 0x1000 64", "reboot", "processors", "bugcheck", "breakpoints")
SPELT = ("modules ", " modules", "MODULES", "modules reboot", "modules;reboot", "versionreboot", " reboot", "reboot ", "REBOOT", "x" * 8000)
UNPRINTABLE = ("modules\0", "modules\n", "modules\nreboot", "\treboot", "reboot\r", "modules\0reboot", "\x7f", "\xffreboot")


@pytest.fixture
def lab(machine, tmp_path):  # noqa: F811
    """lab(policy, ..., arch=..., gate=[...]): a machine that a client of policy full has stopped, and listeners with those policies."""
    conf, leaders = tmp_path / "policies.conf", []
    conf.write_text(POLICIES % {"first": FIRST, "last": LAST})

    def make(*policies, arch="amd64", gate=(), **options):
        m = machine(arch, policies=("full", *policies), gate=["-c", str(conf), *gate], **options)
        leaders.append(client(m, "full"))
        return m

    yield make
    for c in leaders:
        c.close()


def client(m, policy):
    c = rsp_client.Client(m.gate.address(policy))
    assert c.handshake().startswith("T")
    return c


def monitor(c, text):
    """What a monitor command says, its error too."""
    c.say("qRcmd," + text.encode("latin-1").hex())
    said = ""
    while (answer := c.hear()) != "OK":
        if not answer.startswith("O"):
            return said + answer
        said += bytes.fromhex(answer[1:]).decode("latin-1")
    return said


def requests(m):
    """How many the target has had: it is asked for nothing but what clients want."""
    return m.status("requests")


@pytest.mark.parametrize("policy", ["observe", "debug", "named"])
def test_no_monitor_command_of_the_bridge_without_leave(lab, policy):
    m = lab(policy)
    with client(m, policy) as c:
        before = requests(m)
        for text in BRIDGE + SPELT:
            assert monitor(c, text) == f"E.kdgate: policy {policy} does not allow monitor", text
        for text in UNPRINTABLE:
            assert monitor(c, text).startswith("E."), text
        assert requests(m) == before and m.status("boots") == "1"
        assert len(m.gate.audit(event="deny", effect="monitor")) == len(BRIDGE + SPELT)
        if policy == "named":
            assert "ntoskrnl.exe" in monitor(c, "modules") and "build" in monitor(c, "version")


def test_secure_mode_wants_monitor_commands_named(lab):
    m = lab("wild", "named", gate=["--secure"])
    with client(m, "wild") as c:
        before = requests(m)
        for text in BRIDGE + SPELT:
            assert "secure mode" in monitor(c, text), text
        assert requests(m) == before and m.status("boots") == "1"
    with client(m, "named") as c:
        assert "ntoskrnl.exe" in monitor(c, "modules")


@pytest.mark.parametrize("policy", ["observe", "debug", "named"])
def test_nobody_ends_the_machine_by_a_kill(lab, policy):
    m = lab(policy)
    for packet in ("k", "R00", "vKill;1"):
        with client(m, policy) as c:
            c.say(packet)
            c.closed(1)
    assert m.status("boots") == "1" and m.gate.process.poll() is None


def test_a_range_has_one_name(lab):
    """A KD request to i386 carries 64 bits of address, and the low 32 of them count."""
    m = lab("fenced", arch="i386", base=hex(BASE))
    with client(m, "fenced") as c:
        assert len(c.ask(f"m{BASE + 0x1000:x},4")) == 8
        before = requests(m)
        for packet in ("m%x,4", "x%x,4", "M%x,1:00", "X%x,1:a", "Z0,%x,1", "Z2,%x,4", "qSearch:memory:%x;10;MZ", "qCRC:%x,10"):
            for high in (0, 1 << 32, 0xffffffff << 32, 1 << 63):
                answer = c.ask(packet % (BASE | high))
                assert answer.startswith("E.kdgate: denied" if not high else "E.kdgate: the target has no such address"), packet % (BASE | high)
        assert requests(m) == before
        assert len(m.gate.audit(event="deny", policy="fenced")) == 8


def packets(addr):
    """One of each that a client can send, by the gate's own table; addr: where it names an address."""
    table = (gate_module.ROOT / "rsp" / "cmd_table.c").read_text()
    words = {"a": f"{addr:x}", "l": "4", "r": "10", "n": "1", "w": "0", "f": "1", "1": "1", "2": "01", "8": "00000001", "6": "0" * 16, "s": "05", "t": "1",
             "P": "1", "T": "", "h": "41", "H": "41", "x": "00000000", "q": "72", "b": "x", "B": "xxxx", "o": "x", "O": "x", "u": "", "v": "1", "j": "{}",
             "A": "c:1;s:2", "R": f"{addr:x},4", "?": ""}
    rows = re.findall(r'\bROW\("([^"]+)", "([^"]*)"', table)
    assert len(rows) > 200
    return [name + "".join(words.get(letter, letter) for letter in schema) for name, schema in rows]


def send_all(m, policy, addr):
    """Each from a client of its own, which is gone before the next: (the API, first and last address) of all that the target was asked meanwhile."""
    log, asked = m.target.dir / "log", []
    before = len(log.read_text())
    for packet in packets(addr):
        with client(m, policy) as c:
            c.say(packet)
            c.raw(b"\x03")    # whoever follows the target is let go
            try:
                c.hear(0.2)
            except (TimeoutError, rsp_client.Closed):
                pass
    for line in log.read_text()[before:].splitlines():
        if " H manipulate " in line:
            body = bytes.fromhex(line.split()[-1])
            api, first, n = kd_host.u32(body, 0), kd_host.u64(body, 16), kd_host.u32(body, 24)
            asked.append((api, first, first + n - 1 if api in (kd_host.READ, kd_host.WRITE) else first))
    return asked


def test_an_observer_only_reads_whatever_it_sends(lab):
    m = lab("observe", base=hex(FIRST - 0x1800))
    asked = send_all(m, "observe", FIRST)
    assert asked and {api for api, *_ in asked} <= READS
    assert (kd_host.READ, FIRST, FIRST + 3) in asked
    assert m.status("boots") == "1" and m.status("stopped") == "1" and m.status("breakpoints") == "0"


def test_what_a_range_denies_is_asked_for_by_no_packet(lab):
    m = lab("fence", base=hex(FIRST - 0x1800))
    for addr in (FIRST, LAST, FIRST - 1):
        asked = send_all(m, "fence", addr)
        assert not [a for a in asked if a[0] in (kd_host.READ, kd_host.WRITE, kd_host.WRITE_BREAK) and a[1] <= LAST and a[2] >= FIRST]
    assert (kd_host.READ, FIRST - 1, FIRST - 1) in asked    # as much as is not denied
    assert m.status("boots") == "1"
