"""test_ide.py - gdb/MI and the Debug Adapter Protocol, in the order the IDEs' own logs show."""
import re
import socket

import debuggers
import pytest

HIT = "__x64_sys_newuname"


@pytest.fixture
def mi(symbols):
    with debuggers.Mi(symbols) as m:
        yield m


def knows_localhost():
    """":1234" means localhost to gdb; a machine without /etc/hosts has no such name."""
    try:
        return bool(socket.getaddrinfo("localhost", None))
    except OSError:
        return False


def cpptools_start(mi, address):
    for line in ("-gdb-set mi-async on", "-gdb-set pagination off", "-gdb-set auto-solib-add on", "-gdb-set stop-on-solib-events 1"):
        mi.must(line)
    mi.must(f"-target-select remote {address}")


def test_cpptools(gate, kernel, mi):
    """VS Code's C/C++ extension."""
    address = gate().address()
    cpptools_start(mi, address.replace("127.0.0.1", "") if knows_localhost() else address)
    assert mi.must("-data-list-register-names").count('"') > 40
    assert re.search(r'number="16",value="0x[0-9a-f]+"', mi.must("-data-list-register-values x"))
    assert "CPU#1" in mi.must("-thread-info")
    addr = re.search(r'value="[^"]*(0xf[0-9a-f]{15})', mi.must(f'-data-evaluate-expression "&{HIT}"'))[1]
    mi.must(f"-break-insert *{addr}")
    mi.must("-exec-continue")
    assert 'reason="breakpoint-hit"' in mi.stopped()
    assert f'func="{HIT}"' in mi.must("-stack-list-frames 0 5")
    assert mi.must("-data-disassemble -s $pc -e \"$pc + 16\" -- 0").count("inst=") >= 3
    assert "contents=" in mi.must("-data-read-memory-bytes $pc 64")
    mi.must("-exec-step-instruction")
    assert 'reason="end-stepping-range"' in mi.stopped()
    mi.must("-break-delete 1")
    mi.must("-exec-continue")
    kernel.wait_beats(2)
    mi.must("-exec-interrupt")
    assert 'signal-name="SIGINT"' in mi.stopped()
    mi.must("-target-detach")
    kernel.wait_beats(2)


@pytest.mark.gated
def test_cpptools_stop_button_spares_the_machine(gate, kernel, mi):
    cpptools_start(mi, gate().address())
    mi.ask("kill")
    mi.ask("-gdb-exit")
    assert kernel.alive()
    kernel.wait_beats(2)


def test_native_debug(gate, kernel, mi):
    """VS Code's Native Debug."""
    for line in ("-gdb-set target-async on", "-environment-directory /"):
        mi.ask(line)
    mi.must(f"-target-select extended-remote {gate().address()}")
    mi.must(f"-break-insert -f {HIT}")
    mi.must("-exec-continue")
    assert 'reason="breakpoint-hit"' in mi.stopped()
    assert 'frame={level="0"' in mi.must("-stack-list-frames --thread 1 0 3")
    mi.must("-break-delete 1")
    mi.ask("-gdb-exit")
    kernel.wait_beats(2)


def test_eclipse(gate, kernel, mi):
    """Eclipse CDT: all-stop, a remote time-out of its own."""
    for line in ("-gdb-version", "-list-features", "-gdb-set breakpoint pending on", "-enable-pretty-printing", "-gdb-set auto-solib-add on",
                 "-gdb-set remotetimeout 10", "-gdb-set python print-stack none"):
        mi.must(line)
    host, port = gate().address().split(":")
    mi.must(f"-target-select remote {host}:{port}")
    mi.must(f"-break-insert -t -f {HIT}")
    mi.must("-thread-info")
    mi.must("-exec-continue --thread-group i1")
    assert 'reason="breakpoint-hit"' in mi.stopped()
    assert 'depth="' in mi.must("-stack-info-depth --thread 1 11")
    mi.must("-var-create - * $rip")
    mi.must("-target-detach")
    kernel.wait_beats(2)


def test_non_stop_fails_cleanly(gate, kernel, symbols):
    """Eclipse with the box ticked: neither QEMU nor kdgate can do it, and gdb is told so, not hung."""
    g = gate()
    with debuggers.Mi(symbols) as m:
        m.must("-gdb-set mi-async on")
        m.must("-gdb-set non-stop on")
        verdict, rest = m.ask(f"-target-select remote {g.address()}")
        assert verdict == "error" and "non-stop" in rest
    with debuggers.Mi(symbols) as m:
        m.must(f"-target-select remote {g.address()}")
        m.must("-target-detach")
    kernel.wait_beats(2)


def test_clion(gate, kernel, mi):
    """CLion's GDB Remote Debug: commands by the console interpreter."""
    for line in ("set mi-async on", "set width 0", f"target remote {gate().address()}"):
        mi.must(f'-interpreter-exec console "{line}"')
    mi.must("-thread-info")
    mi.must("-stack-list-variables --thread 1 --frame 0 1")
    mi.must(f"-break-insert {HIT}")
    mi.must("-exec-continue --all")
    assert 'reason="breakpoint-hit"' in mi.stopped()
    mi.must("-break-delete 1")
    mi.must('-interpreter-exec console "detach"')
    kernel.wait_beats(2)


def test_lldb_dap(gate, kernel, symbols, lldb_ready):
    """An editor with lldb-dap: attach, pause, stack, breakpoint, disconnect."""
    with debuggers.Dap() as d:
        d.attach(gate().address(), symbols)
        d.event("stopped")
        thread = d.ask("threads")["threads"][0]["id"]
        d.resume(thread)
        kernel.wait_beats(2)
        d.ask("pause", threadId=thread)
        d.event("stopped")
        assert d.ask("stackTrace", threadId=thread, levels=5)["stackFrames"][0]["instructionPointerReference"].lower().startswith("0xffffffff")
        d.ask("setFunctionBreakpoints", breakpoints=[{"name": HIT}])
        d.resume(thread)
        assert d.event("stopped")["reason"] in ("breakpoint", "function breakpoint")
        threads = [t["id"] for t in d.ask("threads")["threads"]]
        tops = [d.ask("stackTrace", threadId=t, levels=1)["stackFrames"][0]["name"] for t in threads]
        assert HIT in tops
        d.ask("setFunctionBreakpoints", breakpoints=[])
        d.ask("disconnect", terminateDebuggee=False)
    kernel.wait_beats(2)
