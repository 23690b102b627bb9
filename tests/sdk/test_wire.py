"""One value has one JSON text, whoever writes it."""

import json
import string
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_sdk.types import (
    Box,
    BoxCorrection,
    Correction,
    Feedback,
    Keypoint,
    Mask,
    Polygon,
    Prediction,
    Rle,
    Sample,
    Task,
)
from feedback_sdk.wire import canonical_json, object_writer, to_wire, wire_text

names = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)
pixels = st.floats(-1e5, 1e5) | st.integers(-1000, 1000)
units = st.floats(0, 1) | st.sampled_from([0, 1])
classes = st.dictionaries(names, units, max_size=3)
sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@st.composite
def boxes(draw):
    x, y = draw(pixels), draw(pixels)
    more = draw(
        st.fixed_dictionaries(
            {}, optional={"confidence": units, "rotation_degrees": st.floats(-360, 360), "classes": classes}
        )
    )
    width, height = draw(st.floats(1, 1000)), draw(st.integers(1, 1000))
    return Box(label=draw(names), x_min=x, y_min=y, x_max=x + width, y_max=y + height, **more)


polygons = st.builds(
    Polygon, label=names, points=st.lists(st.tuples(pixels, pixels), min_size=3, max_size=5), confidence=units
)
masks = st.builds(Mask, label=names, rle=st.builds(Rle, size=sizes, counts=st.just("abc") | st.just([1, 2])))
keypoints = st.builds(Keypoint, label=names, x=pixels, y=pixels, confidence=units)
predictions = st.builds(
    Prediction,
    model_version=names,
    task=st.sampled_from(Task),
    image_size=st.none() | sizes,
    confidence=st.none() | units,
    count=st.none() | st.integers(0, 1000),
    classes=st.none() | classes,
    multi_label=st.booleans(),
    boxes=st.none() | st.lists(boxes(), max_size=3),
    polygons=st.none() | st.lists(polygons, max_size=2),
    masks=st.none() | st.lists(masks, max_size=2),
    keypoints=st.none() | st.lists(keypoints, max_size=2),
)
times = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
samples = st.builds(
    Sample,
    id=st.uuids(),
    captured_at=times,
    prediction=st.none() | predictions,
    tags=st.lists(names, max_size=3),
    metadata=st.dictionaries(names, st.none() | st.booleans() | st.integers() | pixels | names, max_size=3),
    stream=st.none() | names,
    embedding=st.none() | st.lists(pixels, min_size=1, max_size=3),
)


def plainly(value: object) -> bytes:
    """Write canonical JSON as its definition says it, slowly."""
    return json.dumps(to_wire(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(samples)
def test_a_sample_is_written_as_canonical_json_is_defined(sample):
    assert canonical_json(sample) == plainly(sample)


@given(predictions)
def test_a_prediction_written_by_hand_is_the_general_text(prediction):
    assert prediction.wire_text() == object_writer(Prediction)(prediction)


@given(boxes())
def test_a_box_written_by_hand_is_the_general_text(box):
    assert box.wire_text() == object_writer(Box)(box)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ({}, "{}"),
        ([], "[]"),
        (True, "true"),
        (1, "1"),
        (1e22, "1e+22"),
        ('a"\n\\é', '"a\\"\\n\\\\é"'),
        ({"b": 1, "a": [False, None, 0.5]}, '{"a":[false,null,0.5],"b":1}'),
        ({1: "x"}, '{"1":"x"}'),
        (Task.COUNTING, '"counting"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1))), '"2026-01-01T11:00:00Z"'),
    ],
)
def test_each_kind_of_value_has_its_text(value, text):
    assert wire_text(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), [{"a": float("nan")}]])
def test_what_is_no_number_has_no_text(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        wire_text(value)


@pytest.mark.parametrize("number", [np.float64(0.5), np.float64(0.25), 1])
def test_numbers_of_others_are_written_as_plain_floats(number):
    box = Box(label="pill", confidence=number, x_min=-number, y_min=0, x_max=number, y_max=number)
    assert json.loads(box.wire_text()) == {
        "label": "pill",
        "confidence": float(number),
        "x_min": -float(number),
        "y_min": 0.0,
        "x_max": float(number),
        "y_max": float(number),
    }


def test_feedback_with_a_correction_is_canonical():
    change = BoxCorrection(action="add", label="pill", x_min=1.0, y_min=2.0, x_max=3.0, y_max=4.0)
    feedback = Feedback(
        id=UUID(int=1), sample_id=UUID(int=2), verdict="corrected", correction=Correction(count=3, boxes=[change])
    )
    assert canonical_json(feedback) == plainly(feedback)


@given(st.text(string.printable, max_size=30))
def test_any_text_reads_back(text):
    assert json.loads(wire_text(text)) == text
