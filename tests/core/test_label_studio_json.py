"""The task that a proposal becomes: its data, its words, its regions."""

from dataclasses import replace

import pytest
from label_studio_sdk.label_interface import LabelInterface

from feedback_sdk.types import (
    Box,
    BoxCorrection,
    Correction,
    Keypoint,
    Mask,
    Point,
    Polygon,
    Prediction,
    Rle,
    Task,
)
from queue_server.core.label_config import ControlNames, label_config, own_controls
from queue_server.core.label_studio_json import pre_annotation
from queue_server.core.proposals import Proposal, UserVerdict, user_count

LABELS = ["pill", "capsule"]


def box(at, label="pill", **more):
    return Box(label=label, x_min=at, y_min=at, x_max=at + 10.0, y_max=at + 10.0, **more)


def change(action, target=None, at=None, label=None):
    place = {} if at is None else {"x_min": at, "y_min": at, "x_max": at + 10.0, "y_max": at + 10.0}
    return BoxCorrection(action=action, target=target, label=label, **place)


def detected(*boxes, **more):
    return Prediction(model_version="v1", task="detection", boxes=boxes, **more)


def proposal(prediction=None, *corrections, **more):
    verdicts = [UserVerdict(verdict="corrected", reporter=f"r{i}", correction=c) for i, c in enumerate(corrections)]
    known = {"sample_id": "s1", "image_url": "http://host/1.jpg", "width": 640, "height": 480, "reason": "random"}
    return Proposal(prediction=prediction, **(known | {"verdicts": verdicts} | more))


def task_of(said, controls=None):
    task = said.prediction.task if said.prediction else Task.DETECTION
    return pre_annotation(said, controls=controls or own_controls(task))


def result_of(said, controls=None):
    task = task_of(said, controls)
    return task["predictions"][0]["result"] if task["predictions"] else []


def sources_of(said):
    return {region["id"]: region["value"]["choices"][0] for region in result_of(said) if region["type"] == "choices"}


def test_task_without_prediction_has_data_alone():
    task = task_of(proposal())
    assert task["predictions"] == []
    assert task["data"]["image"] == "http://host/1.jpg"


def test_prediction_of_nothing_is_an_empty_result():
    assert task_of(proposal(detected(), confidence=0.4))["predictions"] == [
        {"model_version": "looks-wrong", "result": [], "score": 0.4}
    ]


def test_data_holds_what_filters_and_scripts_rely_on():
    data = task_of(
        proposal(detected(), priority=60.0, model_version="v1", confidence=0.5, reasons=["random", "empty"])
    )["data"]
    assert (data["sample_id"], data["priority"], data["reason"], data["inbox"]) == ("s1", 60.0, "random", "yes")
    assert (data["model_version"], data["confidence"], data["reasons"]) == ("v1", 0.5, "random, empty")
    assert data["generation"] == 0


def test_withdrawn_task_leaves_the_inbox():
    assert task_of(proposal(is_in_inbox=False))["data"]["inbox"] == "no"


def test_task_of_a_tab_names_it_until_it_is_withdrawn():
    assert task_of(proposal(tab="Night shift"))["data"]["inbox"] == "Night shift"
    assert task_of(proposal(tab="Night shift", is_in_inbox=False))["data"]["inbox"] == "no"


def test_data_says_which_look_it_is_and_what_the_sample_stands_for():
    first = task_of(proposal())["data"]
    assert (first["look"], first["stands_for"], first["tags"]) == (1, 1, "")
    data = task_of(proposal(look=2, stands_for=30, tags=["night", "camera-2"]))["data"]
    assert (data["look"], data["stands_for"], data["tags"]) == (2, 30, "night, camera-2")


def test_blind_task_tells_nothing_that_the_model_or_the_users_say():
    more = {"reasons": ["user_rejected"], "model_version": "v1", "confidence": 0.5, "tags": ["night"]}
    said = proposal(detected(box(10.0)), Correction(count=3), priority=10.0, **more)
    seen, blind = task_of(said), task_of(replace(said, is_blind=True))
    assert blind["predictions"] == []
    assert blind["data"].keys() == seen["data"].keys()
    told = {key: value for key, value in blind["data"].items() if seen["data"][key] != value}
    assert told.pop("summary") == "Label what you see"
    assert told.keys() == {"reason", "reasons", "model_version", "confidence", "details", "user_count", "tags"}
    assert not any(told.values())


