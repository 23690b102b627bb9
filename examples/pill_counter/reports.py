"""Write what a command found as JSON, and read it back."""

import json
import sys
from pathlib import Path


def write_report(report: object, *, to: str) -> None:
    """Write JSON to a file, or to standard output for `-`."""
    text = json.dumps(report, indent=1, allow_nan=False)
    if to == "-":
        print(text)
    else:
        Path(to).write_text(text + "\n", encoding="utf-8")


def say(message: str) -> None:
    """Tell the person at the terminal; standard output stays free for JSON."""
    print(message, file=sys.stderr, flush=True)
