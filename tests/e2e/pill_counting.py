"""What the tests of the pill counter share: one small model, servers that end with their test, and a browser."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from examples.pill_counter import photos
from examples.pill_counter.app import create_app
from examples.pill_counter.gallery import Gallery
from examples.pill_counter.model import CountingModel
from examples.pill_counter.photos import Photo
from feedback_sdk import Box, FeedbackClient, Prediction
from queue_server.backend import open_backend
from queue_server.settings import Settings
from queue_server.store.engine import migrate
from tests.sdk.stand_in import KEY, Server
from tests.server import conftest as looks_wrong

TRAYS = 6


def box(x_min: float, y_min: float, size: float = 10.0, label: str = "pill") -> Box:
    return Box(label=label, x_min=x_min, y_min=y_min, x_max=x_min + size, y_max=y_min + size)


def predicted(*boxes: Box) -> Prediction:
    return Prediction(model_version="v1", task="detection", image_size=(100, 80), count=len(boxes), boxes=boxes)


@cache
def trays(number: int, *, first_seed: int = photos.TRAINING_SEED) -> tuple[Photo, ...]:
    return tuple(photos.drawn_trays(first_seed, number=number).photos(number))


@cache
def model() -> CountingModel:
    return CountingModel.train(trays(12)[:TRAYS], model_version="v1", seed=1)


@cache
def gallery() -> Gallery:
    return Gallery.open(None)


@contextmanager
def queue_server() -> Iterator[Server]:
    running = Server()
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def real_queue_server(folder: Path) -> Iterator[looks_wrong.Server]:
    """Run Looks Wrong itself, as browsers need it: with the button's files, and open to other origins."""
    backend = open_backend(Settings(data_dir=folder, secret_key="s" * 32))
    migrate(backend.engine)
    yield from looks_wrong.run_server(backend)
    backend.engine.dispose()


@contextmanager
def chromium(program: Path) -> Iterator[Browser]:
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=options)
        yield running
        running.close()


def tap(page: Page, x: float, y: float) -> None:
    """Tap on the photo, on whatever lies on top there; in CSS px from the photo's corner."""
    page.locator("#photo").scroll_into_view_if_needed()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")  # the marks follow
    photo = page.locator("#photo").bounding_box()
    page.mouse.click(photo["x"] + x, photo["y"] + y)


@contextmanager
def pill_counter(spool: Path, *, url: str | None, key: str = KEY) -> Iterator[str]:
    """Run the app over HTTP; its address."""
    with FeedbackClient(url, key, spool_dir=spool) as client:
        app = create_app(model(), client, gallery=gallery(), endpoint=url)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def post(url: str, body: bytes, content_type: str = "application/json") -> tuple[int, dict]:
    return call(Request(url, data=body, headers={"Content-Type": content_type}, method="POST"))


def call(request: Request) -> tuple[int, dict]:
    try:
        with urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
