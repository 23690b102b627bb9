"""The figures of a model version, from samples as they stood at their windows' end."""

from dataclasses import replace

import numpy as np
import pytest

from feedback_sdk.types import Box, Mask, Polygon, Prediction, Task, Verdict
from queue_server.core import rle
from queue_server.core.annotation import Annotation, Difference
from queue_server.core.model_quality import (
    Draw,
    Judged,
    Observation,
    Through,
    anchoring,
    judge,
    strata,
    version_quality,
)
from queue_server.core.model_quality.measures import clusters

AUDIT = 0.01


def seen(number: int, *, right: bool | None = True, chance: float = 1.0, drawn: bool = True, **more) -> Observation:
    """Return a sample; `right` None: nobody has finished its annotation."""
    values = {
        "sample_id": str(number),
        "model_version": "v1",
        "confidence": 0.9,
        "drawn": Draw(probability=chance, is_drawn=drawn),
        "audit": Draw(probability=AUDIT, is_drawn=False),
        "judged": Judged(is_right=right) if right is not None and drawn else None,
    }
    return Observation(**(values | more))


def many(count: int, **what) -> list[Observation]:
    return [seen(number, **what) for number in range(count)]


def stream() -> list[Observation]:
    """Return 1000 samples: 100 objections, all annotated, 80 of them errors; of the rest one in ten, all right."""
    objected = many(80, right=False, verdict=Verdict.REJECTED) + many(20, verdict=Verdict.CORRECTED)
    return objected + many(90, chance=0.1) + many(810, chance=0.1, drawn=False)


def accuracy(observations: list[Observation]) -> tuple[float | None, float, float]:
    found = version_quality(observations, task=Task.DETECTION).accuracy
    return found.value, found.low, found.high


def test_accuracy_is_that_of_all_that_came_and_not_of_what_was_annotated() -> None:
    found = version_quality(stream(), task=Task.DETECTION)
    assert found.accuracy.value == pytest.approx(0.92)
    assert (found.queue.value, found.queue.n) == (110 / 190, 190)
    assert found.hajek.value == pytest.approx(0.92)


def test_stream_that_was_annotated_whole_has_no_interval_to_speak_of() -> None:
    assert accuracy(many(30) + many(10, right=False)) == (0.75, 0.75, 0.75)


def test_what_users_say_stands_beside_with_its_bias() -> None:
    found = version_quality([*stream(), *many(100, chance=0.1, verdict=Verdict.CONFIRMED)], task=Task.DETECTION).users
    assert (found.value, found.n, found.response_rate) == (0.5, 200, 200 / 1100)
    assert found.bias_low <= found.bias <= found.bias_high < 0


def test_users_who_object_are_right_as_often_as_the_model_is_wrong() -> None:
    found = version_quality(stream(), task=Task.DETECTION)
    assert (found.objections_right.value, found.objections_right.low, found.objections_right.high) == (
        pytest.approx(0.8),
        pytest.approx(0.8),
        pytest.approx(0.8),
    )
    assert (found.confirmations_right.value, found.confirmations_right.n) == (None, 0)


def test_unfinished_audits_widen_the_interval_to_the_worst_case() -> None:
    finished = many(100, chance=0.1) + many(900, chance=0.1, drawn=False)
    value, low, _ = accuracy(finished)
    late = many(80, chance=0.1) + many(20, chance=0.1, right=None) + many(900, chance=0.1, drawn=False)
    worst_value, worst_low, worst_high = accuracy(late)
    assert (value, worst_value, worst_high) == (1.0, 1.0, 1.0)
    assert worst_low < 0.8 < low


def test_backlog_of_a_rule_is_left_aside_where_the_audit_says_more() -> None:
    backlog = many(10, right=False) + many(890, right=None)
    audited = many(95, audit=Draw(probability=0.1, is_drawn=True)) + many(
        5, right=False, audit=Draw(probability=0.1, is_drawn=True)
    )
    (found,) = strata([replace(one, audit=replace(one.audit, probability=0.1)) for one in backlog] + audited)
    assert (found.through, found.cell.annotated) == (Through.AUDIT, 100)
    assert found.cell.right / found.cell.weight == pytest.approx(0.95)


def test_sample_that_hung_on_people_counts_through_the_audit_alone() -> None:
    asked = many(50, right=False, hangs_on_people=True)
    assert accuracy(many(20, chance=AUDIT) + asked)[0] == 1.0


