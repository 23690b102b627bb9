"""A tap in a real browser, on a real server and Label Studio: what a user marks lies where an annotator sees it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from feedback_sdk import FeedbackClient
from queue_server.local_label_studio import LocalLabelStudio
from tests.e2e.installation import Inbox, Installation, label_studio_settings, project_text, wait_for
from tests.e2e.test_phone_photos import HEIGHT, OBJECTS, SIDE, SPOT, WIDTH, photo, predicted

POLICY = (
    "default-src 'none'; script-src {endpoint}; style-src 'self'; img-src 'self'; connect-src {endpoint};"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
#: half the size and less, in a frame of another shape: the picture has bars at its sides
STYLE = "#photo { width: 900px; height: 450px; object-fit: contain; }"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Pills</title>
<link rel="stylesheet" href="/style.css"><script type="module" src="{endpoint}/widgets/looks-wrong.js"></script>
<img id="photo" src="/photo.jpg" alt="pills">
<looks-wrong sample="{sample}" token="{token}" endpoint="{endpoint}" correct="count image" image="#photo" count="4"
  labels='[{{"value": "pill", "label": "Pill"}}]'></looks-wrong></html>"""
#: a box that a user draws, in pixels of the photo as they see it
DRAWN = (1000.0, 1200.0, 1600.0, 1800.0)


class Site(ThreadingHTTPServer):
    """An app's own pages, under the strictest policy."""

    def __init__(self, endpoint: str, page: str) -> None:
        self.policy = POLICY.format(endpoint=endpoint)
        self.files = {
            "/": ("text/html", page.encode()),
            "/photo.jpg": ("image/jpeg", photo(6)),
            "/style.css": ("text/css", STYLE.encode()),
            "/favicon.ico": ("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        }
        super().__init__(("127.0.0.1", 0), _Files)


class _Files(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        kind, content = self.server.files.get(self.path, ("text/plain", b""))
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", self.server.policy)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_said: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came of a user's answer: what the page complained of, and the task that an annotator gets."""

    complaints: list[str]
    sample: dict
    task: dict

    def region(self, name: str) -> dict:
        found = {region["id"]: region["value"] for region in self.task["predictions"][0]["result"]}
        return found[name]


@pytest.fixture(scope="module")
def answered(
    tmp_path_factory: pytest.TempPathFactory, label_studio: LocalLabelStudio, chromium_path: Path
) -> Iterator[Answered]:
    """A user looks at a phone's photo, taps on "looks wrong", marks a spot and a box, and sends a count."""
    folder, title = tmp_path_factory.mktemp("looks-wrong"), f"taps {datetime.now(UTC).timestamp():.6f}"
    inbox = Inbox(label_studio, title)
    with Installation(folder, label_studio_settings(label_studio)) as installation:
        key = installation.apply_project(project_text(title))
        installation.serve()
        with FeedbackClient(installation.url, key, spool_dir=folder / "spool", max_image_side=SIDE) as app:
            sample_id = app.log_prediction(photo(6), predicted())
            assert sample_id is not None
            assert app.flush(60)
            token = app.feedback_token(sample_id, reporter="anna")
        page = PAGE.format(endpoint=installation.url, sample=sample_id, token=token)
        complaints = _answer(Site(installation.url, page), chromium_path)
        task = wait_for(lambda: _corrected(inbox.task_of(sample_id)), seconds=90)
        sample = installation.open_http(key).get(f"/v1/samples/{sample_id}").json()
        yield Answered(complaints=complaints, sample=sample, task=task)
    inbox.close()


def _corrected(task: dict | None) -> dict | None:
    """Return the task once it tells of the correction: it may have been pushed after the first tap."""
    return task if task is not None and task["data"]["user_count"] == 6 else None


def _answer(site: Site, chromium_path: Path) -> list[str]:
    serving = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    complaints: list[str] = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page()
            page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
            page.goto(f"http://127.0.0.1:{site.server_port}/")
            _tap(page)
            browser.close()
    finally:
        site.shutdown()
        serving.join()
        site.server_close()
    return complaints


def _tap(page: Page) -> None:
    page.wait_for_function("document.images[0].complete && document.images[0].naturalWidth")
    page.wait_for_timeout(1300)  # a result counts as shown after a second
    page.get_by_role("button", name="Looks wrong").click()
    page.get_by_role("button", name="Mark on the image").click()
    page.get_by_role("button", name="Add a mark").wait_for()
    page.wait_for_timeout(100)
    page.mouse.click(*_on_screen(page, SPOT))
    page.mouse.move(*_on_screen(page, DRAWN[:2]))
    page.mouse.down()
    page.mouse.move(*_on_screen(page, DRAWN[2:]), steps=5)
    page.mouse.up()
    page.get_by_label("How many?").fill("6")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Sent, thank you").wait_for()


def _on_screen(page: Page, point: tuple[float, ...]) -> tuple[float, float]:
    """Return where a pixel of the photo is drawn: contained, so that the smaller ratio holds."""
    box = page.locator("#photo").bounding_box()
    assert box is not None
    scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
    left = box["x"] + (box["width"] - WIDTH * scale) / 2
    top = box["y"] + (box["height"] - HEIGHT * scale) / 2
    return left + point[0] * scale, top + point[1] * scale


def test_page_complains_of_nothing_under_the_strictest_policy(answered: Answered) -> None:
    assert answered.complaints == []


def test_result_was_shown_and_both_taps_are_kept(answered: Answered) -> None:
    assert answered.sample["shown_at"] is not None
    assert [item["verdict"] for item in answered.sample["feedback"]] == ["rejected", "corrected"]
    assert {item["source"] for item in answered.sample["feedback"]} == {"token"}


def test_spot_lies_where_the_user_tapped(answered: Answered) -> None:
    value = answered.region("s0")
    # A pixel of the screen is seven of the photo.
    assert (value["x"], value["y"]) == pytest.approx((SPOT[0] / WIDTH * 100, SPOT[1] / HEIGHT * 100), abs=0.3)


def test_box_lies_where_the_user_drew_it(answered: Answered) -> None:
    value = answered.region("u0")
    found = (value["x"], value["y"], value["x"] + value["width"], value["y"] + value["height"])
    expected = [side / length * 100 for side, length in zip(DRAWN, (WIDTH, HEIGHT) * 2, strict=True)]
    assert found == pytest.approx(expected, abs=0.3)


def test_models_boxes_are_there_too_and_the_line_above_says_what_happened(answered: Answered) -> None:
    assert answered.region(f"m{len(OBJECTS) - 1}")["rectanglelabels"] == ["pill"]
    assert answered.task["data"]["summary"] == "Model 4, user 6: user added one box, marked one spot"
