"""demo.py - what scripts/demo shows: a Windows-like kernel over KD, and a Linux kernel by its GDB stub; or the one that is named.

Ends with an error if anything it promises does not happen.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sim"))

import demo_linux  # noqa: E402
import demo_windows  # noqa: E402
from demo_stage import Missing, scene  # noqa: E402

PARTS = {"windows": demo_windows, "linux": demo_linux}


def play(part):
    gate, scenes, end = part.prepare()
    try:
        scenes()
    except (Missing, AssertionError, TimeoutError, RuntimeError) as wrong:
        print(f"demo: FAILED: {wrong}\n--- kdgate's log\n{gate.log()}", file=sys.stderr)
        return 1
    finally:
        gate.close()
        end()
    scene("all of it happened as it should")
    return 0


def main():
    names = sys.argv[1:] or list(PARTS)
    if not set(names) <= set(PARTS):
        print(f"usage: scripts/demo [{'] ['.join(PARTS)}]", file=sys.stderr)
        return 2
    return max(play(PARTS[name]) for name in names)


if __name__ == "__main__":
    sys.exit(main())
