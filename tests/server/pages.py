"""A browser for the tests of the pages, and what a person does in it."""

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.server.conftest import Server

#: what a browser says of the first answer, before it sends the key
EXPECTED = "401"


def key_of(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


class Person:
    """A person who typed the key; what the browser complains of is gathered."""

    def __init__(self, browser: Browser, server: Server, *, width: int = 1280, scheme: str = "light") -> None:
        credentials = {"username": "anyone", "password": key_of(server.admin)}
        self._context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, http_credentials=credentials
        )
        self.page: Page = self._context.new_page()
        self.url = server.url
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *_error: object) -> None:
        self._context.close()

    def open(self, path: str) -> Page:
        """Open a page and wait for its scripts."""
        self.page.goto(f"{self.url}{path}", wait_until="load")
        return self.page

    def faults(self) -> list[object]:
        """Return what axe finds, what the browser complained of, and how much wider than the screen the page is."""
        self.page.evaluate(Axe().axe_script)
        found = self.page.evaluate(
            "axe.run().then(({violations}) => violations.map((one) => [one.id, one.nodes[0].html]))"
        )
        wider = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        said = [text for text in self.complaints if EXPECTED not in text]
        return [*found, *said, *([f"{wider} px wider than the screen"] if wider > 0 else [])]
