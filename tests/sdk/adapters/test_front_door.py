"""What `prediction_of` takes, and what it says of what it does not know."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from feedback_sdk import types
from feedback_sdk.adapters import prediction_of
from feedback_sdk.errors import ValidationError

BOXES = np.array([[1.0, 2.0, 3.0, 4.0]], dtype=np.float32)
FOUND = {"boxes": BOXES, "labels": np.array([0]), "scores": np.array([0.5], dtype=np.float32)}
LISTED = [{"score": 0.5, "label": "pill", "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}}]


@pytest.mark.parametrize(
    "value",
    [
        (BOXES, np.array([0.5]), np.array([0])),
        ([[1, 2, 3, 4]], [0.5], [0]),
        FOUND,
        [FOUND],
        LISTED,
        [LISTED],
    ],
    ids=["arrays", "lists", "mapping", "batch of one mapping", "pipeline", "batch of one pipeline list"],
)
def test_one_box_is_the_same_in_every_form(value):
    made = prediction_of(value, model_version="v1", labels=["pill"])
    box = types.Box(label="pill", x_min=1.0, y_min=2.0, x_max=3.0, y_max=4.0, confidence=0.5)
    assert made == types.Prediction(model_version="v1", task="detection", boxes=[box])


@pytest.mark.parametrize(
    "nothing",
    [
        ([], [], []),
        (np.empty((0, 4)), np.empty(0), np.empty(0)),
        np.array([]),
        np.empty((0, 4), dtype=np.float32),
        {"boxes": np.empty((0, 4)), "labels": np.empty(0), "scores": np.empty(0)},
        [],
        [[]],
    ],
)
def test_nothing_found_is_an_empty_list(nothing):
    assert prediction_of(nothing, model_version="v1", labels=["pill"]).boxes == ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "got NoneType"),
        (7, "value must be an ultralytics Results, .* got int"),
        ("a.jpg", "got str"),
        (LISTED[0], "got dict with the keys score, label, box"),
        ({}, r"got dict with the keys \(none\)"),
        ([[FOUND]], "got list"),
        ([FOUND, FOUND], "the result of one image, got a list of 2 dict"),
        ([1, 2], "the result of one image, got a list of 2 int"),
        (Path("a.jpg"), r"got pathlib\.PosixPath"),
    ],
)
def test_what_is_not_known_is_refused_by_name(value, message):
    with pytest.raises(ValidationError, match=message):
        prediction_of(value, model_version="v1")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("classification", "task must be detection or counting for what came, got classification"),
        ("guessing", "task must be one of classification, .* got 'guessing'"),
    ],
)
def test_a_task_that_the_value_cannot_be_is_refused(task, message):
    with pytest.raises(ValidationError, match=message):
        prediction_of(LISTED, model_version="v1", task=task)


def test_the_model_version_is_checked():
    with pytest.raises(ValidationError, match="model_version must have 1 to 200 characters"):
        prediction_of(LISTED, model_version="")


def test_a_count_is_that_of_all_objects_that_came():
    value = ([[0, 0, 1, 1], [2, 2, 2, 9]], [0.5, 0.5], [0, 0])
    made = prediction_of(value, model_version="v1", labels=["pill"], task="counting")
    assert (made.task, made.count, len(made.boxes)) == (types.Task.COUNTING, 2, 1)


def test_no_package_of_others_is_imported():
    text = f"""
import sys
from feedback_sdk.adapters import prediction_of, huggingface, supervision, torchvision, ultralytics
prediction_of(([[0, 0, 1, 1]], [0.5], [0]), model_version="v1")
prediction_of({LISTED!r}, model_version="v1")
print(*sorted({{name.partition('.')[0] for name in sys.modules}} - set(sys.stdlib_module_names)))
"""
    run = subprocess.run([sys.executable, "-S", "-c", text], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) <= {"__main__", "__mp_main__", "feedback_sdk"}
