"""The pill counter's web app, over HTTP and in a browser."""

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e import pill_counting
from tests.e2e.pill_counting import post
from tests.sdk.stand_in import Server, wait_until


@pytest.fixture
def server() -> Iterator[Server]:
    with pill_counting.queue_server() as running:
        yield running


@pytest.fixture
def app(server: Server, tmp_path: Path) -> Iterator[str]:
    with pill_counting.pill_counter(tmp_path / "spool", url=server.url) as url:
        yield url


def form(fields: dict[str, bytes]) -> tuple[bytes, str]:
    """Return a multipart body and its type; the field `photo` is a file."""
    parts = []
    for name, content in fields.items():
        about = '; filename="p.jpg"' if name == "photo" else ""
        parts.append(
            f'--b\r\nContent-Disposition: form-data; name="{name}"{about}\r\n\r\n'.encode() + content + b"\r\n"
        )
    return b"".join(parts) + b"--b--\r\n", "multipart/form-data; boundary=b"


def predict(app: str, **fields: bytes) -> tuple[int, dict]:
    return post(f"{app}/predictions", *form(fields))


def say(app: str, **answer: object) -> tuple[int, dict]:
    return post(f"{app}/feedback", json.dumps(answer).encode())


def jpeg(size: tuple[int, int] = (320, 240), *, orientation: int | None = None) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new("RGB", size, "grey").save(file, "JPEG", exif=exif)
    return file.getvalue()


def only(kept: dict[str, bytes]) -> dict:
    wait_until(lambda: len(kept) == 1)
    return json.loads(next(iter(kept.values())))


def test_a_photo_of_the_gallery_is_counted_and_logged_with_its_own_bytes(app: str, server: Server) -> None:
    with urlopen(f"{app}/photos/coins", timeout=10) as answer:
        image, kind = answer.read(), answer.headers["Content-Type"]
    status, said = predict(app, name=b"coins")
    assert (status, kind, said["count"]) == (200, "image/png", len(said["boxes"]))
    wait_until(lambda: said["sample_id"] in server.samples)
    sample, sent = server.samples[said["sample_id"]]
    assert sent == image
    assert json.loads(sample)["prediction"]["count"] == said["count"]


def test_an_uploaded_photo_is_counted_as_it_is_seen(app: str) -> None:
    status, said = predict(app, photo=jpeg((320, 240), orientation=6))
    assert (status, said["image_size"]) == (200, [240, 320])


@pytest.mark.parametrize("content", [b"", b"nonsense", jpeg()[:300]])
def test_an_upload_that_is_no_photo_is_refused_in_words(app: str, server: Server, content: bytes) -> None:
    status, said = predict(app, photo=content)
    assert status == 422
    assert said["error"].startswith("This photo cannot be used")
    assert server.samples == {}


def test_an_upload_that_is_too_large_is_refused_in_words(app: str) -> None:
    status, said = predict(app, photo=b"\0" * 20_000_001)
    assert (status, said["error"]) == (413, "The photo is too large: at most 20 MB.")


@pytest.mark.parametrize("name", [b"", b"../project.yaml", b"tray-1"])
def test_only_photos_of_the_gallery_are_read(app: str, name: bytes) -> None:
    assert predict(app, name=name)[0] == 404


