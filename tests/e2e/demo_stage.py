"""demo_stage.py - what the demo's scenes have in common: each says what it does, shows what the debugger printed, and checks it."""
import json
import re


class Missing(Exception):
    """Something that was promised did not happen."""


def scene(text):
    print(f"== {text}", flush=True)


def show(text):
    for line in text.rstrip().splitlines():
        print(f"   {line}", flush=True)


def expect(pattern, text, what):
    if not re.search(pattern, text, re.M):
        raise Missing(f"{what}: no {pattern!r} in:\n{text}")


def ask(debugger, name, line, pattern=None):
    """One command at a debugger's prompt, shown as a person would see it."""
    text = debugger.ask(line)
    show(f"({name}) {line}\n{text}")
    if pattern:
        expect(pattern, text, line)
    return text


def audit(gate, wanted):
    """wanted: (event, policy) that must be in it."""
    scene("what the audit has written (here without the runs, and without the name of the target, which is the same in all)")
    for line in (x for x in gate.audit() if x["event"] != "run"):
        show(json.dumps({k: v for k, v in line.items() if k not in ("v", "target")}))
    for event, policy in wanted:
        if not gate.audit(event=event, policy=policy):
            raise Missing(f"the audit has a line {event} of policy {policy}")


def start(gate):
    scene("starting kdgate: from now on nobody else has the target")
    show(" ".join(gate.command()))
    gate.start()
    show(gate.log())
