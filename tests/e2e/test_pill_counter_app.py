"""The pill counter's web app, over HTTP."""

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from feedback_sdk import tokens
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


def jpeg(size: tuple[int, int] = (320, 240), *, orientation: int | None = None) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new("RGB", size, "grey").save(file, "JPEG", exif=exif)
    return file.getvalue()


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


@pytest.mark.parametrize("visitors", [1, 2])
def test_a_token_speaks_of_its_one_sample_for_one_visitor(app: str, visitors: int) -> None:
    answers = [predict(app, name=b"coins")[1] for _ in range(visitors)]
    found = [tokens.parse(said["token"]) for said in answers]
    assert [str(token.sample_id) for token in found] == [said["sample_id"] for said in answers]
    assert all(token.reporter.startswith("visitor-") for token in found)
    assert len({token.reporter for token in found}) == visitors


def test_the_app_works_while_the_queue_server_is_away(tmp_path: Path) -> None:
    with pill_counting.pill_counter(tmp_path / "spool", url="http://127.0.0.1:9") as app:
        status, said = predict(app, name=b"coins")
        assert (status, said["count"]) == (200, len(said["boxes"]))
        assert said["sample_id"]


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
