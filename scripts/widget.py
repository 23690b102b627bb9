"""Build the minified element from its sources, and hold all of it to its size.

    python scripts/widget.py            make widgets/*.min.js and widgets/sizes.json, and print sizes and hashes
    python scripts/widget.py --check    compare what is there with a fresh build; without Node with the recorded hashes

Needs Node's `npx` to build. What it makes is committed, so that a clone and the wheel hold it without Node. The exit
code is 0, or 1 with what is too large or out of date. Standard library only.
"""

import argparse
import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

WIDGETS = Path(__file__).absolute().parents[1] / "widgets"
#: pinned: the same sources make the same bytes on every machine
TERSER = "terser@5.51.4"
OPTIONS = ("--module", "--compress", "passes=5,ecma=2022,unsafe_arrows,unsafe_methods,inline=1", "--mangle")
ELEMENT, MARKER = "looks-wrong.js", "looks-wrong-marker.js"
IMPORT = f'const {{ mark }} = await import("./{MARKER}");'
#: gzip -9 bytes of a file; `all` is one file with everything
LIMITS = {
    "looks-wrong.js": 8000,
    "looks-wrong.min.js": 4500,
    "looks-wrong.all.min.js": 6000,
}


class WidgetError(Exception):
    """Something cannot be built, is too large or is out of date; the message says the remedy."""


def with_small_styles(source: str) -> str:
    """Return a module whose template `CSS` has no space that styles do not need; minifiers leave texts alone.

    >>> with_small_styles("const CSS = `\\na { b: c;\\n  d: e; }\\n`;")
    'const CSS = `a{b:c;d:e}`;'
    """
    return re.sub(r"const CSS = `(.*?)`", lambda match: f"const CSS = `{_small(match[1])}`", source, flags=re.DOTALL)


def _small(css: str) -> str:
    css = re.sub(r"\s+", " ", css).strip()
    css = re.sub(r" ?([{};,>]) ?", r"\1", css)  # not before a colon: `a :b` is not `a:b`
    return css.replace(": ", ":").replace(";}", "}").replace(" !", "!")


def in_one(element: str, marker: str) -> str:
    """Return both modules as one: the marker's code in front, under names of its own, and no import."""
    if IMPORT not in element:
        raise WidgetError(f"{ELEMENT} must import its marker by: {IMPORT}")
    own = marker.replace("export const mark ", "const mark ")
    taken = set(_top_names(element)) & set(_top_names(own))
    for name in sorted(taken):
        own = re.sub(rf"(?<![\w.#$]){name}\b(?!:)", f"marker_{name}", own)
    return own + element.replace(IMPORT, "")


def _top_names(source: str) -> list[str]:
    return re.findall(r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", source, flags=re.MULTILINE)


def minify(source: str) -> bytes:
    """Return a module without what a browser does not need."""
    npx = shutil.which("npx")
    if npx is None:
        raise WidgetError("npx must be on the path: install Node.js")
    command = [npx, "--yes", f"--package={TERSER}", "terser", *OPTIONS]
    done = subprocess.run(command, input=source.encode(), capture_output=True, check=False)
    if done.returncode:
        raise WidgetError(f"{TERSER} failed: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout


def build() -> dict[str, bytes]:
    """Return the minified files by name."""
    element, marker = (with_small_styles((WIDGETS / name).read_text(encoding="utf-8")) for name in (ELEMENT, MARKER))
    small = element.replace(f"./{MARKER}", "./looks-wrong-marker.min.js")
    return {
        "looks-wrong.min.js": minify(small),
        "looks-wrong-marker.min.js": minify(marker),
        "looks-wrong.all.min.js": minify(in_one(element, marker)),
    }


def describe(built: dict[str, bytes]) -> dict[str, dict[str, object]]:
    """Return what `sizes.json` says of each file: bytes, gzip -9 bytes, the SRI hash; of sources their SHA-256."""
    report: dict[str, dict[str, object]] = {}
    for name in (ELEMENT, MARKER):
        content = (WIDGETS / name).read_bytes()
        report[name] = {**_sizes(content), "sha256": hashlib.sha256(content).hexdigest()}
    for name, content in built.items():
        sri = base64.b64encode(hashlib.sha384(content).digest()).decode()
        report[name] = {**_sizes(content), "integrity": f"sha384-{sri}"}
    return report


def _sizes(content: bytes) -> dict[str, object]:
    return {"bytes": len(content), "gzip_bytes": len(gzip.compress(content, 9, mtime=0))}


def check_sizes(report: dict[str, dict[str, object]]) -> None:
    """Raise WidgetError if a file is over its limit."""
    sizes = {name: report[name]["gzip_bytes"] for name in LIMITS}
    over = [f"{name} must have at most {LIMITS[name]} bytes, got {size}" for name, size in sizes.items()
            if isinstance(size, int) and size > LIMITS[name]]  # fmt: skip
    if over:
        raise WidgetError("; ".join(over))


def check() -> dict[str, dict[str, object]]:
    """Return the sizes, or raise WidgetError if what is committed is not what the sources make."""
    names = ("looks-wrong.min.js", "looks-wrong-marker.min.js", "looks-wrong.all.min.js")
    committed = {name: (WIDGETS / name).read_bytes() for name in names}
    report = describe(committed)
    if report != json.loads((WIDGETS / "sizes.json").read_text(encoding="utf-8")):
        raise WidgetError("widgets/ must be as it was built: run `python scripts/widget.py`")
    if shutil.which("npx") is not None and committed != build():
        raise WidgetError("widgets/*.min.js must be what the sources make: run `python scripts/widget.py`")
    check_sizes(report)
    return report


def make() -> dict[str, dict[str, object]]:
    """Write the minified files and `sizes.json`; return the sizes."""
    built = build()
    report = describe(built)
    check_sizes(report)
    for name, content in built.items():
        (WIDGETS / name).write_bytes(content)
    (WIDGETS / "sizes.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def main() -> int:
    """Build or check; print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    try:
        report = check() if parser.parse_args().check else make()
    except WidgetError as error:
        print(f"widget: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
