"""kdnet.py - the Windows machine of kd.py that dials in over UDP instead, by KDNET: for the tests of the KD bridge over networks."""
import gate as gate_module
import kd
import kd_host
import pytest

KEYS = ["1m770ts6ru0p.3671pemyie4i.2b8djy3wt5et.1p99ir125v4q", "3w5e11264sgsf.kdhost.1.zzzz"]
POKE_MS = 300     # Windows pokes every three seconds


def key_file(folder, key):
    file = folder / f"key-{key[:4]}"
    file.write_text(key + "\n")
    file.chmod(0o600)
    return file


class Machine(kd.Machine):
    """options: of the target's program; loss=5 and so on are its network. via(port): a port that leads to it."""

    def __init__(self, arch="amd64", policies=("full",), key=KEYS[0], before=None, via=lambda port: port, gate=(), on_disconnect="run", **options):
        self.arch, self.port, self.slow = arch, gate_module.free_port(), "loss" in options
        self.target = kd_host.Target(arch, "kdnet", kdnet=f"127.0.0.1:{via(self.port)}", key=key, **{"poke_ms": POKE_MS, **options})
        self.gate = gate_module.Gate(None, policies, on_disconnect=on_disconnect, options=gate)
        self.gate.options += ["--key-file", str(key_file(self.gate.dir, key))]
        self.gate.target = f"kdnet:127.0.0.1:{self.port}"
        if before:
            before(self.target)
        self.gate.start()

    def gdb(self, program="gdb", policy="full", main=False):
        g = kd.Gdb(self.arch, program, main)
        if self.slow:
            g.ask("set remotetimeout 60")    # what is lost costs half a second, each time
        return g.meet(self.gate.address(policy))

    def met(self, times=1):
        gate_module.until(lambda: self.gate.log().count("target found") >= times, "the target to be met", 40)

    def net(self, line="net"):
        """Its side of the session, in numbers."""
        self.target.do(line)
        return {name: int(value) for name, value in (word.split("=") for word in self.target.until(r"net (joined.*)")[1].split())}

    def close(self):
        """A bad network was one."""
        try:
            if self.slow and self.target.process.poll() is None:
                counts = self.net()
                assert counts["lost"] and counts["doubled"] and counts["late"]
        finally:
            super().close()


@pytest.fixture
def machine():
    """machine(arch, ...)"""
    yield from kd.making(Machine)


class Lab(gate_module.Gate):
    """kdgate serve: targets at one port, told by their keys; each has a listener of that name, full."""

    def __init__(self, keys):
        super().__init__(None, keys)
        self.keys, self.port = keys, gate_module.free_port()

    def command(self):
        conf = self.dir / "kdgate.conf"
        parts = (f'  {name}: {{ connect = "kdnet:127.0.0.1:{self.port}"  key_file = "{key_file(self.dir, key)}"\n'
                 f'    listen: ( {{ address = "tcp:{self.address(name)}"  policy = "full" }} ) }}\n' for name, key in self.keys.items())
        conf.write_text(f'audit = "{self.audit_file}"\ntarget: {{\n{"".join(parts)}}}\n')
        return [gate_module.PROGRAM, "serve", "-c", str(conf)]

    def boot(self, key):
        return kd_host.Target("amd64", "kdnet", kdnet=f"127.0.0.1:{self.port}", key=key, poke_ms=POKE_MS)
