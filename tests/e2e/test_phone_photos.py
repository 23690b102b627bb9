"""Photos as phones take them, made smaller by the SDK: what annotators see lies where it lay for the app."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from PIL.Image import Transpose

from feedback_sdk import Box, FeedbackClient, Prediction
from queue_server.local_label_studio import LocalLabelStudio
from tests.e2e.installation import Inbox, Installation, label_studio_settings, project_text, wait_for

WIDTH, HEIGHT, SIDE = 4000, 3000, 1000
#: colour and box of each object on the photo as a person sees it
OBJECTS = (
    ((220, 30, 30), (300, 200, 900, 600)),
    ((30, 160, 40), (2900, 150, 3800, 420)),
    ((40, 60, 220), (400, 2100, 640, 2900)),
    ((230, 210, 30), (2500, 1900, 3300, 2500)),
)
#: how the rows of a photo lie in the file, for a person to see it upright once EXIF's orientation is applied
STORED = {
    1: None,
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}
SPOT = (3450.0, 1200.0)


@cache
def scene() -> Image.Image:
    noise = np.random.default_rng(1).normal(128, 12, (HEIGHT // 4, WIDTH // 4, 1)).repeat(3, axis=2)
    pixels = np.tile(noise.clip(0, 255).astype(np.uint8), (4, 4, 1))
    for colour, (x_min, y_min, x_max, y_max) in OBJECTS:
        pixels[y_min:y_max, x_min:x_max] = colour
    return Image.fromarray(pixels)


def photo(orientation: int) -> bytes:
    """Return a JPEG of the scene as a phone writes it that was held so."""
    turn, exif, file = STORED[orientation], Image.Exif(), io.BytesIO()
    exif[0x0112], exif[0x010F] = orientation, "a phone"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.0)})
    (scene() if turn is None else scene().transpose(turn)).save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


def given_as(form: str, orientation: int, folder: Path) -> object:
    """Return a photo in a form that apps have it in."""
    if form == "array":
        return np.ascontiguousarray(np.asarray(scene())[..., ::-1])
    if form == "path":
        path = folder / f"{orientation}.jpg"
        path.write_bytes(photo(orientation))
        return path
    return photo(orientation) if form == "bytes" else Image.open(io.BytesIO(photo(orientation)))


PHOTOS = [("path" if number % 2 else "bytes", number) for number in STORED] + [("image", 6), ("array", 1)]


def predicted() -> Prediction:
    corners = ("x_min", "y_min", "x_max", "y_max")
    boxes = [
        Box(label="pill", confidence=0.9, **dict(zip(corners, map(float, box), strict=True))) for _, box in OBJECTS
    ]
    return Prediction(model_version="v1", task="detection", count=len(boxes), boxes=boxes)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What an annotator is shown of one photo: the image that the task names, and the regions on it."""

    pixels: np.ndarray
    file: bytes
    regions: dict[str, dict]

    def box(self, index: int) -> tuple[float, float, float, float]:
        """Return a pre-annotation's box in pixels of the image."""
        value, (height, width, _) = self.regions[f"m{index}"]["value"], self.pixels.shape
        x, y = value["x"] / 100 * width, value["y"] / 100 * height
        return x, y, x + value["width"] / 100 * width, y + value["height"] / 100 * height

    def extent(self, index: int) -> tuple[int, int, int, int]:
        """Return where an object's colour begins and ends, along the row and the column of its box's centre."""
        x_min, y_min, x_max, y_max = self.box(index)
        is_object = (np.abs(self.pixels.astype(int) - OBJECTS[index][0]) < 60).all(axis=2)
        columns = np.flatnonzero(is_object[round((y_min + y_max) / 2)])
        rows = np.flatnonzero(is_object[:, round((x_min + x_max) / 2)])
        return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


class Annotators:
    """The samples that an app captured, and what became of them in Label Studio."""

    def __init__(self, inbox: Inbox, ids: dict[tuple[str, int], str]) -> None:
        self._inbox = inbox
        self._ids = ids

    def shown(self, key: tuple[str, int]) -> Shown:
        task = wait_for(lambda: self._inbox.task_of(self._ids[key]), seconds=90)
        file = httpx.get(task["data"]["image"], verify=False).raise_for_status().content
        regions = {region["id"]: region for region in task["predictions"][0]["result"]}
        with Image.open(io.BytesIO(file)) as image:
            return Shown(pixels=np.asarray(image.convert("RGB")), file=file, regions=regions)


@pytest.fixture(scope="module")
def annotators(tmp_path_factory: pytest.TempPathFactory, label_studio: LocalLabelStudio) -> Iterator[Annotators]:
    """Annotators of a server whose app captured every photo and whose user rejected each."""
    folder, title = tmp_path_factory.mktemp("phones"), f"phones {datetime.now(UTC).timestamp():.6f}"
    inbox = Inbox(label_studio, title)
    with Installation(folder, label_studio_settings(label_studio)) as installation:
        key = installation.apply_project(project_text(title))
        installation.serve()
        with FeedbackClient(installation.url, key, spool_dir=folder / "spool", max_image_side=SIDE) as app:
            yield Annotators(inbox, captured(app, folder))
    inbox.close()


def captured(app: FeedbackClient, folder: Path) -> dict[tuple[str, int], str]:
    """Capture every photo; the user says that something is wrong, and where on the first."""
    ids = {}
    for form, orientation in PHOTOS:
        image = given_as(form, orientation, folder)
        ids[form, orientation] = app.log_prediction(image, predicted(), channel_order="BGR") or ""
        if orientation == 5:
            app.correct(ids[form, orientation], points=[SPOT])
        else:
            app.reject(ids[form, orientation])
    assert app.flush(120)
    assert app.stats().dropped == {}
    return ids


@pytest.mark.parametrize("key", PHOTOS)
def test_every_box_lies_on_its_object(annotators: Annotators, key: tuple[str, int]) -> None:
    shown = annotators.shown(key)
    assert shown.pixels.shape == (HEIGHT * SIDE // WIDTH, SIDE, 3)
    for index, (_, true_box) in enumerate(OBJECTS):
        assert shown.box(index) == pytest.approx([side * SIDE / WIDTH for side in true_box], abs=0.01)
        assert shown.extent(index) == pytest.approx(shown.box(index), abs=2)


@pytest.mark.parametrize("key", PHOTOS)
def test_neither_the_place_nor_the_phone_is_on_the_server(annotators: Annotators, key: tuple[str, int]) -> None:
    file = annotators.shown(key).file
    assert b"a phone" not in file
    with Image.open(io.BytesIO(file)) as image:
        assert not image.getexif()


def test_a_spot_that_the_user_marked_lies_where_the_user_saw_it(annotators: Annotators) -> None:
    value = annotators.shown(("path", 5)).regions["s0"]["value"]
    assert (value["x"], value["y"]) == pytest.approx((SPOT[0] / WIDTH * 100, SPOT[1] / HEIGHT * 100), abs=0.01)
