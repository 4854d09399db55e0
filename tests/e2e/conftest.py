"""conftest.py - one kernel for all, a kdgate for each test, and a time limit on everything."""
import pathlib
import signal
import socket
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sim"))

import debuggers  # noqa: E402
import gate as gate_module  # noqa: E402
import kernel as kernel_module  # noqa: E402

SECONDS = 120   # for one test, when it does not say so itself


def pytest_configure(config):
    config.addinivalue_line("markers", "gated: needs kdgate itself, not only a stub")
    config.addinivalue_line("markers", "seconds(n): this test's time limit")


def pytest_collection_modifyitems(items):
    for item in items:
        if gate_module.DIRECT and item.get_closest_marker("gated"):
            item.add_marker(pytest.mark.skip(reason="KDGATE=none"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    mark = item.get_closest_marker("seconds")

    def ring(*_):
        raise TimeoutError("the test's time is up")

    old = signal.signal(signal.SIGALRM, ring)
    signal.alarm(mark.args[0] if mark else SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


def heal(vm):
    """Whatever a test left in the stub: '?' makes QEMU forget breakpoints, D lets the machine run. With its process number:
    once a client has spoken multiprocess, QEMU 7.2 keeps to it, and refuses a bare D."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(vm.stub))
        for packet, answer in ((b"$?#3f", b"$T05"), (b"+$D;1#b0", b"$OK#9a")):
            s.sendall(packet)
            got = b""
            while answer not in got:
                got += s.recv(4096)
        s.sendall(b"+")


class Machines:
    """Keeps one kernel running; gives a fresh one when a test has ruined it."""

    def __init__(self):
        self.vm = None

    def get(self):
        if self.vm is None or not self.vm.alive():
            self.drop()
            self.vm = kernel_module.Kernel().boot()
        return self.vm

    def drop(self):
        if self.vm is not None:
            self.vm.stop()
        self.vm = None

    def check(self):
        """After a test: does it live? Else the next test gets a new one."""
        if self.vm is None or not self.vm.alive():
            return
        try:
            heal(self.vm)
            self.vm.wait_beats(1, 10)
        except (OSError, RuntimeError, TimeoutError):
            self.drop()


@pytest.fixture(scope="session")
def machines():
    m = Machines()
    yield m
    m.drop()


@pytest.fixture(scope="session")
def symbols():
    return kernel_module.symbol_file()


@pytest.fixture
def kernel(machines):
    """A running kernel. A test may also kill it."""
    vm = machines.get()
    yield vm
    machines.check()


@pytest.fixture
def gate(kernel):
    """gate("debug", "observe", ...): a running kdgate in front of the kernel, stopped after the test as its owner would."""
    if not gate_module.DIRECT and not pathlib.Path(gate_module.PROGRAM).exists():
        pytest.fail(f"{gate_module.PROGRAM} is not built")
    gates = []

    def start(*policies, **how):
        g = gate_module.Gate(how.pop("stub", kernel.stub), policies or ("debug",), **how)
        gates.append(g)
        return g.start()

    yield start
    try:
        for g in gates:
            g.stop()
            assert not g.complaints()
    finally:
        for g in gates:
            print(f"--- kdgate's log\n{g.log()}")
            g.close()


@pytest.fixture
def lldb_ready(kernel):
    """QEMU greets a client of a running machine with a stop reply nobody asked for, and lldb gives up. kdgate does not."""
    if gate_module.DIRECT:
        kernel.qmp("stop")


@pytest.fixture
def gdb(symbols):
    """gdb(address, command...) with the kernel's symbols."""
    return lambda address, *commands, **how: debuggers.gdb(address, *commands, symbols=symbols, **how)


@pytest.fixture
def lldb(symbols, lldb_ready):
    return lambda address, *commands, **how: debuggers.lldb(address, *commands, symbols=symbols, **how)
