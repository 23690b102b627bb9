"""Whether annotators agree, and what most of them say."""

from dataclasses import dataclass
from itertools import count

import numpy as np
import pytest

from feedback_sdk.types import Box, Keypoint, Mask, Polygon, Task
from queue_server.core import rle
from queue_server.core.agreement import agree, common_objects, majority
from queue_server.core.annotation import Annotation


def box(x=0.0, *, label="pill", side=10.0):
    return Box(label=label, x_min=x, y_min=0.0, x_max=x + side, y_max=side)


def boxes(*places, **more):
    return Annotation(boxes=tuple(box(x, **more) for x in places))


def mask(columns, *, label="pill"):
    pixels = np.zeros((4, 10), dtype=bool)
    pixels[:, :columns] = True
    return Mask(label=label, rle=rle.encode(pixels))


def points(*labels):
    return Annotation(keypoints=tuple(Keypoint(label=label, x=1.0, y=1.0) for label in labels))


TRIANGLE = Polygon(label="pill", points=((0.0, 0.0), (4.0, 0.0), (4.0, 4.0)))


@pytest.mark.parametrize("task", list(Task))
def test_two_who_found_nothing_agree(task):
    assert agree(Annotation(), Annotation(), task=task)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("cat",), ("cat",), True),
        (("cat", "dog"), ("dog", "cat"), True),
        (("cat",), ("dog",), False),
        (("cat",), ("cat", "dog"), False),
        (("cat",), (), False),
    ],
)
def test_classes_agree_as_sets(one, other, expected):
    assert agree(Annotation(labels=one), Annotation(labels=other), task=Task.CLASSIFICATION) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Annotation(count=2), Annotation(count=2), True),
        (Annotation(count=2), Annotation(count=3), False),
        (Annotation(count=2), boxes(0, 50), True),
        (boxes(0, 50), boxes(100, 150), True),
    ],
)
def test_counts_agree_wherever_the_objects_stand(one, other, expected):
    assert agree(one, other, task=Task.COUNTING) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (boxes(0), boxes(0), True),
        (boxes(0), boxes(3), True),
        (boxes(0), boxes(6), False),
        (boxes(0), boxes(0, label="capsule"), False),
        (boxes(0), boxes(0, 50), False),
        (boxes(0, 50), boxes(50, 0), True),
        (boxes(0, 1), boxes(0), False),
        (Annotation(masks=(mask(6),)), Annotation(masks=(mask(8),)), True),
        (Annotation(masks=(mask(3),)), Annotation(masks=(mask(8),)), False),
        (Annotation(masks=(mask(6),)), Annotation(masks=(mask(6, label="capsule"),)), False),
        (points("left", "right"), points("right", "left"), True),
        (points("left"), points("right"), False),
        (Annotation(polygons=(TRIANGLE,)), Annotation(polygons=(TRIANGLE,)), True),
        (Annotation(polygons=(TRIANGLE,)), Annotation(), False),
    ],
)
def test_objects_agree_by_label_and_place(one, other, expected):
    assert agree(one, other, task=Task.DETECTION) is expected
    assert agree(other, one, task=Task.DETECTION) is expected


def test_each_object_has_one_counterpart():
    assert common_objects(boxes(0, 1, 2), boxes(0)) == 1


def test_masks_of_other_sizes_have_nothing_in_common():
    small = Mask(label="pill", rle=rle.encode(np.ones((2, 2), dtype=bool)))
    assert common_objects(Annotation(masks=(mask(10),)), Annotation(masks=(small,))) == 0


@dataclass(frozen=True)
class Voice:
    annotation: Annotation
    number: int


def voices(*counts):
    numbers = count()
    return [Voice(Annotation(count=value), next(numbers)) for value in counts]


@pytest.mark.parametrize(
    ("counts", "chosen"),
    [
        ((), None),
        ((7,), 0),
        ((7, 7), 1),
        ((7, 8), None),
        ((7, 8, 7), 2),
        ((7, 7, 8), 1),
        ((7, 8, 9), None),
        ((7, 7, 8, 8), None),
        ((8, 7, 7, 7), 3),
    ],
)
def test_last_of_the_majority_is_chosen(counts, chosen):
    found = majority(voices(*counts), task=Task.COUNTING)
    assert (found and found.number) == chosen


@pytest.mark.parametrize(("shift", "expected"), [(0.0, True), (0.5, True), (3.0, False), (9.0, False)])
def test_outlines_agree_where_they_overlap_by_half(shift, expected):
    moved = Polygon(label="pill", points=tuple((x + shift, y) for x, y in TRIANGLE.points))
    said = (Annotation(polygons=(TRIANGLE,)), Annotation(polygons=(moved,)))
    assert agree(*said, task=Task.SEGMENTATION) is expected
