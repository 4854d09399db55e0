"""hostile_cases_replies.py - answers that are not what was asked for: registers, memory, threads, monitor, questions of lldb."""
from hostile_cases import case, hexed, often

ESC = "\x1b]0;title\x07\x1b[31mred\x7f"
LONG = "41" * 4096


def longer(by):
    return lambda peer, body: peer.machine.g() + "00" * by


def when(test, made):
    """Only for some requests: test(body)."""
    return lambda peer, body: (made(peer, body) if callable(made) else made) if test(body) else None


# --- registers
GDB = "gdb"     # lldb reads one register at a time
case("g-long-1", "g, one byte too long", answers={"g": longer(1)}, guard="reply", only=GDB)
case("g-long-64k", "g, 64 KiB too long", answers={"g": longer(65536)}, guard="lost", lost=True, only=GDB)
case("g-short", "g of 10 bytes", answers={"g": "00" * 10}, guard="reply", only=GDB)
case("g-empty-hex", "g that is unsupported", answers={"g": ""}, accepted="a stub may lack g", only=GDB)
case("g-odd", "g with half a byte at its end", answers={"g": lambda peer, _: peer.machine.g()[:-1]}, guard="reply", only=GDB)
case("g-not-hex", "g with letters that are no digits", answers={"g": lambda peer, _: "zz" + peer.machine.g()[2:]}, guard="reply", only=GDB)
case("p-4k", "p of 4 KiB", answers={"p": LONG}, short_g=True, guard="reply", gdb=("print $fs_base",))
case("p-short", "p of one byte", answers={"p": "41"}, short_g=True, guard="reply", gdb=("print $fs_base",))
case("p-odd", "p with half a byte", answers={"p": "4141414141414"}, short_g=True, guard="reply", gdb=("print $fs_base",))
case("p-one-more", "p, one byte too long", answers={"p": "41" * 9}, short_g=True, guard="reply", gdb=("print $fs_base",))
case("p-text", "p answered with an escape sequence", answers={"p": ESC}, short_g=True, guard="reply", gdb=("print $fs_base",))
case("p-ok", "p answered OK", answers={"p": "OK"}, short_g=True, guard="reply", gdb=("print $fs_base",))

