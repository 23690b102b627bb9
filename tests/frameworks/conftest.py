"""A browser, and a stand-in for the server; this folder also runs where the project's own packages are not there."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scripts import services
from tests.frameworks.stand_in import StandIn


@pytest.fixture(scope="module")  # not longer: as long as it runs, nothing else in this thread can run asyncio
def browser() -> Iterator[Browser]:
    program = services.find_chromium()
    if program is None:
        reason = "Chromium is not on this machine: run `python3 scripts/setup.py services`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=options)
        yield running
        running.close()


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    running = StandIn()
    yield running
    running.stop()


@pytest.fixture
def page(browser: Browser, server: StandIn) -> Iterator[Page]:
    """A page of a browser that is new to everything; a fault of a script fails the test."""
    server.posts.clear()
    faults: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    page.close()
    assert faults == []
