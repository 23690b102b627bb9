"""Images with real detections and their ground truth: text files `label confidence x_min y_min x_max y_max`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.labels_saved_bench.days import Company, Day
from benchmarks.labels_saved_bench.source import Source
from feedback_sdk.types import Box, Prediction, Task
from queue_server.images import check_image

#: boxes of one label that overlap so much are of the same object
_LEAST_OVERLAP = 0.5
#: a user sees that an image is wrong when so much of what is there, or is drawn, is
_LOOKS_WRONG = 2 / 3
#: thresholds are taken from so much of the images, the rest are today's: of fewer than 30 the server makes none
_YESTERDAY_SHARE = 2 / 3
_MOST_PIXELS = 100_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """What a model found in an image, and how much of it is wrong."""

    prediction: Prediction
    #: boxes that are of no object, and objects without a box
    errors: int
    looks_wrong: bool
    company: Company


def find_detections(folder: Path) -> Mapping[str, Source]:
    """Return a source for each folder that holds `ground-truth` and `detection-results`."""
    found = {}
    for truth in sorted(folder.rglob("ground-truth")):
        results = truth.with_name("detection-results")
        images = truth.with_name("images")
        photos = [
            _photo(file, results / file.name, images / f"{file.stem}.jpg") for file in sorted(truth.glob("*.txt"))
        ]
        if results.is_dir() and photos:
            found[truth.parent.name] = _source(photos)
    return found


def _source(photos: Sequence[Photo]) -> Source:
    def draw(seed: int) -> Day:
        order = np.random.default_rng(seed).permutation(len(photos))
        cut = int(len(photos) * _YESTERDAY_SHARE)
        yesterday, today = ([photos[row] for row in rows] for rows in (order[:cut], order[cut:]))
        return Day(
            yesterday=[photo.prediction for photo in yesterday],
            today=[photo.prediction for photo in today],
            shadows=(),
            errors=np.array([photo.errors for photo in today]),
            is_wrong=np.array([photo.looks_wrong for photo in today]),
            yesterday_errors=np.array([photo.errors for photo in yesterday]),
            yesterday_company=[photo.company for photo in yesterday],
            company=[photo.company for photo in today],
        )

    wrong = sum(photo.errors > 0 for photo in photos)
    return Source(
        rows=len(photos),
        about=f"{len(photos)} images with real detections; errors are wrong or missing boxes, {wrong} images have some",
        is_classification=False,
        budget_share=0.2,
        draw=draw,
    )


def _photo(truth_file: Path, result_file: Path, image_file: Path) -> Photo:
    truth = [_box([words[0], "1", *words[1:5]]) for words in _lines(truth_file)]
    boxes = [_box(words) for words in _lines(result_file)]
    right = _matches(boxes, truth)
    wrong = len(boxes) + len(truth) - 2 * right
    return Photo(
        prediction=Prediction(model_version="table", task=Task.DETECTION, boxes=boxes),
        errors=wrong,
        looks_wrong=wrong >= _LOOKS_WRONG * (len(boxes) + len(truth) - right) and wrong > 0,
        company=_company(image_file, count=len(truth)),
    )


def _company(image_file: Path, *, count: int) -> Company:
    if not image_file.exists():
        return Company(count=count)
    image = check_image(image_file.read_bytes(), max_pixels=_MOST_PIXELS)
    return Company(quality=image.quality, perceptual_hash=image.perceptual_hash, count=count)


def _lines(file: Path) -> list[list[str]]:
    if not file.exists():
        return []
    return [line.split() for line in file.read_text().splitlines() if line.strip()]


def _box(words: Sequence[str]) -> Box:
    confidence, x_min, y_min, x_max, y_max = map(float, words[1:6])
    return Box(label=words[0], confidence=confidence, x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)


def _matches(boxes: Sequence[Box], truth: Sequence[Box]) -> int:
    """Return how many boxes have an object of their own, the surest choosing first."""
    free = list(truth)
    for box in sorted(boxes, key=lambda item: -(item.confidence or 0.0)):
        fitting = [item for item in free if item.label == box.label and _overlap(box, item) >= _LEAST_OVERLAP]
        if fitting:
            free.remove(max(fitting, key=lambda item: _overlap(box, item)))
    return len(truth) - len(free)


def _overlap(one: Box, other: Box) -> float:
    """Return the intersection over the union of two boxes."""
    width = max(0.0, min(one.x_max, other.x_max) - max(one.x_min, other.x_min))
    height = max(0.0, min(one.y_max, other.y_max) - max(one.y_min, other.y_min))
    both = width * height
    return both / (_area(one) + _area(other) - both)


def _area(box: Box) -> float:
    return (box.x_max - box.x_min) * (box.y_max - box.y_min)
