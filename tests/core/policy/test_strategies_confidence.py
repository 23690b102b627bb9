"""Strategies that look at how sure the model says it is."""

import pytest

from feedback_sdk.types import Prediction
from queue_server.core.policy import Candidate
from tests.core.policy.policies import (
    AFTER,
    CONFIRMED,
    NOW,
    REJECTED,
    WINDOW_END,
    box,
    candidate,
    classes,
    counted,
    match,
    said,
)

BOTH = Prediction(model_version="v1", task="detection", boxes=[box(0.9, "pill"), box(0.4, "capsule")])
MULTI = Prediction(
    model_version="v1", task="classification", classes={"cat": 0.9, "dog": 0.55, "cow": 0.1}, multi_label=True
)


@pytest.mark.parametrize(
    ("prediction", "more", "expected"),
    [
        (None, {}, False),
        (said(), {}, True),
        (said(), {"missing": "ignore"}, False),
        (said(0.9), {}, False),
        (said(0.6), {}, False),
        (said(0.59), {}, True),
        (said(None), {}, True),
        (said(None), {"missing": "ignore"}, False),
        (said(0.9, 0.4), {}, False),
        (said(0.9, 0.4), {"aggregate": "min"}, True),
        (said(0.7, 0.7), {"aggregate": "product"}, True),
        (said(0.99, confidence=0.1), {}, True),
        (classes(cat=0.5, dog=0.5), {}, True),
        (classes(cat=0.8, dog=0.2), {}, False),
        (counted(0, confidence=0.99), {}, True),
        (counted(3, confidence=0.99), {}, False),
        (BOTH, {"labels": ["capsule"]}, True),
        (BOTH, {"labels": ["pill"]}, False),
        (BOTH, {"per_class": {"capsule": 0.5}}, True),
        (BOTH, {"per_class": {"capsule": 0.3, "tablet": 1.0}}, False),
        (MULTI, {"per_class": {"dog": 0.6}}, True),
        (MULTI, {"per_class": {"cow": 0.6}}, False),
        (classes(cat=0.8, dog=0.2), {"per_class": {"cat": 0.9}}, True),
        (classes(cat=0.8, dog=0.2), {"per_class": {"dog": 0.9}}, False),
    ],
)
@pytest.mark.parametrize("strategy", ["confidence_below", "unconfirmed_low_confidence"])
def test_low_confidence_matches(
    prediction: Prediction | None, more: dict[str, object], expected: bool, strategy: str
) -> None:
    found = match(strategy, candidate(prediction=prediction), AFTER, threshold=0.6, **more)
    assert found.matched is expected


@pytest.mark.parametrize(
    ("change", "now", "expected"),
    [
        ({}, NOW, False),
        ({}, WINDOW_END, True),
        ({"opinion": CONFIRMED}, AFTER, False),
        ({"opinion": REJECTED}, AFTER, True),
    ],
)
def test_unconfirmed_waits_for_the_windows_end_and_for_nobody_to_confirm(
    change: dict[str, object], now: object, expected: bool
) -> None:
    low = candidate(prediction=said(0.2), **change)
    assert match("unconfirmed_low_confidence", low, now, threshold=0.6).matched is expected


def test_confidence_below_matches_whatever_users_say() -> None:
    assert match("confidence_below", candidate(prediction=said(0.2), opinion=CONFIRMED), NOW, threshold=0.6).matched


def test_match_names_the_classes_that_were_low() -> None:
    found = match("confidence_below", candidate(prediction=BOTH), threshold=0.1, per_class={"capsule": 0.5})
    assert found.compared == {"score": 0.65, "threshold": 0.1, "low_classes": ["capsule"]}


@pytest.mark.parametrize("figures", [{}, {("other", "threshold"): 0.9}])
def test_threshold_that_is_not_frozen_yet_matches_none(figures: dict[tuple[str, str], float]) -> None:
    found = match("confidence_below", candidate(figures=figures), threshold={"quantile": 0.05})
    assert (found.matched, found.compared["threshold"]) == (False, None)


@pytest.mark.parametrize(("frozen", "expected"), [(0.89, False), (0.91, True)])
@pytest.mark.parametrize("threshold", [{"quantile": 0.05}, {"target_per_day": 20}])
def test_frozen_threshold_is_the_one_compared(threshold: dict[str, float], frozen: float, expected: bool) -> None:
    found = candidate(figures={("confidence_below", "threshold"): frozen})
    assert match("confidence_below", found, threshold=threshold).matched is expected


def test_zero_objects_match_before_a_threshold_is_frozen() -> None:
    assert match("confidence_below", candidate(prediction=said()), threshold={"quantile": 0.05}).matched


@pytest.mark.parametrize(
    ("prediction", "more", "expected"),
    [
        (None, {}, False),
        (said(), {}, True),
        (said(), {"missing": "ignore"}, False),
        (said(None), {}, True),
        (said(0.4), {}, True),
        (said(0.6), {}, True),
        (said(0.39), {}, False),
        (said(0.61), {}, False),
        (said(0.9, 0.5), {"aggregate": "min"}, True),
    ],
)
def test_confidence_band_holds_its_bounds(
    prediction: Prediction | None, more: dict[str, object], expected: bool
) -> None:
    found = match("confidence_band", candidate(prediction=prediction), low=0.4, high=0.6, **more)
    assert found.matched is expected


@pytest.mark.parametrize(
    ("prediction", "more", "expected"),
    [
        (None, {}, False),
        (said(), {}, True),
        (said(), {"missing": "ignore"}, False),
        (counted(3), {}, True),
        (counted(3), {"missing": "ignore"}, False),
        (said(0.9), {}, False),
        (said(0.4), {}, True),
        (said(0.6), {}, True),
        (said(0.61), {}, False),
        (said(0.61), {"epsilon": 0.2}, True),
        (said(0.9, 0.5), {}, True),
        (said(0.9, 0.5), {"minimum_objects": 2}, False),
        (said(0.55, 0.5), {"minimum_objects": 2}, True),
        (said(0.9, 0.5), {"top_class_only": True}, False),
        (classes(cat=0.52, dog=0.48), {}, True),
        (classes(cat=0.95, dog=0.05), {}, False),
        (classes(cat=0.65, dog=0.4), {"top_class_only": True}, False),
        (MULTI, {}, True),
        (MULTI, {"labels": ["cat"]}, False),
        (BOTH, {"labels": ["pill"]}, False),
        (BOTH, {"labels": ["capsule"]}, True),
    ],
)
def test_close_to_threshold_counts_what_is_within_epsilon(
    prediction: Prediction | None, more: dict[str, object], expected: bool
) -> None:
    found: Candidate = candidate(prediction=prediction)
    assert match("close_to_threshold", found, threshold=0.5, **more).matched is expected


def test_close_to_threshold_scores_by_how_many_are_close() -> None:
    found = match("close_to_threshold", candidate(prediction=said(0.5, 0.45, 0.9)), threshold=0.5)
    assert (found.score, found.compared["close_objects"]) == (2.0, 2)
