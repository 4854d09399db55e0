"""test_kdnet.py - a Windows kernel over KDNET: it dials, is met, and met again when either side begins anew; and whose key it is."""
import shutil

import gate as gate_module
import kd
import kd_host
import pytest

pytestmark = [pytest.mark.gated, pytest.mark.seconds(60),
              pytest.mark.skipif(not shutil.which("x86_64-w64-mingw32-gcc"), reason="mingw-w64 is not installed")]
KEYS = ["1m770ts6ru0p.3671pemyie4i.2b8djy3wt5et.1p99ir125v4q", "3w5e11264sgsf.kdhost.1.zzzz"]


@pytest.fixture(scope="session", autouse=True)
def program():
    kd_host.build()


class Net:
    """kdgate at a port of its own, and machines that dial it."""

    def __init__(self, tmp_path):
        self.dir, self.port, self.gates, self.machines = tmp_path, gate_module.free_port(), [], []

    def key_file(self, key):
        file = self.dir / f"key-{key[:4]}"
        file.write_text(key + "\n")
        file.chmod(0o600)
        return file

    def listen(self, key=KEYS[0], policies=("full",)):
        gate = gate_module.Gate(None, policies, options=["--key-file", str(self.key_file(key))])
        gate.target = f"kdnet:127.0.0.1:{self.port}"
        self.gates.append(gate)
        return gate.start()

    def boot(self, key=KEYS[0], **options):
        self.machines.append(kd_host.Target("amd64", "kdnet", kdnet=f"127.0.0.1:{self.port}", key=key, poke_ms=300, **options))
        return self.machines[-1]

    def close(self):
        for machine in self.machines:
            machine.close()
        for gate in self.gates:
            gate.close()


@pytest.fixture
def net(tmp_path):
    network = Net(tmp_path)
    yield network
    network.close()


def met(gate, times=1):
    gate_module.until(lambda: gate.log().count("target found") >= times, "the target to be met", 40)


def gdb(gate):
    return kd.Gdb("amd64").meet(gate.address("full"))


def test_met_and_debugged(net):
    gate = net.listen()
    net.boot()
    met(gate)
    with gdb(gate) as g:
        assert "KiSystemStartup" in g.ask("bt")
        assert "processor 0" in g.ask("info threads")
        g.ask("break KdSimPoll")
        assert "KdSimPoll" in g.ask("continue")
        assert g.ask("x/2000xb $sp - 2048").count("0x") > 2000    # more than a datagram brings
        g.leave()


def test_a_network_that_loses_and_repeats(net):
    gate = net.listen()
    machine = net.boot(loss=5, dup=10, reorder=10, seed=3)
    met(gate)
    gate_module.until(lambda: machine.log("note Continue2"), "it to be let run", 40)
    with kd.Gdb("amd64") as g:
        g.ask("set remotetimeout 60")    # what is lost costs half a second, each time
        g.meet(gate.address("full"))
        places = {g.value("$pc")}
        for _ in range(3):
            g.ask("stepi")
            places.add(g.value("$pc"))
        assert len(places) == 4
        assert "KiSystemStartup" in g.ask("bt")
        g.leave()


def test_kdgate_dies_while_it_stands(net):
    gate = net.listen()
    machine = net.boot()
    met(gate)
    with gdb(gate) as g:
        pc = g.ask("p/x $pc")
        gate.process.kill()
        gate.process.wait()
    again = net.listen()
    met(again)
    with gdb(again) as g:
        assert g.ask("p/x $pc").split("= ")[1] == pc.split("= ")[1]
        g.leave()
    assert machine.process.poll() is None


def test_reboot_under_a_client(net):
    gate = net.listen()
    machine = net.boot()
    met(gate)
    with gdb(gate) as g:
        g.start("continue")
        machine.do("reboot")
        g.hear(r"booted again[^$]*received signal SIGPWR", 30)
        assert "KernBase" in g.ask("monitor version") or "kernel at" in g.ask("monitor version")


def test_words_for_a_wrong_key(net):
    gate = net.listen()
    net.boot(key="1.2.3.4")
    gate_module.until(lambda: "not of this key" in gate.log(), "words about the key", 40)
    assert KEYS[0] not in gate.log()
