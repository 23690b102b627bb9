"""Measure the element in a real browser: sizes, time to be ready, time of a tap, what stays behind, lines covered.

    python benchmarks/widget.py --json figures.json

Needs Chromium and the development environment. The figures: median, minimum and maximum of the repetitions.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from playwright.sync_api import Page, sync_playwright

from scripts import services, widget
from tests.widgets.coverage import missed_lines
from tests.widgets.site import Site, element, running

READY = """(number) => { const start = performance.now(); const all = document.createDocumentFragment();
  for (let index = 0; index < number; index += 1) { const one = document.createElement("looks-wrong");
    one.sample = "ready-" + index; one.token = "t"; all.append(one); }
  document.body.append(all); document.body.offsetHeight; const spent = performance.now() - start;
  document.querySelectorAll("looks-wrong").forEach((one) => one.remove()); return spent; }"""
TAP = """() => { const one = document.querySelector("looks-wrong"); one.reset();
  const button = one.shadowRoot.querySelector("[part~=wrong]"); const start = performance.now(); button.click();
  return performance.now() - start; }"""
CHURN = """() => { for (let index = 0; index < 200; index += 1) { const one = document.createElement("looks-wrong");
  one.sample = "s" + index; one.token = "t"; document.body.append(one); one.open(); one.remove(); } }"""


@contextmanager
def opened(body: str) -> Iterator[tuple[Page, Site]]:
    """Open a page with that body in a fresh browser."""
    program = services.find_chromium()
    if program is None:
        raise SystemExit("Chromium must be installed")
    with running() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        site.add_page("/page", body)
        page = browser.new_page()
        page.goto(f"{site.url}/page")
        page.wait_for_function("!!customElements.get('looks-wrong')")
        yield page, site
        browser.close()


def summary(values: list[float]) -> dict[str, float]:
    """Return median, minimum and maximum, rounded."""
    return {"median": round(statistics.median(values), 2), "min": round(min(values), 2), "max": round(max(values), 2)}


def speed() -> dict[str, object]:
    """Return milliseconds for 100 elements to be ready, and for a tap until it is saved and on its way."""
    with opened("") as (page, _):
        ready = [page.evaluate(READY, 100) for _ in range(11)]
    with opened(element()) as (page, _):
        taps = [page.evaluate(TAP) for _ in range(30)]
    return {"ready_100_ms": summary(ready), "ready_100_first_ms": round(ready[0], 2), "tap_ms": summary(taps)}


def leaks() -> dict[str, object]:
    """Return nodes and listeners after each of 4 rounds of 200 elements that come and go."""
    with opened(element()) as (page, _):
        session = page.context.new_cdp_session(page)
        rounds = []
        for _ in range(4):
            page.evaluate(CHURN)
            session.send("HeapProfiler.collectGarbage")
            found = session.send("Memory.getDOMCounters")
            rounds.append({"nodes": found["nodes"], "listeners": found["jsEventListeners"]})
    return {"rounds": rounds}


def requests() -> dict[str, object]:
    """Return how many requests the plain use makes: modules, and posts of one answer."""
    with opened(element()) as (page, site):
        page.get_by_role("button", name="Looks right").click()
        end = time.monotonic() + 5
        while not site.posts and time.monotonic() < end:
            page.wait_for_timeout(20)
        page.wait_for_timeout(200)
        modules = sum(request.endswith(".js") for request in site.requests)
        return {"modules": modules, "posts_of_an_answer": len(site.posts)}


def coverage(folder: Path) -> dict[str, object]:
    """Return the share of each source's lines that the browser tests run, by V8's precise coverage."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/widgets"]
    environment = {**os.environ, "WIDGET_COVERAGE": str(folder)}
    done = subprocess.run(command, cwd=widget.WIDGETS.parent, env=environment, stdout=sys.stderr, check=False)
    shares = {}
    for name in (widget.ELEMENT, widget.MARKER):
        lines, missed = missed_lines(folder, name)
        shares[name] = {"lines": lines, "share": round(1 - len(missed) / lines, 4), "missed": missed}
    return {"tests_passed": done.returncode == 0, **shares}


def main() -> int:
    """Measure all, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True, metavar="FILE", help="where the figures go; -: standard output")
    parser.add_argument(
        "--coverage", metavar="FOLDER", type=Path, help="run the tests too, and tell the lines they cover"
    )
    given = parser.parse_args()
    report = {"sizes": widget.check(), "speed": speed(), "leaks": leaks(), "requests": requests()}
    if given.coverage:
        report["coverage"] = coverage(given.coverage.absolute())
    text = json.dumps(report, indent=2) + "\n"
    if given.json == "-":
        sys.stdout.write(text)
    else:
        Path(given.json).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
