"""Average precision by our own few lines is what COCO's reference evaluation gives."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from feedback_sdk.types import Box
from queue_server.core.model_quality.average_precision import Ranking, Tally
from queue_server.core.model_quality.coco import coco_figures
from queue_server.core.model_quality.matching import match_boxes
from queue_server.core.model_quality.observed import BoxMatches
from tests.real_files import real_files

Image = tuple[list[Box], list[Box]]


def box(*corners: float, label: str = "pill", confidence: float | None = None, turned: float = 0.0) -> Box:
    names = ("x_min", "y_min", "x_max", "y_max")
    place = dict(zip(names, corners, strict=True))
    return Box(label=label, confidence=confidence, rotation_degrees=turned, **place)


def scene(random: np.random.Generator, labels: Sequence[str], *, digits: int = 1, zoom: float = 1.0) -> Image:
    """Return an image's objects, found more or less, some of them twice or where there is none."""
    true, predicted = [], []
    for _ in range(random.integers(0, 12)):
        x, y = random.uniform(0, 80, 2).tolist()
        width, height = (random.uniform(5, 20, 2) * zoom).tolist()
        label = str(random.choice(labels))
        true.append(box(x, y, x + width, y + height, label=label))
        for _ in range(random.choice([0, 1, 1, 1, 2])):
            dx, dy = random.normal(scale=2.0 * zoom, size=2).tolist()
            score = round(float(random.uniform(0.05, 1)), digits)  # one digit: ties, on purpose
            name = label if random.random() < 0.9 else str(random.choice(labels))
            corners = (x + dx, y + dy, x + width + dx, y + height + dy)
            predicted.append(box(*corners, label=name, confidence=score))
    return true, predicted


def by_pycocotools(images: Sequence[Image]) -> list[float]:
    """Return COCO's twelve numbers."""
    labels = sorted({one.label for true, predicted in images for one in (*true, *predicted)})
    rows = {"true": [], "predicted": []}
    for number, image in enumerate(images, start=1):
        for kind, boxes in zip(rows, image, strict=True):
            for one in boxes:
                width, height = one.x_max - one.x_min, one.y_max - one.y_min
                row = {"image_id": number, "category_id": labels.index(one.label) + 1, "area": width * height}
                row |= {"bbox": [one.x_min, one.y_min, width, height], "iscrowd": 0, "id": len(rows[kind]) + 1}
                rows[kind].append(row | ({"score": one.confidence} if one.confidence is not None else {}))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": number + 1} for number in range(len(images))],
            "categories": [{"id": number + 1, "name": label} for number, label in enumerate(labels)],
            "annotations": rows["true"],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(rows["predicted"]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return list(map(float, evaluation.stats))


def matched(images: Sequence[Image]) -> list[BoxMatches]:
    return [match_boxes(predicted, true) for true, predicted in images]


def twelve(images: Sequence[Image]) -> list[float]:
    """Return ours; COCO's own says -1 where there is no such object."""
    found = astuple(coco_figures([(predicted, true) for true, predicted in images]))
    return [-1.0 if one is None else one for one in found]


def ours(images: Sequence[Image]) -> tuple[float, float]:
    found = Ranking(matched(images)).average_precision(np.ones(len(images)))
    return float(found.mean()), float(found[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("labels", [["pill"], ["pill", "capsule", "tablet"]])
def test_average_precision_is_cocos(seed: int, labels: list[str]) -> None:
    random = np.random.default_rng(seed)
    images = [scene(random, labels) for _ in range(40)]
    assert ours(images) == pytest.approx(by_pycocotools(images)[:2], abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("zoom", [1.0, 4.0, 12.0])
def test_twelve_numbers_are_cocos_whatever_the_sizes(seed: int, zoom: float) -> None:
    random = np.random.default_rng(seed)
    images = [scene(random, ["pill", "capsule"], zoom=zoom) for _ in range(30)]
    theirs = by_pycocotools(images)
    assert twelve(images) == pytest.approx(theirs, abs=1e-9)
    assert ours(images) == pytest.approx(theirs[:2], abs=1e-9)


def test_no_object_has_none_of_the_twelve_numbers() -> None:
    assert twelve([([], [])]) == [-1.0] * 12


def real_detections() -> list[Image]:
    folder = real_files("detections_cartucho")
    images = []
    for file in sorted((folder / "ground-truth").glob("*.txt")):
        true = [line.split() for line in file.read_text().splitlines() if line.strip()]
        found = [line.split() for line in (folder / "detection-results" / file.name).read_text().splitlines()]
        objects = [box(*map(float, line[1:5]), label=line[0]) for line in true]
        boxes = [box(*map(float, line[2:6]), label=line[0], confidence=float(line[1])) for line in found if line]
        images.append((objects, boxes))
    assert len(images) > 40
    return images


def test_average_precision_of_real_detections_is_cocos() -> None:
    images = real_detections()
    assert ours(images) == pytest.approx(by_pycocotools(images)[:2], abs=1e-9)


def test_twelve_numbers_of_real_detections_are_cocos() -> None:
    images = real_detections()
    assert twelve(images) == pytest.approx(by_pycocotools(images), abs=1e-9)


def test_image_of_weight_two_counts_like_two_images() -> None:
    random = np.random.default_rng(9)
    images = [scene(random, ["pill", "capsule"], digits=9) for _ in range(12)]
    weighted = Ranking(matched(images)).average_precision(np.array([2.0] * 4 + [1.0] * 7 + [0.0]))
    repeated = [image for image in images[:4] for _ in range(2)] + images[4:11]
    assert weighted == pytest.approx(Ranking(matched(repeated)).average_precision(np.ones(15)))


def test_nothing_found_where_nothing_is_has_no_average_precision() -> None:
    assert Ranking(matched([([], [])])).average_precision(np.ones(1)) is None


def test_precision_recall_and_f1_count_boxes() -> None:
    there, elsewhere = box(0, 0, 10, 10), box(50, 50, 60, 60)
    images = matched([([there], [there, elsewhere]), ([there, elsewhere], [there]), ([], [])])
    found = Tally(images).found(np.ones(3))
    assert (found.precision, found.recall, found.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))


def test_turned_boxes_are_matched_by_their_own_overlap() -> None:
    upright, turned = box(0, 0, 40, 4), box(0, 0, 40, 4, turned=90.0)
    assert match_boxes([turned], [turned]).hits.all()
    assert not match_boxes([turned], [upright]).hits.any()


def test_boxes_without_confidence_say_so() -> None:
    assert match_boxes([box(0, 0, 1, 1)], []).scores is None
    assert match_boxes([], []).scores == ()


def test_image_of_weight_two_counts_like_two_images_in_the_twelve_numbers() -> None:
    random = np.random.default_rng(9)
    images = [(predicted, true) for true, predicted in (scene(random, ["pill"], digits=9) for _ in range(9))]
    weighted = coco_figures(images, weights=[2.0] * 4 + [1.0] * 5)
    assert astuple(weighted) == pytest.approx(astuple(coco_figures([*images, *images[:4]])))
