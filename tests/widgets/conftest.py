"""One browser for all tests of the element, and for each test a site and a context of its own."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.widgets import site as sites
from tests.widgets.coverage import Coverage
from tests.widgets.site import Site

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--host-resolver-rules=MAP lan.test 127.0.0.1",
)
#: a folder for which lines ran, where benchmarks/widget.py asks for it
COVERAGE = os.environ.get("WIDGET_COVERAGE", "")
#: what a browser says of an answer that a test asked for
EXPECTED = ("Failed to load resource", "net::ERR_", "TypeError: Failed to fetch")


@pytest.fixture(scope="session")
def browser(chromium_path: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def site() -> Iterator[Site]:
    with sites.running() as running:
        yield running


class Visit:
    """A person's browser with its storage; pages that are opened in it may not complain."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.context = context
        self.site = site
        self.complaints: list[str] = []
        self.watched: list[Coverage] = []
        context.set_default_timeout(5000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(EXPECTED):
            self.complaints.append(message.text)

    def open(self, body: str | None = None, *, path: str = "/page", origin: str | None = None, **more: str) -> Page:
        """Open a page; with a body it is made first."""
        if body is not None:
            self.site.add_page(path, body, **more)
        page = self.context.new_page()
        if COVERAGE:
            self.watched.append(Coverage(page))
        page.goto((origin or self.site.url) + path)
        return page


@pytest.fixture
def new_visit(browser: Browser, site: Site) -> Iterator[Callable[..., Visit]]:
    """Make a visit of a person with other settings of the browser; at the end nothing may have been complained of."""
    visits = []

    def make(**settings: object) -> Visit:
        visits.append(Visit(browser.new_context(**settings), site))  # type: ignore[arg-type]  # as playwright names them
        return visits[-1]

    yield make
    complaints = [text for visit in visits for text in visit.complaints]
    for visit in visits:
        for watched in visit.watched:
            watched.write(Path(COVERAGE))
        visit.context.close()
    assert complaints == []


@pytest.fixture
def visit(new_visit: Callable[..., Visit]) -> Visit:
    return new_visit()


def until(happens: Callable[[], object], *, seconds: float = 10.0, page: Page | None = None) -> None:
    """Wait for something outside the page; with a page its events are heard meanwhile."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it must happen in time"
        if page is None:
            time.sleep(0.02)
        else:
            page.wait_for_timeout(20)
