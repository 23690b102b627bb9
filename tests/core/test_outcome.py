"""Who was right: the user, as the annotator saw it."""

import pytest

from feedback_sdk.types import Box, BoxCorrection, Correction, Point, Prediction, Task, Verdict
from queue_server.core.annotation import Annotation, Difference
from queue_server.core.label_config import own_controls
from queue_server.core.label_studio_json import model_difference
from queue_server.core.outcome import Outcome, disagrees, is_model_right, outcome
from queue_server.core.proposals import Proposal

RIGHT, WRONG = Outcome.USER_RIGHT, Outcome.USER_WRONG
BOX = Box(label="pill", x_min=64.0, y_min=48.0, x_max=128.0, y_max=96.0)
DRAWN = {"x": 10.0, "y": 10.0, "width": 10.0, "height": 10.0, "rotation": 0, "rectanglelabels": ["pill"]}


def region(name, kind, value, region_id="new"):
    return {"id": region_id, "from_name": name, "to_name": "image", "type": kind, "value": value}


def judged(task, said, result, *, verdict=Verdict.REJECTED):
    prediction = Prediction(model_version="v1", task=task, **said)
    proposal = Proposal(sample_id="1", image_url="", width=640, height=480, reason="random", prediction=prediction)
    difference = model_difference(result, proposal, controls=own_controls(Task(task)))
    return outcome(verdict, difference, task=Task(task))


@pytest.mark.parametrize("verdict", [None, *Verdict])
def test_nothing_is_known_before_an_annotation(verdict):
    assert outcome(verdict, None, task=Task.DETECTION) is None


def test_nothing_is_known_without_a_verdict():
    assert outcome(None, Difference(kept=1), task=Task.DETECTION) is None


@pytest.mark.parametrize(
    ("verdict", "difference", "expected"),
    [
        (Verdict.CONFIRMED, Difference(kept=1), RIGHT),
        (Verdict.REJECTED, Difference(kept=1), WRONG),
        (Verdict.CORRECTED, Difference(kept=1), WRONG),
        (Verdict.CONFIRMED, Difference(kept=1, changed=1), WRONG),
        (Verdict.REJECTED, Difference(removed=1), RIGHT),
        (Verdict.CORRECTED, Difference(kept=29, added=1, count_difference=1), RIGHT),
        (Verdict.REJECTED, Difference(kept=3, count_difference=-1), RIGHT),
        (Verdict.REJECTED, Difference(), None),
    ],
)
def test_objection_is_right_where_the_model_was_wrong(verdict, difference, expected):
    assert outcome(verdict, difference, task=Task.DETECTION) is expected


@pytest.mark.parametrize(
    ("task", "said", "result", "expected"),
    [
        ("detection", {"boxes": []}, [], WRONG),
        ("detection", {"boxes": []}, [region("boxes", "rectanglelabels", DRAWN)], RIGHT),
        ("detection", {"boxes": [BOX]}, [], RIGHT),
        ("detection", {"boxes": [BOX]}, [region("boxes", "rectanglelabels", DRAWN, "m0")], WRONG),
        ("classification", {"classes": {"cat": 0.9}}, [region("choice", "choices", {"choices": ["cat"]})], WRONG),
        ("classification", {"classes": {"cat": 0.9}}, [region("choice", "choices", {"choices": ["dog"]})], RIGHT),
        ("counting", {"count": 0}, [region("count", "number", {"number": 0})], WRONG),
        ("counting", {"count": 29}, [region("count", "number", {"number": 30})], RIGHT),
        ("segmentation", {"polygons": [], "masks": []}, [], WRONG),
        ("keypoints", {"keypoints": []}, [], WRONG),
    ],
)
def test_rejection_is_judged_for_every_kind_of_task(task, said, result, expected):
    assert judged(task, said, result) is expected


def test_counting_model_answers_for_its_number_alone():
    moved = Difference(kept=28, changed=1, added=1, removed=1, count_difference=0)
    assert is_model_right(moved, task=Task.COUNTING)
    assert not is_model_right(moved, task=Task.DETECTION)


def test_model_that_said_nothing_comparable_is_neither_right_nor_wrong():
    assert judged("classification", {"confidence": 0.4}, []) is None


KEPT, CHANGED = Difference(kept=1), Difference(changed=1)
TWO = Prediction(model_version="v1", task="detection", boxes=[BOX, BOX])
ADD = BoxCorrection(action="add", label="pill", x_min=1.0, y_min=1.0, x_max=9.0, y_max=9.0)
MOVE = BoxCorrection(action="move", target=0, x_min=1.0, y_min=1.0, x_max=9.0, y_max=9.0)
REMOVE = BoxCorrection(action="remove", target=0)
SPOT = Point(x=1.0, y=1.0)


def objects(number):
    return Annotation(boxes=(BOX,) * number)


@pytest.mark.parametrize(("difference", "expected"), [(None, False), (KEPT, True), (CHANGED, False)])
@pytest.mark.parametrize("correction", [None, Correction(boxes=[MOVE]), Correction(boxes=[ADD, REMOVE])])
def test_objection_without_a_number_disagrees_where_the_model_was_left_as_right(correction, difference, expected):
    found = disagrees(objects(2), correction, prediction=TWO, difference=difference, task=Task.DETECTION)
    assert found is expected


@pytest.mark.parametrize(
    ("correction", "number"),
    [
        (Correction(count=5), 5),
        (Correction(boxes=[ADD]), 3),
        (Correction(boxes=[REMOVE]), 1),
        (Correction(points=[SPOT, SPOT]), 4),
        (Correction(boxes=[ADD, MOVE], points=[SPOT]), 4),
    ],
)
def test_objection_with_a_number_disagrees_with_any_other(correction, number):
    given = {"prediction": TWO, "difference": KEPT, "task": Task.DETECTION}
    assert not disagrees(objects(number), correction, **given)
    assert disagrees(objects(number + 1), correction, **given)


@pytest.mark.parametrize(("label", "expected"), [("cat", False), ("dog", True)])
def test_objection_with_a_class_disagrees_with_any_other(label, expected):
    found = disagrees(
        Annotation(labels=("cat",)),
        Correction(label=label),
        prediction=None,
        difference=KEPT,
        task=Task.CLASSIFICATION,
    )
    assert found is expected
