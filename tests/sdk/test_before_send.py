"""The app's last word on what goes out, asked on a real spool."""

import inspect
import io
import json
import textwrap
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from feedback_sdk.errors import PreparationError
from feedback_sdk.preparation.before_send import Capture
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
)
from feedback_sdk.wire import canonical_json
from tests.sdk.preparing import benches, dark, opened, predicted, sample, scene


@pytest.fixture
def bench(tmp_path):
    with benches(tmp_path / "spool") as make:
        yield make


def without_place(shown: Capture | Feedback) -> Capture | Feedback:
    if isinstance(shown, Feedback):
        return replace(shown, comment=None)
    return replace(shown, sample=replace(shown.sample, metadata={}), image=b"blurred")


def test_the_app_changes_a_sample_and_its_image(bench):
    given = sample(prediction=predicted(), metadata={"place": "home"}, tags=["a"], embedding=[0.5, 1.0])
    ready = bench(before_send=without_place).taken(given, scene())
    assert (ready.text, ready.image) == (canonical_json(replace(given, metadata={})), b"blurred")


def test_the_app_sees_the_wires_types_and_what_would_go_out(bench):
    seen = []
    given = sample(prediction=predicted(classes={"pill": 0.5}), stream="door")
    bench(before_send=lambda shown: seen.append(shown) or shown, max_image_side=100).taken(given, scene())
    assert seen[0].sample == replace(given, prediction=replace(given.prediction, image_size=(640, 480)))
    assert Image.open(io.BytesIO(seen[0].image)).size == (100, 75)


PARTS = [
    {"boxes": [Box(label="a", x_min=0.5, y_min=1.0, x_max=2.0, y_max=3.0, rotation_degrees=30.0, classes={"a": 1.0})]},
    {"boxes": [], "count": 0, "confidence": 0.25},
    {"task": "segmentation", "polygons": [Polygon(label="a", points=[(0.0, 0.0), (1.0, 0.0), (1e-7, 1.0)])]},
    {"task": "segmentation", "masks": [Mask(label="a", rle=Rle(size=(2, 3), counts=[1, 5]))]},
    {"task": "segmentation", "masks": [Mask(label="a", rle=Rle(size=(2, 3), counts="02o2"))]},
    {"task": "keypoints", "keypoints": [Keypoint(label="a", x=1.0, y=2.0, confidence=0.5)]},
    {"task": "classification", "classes": {"é": 0.5}, "multi_label": True},
]


@pytest.mark.parametrize("parts", PARTS)
def test_every_part_of_a_prediction_comes_to_the_app_and_goes_out_again(bench, parts):
    seen = []
    given = sample(prediction=Prediction(**{"model_version": "v1", "task": "detection", **parts}))
    ready = bench(before_send=lambda shown: seen.append(shown.sample) or shown).taken(given)
    assert (seen, ready.text) == ([given], canonical_json(given))


def test_the_app_is_asked_once_for_a_sample(bench):
    asked = []
    one = bench(before_send=lambda shown: asked.append(1) or shown)
    one.taken(sample(), dark())
    again = one.reopened(before_send=one.preparation._before_send)
    assert again.preparation.take(again.spool.next()) is not None
    assert len(asked) == 1


def test_the_app_changes_feedback(bench):
    said = bench(before_send=without_place).said(
        Feedback(id=uuid4(), sample_id=uuid4(), verdict="rejected", comment="my phone number", age_ms=7)
    )
    assert (said["verdict"], said["age_ms"], "comment" in said) == ("rejected", 7, False)


def test_a_correction_comes_to_the_app_whole(bench):
    changes = [BoxCorrection(action="remove", target=0)]
    correction = Correction(count=3, label="pill", boxes=changes, points=[{"x": 1.0, "y": 2.0}], image_size=(64, 48))
    given = Feedback(id=uuid4(), sample_id=uuid4(), verdict="corrected", correction=correction, reporter="anna")
    assert bench(before_send=lambda shown: shown).said(given) == json.loads(canonical_json(given))


def test_the_example_of_the_documentation_blurs_a_region(bench):
    code = textwrap.dedent(inspect.getdoc(Capture).partition("code-block:: python")[2])
    names = {"BytesIO": io.BytesIO, "Image": Image, "ImageFilter": ImageFilter, "ImageOps": ImageOps}
    exec(code, names := names | {"replace": replace, "Capture": Capture, "Feedback": Feedback})
    stripes = np.tile(np.array([0, 255], np.uint8), (480, 320))
    shown = np.asarray(opened(bench(before_send=names["before_send"]).taken(sample(), stripes)), float)
    assert (np.ptp(shown[40:200, 40:280]) < 20, np.ptp(shown[300:, 400:]) > 200) == (True, True)


def test_a_dropped_sample_is_done_told_and_nobody_speaks_of_it(bench):
    one = bench(before_send=lambda shown: None if isinstance(shown, Capture) else shown)
    given = sample()
    said = Feedback(id=uuid4(), sample_id=given.id, verdict="rejected")
    assert (one.taken(given, scene()), one.said(said)) == (None, None)
    assert [(drop.reason, drop.id) for drop in one.told] == [
        ("before_send", str(given.id)),
        ("before_send", str(said.id)),
    ]
    assert one.is_empty


def test_dropped_feedback_is_done_and_told(bench):
    one = bench(before_send=lambda shown: None)
    assert one.said(Feedback(id=uuid4(), sample_id=uuid4(), verdict="confirmed")) is None
    assert (len(one.told), one.is_empty) == (1, True)


RUBBISH = [
    (lambda shown: 1 / 0, "must not raise, got ZeroDivisionError"),
    (lambda shown: shown.sample, "a Capture must come for a Capture, got Sample"),
    (lambda shown: replace(shown, sample=None), "got TypeError"),
    (lambda shown: replace(shown, image="text"), "image must be bytes or None, got str"),
    (lambda shown: replace(shown, sample=replace(shown.sample, id=uuid4())), "id must stay"),
    (lambda shown: replace(shown, sample=replace(shown.sample, prediction={"task": "flying"})), "prediction: "),
    (lambda shown: replace(shown, sample=replace(shown.sample, metadata={"a": float("inf")})), "must be finite"),
    (lambda shown: replace(shown, sample=replace(shown.sample, tags=[""])), "tags.0 must have 1 to 200"),
]


@pytest.mark.parametrize(("before_send", "message"), RUBBISH)
def test_what_must_not_be_sent_is_not(bench, before_send, message):
    one = bench(before_send=before_send)
    with pytest.raises(PreparationError, match=message):
        one.taken(sample(prediction=predicted()), scene())
    assert not one.is_empty


@pytest.mark.parametrize(
    ("before_send", "message"),
    [
        (lambda shown: 1 / 0, "must not raise"),
        (lambda shown: "text", "a Feedback must come for a Feedback, got str"),
        (lambda shown: replace(shown, sample_id=uuid4()), "must stay as they are"),
        (lambda shown: replace(shown, correction=3, verdict="corrected"), "got AttributeError"),
    ],
)
def test_feedback_that_must_not_be_sent_is_not(bench, before_send, message):
    with pytest.raises(PreparationError, match=message):
        bench(before_send=before_send).said(Feedback(id=uuid4(), sample_id=uuid4(), verdict="rejected"))
