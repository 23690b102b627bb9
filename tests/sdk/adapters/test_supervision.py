"""supervision's own Detections."""

import numpy as np
import pytest

from feedback_sdk.adapters import prediction_of
from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Task
from queue_server.core import geometry
from tests.sdk.adapters.packages import coco_counts, real

sv = real("supervision")

XYXY = np.array([[5, 6, 25, 26], [30, 6, 60, 40]], dtype=np.float32)
SCORES = np.array([0.9, 0.4], dtype=np.float32)
IDS = np.array([0, 1])


def detections(**more):
    return sv.Detections(**{"xyxy": XYXY, "confidence": SCORES, "class_id": IDS, **more})


def made(value, **options):
    return prediction_of(value, model_version="v1", **options)


def squares():
    masks = np.zeros((2, 48, 64), dtype=bool)
    masks[0, 6:26, 5:25] = masks[1, 6:40, 30:60] = True
    return masks


@pytest.mark.parametrize(
    ("data", "labels", "expected"),
    [
        ({}, None, ["0", "1"]),
        ({"class_name": np.array(["pill", "cap"])}, None, ["pill", "cap"]),
        ({"class_name": np.array(["pill", "cap"])}, ["red", "blue"], ["red", "blue"]),
    ],
)
def test_boxes_are_named(data, labels, expected):
    found = made(detections(data=data), labels=labels, image_size=(64, 48))
    assert [box.label for box in found.boxes] == expected
    assert [(box.confidence, box.x_max) for box in found.boxes] == [(0.9, 25.0), (0.4, 60.0)]


def test_boxes_without_classes_take_the_one_label():
    found = made(sv.Detections(xyxy=XYXY), labels=["pill"])
    assert [(box.label, box.confidence) for box in found.boxes] == [("pill", None)] * 2


def test_boxes_without_classes_or_a_label_are_refused():
    with pytest.raises(ValidationError, match="class ids must be given unless labels is one name"):
        made(sv.Detections(xyxy=XYXY))


@pytest.mark.parametrize(("task", "field"), [(None, "boxes"), ("segmentation", "masks")])
def test_no_detections_are_the_empty_list_of_the_task(task, field):
    assert getattr(made(sv.Detections.empty(), task=task), field) == ()


def test_masks_bring_the_images_size():
    found = made(detections(mask=squares()))
    assert (found.task, found.image_size, found.boxes) == (Task.SEGMENTATION, (64, 48), None)
    assert [mask.rle.counts for mask in found.masks] == [coco_counts(square) for square in squares()]


def test_compact_masks_are_the_same():
    compact = real("supervision.detection.compact_mask").CompactMask.from_dense(squares(), XYXY, (48, 64))
    assert made(detections(mask=compact)) == made(detections(mask=squares()))


def test_a_task_picks_the_boxes_of_masks():
    assert made(detections(mask=squares()), task="detection") == made(detections())


def test_oriented_boxes_cover_what_their_corners_cover():
    corners = np.array([[[10, 10], [30, 20], [25, 30], [5, 20]], [[40, 10], [50, 10], [50, 30], [40, 30]]], dtype=float)
    found = made(detections(data={"xyxyxyxy": corners}))
    for box, four in zip(found.boxes, corners, strict=True):
        assert np.allclose(sorted(geometry.corners(box)), sorted(map(tuple, four)), atol=1e-3)
    assert found.boxes[0].rotation_degrees == pytest.approx(26.565, abs=1e-3)
