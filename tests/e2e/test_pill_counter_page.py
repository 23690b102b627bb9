"""The pill counter's page in a browser, with the real queue server behind it."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e import pill_counting
from tests.e2e.pill_counting import tap
from tests.e2e.test_pill_counter_app import jpeg
from tests.sdk.stand_in import wait_until
from tests.server.conftest import Server
from tests.server.loop import Loop, loop

__all__ = ["loop"]  # the fixture

COINS = ".gallery li:last-child button"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pill_counting.real_queue_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def app(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    spool = tmp_path_factory.mktemp("app") / "spool"
    with pill_counting.pill_counter(spool, url=server.url, key=server.ingest_key) as url:
        yield url


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    with pill_counting.chromium(chromium_path) as running:
        yield running


def open_page(browser: Browser, url: str, *, width: int = 1280) -> Iterator[Page]:
    """The app at this width; a fault of its script fails the test."""
    faults: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 760})
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(url)
    yield page
    page.close()
    assert faults == []


@pytest.fixture(params=[380, 1280])
def page(request: pytest.FixtureRequest, browser: Browser, app: str) -> Iterator[Page]:
    yield from open_page(browser, app, width=request.param)


@pytest.fixture
def wide_page(browser: Browser, app: str) -> Iterator[Page]:
    yield from open_page(browser, app)


def sample_of(page: Page) -> str:
    """Return the id of the photo that the page shows."""
    expect(page.locator("#count")).not_to_be_empty()
    return page.evaluate("document.querySelector('looks-wrong').sample")


def answers(server: Server, page: Page, *, number: int) -> list[dict]:
    """Return what the queue server has been told of the photo on the page, once it is so much."""
    address = f"/v1/samples/{sample_of(page)}"

    def told() -> list[dict]:
        answer = server.read.get(address)
        return answer.json()["feedback"] if answer.status_code == 200 else []

    wait_until(lambda: len(told()) >= number)
    return told()


def mark(page: Page, *spots: tuple[int, int]) -> None:
    page.click("text=Mark on the photo")
    page.locator(".sheet").wait_for()
    for spot in spots:
        tap(page, *spot)


def reject(page: Page, *, count: int | None = None, comment: str = "", spots: tuple[tuple[int, int], ...] = ()) -> None:
    page.click("text=Looks wrong")
    if spots:
        mark(page, *spots)
    if count is not None:
        page.fill("[name=count]", str(count))
    page.fill("[name=comment]", comment)
    page.click("text=Send")


@pytest.mark.parametrize(
    ("answer", "verdicts", "correction", "comment"),
    [
        (lambda page: page.click("text=Looks right"), ["confirmed"], {}, None),
        (lambda page: page.click("text=Looks wrong"), ["rejected"], {}, None),
        (reject, ["rejected"], {}, None),
        (lambda page: reject(page, comment="glare"), ["rejected", "rejected"], {}, "glare"),
        (lambda page: reject(page, count=3), ["rejected", "corrected"], {"count": 3}, None),
    ],
)
def test_a_tap_becomes_feedback(
    wide_page: Page,
    server: Server,
    answer: Callable[[Page], None],
    verdicts: list[str],
    correction: dict,
    comment: str | None,
) -> None:
    wide_page.click(COINS)
    answer(wide_page)
    expect(wide_page.get_by_role("status")).to_contain_text("Sent")
    said = answers(server, wide_page, number=len(verdicts))
    assert [one["verdict"] for one in said] == verdicts
    assert {name: value for name, value in (said[-1]["correction"] or {}).items() if value is not None} == correction
    assert said[-1]["comment"] == comment
    assert all(one["reporter"].startswith("visitor-") for one in said)


def test_a_user_corrects_a_count_with_taps(page: Page, server: Server) -> None:
    page.click(COINS)
    expect(page.locator("#count")).not_to_be_empty()
    right = int(page.inner_text("#count")) + 2
    reject(page, count=right, comment="two are hidden", spots=((50, 60), (150, 90)))
    expect(page.get_by_role("status")).to_contain_text("Sent")
    said = answers(server, page, number=2)[-1]
    assert (said["correction"]["count"], said["comment"]) == (right, "two are hidden")
    assert said["correction"]["image_size"] == [384, 303]
    scale = 384 / page.locator("#photo").bounding_box()["width"]
    spots = [(spot["x"], spot["y"]) for spot in said["correction"]["points"]]
    assert spots == [pytest.approx((x * scale, y * scale), abs=1) for x, y in ((50, 60), (150, 90))]
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]


def press(page: Page, part: str, *keys: str) -> None:
    """Press keys on a button of <looks-wrong>, and on what they lead to."""
    page.locator(f"looks-wrong [part~={part}]").focus()
    for key in keys:
        page.keyboard.press(key)


def test_a_user_without_a_pointer_marks_a_spot(page: Page, server: Server) -> None:
    page.locator(".gallery button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#count-line")).to_be_focused()
    press(page, "wrong", "Enter")
    press(page, "mark", "Enter")
    press(page, "add", "Enter", "ArrowRight", "ArrowDown", "ArrowDown")
    press(page, "add", "Enter", "ArrowLeft", "Delete")
    press(page, "send", "Enter")
    expect(page.get_by_role("button", name="Looks wrong")).to_be_focused()
    correction = answers(server, page, number=2)[-1]["correction"]
    assert correction["image_size"] == [640, 480]
    assert correction["points"] == [{"x": 320 + 7, "y": 240 + 2 * 7}]


def test_an_answer_that_cannot_be_sent_now_is_sent_later(wide_page: Page, server: Server) -> None:
    wide_page.click(COINS)
    wide_page.get_by_text("Looks right").wait_for()
    wide_page.context.set_offline(True)
    wide_page.click("text=Looks right")
    expect(wide_page.locator("[part~=later]")).to_contain_text("Saved")
    wide_page.context.set_offline(False)
    assert [one["verdict"] for one in answers(server, wide_page, number=1)] == ["confirmed"]
    expect(wide_page.get_by_role("status")).to_contain_text("Sent")


@pytest.mark.parametrize("is_configured", [True, False])
def test_without_its_queue_server_the_page_counts_and_says_that_it_takes_no_answers(
    browser: Browser, tmp_path: Path, is_configured: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}" if is_configured else None
    with pill_counting.pill_counter(tmp_path / "spool", url=url) as app:
        for page in open_page(browser, app):
            page.click(COINS)
            expect(page.locator("#count")).not_to_be_empty()
            expect(page.get_by_text("Answers cannot be taken")).to_be_visible()
            expect(page.locator("looks-wrong")).to_be_hidden()


def test_another_photo_asks_anew(wide_page: Page, server: Server) -> None:
    wide_page.click(COINS)
    wide_page.click("text=Looks right")
    first = sample_of(wide_page)
    wide_page.click("text=Count another photo")
    wide_page.click(COINS)
    expect(wide_page.get_by_role("button", name="Looks right")).to_have_attribute("aria-pressed", "false")
    assert sample_of(wide_page) != first


def test_the_page_says_why_an_upload_was_refused(page: Page) -> None:
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"nonsense"})
    expect(page.get_by_role("alert")).to_contain_text("must be a photo")
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    expect(page.locator("#count")).to_have_text("0")
    expect(page.get_by_role("alert")).to_be_hidden()


def regions(loop: Loop, sample_id: str) -> list[dict]:
    """Push a sample; return what Label Studio shows of it."""
    wait_until(lambda: loop.server.sample(sample_id)["state"] == "queued")
    loop.push()
    return loop.task(sample_id)["predictions"][0]["result"]


def test_marks_lie_in_label_studio_on_the_pixels_that_the_user_tapped(
    loop: Loop, browser: Browser, tmp_path: Path
) -> None:
    url, key = loop.server.url, loop.server.ingest_key
    with pill_counting.pill_counter(tmp_path / "spool", url=url, key=key) as app:
        for page in open_page(browser, app, width=380):
            page.click(COINS)
            reject(page, count=9, spots=((50, 60), (150, 90)))
            answers(loop.server, page, number=2)
            scale, sample_id = 384 / page.locator("#photo").bounding_box()["width"], sample_of(page)
    spots = [one["value"] for one in regions(loop, sample_id) if one["type"] == "keypointlabels"]
    found = sorted((spot["x"] * 384 / 100, spot["y"] * 303 / 100) for spot in spots)
    assert found == [pytest.approx((x * scale, y * scale), abs=1) for x, y in ((50, 60), (150, 90))]
