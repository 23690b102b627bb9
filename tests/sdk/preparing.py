"""What the tests of the preparation share: a spool on disk with a preparation at its end, and what goes in."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
from PIL import Image

from feedback_sdk import pixels
from feedback_sdk.drops import Drop, Drops
from feedback_sdk.preparation import Preparation, Ready
from feedback_sdk.spool import Spool
from feedback_sdk.spool.segment import Kind
from feedback_sdk.types import Box, Feedback, Prediction, Sample
from feedback_sdk.wire import canonical_json

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Bench:
    """A spool on disk and a preparation at its end, as a sender has them."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder = folder
        self.told: list[Drop] = []
        self.drops = Drops(self.told.append)
        self.spool = Spool(folder, max_bytes=1 << 30, max_age_seconds=1e6, on_drop=self.told.append)
        self.preparation = Preparation(spool=self.spool, drops=self.drops, **options)

    def spooled(self, sample: Sample, image: object = None) -> None:
        text, picture = canonical_json(sample), image if image is None else pixels.read(image)
        if picture is not None and picture.shape is not None:
            text = b'{"sample":%b,"shape":%b}' % (text, canonical_json(picture.shape))
            self.spool.append(Kind.PIXELS, sample.id.bytes, text, picture.payload)
        else:
            self.spool.append(Kind.SAMPLE, sample.id.bytes, text, picture.payload if picture else b"")

    def taken(self, sample: Sample, image: object = None) -> Ready | None:
        self.spooled(sample, image)
        return self.preparation.take(self.spool.next())

    def said(self, feedback: Feedback) -> dict | None:
        self.spool.append(Kind.FEEDBACK, feedback.sample_id.bytes, canonical_json(feedback))
        text = self.preparation.feedback(self.spool.next())
        return text if text is None else json.loads(text)

    def burst(self, *frames: Sample, image: object = None) -> list[Ready]:
        """Capture frames that look the same, and let their bursts end."""
        assert [self.taken(one, image or scene()) for one in frames] == [None] * len(frames)
        return self.preparation.due(everything=True)

    def reopened(self, **options: object) -> "Bench":
        """Die and start again on the same folder."""
        self.spool.close()
        fresh = Bench(self.folder, **options)
        fresh.spool.adopt()
        return fresh

    @property
    def is_empty(self) -> bool:
        return self.spool.is_done(self.spool.mark())


@contextmanager
def benches(folder: Path) -> Iterator[Callable[..., Bench]]:
    """Give out benches on one spool folder, and close them."""
    made: list[Bench] = []

    def make(**options: object) -> Bench:
        made.append(Bench(folder, **options))
        return made[-1]

    yield make
    for one in made:
        one.spool.close()


def sample(**fields: object) -> Sample:
    return Sample(**{"id": uuid4(), "captured_at": AT, **fields})


def frame(seconds: float = 0.0, **fields: object) -> Sample:
    return sample(captured_at=AT + timedelta(seconds=seconds), stream="door", **fields)


def predicted(**fields: object) -> Prediction:
    box = Box(label="pill", x_min=10.0, y_min=20.0, x_max=30.0, y_max=40.0)
    return Prediction(**{"model_version": "v1", "task": "detection", "boxes": [box], **fields})


def scene(width: int = 640, height: int = 480) -> bytes:
    """Return a JPEG of a light that falls from the left."""
    file = io.BytesIO()
    Image.fromarray(np.tile(np.linspace(255, 0, width).astype(np.uint8), (height, 1))).save(file, "JPEG")
    return file.getvalue()


def dark() -> np.ndarray:
    return np.tile(np.linspace(0, 200, 640).astype(np.uint8), (480, 1))


def opened(ready: Ready) -> Image.Image:
    return Image.open(io.BytesIO(ready.image))
