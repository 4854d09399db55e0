"""symbols.py - an ELF file that gives a kernel without debug information its names: /proc/kallsyms in, symbol table out.

The sections hold no bytes (NOBITS): a debugger that wants code or data asks the target.
"""
import struct

SECTIONS = (            # name, first symbol, first symbol behind it, flags (A=2 W=1 X=4)
    (".text", "_text", "_etext", 6),
    (".rodata", "_etext", "_sdata", 2),
    (".data", "_sdata", "__init_begin", 3),
    (".init", "__init_begin", "__init_end", 6),
    (".bss", "__init_end", "_end", 3),
)
STT_OBJECT, STT_FUNC = 1, 2
SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS = 2, 3, 8
EM_X86_64, ET_EXEC = 62, 2


def parse(kallsyms):
    """[(address, type letter, name)], sorted; only what lies in the kernel's own image."""
    rows = (line.split() for line in kallsyms.splitlines())
    found = sorted((int(r[0], 16), r[1], r[2]) for r in rows if len(r) == 3)
    by_name = {name: addr for addr, _, name in found}
    return [s for s in found if by_name["_text"] <= s[0] < by_name["_end"]], by_name


def section_of(addr, bounds):
    return next(n for n, (first, behind) in enumerate(bounds, 1) if first <= addr < behind)


def symbol_table(symbols, bounds):
    """(.symtab, .strtab, number of local symbols); a symbol reaches to the next one."""
    names, rows = bytearray(b"\0"), {0: [], 1: []}
    following = {a: b for a, b in zip(sorted({s[0] for s in symbols}), sorted({s[0] for s in symbols})[1:])}
    for addr, letter, name in symbols:
        kind = STT_FUNC if letter in "tTwW" else STT_OBJECT
        bind = int(letter.isupper())
        rows[bind].append(struct.pack("<IBBHQQ", len(names), bind << 4 | kind, 0, section_of(addr, bounds), addr,
                                      following.get(addr, addr) - addr))
        names += name.encode() + b"\0"
    return bytes(24) + b"".join(rows[0] + rows[1]), bytes(names), 1 + len(rows[0])


def section_header(name, kind, flags=0, addr=0, offset=0, size=0, link=0, info=0, align=1, entry=0):
    return struct.pack("<IIQQQQIIQQ", name, kind, flags, addr, offset, size, link, info, align, entry)


def elf(kallsyms):
    symbols, by_name = parse(kallsyms)
    bounds = [(by_name[first], by_name[behind]) for _, first, behind, _ in SECTIONS]
    symtab, strtab, locals_n = symbol_table(symbols, bounds)
    names = b"\0" + b"".join(s[0].encode() + b"\0" for s in SECTIONS) + b".symtab\0.strtab\0.shstrtab\0"

    def name(text):
        return names.index(b"\0" + text.encode() + b"\0") + 1

    at = 64
    headers = [bytes(64)]
    for (text, _, _, flags), (first, behind) in zip(SECTIONS, bounds):
        headers.append(section_header(name(text), SHT_NOBITS, flags, first, at, behind - first, align=4096))
    index = len(headers)
    headers.append(section_header(name(".symtab"), SHT_SYMTAB, 0, 0, at, len(symtab), index + 1, locals_n, 8, 24))
    headers.append(section_header(name(".strtab"), SHT_STRTAB, 0, 0, at + len(symtab), len(strtab)))
    headers.append(section_header(name(".shstrtab"), SHT_STRTAB, 0, 0, at + len(symtab) + len(strtab), len(names)))
    body = symtab + strtab + names
    body += bytes(-len(body) % 8)
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", ET_EXEC, EM_X86_64, 1, by_name["startup_64"], 0, at + len(body), 0,
                                                     64, 0, 0, 64, len(headers), index + 2)
    return head + body + b"".join(headers)
