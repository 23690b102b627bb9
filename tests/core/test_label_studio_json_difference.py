"""What came of each proposal: by region ids, for the model's view and for the users'."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from feedback_sdk.types import Box, BoxCorrection, Correction, Keypoint, Mask, Point, Polygon, Prediction, Task
from queue_server.core import rle
from queue_server.core.annotation import Difference
from queue_server.core.label_config import own_controls
from queue_server.core.label_studio_json import model_difference, pre_annotation, user_difference
from queue_server.core.proposals import Proposal, UserVerdict


def box(at, **more):
    return Box(label="pill", x_min=at, y_min=at, x_max=at + 20.0, y_max=at + 20.0, **more)


def proposal(prediction, correction=None):
    return Proposal(
        sample_id="1",
        image_url="http://host/1.jpg",
        width=640,
        height=480,
        reason="random",
        prediction=prediction,
        verdicts=[UserVerdict(verdict="corrected", correction=correction)] if correction else [],
    )


def detected(correction=None):
    return proposal(
        Prediction(model_version="v1", task="detection", boxes=[box(0.0), box(100.0), box(200.0)]), correction
    )


def controls(said):
    return own_controls(said.prediction.task if said.prediction else Task.DETECTION)


def submitted(said):
    """Return what an annotator sends who changes nothing."""
    return copy.deepcopy(pre_annotation(said, controls=controls(said))["predictions"][0]["result"])


def drawn(at):
    (region,) = submitted(proposal(Prediction(model_version="v1", task="detection", boxes=[box(at)])))
    return region | {"id": f"new{at}"}


def model(result, said):
    return model_difference(result, said, controls=controls(said))


def user(result, said):
    return user_difference(result, said, controls=controls(said))


def without(result, *ids):
    return [region for region in result if region["id"] not in ids]


def test_sample_without_prediction_or_correction_has_nothing_to_compare():
    assert model([], proposal(None)) is None
    assert user([], detected()) is None


def test_everything_kept():
    assert model(submitted(detected()), detected()) == Difference(kept=3, count_difference=0)


def test_one_removed_one_added_one_moved():
    result = [*without(submitted(detected()), "m0"), drawn(300.0)]
    result[0]["value"]["x"] += 5
    assert model(result, detected()) == Difference(kept=1, changed=1, removed=1, added=1, count_difference=0)


def test_other_label_is_a_change():
    result = submitted(detected())
    result[0]["value"]["rectanglelabels"] = ["capsule"]
    assert model(result, detected()) == Difference(kept=2, changed=1, count_difference=0)


@pytest.mark.parametrize(("moved_px", "changed"), [(0.0, 0), (0.3, 0), (0.9, 1)])
def test_rounding_is_no_change(moved_px, changed):
    result = submitted(detected())
    result[0]["value"]["x"] += moved_px / 640 * 100
    assert model(result, detected()).changed == changed


USERS_WORD = Correction(
    boxes=[
        BoxCorrection(action="remove", target=0),
        BoxCorrection(action="move", target=1, x_min=120.0, y_min=100.0, x_max=140.0, y_max=120.0),
        BoxCorrection(action="add", label="pill", x_min=400.0, y_min=400.0, x_max=420.0, y_max=420.0),
    ],
    points=[Point(x=5.0, y=5.0)],
)


def test_annotator_who_agrees_with_the_user_differs_from_the_model():
    said = detected(USERS_WORD)
    assert model(submitted(said), said) == Difference(kept=1, changed=1, removed=1, added=1, count_difference=0)
    assert user(submitted(said), said) == Difference(kept=3, count_difference=-1)


def test_annotator_who_deletes_what_the_user_removed_says_the_same():
    said = detected(USERS_WORD)
    assert model(without(submitted(said), "m0"), said) == model(submitted(said), said)
    assert user(without(submitted(said), "m0"), said) == user(submitted(said), said)


def test_annotator_who_agrees_with_the_model_differs_from_the_user():
    said = detected(USERS_WORD)
    result = submitted(detected())
    assert model(result, said) == Difference(kept=3, count_difference=0)
    assert user(result, said) == Difference(kept=1, changed=1, removed=1, added=1, count_difference=-1)


def test_turned_box_described_from_another_corner_is_kept():
    said = proposal(Prediction(model_version="v1", task="detection", boxes=[box(100.0, rotation_degrees=30.0)]))
    other = proposal(Prediction(model_version="v1", task="detection", boxes=[box(100.0, rotation_degrees=120.0)]))
    assert model(submitted(other), said) == Difference(kept=1, count_difference=0)


@pytest.mark.parametrize(
    ("final", "expected"),
    [
        ([], Difference(removed=1)),
        (["cat"], Difference(kept=1)),
        (["dog"], Difference(changed=1)),
        (["cat", "dog"], Difference(kept=1, added=1)),
    ],
)
def test_classes_are_compared_by_name(final, expected):
    said = proposal(Prediction(model_version="v1", task="classification", classes={"cat": 0.9, "dog": 0.1}))
    result = [{"id": "other", "from_name": "choice", "type": "choices", "value": {"choices": final}}]
    assert model(result, said) == expected


def test_users_class_is_what_the_annotation_is_held_to():
    classes = Prediction(model_version="v1", task="classification", classes={"cat": 0.9, "dog": 0.1})
    said = proposal(classes, Correction(label="dog"))
    result = [{"id": "c0", "from_name": "choice", "type": "choices", "value": {"choices": ["dog"]}}]
    assert user(result, said) == Difference(kept=1)


def test_counts_are_compared_as_numbers():
    said = proposal(Prediction(model_version="v1", task="counting", count=29), Correction(count=31))
    result = submitted(said)
    result[0]["value"]["number"] = 30
    assert model(result, said) == Difference(count_difference=1)
    assert user(result, said) == Difference(count_difference=-1)


def masked(*, edge):
    mask = np.zeros((480, 640), dtype=bool)
    mask[100:200, 100:edge] = True
    return proposal(
        Prediction(
            model_version="v1",
            task="segmentation",
            masks=[Mask(label="pill", rle=rle.encode(mask))],
            polygons=[Polygon(label="pill", points=[(0, 0), (9, 0), (9, 9)])],
        )
    )


@pytest.mark.parametrize(("edge", "kept"), [(200, 2), (210, 1)])
def test_masks_and_polygons_are_compared_by_what_they_cover(edge, kept):
    assert model(submitted(masked(edge=edge)), masked(edge=200)).kept == kept


def test_keypoints_are_compared_by_their_place():
    points = [Keypoint(label="pill", x=10.0, y=10.0), Keypoint(label="pill", x=50.0, y=10.0)]
    said = proposal(Prediction(model_version="v1", task="keypoints", keypoints=points))
    result = submitted(said)
    result[1]["value"]["y"] += 10
    assert model(result, said) == Difference(kept=1, changed=1, count_difference=0)


BLIND = replace(detected(), is_blind=True)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], Difference(removed=3, count_difference=-3)),
        ([0.0, 100.0, 200.0], Difference(kept=3, count_difference=0)),
        ([3.0, 103.0, 197.0], Difference(kept=3, count_difference=0)),
        ([0.0, 100.0], Difference(kept=2, removed=1, count_difference=-1)),
        ([0.0, 100.0, 200.0, 300.0], Difference(kept=3, added=1, count_difference=1)),
        ([0.0, 100.0, 300.0], Difference(kept=2, removed=1, added=1, count_difference=0)),
    ],
)
def test_what_was_drawn_blind_is_compared_by_place(places, expected):
    assert model([drawn(at) for at in places], BLIND) == expected


def test_blind_box_of_another_class_is_another_object():
    other = drawn(0.0)
    other["value"]["rectanglelabels"] = ["capsule"]
    only = replace(BLIND, prediction=Prediction(model_version="v1", task="detection", boxes=[box(0.0)]))
    assert model([other], only) == Difference(removed=1, added=1, count_difference=0)


def test_blind_class_and_count_are_compared_by_value():
    said = Prediction(model_version="v1", task="classification", classes={"cat": 0.9, "dog": 0.1})
    chosen = {"id": "x", "from_name": "choice", "type": "choices", "value": {"choices": ["cat"]}}
    assert model([chosen], replace(proposal(said), is_blind=True)) == Difference(kept=1)
    counted = Prediction(model_version="v1", task="counting", count=7)
    number = {"id": "y", "from_name": "count", "type": "number", "value": {"number": 9}}
    assert model([number], replace(proposal(counted), is_blind=True)).count_difference == 2


def test_blind_look_is_held_against_what_users_say_by_place_too():
    blind = replace(detected(Correction(boxes=[BoxCorrection(action="remove", target=2)])), is_blind=True)
    assert user([drawn(0.0), drawn(100.0)], blind) == Difference(kept=2, count_difference=0)
