"""What an app relies on, in Firefox and in WebKit (the engine of Safari); all else is tested in Chromium."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.widgets import other_browsers
from tests.widgets.conftest import until
from tests.widgets.other_browsers import Browser
from tests.widgets.site import SAMPLE, TOKEN, Site, element

#: Selenium 4.51 warns of how it builds its own connection
pytestmark = pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning")
RIGHT, WRONG, STATUS = "[part~=right]", "[part~=wrong]", "[role=status]"
PANEL, COUNT, COMMENT, SEND = "form", "[name=count]", "[name=comment]", "[type=submit]"
#: hears what goes wrong in a page, a breach of the site's strict policy too
WATCH = b"""window.complaints = [];
for (const name of ["error", "unhandledrejection", "securitypolicyviolation"]) addEventListener(name,
  (event) => complaints.push(name + " " + (event.message ?? event.reason ?? event.violatedDirective)), true);"""


@pytest.fixture(scope="module", params=[other_browsers.firefox, other_browsers.webkit], ids=["firefox", "webkit"])
def other_browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with request.param(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def go(other_browser: Browser, site: Site) -> Iterator[Callable[..., None]]:
    """Go to a page with the element, or to it again; at the end the page may not have complained."""
    site.files["/watch.js"] = WATCH

    def to(extra: str = "") -> None:
        site.add_page("/page", element(extra), head='<script src="/watch.js"></script>')
        other_browser.go(f"{site.url}/page")

    yield to
    assert other_browser.ask("complaints") == []


def says(browser: Browser, text: str) -> None:
    """Wait until the element says this."""
    until(lambda: browser.ask(f"part('{STATUS}').textContent") == text)


def is_pressed(browser: Browser, selector: str) -> bool:
    return browser.ask(f"part('{selector}').getAttribute('aria-pressed')") == "true"


def test_untouched_page_posts_no_answer(other_browser: Browser, site: Site, go: Callable[..., None]) -> None:
    go()
    until(lambda: site.shown)
    assert site.posts == []
    assert [post["token"] for post in site.shown] == [TOKEN]


def test_element_is_drawn_in_its_own_style(other_browser: Browser, go: Callable[..., None]) -> None:
    go()
    assert [other_browser.ask(f"part('{name}').innerText") for name in (RIGHT, WRONG)] == ["Looks right", "Looks wrong"]
    assert other_browser.ask(f"part('{WRONG}').getBoundingClientRect().height") >= 44
    assert other_browser.ask(f"getComputedStyle(part('{WRONG}'), '::before').content").startswith('"✗')
    assert other_browser.ask("part('[part=bar]').getAttribute('aria-label')") == "Is this right?"


def test_tap_on_looks_wrong_posts_one_answer(other_browser: Browser, site: Site, go: Callable[..., None]) -> None:
    go()
    other_browser.tap(WRONG)
    says(other_browser, "Sent, thank you")
    (post,) = site.posts
    assert (post["sample_id"], post["token"], post["verdict"]) == (SAMPLE, TOKEN, "rejected")
    assert post["type"].startswith("text/plain")
    assert set(post) - {"answered", "body_bytes", "type", "cookie"} == {"id", "sample_id", "token", "verdict", "age_ms"}
    assert [line for line in site.requests if "OPTIONS" in line] == []


def test_panel_takes_the_focus_and_gives_it_back(other_browser: Browser, go: Callable[..., None]) -> None:
    go()
    other_browser.tap(WRONG)
    root = "document.querySelector('looks-wrong').shadowRoot.activeElement"
    assert other_browser.ask(f"{root}.localName") == "form"
    other_browser.type("\ue00c")  # Escape
    assert other_browser.ask(f"part('{PANEL}').hidden") is True
    assert other_browser.ask(f"{root}.part.value") == "button wrong"


def test_count_and_comment_are_sent_as_a_correction(
    other_browser: Browser, site: Site, go: Callable[..., None]
) -> None:
    go('correct="count" count="9"')
    other_browser.tap(WRONG)
    other_browser.tap(COUNT)
    other_browser.ask(f"part('{COUNT}').select()")
    other_browser.type("12")
    other_browser.tap(COMMENT)
    other_browser.type("three hidden")
    other_browser.tap(SEND)
    until(lambda: len(site.posts) == 2)
    assert site.verdicts == ["rejected", "corrected"]
    assert (site.posts[1]["correction"], site.posts[1]["comment"]) == ({"count": 12}, "three hidden")
    assert other_browser.ask(f"part('{PANEL}')") is None


def test_reload_restores_the_answer(other_browser: Browser, site: Site, go: Callable[..., None]) -> None:
    go()
    other_browser.tap(RIGHT)
    says(other_browser, "Sent, thank you")
    go()
    says(other_browser, "Sent, thank you")
    assert (is_pressed(other_browser, RIGHT), is_pressed(other_browser, WRONG)) == (True, False)
    assert site.verdicts == ["confirmed"]
    assert len(site.posts) == 1


def test_answer_that_the_server_could_not_take_arrives_once(
    other_browser: Browser, site: Site, go: Callable[..., None]
) -> None:
    site.status, site.headers = 503, {"Retry-After": "1"}
    go()
    other_browser.tap(WRONG)
    says(other_browser, "Saved, not sent yet")
    site.status = 202
    time.sleep(1)  # as the server asked
    go()
    says(other_browser, "Sent, thank you")
    assert [post["answered"] for post in site.posts] == [503, 202]
    assert site.verdicts == ["rejected"]
    assert set(site.deliveries().values()) == {2}


def test_answer_of_a_page_that_is_left_at_once_arrives_once(
    other_browser: Browser, site: Site, go: Callable[..., None]
) -> None:
    go()
    site.add_page("/elsewhere", "")
    # no finger is that quick; later, or the browser's answer to this would be lost with its page
    other_browser.ask(f"setTimeout(() => (part('{WRONG}').click(), location.assign('/elsewhere')), 100)")
    until(lambda: site.posts and "GET /elsewhere" in site.requests)
    go()
    assert site.verdicts == ["rejected"]
    assert is_pressed(other_browser, WRONG)