def test_extra_data_never_replaces_ours():
    data = task_of(proposal(extra={"sample_id": "other", "stream": "camera-2"}))["data"]
    assert (data["sample_id"], data["stream"]) == ("s1", "camera-2")


def test_foreign_image_variable_is_filled_too():
    data = task_of(proposal(), ControlNames(image_key="url"))["data"]
    assert data["url"] == data["image"] == "http://host/1.jpg"


def test_users_changes_stand_in_the_one_result():
    correction = Correction(
        boxes=[change("move", 0, 50.0), change("remove", 1), change("add", label="capsule", at=200.0)],
        points=[Point(x=5.0, y=5.0)],
    )
    said = proposal(detected(box(10.0), box(100.0), box(300.0)), correction)
    assert sources_of(said) == {"m0": "user_moved", "m1": "user_removed", "u0": "user_added"}
    assert [region["id"] for region in result_of(said)] == ["m0", "m0", "m1", "m1", "m2", "u0", "u0", "s0"]
    assert result_of(said)[0]["value"]["x"] == pytest.approx(50 / 640 * 100)


def test_object_that_two_users_added_is_one_region():
    added = [Correction(boxes=[change("add", label="pill", at=at)]) for at in (100.0, 101.0, 300.0)]
    assert [region["id"] for region in result_of(proposal(detected(), *added))] == ["u0", "u0", "u1", "u1"]


def test_later_reporter_decides_on_a_box_that_two_changed():
    moved, removed = Correction(boxes=[change("move", 0, 50.0)]), Correction(boxes=[change("remove", 0)])
    assert sources_of(proposal(detected(box(10.0)), moved, removed)) == {"m0": "user_removed"}
    assert sources_of(proposal(detected(box(10.0)), removed, moved)) == {"m0": "user_moved"}


def test_ids_are_unique_but_for_a_regions_source():
    correction = Correction(boxes=[change("add", label="pill", at=200.0)], points=[Point(x=1.0, y=1.0)] * 3)
    result = result_of(proposal(detected(box(1.0), box(50.0)), correction, correction))
    keys = [(region["id"], region["from_name"]) for region in result]
    assert len(keys) == len(set(keys))


def test_box_added_where_a_project_has_no_boxes_becomes_a_spot():
    prediction = Prediction(model_version="v1", task="segmentation", polygons=[])
    added = Correction(boxes=[change("add", label="pill", at=100.0)])
    controls = ControlNames(polygons="polygons", spots="spots")
    (spot,) = result_of(proposal(prediction, added), controls)
    assert spot["value"]["x"] == pytest.approx(105 / 640 * 100)


def test_project_without_our_controls_gets_boxes_alone_and_is_told_what_is_hidden():
    prediction = detected(box(1.0), keypoints=[Keypoint(label="pill", x=1.0, y=1.0)] * 3)
    task = task_of(proposal(prediction, Correction(boxes=[change("remove", 0)])), controls=ControlNames(boxes="kind"))
    assert [region["from_name"] for region in task["predictions"][0]["result"]] == ["kind"]
    assert "Not shown, this project has no control for it: three keypoints." in task["data"]["details"]


@pytest.mark.parametrize(
    ("multi_label", "classes", "choices"),
    [
        (False, {}, None),
        (False, {"pill": 0.3, "capsule": 0.4}, ["capsule"]),
        (True, {"pill": 0.7, "capsule": 0.5}, ["pill", "capsule"]),
        (True, {"pill": 0.3, "capsule": 0.4}, None),
    ],
)
def test_classes_become_choices(multi_label, classes, choices):
    prediction = Prediction(model_version="v1", task="classification", classes=classes, multi_label=multi_label)
    result = result_of(proposal(prediction), ControlNames(choice="choice"))
    assert [region["value"]["choices"] for region in result] == ([choices] if choices else [])


def test_count_of_the_model_becomes_a_number():
    prediction = Prediction(model_version="v1", task="counting", count=29)
    (number,) = result_of(proposal(prediction, Correction(count=30)))
    assert number["value"] == {"number": 29}


def summary_of(said):
    return task_of(said)["data"]["summary"]


