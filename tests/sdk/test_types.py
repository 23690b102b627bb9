"""What the wire format refuses, each fault by its field, what must hold and what came."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import numpy as np
import pytest

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Box, Keypoint, Polygon, Prediction, Rle, Sample

BOX = {"label": "pill", "x_min": 1.0, "y_min": 2.0, "x_max": 3.0, "y_max": 4.0, "confidence": 0.5}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EARLIEST = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": ""}, "label must have 1 to 200 characters, got 0"),
        ({"label": "a\x00"}, "label must not hold the NUL character"),
        ({"label": 7}, "label must be a string, got int"),
        ({"x_min": float("nan")}, "x_min must be finite, got nan"),
        ({"x_min": "1"}, "x_min must be a number, got str"),
        ({"x_min": True}, "x_min must be a number, got bool"),
        ({"x_min": 3.0}, "x_min must be < x_max, got 3.0 and 3.0"),
        ({"y_min": 5.0}, "y_min must be < y_max, got 5.0 and 4.0"),
        ({"x_max": 2e6}, "x_max must be <= 1000000.0, got 2000000.0"),
        ({"confidence": 1.5}, "confidence must be <= 1.0, got 1.5"),
        ({"rotation_degrees": 400.0}, "rotation_degrees must be <= 360.0, got 400.0"),
        ({"classes": {"pill": 2.0}}, "classes.pill must be <= 1.0, got 2.0"),
    ],
)
def test_a_box_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValidationError) as caught:
        Box(**{**BOX, **changes})
    assert caught.value.message == message


@pytest.mark.parametrize("changes", [{}, {"x_min": 0}, {"confidence": None}, {"confidence": np.float64(1)}])
def test_a_box_holds_plain_floats(changes):
    box = Box(**{**BOX, **changes})
    assert {type(box.x_min), type(box.y_max), type(box.confidence)} <= {float, type(None)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tags": ["a"] * 101}, "tags must have 0 to 100 items, got 101"),
        ({"tags": [""]}, "tags.0 must have 1 to 200 characters, got 0"),
        ({"embedding": []}, "embedding must have 1 to 16384 items, got 0"),
        ({"capture_probability": 0.0}, "capture_probability must be > 0.0, got 0.0"),
        ({"stands_for": 0}, "stands_for must be >= 1, got 0"),
        ({"image_sha256": "ab"}, "image_sha256 must have 64 to 64 characters, got 2"),
        ({"captured_at": NOON.replace(tzinfo=None)}, "captured_at must carry a time zone, got 2026-01-01T12:00:00"),
        ({"captured_at": EARLIEST}, "captured_at must be a time that UTC can express, got 0001-01-01T00:00:00+14:00"),
        ({"metadata": {"a": float("inf")}}, "metadata.a must be finite, got inf"),
        ({"metadata": {"a": object()}}, "metadata.a must be a JSON value, got object"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValidationError) as caught:
        Sample(**{"id": UUID(int=1), "captured_at": NOON, **changes})
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("name", "items", "message"),
    [
        ("boxes", [BOX], "boxes.0 must be a Box, got dict"),
        ("polygons", [Box(**BOX)], "polygons.0 must be a Polygon, got Box"),
        ("keypoints", [Keypoint(label="a", x=1, y=2), None], "keypoints.1 must be a Keypoint, got NoneType"),
    ],
)
def test_the_parts_of_a_prediction_must_be_of_their_kind(name, items, message):
    with pytest.raises(ValidationError) as caught:
        Prediction(model_version="v1", task="detection", **{name: items})
    assert caught.value.message == message


def test_an_outline_needs_three_points():
    with pytest.raises(ValidationError, match="points must have 3 to 10000 items, got 2"):
        Polygon(label="a", points=[(0, 0), (1, 1)])


def test_run_lengths_are_bounded():
    with pytest.raises(ValidationError, match="counts must have 0 to 5000000 items, got 5000001"):
        Rle(size=(5, 5), counts=range(5_000_001))
