"""Which lines of the element's sources ran in the tests' pages: V8's precise coverage, without Node."""

import json
import re
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Error, Page

from tests.widgets.site import WIDGETS


class Coverage:
    """What a page runs from now on."""

    def __init__(self, page: Page) -> None:
        self.session = page.context.new_cdp_session(page)
        self.session.send("Profiler.enable")
        self.session.send("Profiler.startPreciseCoverage", {"callCount": True, "detailed": True})

    def write(self, folder: Path) -> None:
        """Write what the browser counted, function by function; nothing for a page that was closed."""
        try:
            scripts = self.session.send("Profiler.takePreciseCoverage")["result"]
        except Error:
            return
        (folder / f"{uuid4()}.json").write_text(json.dumps(scripts))


def missed_lines(folder: Path, name: str) -> tuple[int, list[int]]:
    """Return how many lines of code a source has, and the numbers of those that ran in no page.

    A page tells nothing of functions that it has discarded, so their lines must not count as the module's around them:
    each character belongs to the innermost function that any page told of.
    """
    source = (WIDGETS / name).read_text(encoding="utf-8")
    ran = bytearray(len(source))
    functions = _functions(folder, name, len(source))
    for start, end in sorted(functions, key=lambda span: span[0] - span[1]):
        ran[start:end] = functions[start, end]
    lines = _code_lines(source)
    return len(lines), [line for line, start in lines.items() if not ran[start]]


def _functions(folder: Path, name: str, size: int) -> dict[tuple[int, int], bytes]:
    """Return for the span of each function which of its characters ran in any page."""
    found: dict[tuple[int, int], bytes] = {}
    for file in folder.glob("*.json"):
        for script in json.loads(file.read_text()):
            if not script["url"].endswith(f"/widgets/{name}"):
                continue
            for function in script["functions"]:
                whole = function["ranges"][0]
                span = whole["startOffset"], min(whole["endOffset"], size)
                mask = bytearray(span[1] - span[0])
                for part in function["ranges"]:
                    start, end = part["startOffset"] - span[0], min(part["endOffset"], size) - span[0]
                    mask[start:end] = bytes([part["count"] > 0]) * (end - start)
                before = found.get(span, bytes(len(mask)))
                found[span] = bytes(one | other for one, other in zip(mask, before, strict=True))
    return found


def _code_lines(source: str) -> dict[int, int]:
    """Return where each line starts that holds more than a comment or brackets."""
    lines = {}
    for number, match in enumerate(re.finditer(r"^[ \t]*(.*)$", source, re.MULTILINE), start=1):
        text = match[1]
        if text.strip(" {}()[];,") and not text.startswith(("//", "/*", "*")):
            lines[number] = match.start(1)
    return lines
