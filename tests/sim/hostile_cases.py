"""hostile_cases.py - what a case is, and all of them. The attacks themselves: hostile_cases_*.py."""
import dataclasses

CASES = {}


@dataclasses.dataclass(eq=False)
class Case:
    name: str
    what: str
    # where it attacks: packet's beginning -> what comes in place of the answer, or behind it; a function (peer, body) may say None
    answers: dict = dataclasses.field(default_factory=dict)
    after: dict = dataclasses.field(default_factory=dict)
    running: object = None      # (peer, how many resumes): what comes while it runs; returning True: its stop has been told
    connect: object = None      # (peer): before it is asked anything
    frame: object = None        # (body): the packet, as bytes
    ack: object = None          # (peer): in place of +
    supported: str | None = None
    features: tuple = ()        # more of qSupported
    documents: dict = dataclasses.field(default_factory=dict)   # "features:target.xml": bytes, or (peer)
    threads: tuple = ()
    short_g: bool = False       # g ends before the segment bases: debuggers ask for them one by one
    # what is to be seen
    guard: tuple = ()           # kinds of incidents that the audit must tell; stop/unasked: either, as it happens to come
    may: tuple = ()             # kinds that it may tell: of what debuggers do next, or what depends on time
    lost: bool = False          # the target was there, and is given up
    never_asked: str = ""       # why nobody asks for it: then it is not told either
    accepted: str = ""          # why it is nothing wrong, or nothing that anybody needs to know
    shows: str = ""             # a pattern that the debugger's output must have
    hides: str = ""             # and one that it must not
    # how it is tried
    gdb: tuple = ()             # commands, beside those that every run has
    lldb: tuple = ()
    only: tuple = ("gdb", "lldb")
    slow: bool = False          # begun first, and alone
    patience: float = 9.0       # with one command
    sticks: str = ""            # why a debugger may wait on until it is told to end


def case(name, what, **how):
    """guard="reply stop": words."""
    for words in ("guard", "only", "may"):
        if isinstance(how.get(words), str):
            how[words] = tuple(how[words].split())
    if {"reply", "unasked", "noise"} & {kind for words in how.get("guard") or () for kind in words.split("/")}:
        how["may"] = (*how.get("may", ()), "lost")      # debuggers ask again, and who lies again and again is given up
    assert name not in CASES, name
    CASES[name] = Case(name, what, **how)


def hexed(text):
    return (text if isinstance(text, bytes) else text.encode()).hex()


def often(n, item):
    """That item n times."""
    for _ in range(n):
        yield item


case("honest", "no attack at all", accepted="nothing is wrong")

import hostile_cases_documents  # noqa: E402,F401
import hostile_cases_host  # noqa: E402,F401
import hostile_cases_replies  # noqa: E402,F401
import hostile_cases_stops  # noqa: E402,F401
import hostile_cases_wire  # noqa: E402,F401
