"""hostile_cases_documents.py - target.xml, memory maps, lists of libraries, the program's file: documents of a hostile target."""
from hostile import DESCRIPTION, MEMORY_MAP, REGISTERS, description, escape, frame
from hostile_cases import case

XML = '<?xml version="1.0"?>'
CORE = [f'<reg name="{n}" bitsize="{8 * size}" type="int{8 * size}" regnum="{i}"/>' for i, (n, size) in enumerate(REGISTERS[:24])]


def target(name, what, doc, guard="document", more=None, **how):
    documents = {"features:target.xml": doc, **{f"features:{k}": v for k, v in (more or {}).items()}}
    case(name, what, documents=documents, guard=guard, **how)


def with_register(line):
    return description(CORE + [line])


class Long:
    """A document of that size, made as it is read."""

    def __init__(self, head, more, size):
        self.head, self.more, self.size = head, more, size

    def __len__(self):
        return self.size

    def __getitem__(self, part):
        start, end = part.start, min(part.stop, self.size)
        at = start - len(self.head)
        body = (self.more * ((end - start) // len(self.more) + 2))[max(at, 0) % len(self.more):]
        return (self.head[start:] + body)[:end - start]


# --- sizes, ends
target("xml-10m", "target.xml of 10 MiB", lambda peer: Long(DESCRIPTION.replace(b"<feature", b"<!--", 1), b"A", 10 << 20), slow=True)
case("xml-no-data", "target.xml: m without data, for ever", answers={"qXfer:features": "m"}, guard="document")
case("xml-never-last", "target.xml: pieces that never end", guard="document", slow=True, answers={
    "qXfer:features": lambda peer, body: frame(b"m" + escape((DESCRIPTION * 100)[:int(body.split(",")[1], 16)]))})
case("xml-long-piece", "target.xml: a piece longer than asked", answers={"qXfer:features": lambda peer, body: frame(b"l" + b"A" * 20000)}, guard="document")
case("xml-text", "target.xml: text in place of a piece", answers={"qXfer:features": "\x1b[31m"}, guard="document")
target("xml-empty", "target.xml is empty", b"")
target("xml-cut", "target.xml is cut off", DESCRIPTION[:len(DESCRIPTION) // 2])
target("xml-not-utf8", "target.xml with bytes that are no UTF-8", DESCRIPTION.replace(b"i386:x86-64", b"i386\xff\xfe\x80"))
target("xml-utf16", "target.xml in UTF-16", DESCRIPTION.decode().replace('version="1.0"', 'version="1.0" encoding="utf-16"').encode("utf-16"),
       guard="", accepted="it is read all the same, and written anew")
target("xml-no-target", "target.xml has another root", f"{XML}<html/>".encode())
target("xml-escapes", "target.xml with escape sequences as names", with_register('<reg name="&#x9b;31m&#x85;red" bitsize="64" regnum="90"/>'))

# --- XML itself
LOL = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
target("xml-laughs", "target.xml: a billion laughs",
       f'{XML}<!DOCTYPE target [<!ENTITY l0 "lol">{LOL}]><target><architecture>&l9;</architecture></target>'.encode())
target("xml-quadratic", "target.xml: one large entity, used often",
       f'{XML}<!DOCTYPE target [<!ENTITY a "{"A" * 30000}">]><target><architecture>{"&a;" * 3000}</architecture></target>'.encode())
target("xml-external-dtd", "target.xml: a DTD at a URL", lambda peer: description(head=f'<!DOCTYPE target SYSTEM "{peer.stub.url}/x.dtd">'),
       guard="", accepted="a document's type may be named; it is not fetched, and not passed on")
target("xml-external-entity", "target.xml: an entity that is a file of the host",
       lambda peer: description(head=f'<!DOCTYPE target [<!ENTITY x SYSTEM "file://{peer.stub.canary}/secret">]>', more="<osabi>&x;</osabi>"))
target("xml-parameter-entity", "target.xml: a parameter entity at a URL",
       lambda peer: description(head=f'<!DOCTYPE target [<!ENTITY % x SYSTEM "{peer.stub.url}/x.ent"> %x;]>'))
target("xml-deep", "target.xml, 4000 elements deep", (XML + "<target>" + '<feature name="a">' * 4000 + "</feature>" * 4000 + "</target>").encode())
target("xml-attributes", "target.xml: an element with 4000 attributes", (XML + "<target " + " ".join(f'a{i}="1"' for i in range(4000)) + "/>").encode(),
       guard="", may="reply lost document", accepted="attributes that nobody knows are left out")

# --- includes
INCLUDE = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="%s"/>'


def including(name):
    return f'{XML}<target><architecture>i386:x86-64</architecture>{INCLUDE % name}</target>'.encode()


target("xml-self", "target.xml includes itself", including("target.xml"))
target("xml-self-feature", "target.xml includes a feature that includes itself", including("a.xml"), more={
    "a.xml": f'{XML}<feature name="org.gnu.gdb.i386.core">{INCLUDE % "a.xml"}</feature>'.encode()})
target("xml-chain", "target.xml: a chain of 100 includes", including("i1.xml"), more={
    f"i{i}.xml": f'{XML}<feature name="f{i}">{INCLUDE % f"i{i + 1}.xml"}</feature>'.encode() for i in range(1, 101)})
target("xml-file", "target.xml includes /etc/passwd", including("/etc/passwd"), more={"/etc/passwd": b"root::0:0"})
target("xml-canary", "target.xml includes a file of the host", lambda peer: including(f"{peer.stub.canary}/secret"))
target("xml-url", "target.xml includes a URL", lambda peer: including(f"{peer.stub.url}/x.xml"))
target("xml-up", "target.xml includes ../../x", including("../../x"))
target("xml-missing", "target.xml includes what is not there", including("nothing.xml"))
target("xml-packet", "target.xml includes a name that is a packet of its own", including("a:0,1#00$k#6b"))

# --- registers
for name, bits in (("2e31", "2147483648"), ("0", "0"), ("negative", "-64"), ("2e64", "18446744073709551617"), ("3", "3")):
    target(f"xml-bits-{name}", f"target.xml: a register of {bits} bits", with_register(f'<reg name="evil" bitsize="{bits}" regnum="90"/>'),
           **({"guard": "", "accepted": "made up to a byte"} if name == "3" else {}))
target("xml-100000", "target.xml: 100000 registers", lambda peer: description(CORE + [f'<reg name="x{i}" bitsize="64"/>' for i in range(100000)]), slow=True)
target("xml-number-twice", "target.xml: two registers of one number", with_register('<reg name="evil" bitsize="64" regnum="16"/>'))
target("xml-number-huge", "target.xml: a register of number 2^31", with_register('<reg name="evil" bitsize="64" regnum="2147483648"/>'))
target("xml-number-negative", "target.xml: a register of number -1", with_register('<reg name="evil" bitsize="64" regnum="-1"/>'))
target("xml-name-twice", "target.xml: two registers of one name", with_register('<reg name="rip" bitsize="8" regnum="90"/>'))
target("xml-name-long", "target.xml: a register's name of 10000 letters", with_register(f'<reg name="{"a" * 10000}" bitsize="64" regnum="90"/>'))
target("xml-vector-huge", "target.xml: a vector of 2^31",
       description(CORE + ['<vector id="v" type="int8" count="2147483647"/><reg name="evil" bitsize="64" type="v" regnum="90"/>']))
target("xml-type-self", "target.xml: a type made of itself",
       description(CORE + ['<union id="u"><field name="a" type="u"/></union><reg name="evil" bitsize="64" type="u" regnum="90"/>']))
target("xml-other-arch", "target.xml of an architecture that is none", DESCRIPTION.replace(b"i386:x86-64", b"../../evil"))


# --- memory map
def memory_map(name, what, doc, guard="document", **how):
    doc = doc if callable(doc) else f"{XML}<memory-map>{doc}</memory-map>".encode()
    case(name, what, documents={"memory-map:": doc}, guard=guard, gdb=("info mem",), **how)


RAM = '<memory type="ram" start="%s" length="%s"/>'
memory_map("map-overlap", "memory map: overlapping regions", RAM % ("0x1000", "0x2000") + '<memory type="rom" start="0x2000" length="0x2000"/>')
memory_map("map-wraps", "memory map: a region that wraps around", RAM % ("0xfffffffffffff000", "0x2000"))
memory_map("map-huge-number", "memory map: numbers of 100 digits", RAM % ("0x" + "f" * 100, "0x" + "f" * 100))
memory_map("map-negative", "memory map: negative numbers", RAM % ("-4096", "-1"))
memory_map("map-huge", "memory map of 1 MiB", lambda peer: f"{XML}<memory-map>{RAM % ('0x1000', '0x1000') * 22000}</memory-map>".encode())
memory_map("map-flash", "memory map: flash without a block size", '<memory type="flash" start="0x0" length="0x1000"/>')
memory_map("map-type", "memory map: a type with an escape sequence", '<memory type="&#x9b;31m" start="0x0" length="0x1000"/>')
memory_map("map-laughs", "memory map: a billion laughs", lambda peer:
           f'{XML}<!DOCTYPE memory-map [<!ENTITY l0 "lol">{LOL}]><memory-map>&l9;</memory-map>'.encode())
memory_map("map-nonsense", "memory map that is no XML", lambda peer: b"\x1b]0;title\x07" + MEMORY_MAP[:20])


# --- names of files
def names(peer):
    c = peer.stub.canary
    return ["../../x", "|cmd", "/etc/passwd", f"{c}/canary.elf", "canary.elf", "a" * 10000, f"{c}/two&#10;lines", "-x", "`id`", "&#x9b;31mred"]


def libraries(peer):
    return (XML + "<library-list>" + "".join(f'<library name="{n}"><segment address="0xffffffff83000000"/></library>' for n in names(peer)) +
            "</library-list>").encode()


def libraries_svr4(peer):
    return (XML + '<library-list-svr4 version="1.0" main-lm="0x0">' +
            "".join(f'<library name="{n}" lm="0xffffffff8300{i:02x}00" l_addr="0x0" l_ld="0x0"/>' for i, n in enumerate(names(peer))) +
            "</library-list-svr4>").encode()


def shown(name, *gdb):
    return {"gdb": (*gdb, f"maint packet qXfer:{name}:read::0,ffb"), "lldb": ("image list", f"process plugin packet send qXfer:{name}:read::0,ffb")}


SHOW, SHOW4 = (shown(n, "info sharedlibrary", "sharedlibrary") for n in ("libraries", "libraries-svr4"))
case("libraries", "libraries named ../../x, |cmd, /etc/passwd, a file of the host, newlines", documents={"libraries:": libraries},
     features=("qXfer:libraries:read+",), guard="document", **SHOW)
case("libraries-svr4", "the same names in an svr4 list", documents={"libraries-svr4:": libraries_svr4}, features=("qXfer:libraries-svr4:read+",),
     guard="document", **SHOW4)
case("libraries-laughs", "libraries: a billion laughs", features=("qXfer:libraries:read+",), guard="document", **SHOW,
     documents={"libraries:": f'{XML}<!DOCTYPE library-list [<!ENTITY l0 "lol">{LOL}]><library-list>&l9;</library-list>'.encode()})
case("libraries-10m", "libraries of 10 MiB", features=("qXfer:libraries:read+",), guard="document", **SHOW, slow=True,
     documents={"libraries:": lambda peer: Long(
         f"{XML}<library-list>".encode(), b'<library name="/lib/x.so"><segment address="0x1000"/></library>', 10 << 20)})
WITHHELD = "the policy does not keep names of files"
case("exec-file", "the program is a file of the host", features=("qXfer:exec-file:read+",), never_asked=WITHHELD,
     **shown("exec-file", "info files", "info symbol 0x401000"),
     documents={"exec-file:": lambda peer: f"{peer.stub.canary}/canary.elf".encode()})
case("exec-file-escapes", "the program's name has escape sequences and a newline", features=("qXfer:exec-file:read+",), never_asked=WITHHELD,
     **shown("exec-file"), documents={"exec-file:": b"/tmp/\x1b]0;title\x07\n|sh"})
case("auxv-nonsense", "auxv without an end", features=("qXfer:auxv:read+",), guard="document", **shown("auxv", "info auxv"),
     documents={"auxv:": b"\x06\0\0\0\0\0\0\0" * 4001})
case("xml-threads-escapes", "qXfer:threads with escape sequences, bad ids and 10000 threads", features=("qXfer:threads:read+",),
     guard="document", **shown("threads"),
     documents={"threads:": (XML + "<threads>" + '<thread id="0" core="-1" name="&#x9b;31mred">&#x9b;2J</thread><thread id="-1"/>' +
                             "".join(f'<thread id="{i:x}" name="x"/>' for i in range(1, 10001)) + "</threads>").encode()})
case("osdata", "qXfer:osdata with escape sequences", features=("qXfer:osdata:read+",),
     never_asked="the target's processes are not for debuggers", **shown("osdata", "info os processes"),
     documents={"osdata:": (XML + '<osdata type="types"><item><column name="Type">&#x9b;31m</column></item></osdata>').encode()})
