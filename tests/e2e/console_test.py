"""console_test.py - the console of a target that does not answer: who sits there, and what the audit has of their typing. With a kernel: test_kgdb.py."""
import socket

import pytest

import gate as gate_module
from sim_gate import gated  # noqa: F401

pytestmark = pytest.mark.gated


@pytest.fixture
def gate(gated):  # noqa: F811
    g = gate_module.Gate(None, ("full",))
    g.target = f"kgdb+unix:{g.dir}/nobody.sock"
    g.options = ["--console", f"unix:{g.dir}/console.sock", "--policy", "full", "--console", f"unix:{g.dir}/look.sock", "--policy", "observe"]
    try:
        g.start()
        gate_module.until(lambda: g.log().count("listening on unix:") == 2, "both consoles")
        yield g
        g.stop()
        assert not g.complaints()
    finally:
        print(f"--- kdgate's log\n{g.log()[-6000:]}")
        g.close()


def sit_down(gate, name):
    s = socket.socket(socket.AF_UNIX)
    s.connect(f"{gate.dir}/{name}.sock")
    s.settimeout(10)
    return s


def test_the_audit_has_that_somebody_typed_but_not_what(gate):
    with sit_down(gate, "console") as console:
        console.sendall(b"secret\r")
        (line,) = gate_module.until(lambda: gate.audit(event="type"), "a line about typing")
    assert (line["text"], line["effect"], line["policy"]) == ("7 bytes", "console", "full")
    assert line["client"] == gate.audit(event="connect")[0]["client"] and line["rule"] > 0
    gate_module.until(lambda: gate.audit(event="leave"), "its end")
    assert "secret" not in gate.audit_file.read_text() + gate.log()


def test_what_was_typed_last_comes_before_the_end(gate):
    with sit_down(gate, "console") as console:
        console.sendall(b"secret\r")
    gate_module.until(lambda: gate.audit(event="leave"), "its end")
    assert [line["event"] for line in gate.audit() if "client" in line] == ["connect", "type", "leave"]


def test_who_may_not_type_is_in_the_audit_once(gate):
    with sit_down(gate, "look") as look:
        look.sendall(b"secret\r")
        assert b"does not allow typing" in look.recv(4096)
        look.sendall(b"secret\r")
    gate_module.until(lambda: gate.audit(event="leave"), "its end")
    (line,) = gate.audit(event="deny")
    assert (line["effect"], line["policy"]) == ("console", "observe")
    assert not gate.audit(event="type") and "secret" not in gate.audit_file.read_text()