# --- memory
case("m-long", "m, one byte more than asked", answers={"m": lambda peer, body: "41" * (int(body.split(",")[1], 16) + 1)}, guard="reply")
case("m-64k", "m of 60 KiB", answers={"m": "41" * 60000}, guard="reply")
case("m-short", "m with half of what was asked", accepted="a short read is allowed",
     answers={"m": lambda peer, body: "41" * (int(body.split(",")[1], 16) // 2 or 1)})
case("m-nothing", "m without any byte", answers={"m": ""}, accepted="that says unsupported")
case("m-odd", "m with half a byte", answers={"m": "414"}, guard="reply")
case("m-not-hex", "m with an escape sequence", answers={"m": ESC}, guard="reply")
case("m-binary", "m answered as if it were x", answers={"m": b"$bAAAA#66"}, guard="reply")
case("m-ok", "m answered OK", answers={"m": "OK"}, guard="reply")
case("m-upper-x", "m with x for bytes that are not there", answers={"m": lambda peer, body: "xx" * int(body.split(",")[1], 16)}, guard="reply")
case("x-long", "x, longer than asked", answers={"x": b"$b" + b"A" * 64 + b"#a2"}, never_asked="targets are asked m")
case("error-escapes", "E. with escape sequences", answers={"m": f"E.{ESC} here"}, guard="text", lldb=("memory read 0xffffffff81000000",))
case("error-huge", "E. with 12 KiB of text", answers={"m": "E." + "A" * 12000}, guard="text", lldb=("memory read 0xffffffff81000000",))
case("error-odd", "E with half a code", answers={"m": "E1"}, accepted="it is one byte as well")

# --- breakpoints, threads
case("break-nonsense", "Z answered with bytes", answers={"Z": "41414141"}, guard="reply")
case("break-stop", "Z answered with a stop", answers={"Z": "T05thread:1;"}, guard="stop/unasked", slow=True)
case("extra-escapes", "qThreadExtraInfo with escape sequences", answers={"qThreadExtraInfo": hexed(ESC)}, guard="text", only=GDB)
case("extra-huge", "qThreadExtraInfo of 7 KiB", answers={"qThreadExtraInfo": "41" * 7000}, guard="reply", only=GDB)
case("extra-odd", "qThreadExtraInfo with half a byte", answers={"qThreadExtraInfo": "414"}, guard="reply", only=GDB)
case("threads-bad-ids", "threads 0, -1, p0.0 and 2^63", answers={"qfThreadInfo": "m1,0,-1,p0.0,8000000000000000,2"}, guard="reply")
case("threads-negative", "a thread of 2^64-5", answers={"qfThreadInfo": "m1,fffffffffffffffb"}, guard="reply")
case("threads-10000", "ten thousand threads", answers={"qfThreadInfo": "m" + ",".join(f"{i:x}" for i in range(1, 10001))}, guard="threads",
     slow=True, patience=40)
case("threads-for-ever", "a thread list that never ends", guard="threads", slow=True, patience=40, answers={
    "qfThreadInfo": "m" + ",".join(f"{i:x}" for i in range(1, 101)),
    "qsThreadInfo": lambda peer, _: more_threads(peer)})
case("threads-same-for-ever", "the same threads again and again", answers={"qfThreadInfo": "m1,2", "qsThreadInfo": "m1,2"}, guard="threads")
case("threads-duplicate", "a list with each thread twice", answers={"qfThreadInfo": "m1,1,2,2,1"}, guard="threads")
case("threads-nonsense", "a thread list of escape sequences", answers={"qfThreadInfo": f"m1,{ESC}"}, guard="reply")
case("threads-empty", "a thread list without threads", answers={"qfThreadInfo": "m"}, guard="reply")
case("current-unknown", "qC names a thread that is in no list; ? names none", answers={"qC": "QC7777", "?": "S05"}, guard="threads")
case("current-nonsense", "qC with an escape sequence; ? names none", answers={"qC": f"QC{ESC}", "?": "S05"}, guard="reply")
case("alive-nonsense", "T answered with bytes", answers={"T": "4141"}, guard="reply", only=GDB, gdb=("maint packet T1",))


def more_threads(peer):
    peer.many = getattr(peer, "many", 100) + 100
    return "m" + ",".join(f"{i:x}" for i in range(peer.many, peer.many + 100))


# --- monitor
case("monitor-escapes", "monitor prints escape sequences", answers={"qRcmd": lambda *_: ["O" + hexed(ESC + "\rhidden\n"), "OK"]}, guard="text", shows="title")
case("monitor-last-escapes", "monitor's last line has escape sequences", answers={"qRcmd": hexed(ESC + "\n")}, guard="text", shows="title")
case("monitor-no-end", "monitor prints, and does not end", answers={"qRcmd": lambda *_: monitor_flood()}, guard="flood", may="lost", slow=True,
     sticks="lldb cannot be interrupted in it")
case("monitor-silent", "monitor is not answered", answers={"qRcmd": lambda *_: []}, accepted="monitor commands may be slow", slow=True)
case("monitor-odd", "monitor prints half a byte", answers={"qRcmd": lambda *_: ["O414", "OK"]}, guard="reply")
case("monitor-file", "monitor asks for a file", answers={"qRcmd": lambda *_: ["Fopen,ffffffff82000000/6,0,0", "OK"]}, guard="reply",
     may="unasked file")
case("monitor-stop", "monitor answered with a stop", answers={"qRcmd": lambda *_: ["T05thread:1;", "OK"]}, guard="stop/unasked")


def monitor_flood():
    yield from often(400000, "O" + hexed("flood, and more of it\n" * 20))


ONE_BY_ONE = "registers and memory are read one by one"


# --- what debuggers ask beside that; asked for by hand where they do not of themselves
def packet(text):
    return {"gdb": (f"maint packet {text}",), "lldb": (f"process plugin packet send {text}",)}


case("symbol-long", "qSymbol asks for a name as long as the packet", answers={"qSymbol": "qSymbol:" + "41" * 8000},
     never_asked="targets are asked for no symbols",
     gdb=("maint packet qSymbol::",), lldb=("process plugin packet send qSymbol::",))
case("relocate", "qRelocInsn while it runs", running=lambda peer, n: ["qRelocInsn:ffffffff81000000;ffffffff82000000"], guard="unasked")
case("offsets", "qOffsets with rubbish", guard="reply", **packet("qOffsets"),
     answers={"qOffsets": "Text=" + "f" * 40 + ";Data=zz;Bss=" + "1" * 300})
case("offsets-control", "qOffsets with escape sequences", answers={"qOffsets": f"Text={ESC};Data=0;Bss=0"}, guard="reply", **packet("qOffsets"))
case("tib", "qGetTIBAddr with rubbish", answers={"qGetTIBAddr": "zz" * 2000}, guard="reply", **packet("qGetTIBAddr:1"))
case("tls", "qGetTLSAddr with an escape sequence", answers={"qGetTLSAddr": ESC}, guard="reply", **packet("qGetTLSAddr:1,0,0"))
case("crc", "qCRC with text in place of a number", answers={"qCRC": "C" + "9" * 3000}, guard="reply", **packet("qCRC:ffffffff81000000,40"))
case("search", "qSearch with rubbish", answers={"qSearch": "1,zzzz" + "9" * 3000}, guard="reply", **packet("qSearch:memory:ffffffff81000000;40;a"))
case("region", "qMemoryRegionInfo with rubbish", guard="reply", lldb=("memory region 0xffffffff81000000",), gdb=packet("qMemoryRegionInfo:0")["gdb"],
     answers={"qMemoryRegionInfo": "start:zz;size:" + "f" * 60 + ";permissions:" + "x" * 900 + ";name:" + hexed(ESC) + ";"})
case("region-wraps", "qMemoryRegionInfo: regions of size 0, for ever", guard="reply", lldb=("memory region --all",), gdb=packet("qMemoryRegionInfo:0")["gdb"],
     answers={"qMemoryRegionInfo": "start:0;size:0;"})
case("region-control", "qMemoryRegionInfo with an escape sequence", answers={"qMemoryRegionInfo": ESC}, guard="reply",
     lldb=("memory region 0xffffffff81000000",), gdb=packet("qMemoryRegionInfo:0")["gdb"])
case("threads-info", "jThreadsInfo with rubbish", never_asked=ONE_BY_ONE, gdb=packet("jThreadsInfo")["gdb"], answers={"jThreadsInfo": (
    '[{"tid":1,"reason":"' + "A" * 900 + '","registers":{"0":"' + "41" * 900 + '","-1":"zz"},"memory":[{"address":-1,"bytes":"zz"}]}]').replace("}", "}]")})
case("threads-info-deep", "jThreadsInfo, 3000 brackets deep", answers={"jThreadsInfo": "[" * 3000}, never_asked=ONE_BY_ONE, gdb=packet("jThreadsInfo")["gdb"])
case("modules-info", "jModulesInfo names files of the host", **packet("jModulesInfo:[]"), answers={"jModulesInfo": lambda peer, _: (
    '[{"uuid":"00","triple":"00","file_path":"%s/canary.elf","file_offset":0,"file_size":9}]' % peer.stub.canary).replace("}", "}]")},
    never_asked="it is about files")
case("register-info", "qRegisterInfo with rubbish", answers={"qRegisterInfo": "name:rip;bitsize:99999999;offset:-1;encoding:uint;format:hex;"},
     never_asked="registers are told by target.xml", **packet("qRegisterInfo0"))
case("host-info", "qHostInfo with rubbish", answers={"qHostInfo": "triple:" + hexed(ESC * 40) + ";ptrsize:255;watchpoint_exceptions_received:zz;"},
     never_asked="kdgate tells it", gdb=packet("qHostInfo")["gdb"])
case("process-info", "qProcessInfo with rubbish", answers={"qProcessInfo": "pid:zz;ptrsize:99;main-binary-address:1;triple:" + hexed(ESC)},
     never_asked="kdgate tells it", gdb=packet("qProcessInfo")["gdb"])
case("shlib-info", "qShlibInfoAddr with rubbish", answers={"qShlibInfoAddr": "z" * 3000}, guard="reply", **packet("qShlibInfoAddr"))
case("load-address", "qFileLoadAddress with rubbish", answers={"qFileLoadAddress": ESC}, guard="reply", **packet("qFileLoadAddress:41"))
case("version", "qGDBServerVersion with an escape sequence", answers={"qGDBServerVersion": f"name:{ESC};version:{'9' * 900};"}, guard="reply",
     **packet("qGDBServerVersion"))
case("files", "vFile answers that lie", answers={"vFile": "F7fffffff;" + "A" * 500}, never_asked="files of the target are not for debuggers",
     **packet("vFile:open:2f6574632f706173737764,0,0"))
case("exec-and-args", "qExecAndArgs with a command for the shell", answers={"qExecAndArgs": "S;2f62696e2f7368;2d63;"},
     never_asked="arguments are not for debuggers", **packet("qExecAndArgs"))
case("libraries-infos", "jGetLoadedDynamicLibrariesInfos names files", answers={"jGetLoaded": '{"images":[{"pathname":"/etc/passwd"}]}]'.replace("}", "}]")},
     never_asked="it is about files", gdb=packet("jGetLoadedDynamicLibrariesInfos:{}")["gdb"])

# --- qSupported, vCont?
OTHERS = "QStartNoAckMode+;qXfer:features:read+;vContSupported+;swbreak+;hwbreak+"
KNOWN = "what kdgate knows of that is taken, the rest is nothing to it"
for name, size in (("huge", "7fffffff"), ("one", "1")):
    case(f"packet-size-{name}", f"PacketSize={size}", supported=f"PacketSize={size};{OTHERS}", guard="document")
case("packet-size-zero", "PacketSize=0", supported=f"PacketSize=0;{OTHERS}", may="document", accepted="as if it had not been said")
for name, size in (("negative", "-1"), ("too-long", "f" * 40)):
    case(f"packet-size-{name}", f"PacketSize={size[:20]}", supported=f"PacketSize={size};{OTHERS}", guard="lost")
case("supported-64k", "qSupported of 60 KiB", supported=";".join(f"feature{i}+" for i in range(4000)) + ";QStartNoAckMode+", guard="document")
case("supported-nonsense", "qSupported with an escape sequence", supported=f"PacketSize=1000;{ESC}+;=;;QStartNoAckMode+;vContSupported+", guard="lost")
case("vcont-nonsense", "vCont? with rubbish", answers={"vCont?": f"vCont;{ESC};c;C;s;S;;;x"}, accepted=KNOWN)
case("attached-nonsense", "qAttached with an escape sequence", answers={"qAttached": ESC}, never_asked="kdgate tells it", **packet("qAttached"))