CAT = Prediction(model_version="v1", task="classification", classes={"cat": 0.6, "dog": 0.4})


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        (proposal(), "No prediction"),
        (proposal(detected()), "Model 0"),
        (proposal(detected(box(1.0))), "Model 1"),
        (proposal(CAT), "Model says cat"),
        (proposal(CAT, Correction(label="dog")), "Model says cat, user says dog"),
        (proposal(CAT, Correction(label="dog"), Correction(label="fox")), "Model says cat, users say dog or fox"),
        (
            proposal(detected(count=29), Correction(count=30, points=[Point(x=1.0, y=1.0)] * 2)),
            "Model 29, user 30: user marked two spots",
        ),
        (
            proposal(detected(box(1.0), box(50.0)), Correction(boxes=[change("remove", 0)])),
            "Model 2, user 1: user removed one box",
        ),
        (proposal(detected(count=3), Correction(count=4), Correction(count=5)), "Model 3, users 4 or 5"),
        (proposal(detected(), verdicts=[UserVerdict(verdict="rejected")]), "Model 0: user rejected it"),
        (
            proposal(detected(), verdicts=[UserVerdict(verdict="rejected"), UserVerdict(verdict="confirmed")]),
            "Model 0: two users disagree",
        ),
    ],
)
def test_summary_says_it_in_words(said, summary):
    assert summary_of(said) == summary


@pytest.mark.parametrize(
    ("look", "reason", "why"),
    [
        (1, "disputed", "users disagree"),
        (2, "disputed", "a user objects to its annotation"),
        (2, "adjudication", "its annotators disagree"),
        (1, "close_to_threshold", "close to threshold"),
    ],
)
def test_details_say_why_this_look_is_wanted(look, reason, why):
    data = task_of(proposal(detected(), reason=reason, look=look))["data"]
    assert data["details"].startswith(f"Why: {why}. ")


def test_details_and_comments_are_for_people():
    verdicts = [UserVerdict(verdict="rejected", comment="two are hidden"), UserVerdict(verdict="rejected")]
    data = task_of(
        proposal(detected(), verdicts=verdicts, reason="user_rejected", model_version="v7", confidence=0.42)
    )["data"]
    assert data["details"] == "Why: a user says that it looks wrong. Model version v7, confidence 0.42."
    assert data["comment"] == "User: “two are hidden”"


@pytest.mark.parametrize(
    ("correction", "count"),
    [
        (None, None),
        (Correction(label="pill"), None),
        (Correction(count=7), 7),
        (Correction(boxes=[change("add", label="pill", at=300.0), change("remove", 0)]), 2),
        (Correction(points=[Point(x=1.0, y=1.0)] * 2), 4),
    ],
)
def test_count_that_the_users_mean(correction, count):
    corrections = [] if correction is None else [correction]
    assert user_count(proposal(detected(box(1.0), box(50.0)), *corrections)) == count


EVERYTHING = {
    Task.CLASSIFICATION: {"classes": {"pill": 0.9, "capsule": 0.1}},
    Task.DETECTION: {
        "boxes": [
            box(0.0, confidence=0.5),
            box(470.0),
            Box(label="pill", x_min=600.0, y_min=100.0, x_max=660.0, y_max=120.0, rotation_degrees=80.0),
        ]
    },
    Task.SEGMENTATION: {
        "polygons": [Polygon(label="pill", points=[(0, 0), (640, 0), (640, 480)])],
        "masks": [Mask(label="capsule", rle=Rle(size=(480, 640), counts=[100, 307_100]))],
    },
    Task.KEYPOINTS: {"keypoints": [Keypoint(label="pill", x=640.0, y=480.0)]},
    Task.COUNTING: {"boxes": [box(10.0)], "count": 1},
}


@pytest.mark.parametrize("task", list(Task))
def test_pre_annotation_of_each_task_passes_label_studios_own_check(task):
    config = label_config(task=task, labels=LABELS)
    correction = Correction(boxes=[change("add", label="pill", at=200.0)], points=[Point(x=1.0, y=1.0)])
    said = proposal(Prediction(model_version="v1", task=task, **EVERYTHING[task]), correction, confidence=0.5)
    (prediction,) = task_of(said)["predictions"]
    assert prediction["result"]
    assert LabelInterface(config).validate_prediction(prediction, return_errors=True) == []
