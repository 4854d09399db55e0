"""bench.py - what kdgate costs, always against the direct connection and against socat in the same run.

Prints tables for people and writes one line of JSON for each figure. It asserts nothing about speed.
    bench.py [--out build/bench.json] [--quick] [--only rtt,confined,dump,instructions,idle,paced,kd,kdnet,usb] [--rounds N]
KDGATE_BEFORE names another kdgate, of an earlier commit, that is measured beside this one in the same run.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sim"), str(ROOT / "tests" / "e2e")]

import kd_cost  # noqa: E402
import kd_host  # noqa: E402
import kdnet_cost  # noqa: E402
import paced  # noqa: E402
import rsp_client  # noqa: E402
import stub as stub_module  # noqa: E402
import usb_cost  # noqa: E402
from gate import free_port, until  # noqa: E402

KDGATE = os.environ.get("KDGATE", str(ROOT / "build" / "kdgate"))
SIZES = (4, 64, 2048)
WAYS = ("direct", "socat", "kdgate")
BEFORE = os.environ.get("KDGATE_BEFORE")
SER2NET = shutil.which("ser2net", path=os.environ.get("PATH", "") + ":/usr/sbin")
PACED_WAYS = ("direct", "socat", "ser2net", "kdgate")


class Figures:
    """Every figure is a line in the file."""

    def __init__(self, out):
        self.out = open(out, "w")

    def add(self, figure, value, **more):
        self.out.write(json.dumps({"figure": figure, "value": round(value, 4), **more}) + "\n")
        self.out.flush()


class Relay:
    """A program between a debugger and a stub at tcp 127.0.0.1:stub; .port is its own."""

    def __init__(self, words, log):
        self.log = log
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def started(self, condition, what):
        until(lambda: condition() or self.process.poll() is not None, what)
        if self.process.poll() is not None:
            raise SystemExit(f"bench: {what}: it ended: {pathlib.Path(self.log.name).read_text()}")
        return self

    def stop(self, seconds=20):
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def listens(port):
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as f:
            if any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in f.readlines()[1:]):
                return True
    return False


class Setting:
    """One far end for each way to it, so that nothing waits for anything else; everything ends with it."""

    def __init__(self, folder):
        self.dir, self.running, self.ports = pathlib.Path(folder), [], {}

    def socat(self, port):
        own = free_port()
        words = ["socat", f"TCP-LISTEN:{own},bind=127.0.0.1,reuseaddr,fork,nodelay", f"TCP:127.0.0.1:{port},nodelay"]
        self.running.append(Relay(words, open(self.dir / "socat.log", "w")).started(lambda: listens(own), "socat"))
        return own

    def kdgate(self, port, *options, before=(), program=KDGATE):
        own = free_port()
        words = [*before, program, f"rsp+tcp:127.0.0.1:{port}", "--listen", f"tcp:127.0.0.1:{own}", "--policy", "debug",
                 "--audit", str(self.dir / "audit.jsonl"), "--on-disconnect", "stay"]
        words += ["--no-cache"] * (program == KDGATE)    # the same address again and again: every request is to reach the stub
        relay = Relay([*words, *options], open(self.dir / "kdgate.log", "w")).started(lambda: listens(own), "kdgate")
        self.running.append(relay)
        until(lambda: served(own), "kdgate to serve", 60)
        return own, relay

    def close(self):
        for r in reversed(self.running):
            (r.close if hasattr(r, "close") else r.stop)()


def served(port):
    try:
        with rsp_client.Client(f"127.0.0.1:{port}", timeout=5) as c:
            return c.handshake()[:1] in ("T", "S")
    except (OSError, rsp_client.Closed, TimeoutError):
        return False


def sim_stub(setting):
    s = stub_module.Stub(listen="tcp:127.0.0.1:0", profile="gdbserver", recorded=False)
    setting.running.append(s)
    return int(s.listen.rpartition(":")[2])


def through(setting, far):
    """Ports: direct, socat, kdgate. far() starts a far end and gives its port."""
    return {"direct": far(), "socat": setting.socat(far()), "kdgate": setting.kdgate(far())[0]}


def rtt(port, count, sizes=SIZES):
    words = [stub_module.BUILD / "bench" / "rtt", "--to", f"tcp:127.0.0.1:{port}", "--count", str(count), "--sizes", ",".join(map(str, sizes))]
    out = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True).stdout
    return {line["size"]: line for line in map(json.loads, out.splitlines())}


def table(head, rows):
    rows = [head, *[[x if isinstance(x, str) else f"{x:.2f}" for x in row] for row in rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  " + "  ".join(x.ljust(w) if i == 0 else x.rjust(w) for i, (x, w) in enumerate(zip(row, widths))))
    print()


def bench_rtt(setting, figures, args):
    count, rounds = (200, 2) if args.quick else (4000, args.rounds)
    ports, runs = through(setting, lambda: sim_stub(setting)), []
    for r in range(rounds):
        for way in WAYS[r % 3:] + WAYS[:r % 3]:          # nobody is always first
            runs += [(way, size, line) for size, line in rtt(ports[way], count).items()]
    mid = {(way, size, what): statistics.median(line[what] for w, s, line in runs if (w, s) == (way, size))
           for way in WAYS for size in SIZES for what in ("p50_us", "p99_us", "mb_s")}
    print(f"Round trips of m over TCP loopback, no acks, {rounds} x {count} each; kdgate with policy debug and audit\n")
    rows = []
    for size in SIZES:
        for way in WAYS:
            p50, p99, mbs = (mid[way, size, what] for what in ("p50_us", "p99_us", "mb_s"))
            direct, socat = mid["direct", size, "p50_us"], mid["socat", size, "p50_us"]
            rows.append([f"{size} bytes, {way}", p50, p99, mbs, p50 - direct, p50 / direct, p50 / socat])
            for what, value in (("p50_us", p50), ("p99_us", p99), ("mb_s", mbs)):
                base = {b: mid[b, size, what] for b in ("direct", "socat")}
                figures.add(f"rtt.{what}", value, way=way, bytes=size, to_direct=round(value / base["direct"], 3), to_socat=round(value / base["socat"], 3))
            figures.add("rtt.added_us", p50 - direct, way=way, bytes=size)
    table(["m", "p50 us", "p99 us", "MB/s", "added us", "x direct", "x socat"], rows)


def bench_confined(setting, figures, args):
    """What confinement costs, and with an earlier kdgate, what all that came since does: each round has every way, in another order."""
    count, rounds = (200, 2) if args.quick else (4000, 2 * args.rounds)
    ports = {"confined": setting.kdgate(sim_stub(setting))[0], "unconfined": setting.kdgate(sim_stub(setting), "--sandbox", "off")[0]}
    if BEFORE:
        ports["before"] = setting.kdgate(sim_stub(setting), program=BEFORE)[0]
    ways, took = list(ports), {}
    for r in range(rounds):
        for way in ways[r % len(ways):] + ways[:r % len(ways)]:
            for size, line in rtt(ports[way], count).items():
                took.setdefault((way, size), []).append(line["p50_us"])
    print(f"Round trips of m through kdgate, {rounds} x {count} each: confined, not confined{', and an earlier kdgate' if BEFORE else ''}\n")
    rows, last = [], ways[-1]
    for size in SIZES:
        for way in ways:
            mid, best, base = statistics.median(took[way, size]), min(took[way, size]), statistics.median(took[last, size])
            rows.append([f"{size} bytes, {way}", mid, best, mid / base, best / min(took[last, size])])
            figures.add("confined.p50_us", mid, way=way, bytes=size, best=round(best, 2), **{f"to_{last}": round(mid / base, 3)})
    table(["m", "p50 us, median", "p50 us, best", f"x {last}", f"best x {last}"], rows)


def qemu(setting):
    port = free_port()
    words = ["qemu-system-x86_64", "-S", "-m", "64", "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "none", "-gdb", f"tcp:127.0.0.1:{port}"]
    setting.running.append(Relay(words, open(setting.dir / "qemu.log", "w")).started(lambda: listens(port), "qemu"))
    return port


def dump(port, size, to):
    commands = ["set architecture i386:x86-64", "set tcp connect-timeout 20", f"target remote 127.0.0.1:{port}", "python import time; t = time.monotonic()",
                f"dump binary memory {to} 0 {size:#x}", "python print('took', time.monotonic() - t)", "disconnect"]  # a detach would let it run
    words = ["gdb", "-nx", "-batch", *(x for c in commands for x in ("-ex", c))]
    out = subprocess.run(words, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL)
    took = [line.split()[1] for line in out.stdout.splitlines() if line.startswith("took ")]
    if not took or not pathlib.Path(to).exists():
        raise SystemExit(f"bench: gdb did not dump: {out.stdout}{out.stderr}")
    return float(took[0])


def bench_dump(setting, figures, args):
    size, rounds = (1 << 16, 1) if args.quick else (16 << 20, max(3, args.rounds - 2))
    ports, took, files = through(setting, lambda: qemu(setting)), {way: [] for way in WAYS}, {}
    for r in range(rounds):
        for way in WAYS[r % 3:] + WAYS[:r % 3]:
            files[way] = setting.dir / way
            took[way].append(dump(ports[way], size, files[way]))
    same = len({f.read_bytes() for f in files.values()}) == 1
    mid = {way: statistics.median(t) for way, t in took.items()}
    print(f"gdb: dump binary memory of {size >> 10} KiB from QEMU's stub, {rounds} times; {'the same bytes' if same else 'THE BYTES DIFFER'}\n")
    for way in WAYS:
        figures.add("dump.seconds", mid[way], way=way, bytes=size, to_direct=round(mid[way] / mid["direct"], 3), to_socat=round(mid[way] / mid["socat"], 3), same=same)
    table(["dump", "seconds", "MB/s", "x direct", "x socat"], [[way, mid[way], size / mid[way] / 1e6, mid[way] / mid["direct"], mid[way] / mid["socat"]] for way in WAYS])


def instructions(args, count, size):
    """All that kdgate executes, from start to end, for count packets."""
    with tempfile.TemporaryDirectory(prefix="kdgate-bench-") as folder:
        setting = Setting(folder)
        try:
            out = setting.dir / "callgrind.out"
            port, relay = setting.kdgate(sim_stub(setting), "--sandbox", "off", before=["valgrind", "--tool=callgrind", "--vgdb=no", f"--callgrind-out-file={out}"])
            rtt(port, count, (size,))
            relay.stop(60)
            return next(int(line.split()[1]) for line in out.read_text().splitlines() if line.startswith(("summary:", "totals:")))
        finally:
            setting.close()


def bench_instructions(setting, figures, args):
    n = 50 if args.quick else 1000
    rows = []
    for size in (4, 64) if args.quick else SIZES:
        one, two = instructions(args, n, size), instructions(args, 2 * n, size)
        each = (two - one) / (n + n // 10)               # rtt's warming up is a tenth more
        rows.append([f"m of {size} bytes", f"{each:.0f}"])
        figures.add("instructions.per_packet", each, bytes=size, packets=n)
    print(f"Instructions of kdgate for each packet and its answer, by callgrind, {2 * n} against {n} packets\n")
    table(["instructions", "each"], rows)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def bench_idle(setting, figures, args):
    sessions, seconds = (20, 0.5) if args.quick else (200, 10)
    port, relay = setting.kdgate(sim_stub(setting), "--max-clients", "256")
    pid, clients = relay.process.pid, []
    before = resident_kib(pid)
    for _ in range(sessions):
        clients.append(rsp_client.Client(f"127.0.0.1:{port}"))
        assert clients[-1].handshake()[:1] in ("T", "S")
    memory, cpu, start = resident_kib(pid), cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    cpu, took = cpu_seconds(pid) - cpu, time.monotonic() - start
    for c in clients:
        c.close()
    print(f"kdgate with {sessions} idle sessions over {took:.1f} s\n")
    rows = [["memory before, KiB", str(before)], ["memory, KiB", str(memory)], ["for each session, KiB", (memory - before) / sessions], ["CPU seconds", cpu]]
    for name, value in (("rss_before_kib", before), ("rss_kib", memory), ("rss_each_kib", (memory - before) / sessions), ("cpu_seconds", cpu)):
        figures.add(f"idle.{name}", value, sessions=sessions, seconds=round(took, 1))
    table(["idle", "value"], rows)


class PacedWays:
    """How gdb comes to the line: a function for each way, which gives its port and how it ends."""

    def __init__(self, setting, line):
        self.setting, self.line = setting, line

    def direct(self):
        return self.line.port, lambda: None

    def relay(self, name, words, ready):
        with open(self.setting.dir / f"{name}.log", "w") as log:
            relay = Relay(words, log).started(ready, name)
        return relay.stop

    def socat(self):
        own = free_port()
        words = ["socat", f"TCP-LISTEN:{own},bind=127.0.0.1,reuseaddr,nodelay", f"TCP:127.0.0.1:{self.line.port},nodelay"]
        return own, self.relay("socat", words, lambda: listens(own))

    def ser2net(self):
        own, config = free_port(), self.setting.dir / "ser2net.yaml"
        config.write_text(f"connection: &line\n  accepter: tcp(nodelay),127.0.0.1,{own}\n  connector: tcp(nodelay),127.0.0.1,{self.line.port}\n")
        return own, self.relay("ser2net", [SER2NET, "-n", "-u", "-c", str(config)], lambda: listens(own))

    def kdgate(self):
        own, log = free_port(), self.setting.dir / "kdgate.log"
        words = [KDGATE, f"kgdb+tcp:127.0.0.1:{self.line.port}", "--listen", f"tcp:127.0.0.1:{own}", "--policy", "debug", "--on-disconnect", "run"]
        return own, self.relay("kdgate", words, lambda: "target found" in log.read_text())


def paced_sums(costs):
    """The whole of what somebody pays who stops there and looks."""
    costs["first look"] = tuple(map(sum, zip(*(costs[x] for x in paced.LOOKS))))
    costs["stop and look"] = tuple(map(sum, zip(costs["stop"], costs["first look"])))


def ratio(value, base):
    return round(value / base, 3) if base else None


def paced_rows(figures, mid):
    for what in mid["direct"]:
        for way, costs in mid.items():
            to = {f"{unit}_to_direct": ratio(costs[what][i], mid["direct"][what][i]) for i, unit in enumerate(("bytes", "trips"))}
            figures.add("paced.bytes", costs[what][0], way=way, what=what, trips=costs[what][1], seconds=round(costs[what][2], 3), **to)
        yield [what, *("{:.0f} / {:.0f} / {:.2f} s".format(*costs[what]) for costs in mid.values()), *("-" if x is None else x for x in to.values())]


def bench_paced(setting, figures, args):
    ways, runs = [w for w in PACED_WAYS if w != "ser2net" or SER2NET], {}
    with paced.board() as (vm, line):
        to = PacedWays(setting, line)
        for r in range(1 if args.quick else args.rounds):
            for way in ways[r % len(ways):] + ways[:r % len(ways)]:
                runs.setdefault(way, []).append(paced.measure(vm, line, getattr(to, way)))
    mid = {way: {what: tuple(statistics.median(c[what][i] for c in runs[way]) for i in range(3)) for what in runs[way][0]} for way in ways}
    for costs in mid.values():
        paced_sums(costs)
    print(f"gdb and a real KGDB kernel at 115200 baud, {len(runs['kdgate'])} times: bytes on the wire / round trips / seconds; the last two: kdgate to direct\n")
    table(["paced", *ways, "x bytes", "x trips"], list(paced_rows(figures, mid)))


def bench_kd(setting, figures, args):
    kd_host.build()
    costs, size = kd_cost.requests(), 1 << (13 if args.quick else 18)
    print("A Windows-like kernel over KD: requests to it, beside the goal and what WinDbg asks for\n")
    for what, n in costs.items():
        figures.add("kd.requests", n, what=what)
    table(["kd", "requests", "goal", "WinDbg"], [[what, *("-" if x is None else str(x) for x in (n, kd_cost.GOALS.get(what), kd_cost.WINDBG.get(what)))] for what, n in costs.items()])
    (carried, took), ideal = kd_cost.line_use(size), kd_cost.ideal(size)
    best = ideal * 10 / kd_cost.BAUD
    figures.add("kd.line", best / took, bytes=size, wire=carried, ideal=ideal, seconds=round(took, 3), wire_use=round(ideal / carried, 4))
    print(f"gdb reads {size >> 10} KiB over a line of {kd_cost.BAUD} baud, beside the least that KD's packets need\n")
    table(["kd, read", "bytes on the wire", "seconds", "share"], [["least", str(ideal), best, 1.0], ["kdgate", str(carried), took, best / took]])


def bench_kdnet(setting, figures, args):
    kd_host.build()
    size, each = 1 << (17 if args.quick else 20), 1 << 14
    rows = []
    for delay in (None, 0, 500):
        way = {None: "loopback", 0: "and a relay", 500: "and 1 ms there and back"}[delay]
        rate, requests = kdnet_cost.speed(delay, size >> (delay == 500) * 2, each)
        figures.add("kdnet.read", rate, way=way, requests=round(requests))
        rows.append([way, f"{rate:.2f}", f"{requests:.0f}"])
    print("A Windows-like kernel over KDNET, read without the cache\n")
    table(["kdnet, read", "MiB/s", "requests/s"], rows)
    rows = []
    for what, times in kdnet_cost.reactions(size, each).items():
        figures.add("kdnet.reaction", kdnet_cost.p50(times), what=what, p90=round(kdnet_cost.p90(times), 1), n=len(times))
        rows.append([what, f"{kdnet_cost.p50(times):.0f}", f"{kdnet_cost.p90(times):.0f}", *(str(d.get(what, "-")) for d in (kdnet_cost.GOALS, kdnet_cost.WINDBG))])
    print("From a datagram's arrival to what is said to it, us over loopback\n")
    table(["kdnet, us", "p50", "p90", "goal", "WinDbg"], rows)
    rows = []
    for what, before in (("a target that runs", None), ("one that stands", kdnet_cost.stop_it)):
        for delay in (0, 500):
            took = kdnet_cost.attach(delay, before)
            figures.add("kdnet.attach", took, what=what, delay_us=delay)
            rows.append([f"{what}, {2 * delay} us away", f"{took:.2f}"])
    table(["kdnet, answer to its poke until its state", "ms"], rows)
    rows = []
    for what, (datagrams, requests) in zip(("a stop until the client is told", "a stop until gdb shows it"), kdnet_cost.to_a_prompt()):
        figures.add("kdnet.stop", datagrams, what=what, requests=requests)
        rows.append([what, str(datagrams), str(requests)])
    rows.append(["WinDbg: a stop until its prompt", str(kdnet_cost.WINDBG["datagrams to a prompt"]), str(kdnet_cost.WINDBG["requests to a prompt"])])
    table(["kdnet, stop", "datagrams", "requests"], rows)


def bench_usb(setting, figures, args):
    count, b = (20 if args.quick else 200), usb_cost.Bench()
    try:
        (loop, loop_trips), (took, trips), way_in = b.loop(count), b.kdgate(count), b.way_in(count)
    finally:
        b.close()
    own = took - way_in
    for what, value, base in (("us", own, loop), ("us_with_way_in", took, loop), ("trips", trips, loop_trips)):
        figures.add(f"usb.{what}", value, bytes=usb_cost.SIZE, to_loop=round(value / base, 3))
    print(f"A read of {usb_cost.SIZE} bytes from a stub behind a USB debug device, {count} times, in a machine whose clock counts instructions\n")
    table(["usb", "p50 us", "round trips", "x loop"], [["libusb's plain calls", loop, loop_trips, 1.0], ["kdgate", own, trips, own / loop],
                                                       ["kdgate, with a debugger's connection to it", took, trips, took / loop]])


BENCHES = {"rtt": (bench_rtt, "socat"), "confined": (bench_confined, ""), "dump": (bench_dump, "socat gdb qemu-system-x86_64"), "instructions": (bench_instructions, "valgrind"), "idle": (bench_idle, ""),
           "paced": (bench_paced, "socat gdb qemu-system-x86_64"), "kd": (bench_kd, "gdb x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc"),
           "kdnet": (bench_kdnet, "gdb x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc"),
           "usb": (bench_usb, "qemu-system-x86_64")}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default=str(ROOT / "build" / "bench.json"))
    p.add_argument("--only", default=",".join(BENCHES))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--quick", action="store_true", help="a few packets, to see that it works")
    args = p.parse_args()
    if not os.path.exists(KDGATE):
        raise SystemExit(f"bench: {KDGATE} is not built")
    stub_module.build("sim/stub", "bench/rtt", "bench/udp_way")
    figures = Figures(args.out)
    for name in args.only.split(","):
        bench, needs = BENCHES[name]
        missing = [n for n in needs.split() if not shutil.which(n)]
        if missing:
            print(f"{name}: skipped: {', '.join(missing)} is not installed\n")
            continue
        with tempfile.TemporaryDirectory(prefix="kdgate-bench-") as folder:
            setting = Setting(folder)
            try:
                bench(setting, figures, args)
            finally:
                setting.close()


if __name__ == "__main__":
    main()