def test_what_no_rule_could_draw_may_be_anything() -> None:
    found = version_quality(many(90) + many(10, chance=0.0, drawn=False), task=Task.DETECTION)
    assert (found.unreachable, found.accuracy.value, found.accuracy.low) == (0.1, 1.0, pytest.approx(0.9))


def test_what_no_rule_could_draw_and_somebody_saw_stands_for_itself() -> None:
    found = version_quality(many(98) + many(2, right=False, chance=0.0), task=Task.DETECTION)
    assert (found.unreachable, found.accuracy.value, found.accuracy.low) == (0.0, 0.98, pytest.approx(0.98))


def test_frames_of_a_burst_and_of_sampling_in_the_app_count_for_what_they_stand_for() -> None:
    burst = [*many(1, right=False, stands_for=9), *many(1)]
    assert accuracy(burst)[0] == pytest.approx(0.1)
    kept = many(10, right=False, capture_probability=0.1, confidence=0.1) + many(100, capture_probability=1.0)
    found = version_quality(kept, task=Task.DETECTION)
    assert (found.stands_for, found.accuracy.value) == (200.0, pytest.approx(0.5))
    assert found.accuracy.low < 0.45


def test_strata_are_verdicts_by_confidence_and_objections_stay_apart() -> None:
    found = strata(
        many(30, chance=0.5, confidence=0.3)
        + many(30, chance=0.5)
        + many(3, chance=0.5, verdict=Verdict.CONFIRMED)
        + many(3, chance=0.5, verdict=Verdict.REJECTED)
    )
    assert [(stratum.name, stratum.cell.drawn) for stratum in found] == [
        ("objected, confidence from 0.8", 3),
        ("silent, confidence below 0.6", 30),
        ("silent, confidence from 0.8 + confirmed, confidence from 0.8", 33),
    ]


def test_weights_add_up_to_what_came() -> None:
    found = strata(stream())
    assert sum(weight for stratum in found for _, weight in stratum.weights) == pytest.approx(1000.0)


def counted(*errors: int) -> list[Observation]:
    judged = [Judged(is_right=error == 0, count_error=error) for error in errors]
    return [replace(seen(number), judged=one) for number, one in enumerate(judged)]


def test_counts_are_exact_nearly_so_and_how_far_off() -> None:
    found = version_quality(counted(0, 0, 1, -3), task=Task.COUNTING).figures
    assert {figure.name: figure.value for figure in found} == {
        "exact_count": 0.5,
        "count_within_one": 0.75,
        "count_mean_absolute_error": 1.0,
        "count_bias": -0.5,
    }


def test_errors_of_one_camera_are_not_taken_for_many() -> None:
    alone = counted(*[2, 0, 0, 0] * 50)
    by_camera = [replace(one, stream=f"camera {index // 10}") for index, one in enumerate(sorted(alone, key=error))]
    widths = [
        next(figure for figure in version_quality(each, task=Task.COUNTING).figures if figure.name == "count_bias")
        for each in (alone, by_camera)
    ]
    assert widths[1].high - widths[1].low > 2 * (widths[0].high - widths[0].low)


def error(one: Observation) -> int:
    return one.judged.count_error


@pytest.mark.parametrize(("streams", "kinds"), [(3, {"sample"}), (12, {"stream"})])
def test_few_streams_are_all_that_there_are(streams: int, kinds: set[str]) -> None:
    found = clusters([seen(number, stream=f"camera {number % streams}") for number in range(24)])
    assert {kind for kind, _ in found} == kinds


def test_what_is_about_one_person_is_one_cluster() -> None:
    assert clusters(many(2, subject="anna")) == [("subject", "anna")] * 2


def test_boxes_have_precision_recall_f1_and_average_precision() -> None:
    box = Box(label="pill", x_min=0.0, y_min=0.0, x_max=9.0, y_max=9.0, confidence=0.9)
    said = Prediction(model_version="v1", task=Task.DETECTION, boxes=[box])
    judged = judge(said, Annotation(boxes=(box, replace(box, x_min=5.0))), task=Task.DETECTION)
    found = version_quality([replace(one, judged=judged) for one in many(5)], task=Task.DETECTION).figures
    figures = {figure.name: figure.value for figure in found}
    assert (figures["precision"], figures["recall"], figures["count_bias"]) == (1.0, 0.5, -1.0)
    assert figures["ap50"] == pytest.approx(51 / 101)


