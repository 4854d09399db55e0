"""test_break_lost.py - a telnet port that swallows the BREAK, as some terminal servers do: it is told, and is no matter once the port passes it on."""
import re
import select
import socket
import threading

import debuggers
import gate as gate_module
import kgdb
import pytest

pytestmark = [pytest.mark.gated, pytest.mark.seconds(180)]
BREAK = b"\xff\xf3"     # IAC BRK, RFC 854


class Port:
    """Between kdgate and QEMU's telnet. .deaf: it passes everything on but a BREAK; .swallowed: so many."""

    def __init__(self, to, deaf):
        self.to, self.deaf, self.swallowed = to, deaf, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.number = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self.to)) as server:
                self.carry(client, server)

    def carry(self, client, server):
        while True:
            for s in select.select([client, server], [], [])[0]:
                try:
                    data = s.recv(4096)
                except ConnectionResetError:
                    return
                if not data:
                    return
                if s is client and self.deaf:
                    self.swallowed += data.count(BREAK)
                    data = data.replace(BREAK, b"")
                (server if s is client else client).sendall(data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def board():
    """board(deaf): a kernel, its port, a kdgate."""
    opened = []

    def start(deaf):
        vm = kgdb.Kgdb(link="telnet").boot()
        port = Port(vm.telnet_port, deaf)
        g = gate_module.Gate(vm.serial, ("full",))
        g.target = f"kgdb+telnet:127.0.0.1:{port.number}"
        opened.append((g, port, vm))
        g.start()
        return opened[-1]

    yield start
    for g, port, vm in opened:
        try:
            g.stop()
            assert not g.complaints()
        finally:
            print(f"--- kdgate's log\n{g.log()[-6000:]}")
            g.close()
            port.close()
            vm.stop()


def stops_for(g, vm):
    """gdb finds the kernel stopped by its BREAK, and leaves it running."""
    with debuggers.Gdb(vm.vmlinux) as d:
        text = d.attach(g.address("full"), 60)
        assert "kgdb_breakpoint" in text, text
        assert "sysrq_handle_dbg" in d.ask("bt 3")
        d.ask("detach")
    vm.wait_beats(2, 30)


def test_a_break_that_is_lost_under_a_debugger(board):
    """Ctrl-C has no effect: gdb is told what may be the cause. The next debugger's is heard."""
    g, port, vm = board(deaf=False)
    gate_module.until(lambda: "target found" in g.log(), "the kernel to be met", 30)
    with debuggers.Gdb(vm.vmlinux) as d:
        assert "kgdb_breakpoint" in d.attach(g.address("full"), 60)
        d.start("continue")
        vm.wait_beats(2, 30)
        port.deaf = True
        d.interrupt()
        d.hear(r"kdgate: the kernel does not answer BREAK and g\. Is this line its console", 60)
        assert port.swallowed > 1
        vm.wait_beats(2, 30)
        d.kill()
    gate_module.until(lambda: "leaves: " in g.log(), "the client to go")
    with debuggers.Gdb(vm.vmlinux) as d:     # nor is the next one kept for ever
        text = d.attach(g.address("full"), 60)
        assert "kdgate: the target is running, and does not answer the break-in" in text, text
    port.deaf = False
    stops_for(g, vm)


def test_a_break_that_is_lost_from_the_beginning(board):
    """It is told why no kernel is found; then it is found, without a restart."""
    g, port, vm = board(deaf=True)
    gate_module.until(lambda: "cannot be used: no KGDB answers" in g.log(), "kdgate to tell", 60)
    assert port.swallowed
    assert re.search(r"is away: no KGDB answers \(is the kernel up, this its console, the speed right", debuggers.gdb(g.address("full"), symbols=vm.vmlinux))
    vm.wait_beats(2, 30)
    port.deaf = False
    gate_module.until(lambda: "target found, it was running" in g.log(), "the kernel to be met", 60)
    stops_for(g, vm)
