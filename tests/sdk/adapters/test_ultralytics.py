"""ultralytics' own Results, made from tensors and arrays as its predictors make them."""

import math

import numpy as np
import pytest

from feedback_sdk.adapters import prediction_of
from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Task
from queue_server.core import geometry
from tests.sdk.adapters.packages import coco_counts, real

torch = real("torch")
Results = real("ultralytics.engine.results").Results

WIDTH, HEIGHT = 64, 48
NAMES = {0: "pill", 1: "cap"}
BOXES = torch.tensor([[5.0, 6, 25, 26, 0.9, 0], [30, 6, 60, 40, 0.4, 1]])


def result(**parts):
    return Results(np.zeros((HEIGHT, WIDTH, 3), np.uint8), path="a.jpg", names=NAMES, **parts)


def made(*, task=None, labels=None, **parts):
    return prediction_of(result(**parts), model_version="v1", task=task, labels=labels)


def ring():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    far = (x - 15) ** 2 + (y - 16) ** 2
    return (far < 10**2) & (far > 4**2)


def masks(*planes):
    return torch.tensor(np.stack(planes)).float()


def test_boxes_names_and_size_are_read():
    found = made(boxes=BOXES)
    assert (found.task, found.image_size) == (Task.DETECTION, (WIDTH, HEIGHT))
    assert [(box.label, box.confidence, box.x_min, box.y_max) for box in found.boxes] == [
        ("pill", 0.9, 5.0, 26.0),
        ("cap", 0.4, 30.0, 40.0),
    ]


def test_results_of_arrays_are_read_as_those_of_tensors():
    assert prediction_of(result(boxes=BOXES).numpy(), model_version="v1") == made(boxes=BOXES)


def test_a_list_of_one_result_is_that_result():
    assert prediction_of([result(boxes=BOXES)], model_version="v1") == made(boxes=BOXES)


def test_tracked_boxes_are_read_too():
    tracked = torch.cat([BOXES[:, :4], torch.tensor([[7.0], [8.0]]), BOXES[:, 4:]], 1)
    assert made(boxes=tracked) == made(boxes=BOXES)


def test_labels_stand_above_the_models_names():
    assert [box.label for box in made(boxes=BOXES, labels=["red", "blue"]).boxes] == ["red", "blue"]


@pytest.mark.parametrize(
    ("task", "field"),
    [(None, "boxes"), ("counting", "boxes"), ("segmentation", "polygons"), ("keypoints", "keypoints")],
)
def test_nothing_found_is_the_empty_list_of_the_task(task, field):
    assert getattr(made(boxes=torch.zeros(0, 6), task=task), field) == ()


@pytest.mark.parametrize("degrees", [0, 30, 90, 134, -44])
def test_oriented_boxes_have_the_packages_corners(degrees):
    obb = torch.tensor([[30.0, 20, 24, 8, math.radians(degrees), 0.9, 1]])
    box = made(obb=obb).boxes[0]
    corners = sorted(map(tuple, result(obb=obb).obb.xyxyxyxy[0].tolist()))
    assert [x for x, _ in sorted(geometry.corners(box))] == pytest.approx([x for x, _ in corners], abs=1e-3)
    assert box.rotation_degrees == degrees


def test_an_oriented_box_without_width_is_left_out():
    assert made(obb=torch.tensor([[30.0, 20, 0, 8, 0.3, 0.9, 1]])).boxes == ()


def test_masks_of_the_images_size_keep_their_holes():
    found = made(boxes=BOXES[:1], masks=masks(ring()))
    assert (found.task, found.boxes, found.polygons) == (Task.SEGMENTATION, None, None)
    assert found.masks[0].rle.counts == coco_counts(ring())


def test_smaller_masks_become_outlines_in_the_images_pixels():
    found = made(boxes=BOXES[:1], masks=masks(ring()[::2, ::2]))
    x, y = zip(*found.polygons[0].points, strict=True)
    assert (found.polygons[0].label, found.masks, found.boxes) == ("pill", None, None)
    assert (min(x), max(x), min(y), max(y)) == pytest.approx((6, 24, 7, 25), abs=1.5)


@pytest.mark.parametrize("step", [1, 2])
def test_a_mask_without_a_pixel_is_left_out(step):
    found = made(boxes=BOXES, masks=masks(ring()[::step, ::step], np.zeros_like(ring()[::step, ::step])))
    assert [item.label for item in found.masks or found.polygons] == ["pill"]


def test_keypoints_are_named_by_labels_or_by_their_place():
    points = torch.tensor([[[10.0, 11, 0.9], [0, 0, 0.1], [64, 48, 0.6]]])
    named = made(boxes=BOXES[:1], keypoints=points, labels=["nose", "ear", "foot"])
    assert [(point.label, point.x, point.confidence) for point in named.keypoints] == [
        ("nose", 10.0, 0.9),
        ("foot", 64.0, 0.6),
    ]
    assert [point.label for point in made(boxes=BOXES[:1], keypoints=points).keypoints] == ["0", "2"]


def test_keypoints_without_confidence_have_their_objects():
    points = torch.tensor([[[10.0, 11]], [[12.0, 13]]])
    assert [point.confidence for point in made(boxes=BOXES, keypoints=points).keypoints] == [0.9, 0.4]


@pytest.mark.parametrize("part", [{"masks": masks(ring(), ring())}, {"keypoints": torch.ones(2, 3, 3)}])
def test_a_task_picks_the_boxes(part):
    assert made(boxes=BOXES, **part, task="detection") == made(boxes=BOXES)


def test_probabilities_are_a_classification():
    found = made(probs=torch.tensor([0.7, 0.3]))
    assert (found.task, found.classes) == (Task.CLASSIFICATION, {"pill": 0.7, "cap": 0.3})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "value must have boxes, masks, keypoints, obb or probs"),
        ({"boxes": BOXES, "task": "segmentation"}, "task must be detection or counting for what came"),
        ({"boxes": BOXES, "labels": ["one"]}, "labels must name class 1, got names for 1 classes"),
    ],
)
def test_what_cannot_be_sent_is_refused(parts, message):
    with pytest.raises(ValidationError, match=message):
        made(**parts)