def test_classes_are_confused() -> None:
    pairs = [("cat", "cat"), ("cat", "cat"), ("dog", "cat")]
    judged = [Judged(is_right=a == b, true_label=a, predicted_label=b) for a, b in pairs]
    found = version_quality([replace(seen(i), judged=one) for i, one in enumerate(judged)], task=Task.CLASSIFICATION)
    assert [(cell.true, cell.predicted, cell.n) for cell in found.confusion] == [("cat", "cat", 2), ("dog", "cat", 1)]
    assert found.confusion[1].share == pytest.approx(1 / 3)


def mask(left: int, right: int, label: str = "pill") -> Mask:
    shape = np.zeros((4, 10), dtype=bool)
    shape[:, left:right] = True
    return Mask(label=label, rle=rle.encode(shape))


@pytest.mark.parametrize(
    ("true", "expected"),
    [((), None), ((mask(0, 10),), 0.5), ((mask(0, 5), mask(5, 10, "capsule")), 0.5), ((mask(0, 5),), 1.0)],
)
def test_masks_overlap_label_by_label(true: tuple[Mask, ...], expected: float | None) -> None:
    said = Prediction(model_version="v1", task=Task.SEGMENTATION, masks=[mask(0, 5)] if true else [])
    assert judge(said, Annotation(masks=true), task=Task.SEGMENTATION).mask_iou == expected


@pytest.mark.parametrize(
    ("difference", "is_right"), [(None, True), (Difference(kept=1), True), (Difference(changed=1), False)]
)
def test_what_the_annotator_changed_says_whether_the_model_was_right(
    difference: Difference | None, is_right: bool
) -> None:
    box = Box(label="pill", x_min=0.0, y_min=0.0, x_max=9.0, y_max=9.0)
    said = Prediction(model_version="v1", task=Task.DETECTION, boxes=[box])
    found = judge(said, Annotation(boxes=(replace(box, x_max=10.0),)), task=Task.DETECTION, difference=difference)
    assert found.is_right == is_right


def test_report_says_how_many_more_annotations_a_narrower_interval_needs() -> None:
    needed = {one.half_width: one.annotations for one in version_quality(stream(), task=Task.DETECTION).needed}
    assert (needed[0.05], needed[0.02]) == (0, 0)
    assert 50 < needed[0.01] < 70


def test_no_number_of_draws_makes_up_for_what_can_never_be_drawn() -> None:
    found = version_quality(many(50) + many(50, chance=0.0, drawn=False), task=Task.DETECTION)
    assert [one.annotations for one in found.needed] == [None, None, None]


def outline(left: float, right: float, label: str = "pill") -> Polygon:
    return Polygon(label=label, points=[(left, 0.0), (right, 0.0), (right, 4.0), (left, 4.0)])


@pytest.mark.parametrize("scale", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize(("end", "expected"), [(5.0, 1.0), (10.0, 0.5), (0.5, 0.1)])
def test_outlines_overlap_by_what_they_hold(scale: float, end: float, expected: float) -> None:
    said = Prediction(model_version="v1", task=Task.SEGMENTATION, polygons=[outline(0.0, 5.0 * scale)])
    true = Annotation(polygons=(outline(0.0, end * scale),))
    assert judge(said, true, task=Task.SEGMENTATION).mask_iou == pytest.approx(expected, abs=0.01)


def test_outline_is_held_against_the_mask_that_an_annotator_drew() -> None:
    said = Prediction(model_version="v1", task=Task.SEGMENTATION, polygons=[outline(0.0, 5.0)])
    assert judge(said, Annotation(masks=(mask(0, 10),)), task=Task.SEGMENTATION).mask_iou == 0.5


def audited(count: int, *, agrees: bool, is_blind: bool) -> list[Observation]:
    judged = Judged(is_right=True, agrees=agrees, is_blind=is_blind)
    return many(count, audit=Draw(probability=AUDIT, is_drawn=True), judged=judged)


def test_without_audits_nothing_is_known_of_what_being_shown_does() -> None:
    found = anchoring(many(5, judged=Judged(is_right=True, agrees=True)))
    assert (found.shown.n, found.blind.n, found.value, found.low, found.high) == (0, 0, None, None, None)


def test_annotators_who_follow_what_they_are_shown_agree_more_often_with_it() -> None:
    shown = audited(90, agrees=True, is_blind=False) + audited(10, agrees=False, is_blind=False)
    blind = audited(70, agrees=True, is_blind=True) + audited(30, agrees=False, is_blind=True)
    found = anchoring(shown + blind)
    assert (found.shown.value, found.blind.value, found.value) == (0.9, 0.7, pytest.approx(0.2))
    assert 0.05 < found.low < 0.15
    assert 0.25 < found.high < 0.35
