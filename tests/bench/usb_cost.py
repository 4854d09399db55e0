"""usb_cost.py - what kdgate costs on a USB device, beside a program that does nothing but libusb's plain calls; both in one machine."""
import contextlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sim"))

import usb  # noqa: E402

SIZE, PORT = 2048, 1234


class Bench:
    """A simulated stub behind a debug device. Times are medians, in microseconds of a machine that executes an instruction a
    nanosecond: nothing else that goes on here changes them."""

    def __init__(self):
        usb.build()
        self.vm = usb.Usb(counted=True).boot()
        self.vm.gadget(0, usb.RSP, "2000")
        self.vm.plug(0)
        self.vm.until("ls /sys/bus/usb/devices | grep 1-1:1.0", "the device")

    @contextlib.contextmanager
    def stub(self, port=2000):
        """A new one: the last was left running."""
        self.vm.spawn(f"stub --listen=tcp:127.0.0.1:{port} --profile=gdbserver --record=/run/record", "stub")
        self.vm.until("grep 'connect' /run/record" if port == 2000 else "grep listening /run/stub.log", "the stub")
        yield
        self.vm.end("stub", "KILL")

    def reads(self):
        """How many the stub has had."""
        return int(self.vm.sh("grep -c ' packet m' /run/record"))

    def rtt(self, port, count):
        """Of a debugger's read at that port; and requests to the stub, with those that only warm up."""
        said = self.vm.sh(f"rtt --to tcp:127.0.0.1:{port} --count {count} --sizes {SIZE}", 120)
        return float(re.search(r'"p50_us": ([\d.]+)', said)[1]), self.reads() / (count + count // 10)

    def through(self, target, count):
        self.vm.spawn(f"kdgate {target} --no-cache --listen tcp:127.0.0.1:{PORT}", "kdgate")
        self.vm.until("grep 'target found' /run/kdgate.log", "kdgate to find its target")
        got = self.rtt(PORT, count)
        self.vm.end("kdgate")
        return got

    def loop(self, count):
        with self.stub():
            said = self.vm.sh(f"usb_loop 1000 {SIZE:x} {count}", 120)
            return int(re.search(r"(\d+) us", said)[1]), self.reads() / count

    def kdgate(self, count):
        with self.stub():
            return self.through("rsp+usb:debug", count)

    def way_in(self, count):
        """What a debugger's own connection to kdgate costs, USB or not: with a stub at a port, kdgate less none."""
        with self.stub(2001):
            direct, _ = self.rtt(2001, count)
        with self.stub(2001):
            return self.through("rsp+tcp:127.0.0.1:2001", count)[0] - direct

    def close(self):
        self.vm.stop()