@pytest.mark.parametrize(
    ("answer", "verdict", "correction"),
    [
        ({"verdict": "confirmed"}, "confirmed", None),
        ({"verdict": "rejected"}, "rejected", None),
        ({"verdict": "rejected", "count": None, "points": [], "comment": "glare"}, "rejected", None),
        ({"verdict": "rejected", "count": 3}, "corrected", {"count": 3}),
        (
            {"verdict": "rejected", "count": 4, "points": [[1.5, 2]], "image_size": [64, 48]},
            "corrected",
            {"count": 4, "points": [{"x": 1.5, "y": 2}], "image_size": [64, 48]},
        ),
    ],
)
def test_a_tap_becomes_feedback(app: str, server: Server, answer: dict, verdict: str, correction: dict | None) -> None:
    _, said = predict(app, name=b"coins")
    assert say(app, sample_id=said["sample_id"], **answer) == (200, {"saved": True})
    feedback = only(server.feedback)
    assert (feedback["sample_id"], feedback["verdict"]) == (said["sample_id"], verdict)
    assert feedback.get("correction") == correction
    assert feedback.get("comment") == answer.get("comment")
    assert feedback["reporter"].startswith("visitor-")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({}, 422),
        ({"sample_id": None}, 422),
        ({"sample_id": "no id", "verdict": "confirmed"}, 503),
        ({"sample_id": "0e7c3a52-54b5-4e0c-8c4f-0d3f6f7f0001", "verdict": "rejected", "count": -1}, 503),
        ({"sample_id": "0e7c3a52-54b5-4e0c-8c4f-0d3f6f7f0001", "verdict": "rejected", "points": [["x"]]}, 503),
        ({"sample_id": "0e7c3a52-54b5-4e0c-8c4f-0d3f6f7f0001", "verdict": "rejected", "points": 7}, 503),
    ],
)
def test_an_answer_that_is_not_saved_says_so(app: str, server: Server, answer: dict, status: int) -> None:
    found, said = say(app, **answer)
    assert found == status
    assert said["error"]
    assert server.feedback == {}


def test_the_app_works_while_the_queue_server_is_away(tmp_path: Path) -> None:
    with pill_counting.pill_counter(tmp_path / "spool", url="http://127.0.0.1:9") as app:
        status, said = predict(app, name=b"coins")
        assert status == 200
        assert say(app, sample_id=said["sample_id"], verdict="confirmed") == (200, {"saved": True})


def test_what_the_app_could_not_send_is_sent_by_its_next_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pill_counting.pill_counter(tmp_path / "spool", url=f"http://127.0.0.1:{port}") as app:
        _, said = predict(app, name=b"coins")
    server = Server(port)
    try:
        with pill_counting.pill_counter(tmp_path / "spool", url=server.url):
            wait_until(lambda: said["sample_id"] in server.samples)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_path, args=options)
        yield running
        running.close()


@pytest.fixture(params=[380, 1280])
def page(request: pytest.FixtureRequest, browser: Browser, app: str) -> Iterator[Page]:
    """The app at this width; a fault of its script fails the test."""
    faults: list[str] = []
    page = browser.new_page(viewport={"width": request.param, "height": 760})
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(app)
    yield page
    page.close()
    assert faults == []


def test_a_user_corrects_a_count_with_taps(page: Page, server: Server) -> None:
    page.click(".gallery li:last-child button")
    page.click("text=Looks wrong")
    page.click("#stage", position={"x": 50, "y": 60})
    page.click("#stage", position={"x": 150, "y": 90})
    expect(page.locator("#spots")).to_have_text("2 spots marked")
    page.fill("#comment", "two are hidden")
    page.click("text=Send")
    expect(page.locator("#thanks")).to_contain_text("saved")
    correction = only(server.feedback)["correction"]
    assert correction["count"] == int(page.inner_text("#count")) + 2
    assert correction["image_size"] == [384, 303]
    assert 0 < correction["points"][0]["x"] < correction["points"][1]["x"] < 384
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]


def test_a_user_without_a_pointer_marks_a_spot(page: Page, server: Server) -> None:
    page.locator(".gallery button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#count-line")).to_be_focused()
    page.locator("#wrong").focus()
    page.keyboard.press("Enter")
    page.locator("#stage").focus()
    for key in ("ArrowRight", "ArrowDown", "Enter", "ArrowRight", "ArrowRight", "Enter", "Backspace"):
        page.keyboard.press(key)
    page.locator("#send").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#thanks")).to_be_focused()
    width, height = only(server.feedback)["correction"]["image_size"]
    spot = {"x": round(width * 0.52, 1), "y": round(height * 0.52, 1)}
    assert only(server.feedback)["correction"]["points"] == [spot]


def test_the_page_says_why_an_upload_was_refused(page: Page) -> None:
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"nonsense"})
    expect(page.get_by_role("alert")).to_contain_text("must be a photo")
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    expect(page.locator("#count")).to_have_text("0")
    expect(page.get_by_role("alert")).to_be_hidden()
