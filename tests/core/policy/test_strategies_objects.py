"""Strategies that look at what was found."""

import pytest

from feedback_sdk.types import Correction, Prediction
from tests.core.policy.policies import box, candidate, classes, counted, match, said

BOTH = Prediction(model_version="v1", task="detection", boxes=[box(0.9, "pill"), box(0.4, "capsule")])
SEEN = Prediction(model_version="v1", task="classification")


@pytest.mark.parametrize(
    ("prediction", "labels", "expected"),
    [
        (None, [], False),
        (said(), [], True),
        (said(), ["pill"], True),
        (counted(0), [], True),
        (counted(None, boxes=[]), [], True),
        (counted(1), [], False),
        (said(0.9), [], False),
        (said(0.9), ["pill"], False),
        (said(0.9), ["capsule"], True),
        (SEEN, [], False),
        (classes(cat=0.9, dog=0.1), ["dog"], False),
    ],
)
def test_empty_matches_what_found_none_of_its_labels(
    prediction: Prediction | None, labels: list[str], expected: bool
) -> None:
    assert match("empty", candidate(prediction=prediction), labels=labels).matched is expected


@pytest.mark.parametrize(
    ("prediction", "more", "expected"),
    [
        (None, {"fewer_than": 1}, False),
        (said(), {"fewer_than": 1}, True),
        (said(), {"more_than": 0}, False),
        (said(0.9, 0.9), {"more_than": 1}, True),
        (said(0.9, 0.9), {"more_than": 2}, False),
        (said(0.9, 0.9), {"fewer_than": 2}, False),
        (said(0.9, 0.9), {"fewer_than": 3, "more_than": 9}, True),
        (counted(30), {"more_than": 29}, True),
        (counted(30), {"fewer_than": 5, "labels": ["pill"]}, False),
        (BOTH, {"fewer_than": 2, "labels": ["pill"]}, True),
        (BOTH, {"fewer_than": 1, "labels": ["pill"]}, False),
        (BOTH, {"fewer_than": 1, "labels": ["tablet"]}, True),
        (SEEN, {"fewer_than": 1}, False),
    ],
)
def test_count_outside_its_bounds_matches(
    prediction: Prediction | None, more: dict[str, object], expected: bool
) -> None:
    assert match("count_outside", candidate(prediction=prediction), **more).matched is expected


@pytest.mark.parametrize(
    ("prediction", "corrections", "more", "expected"),
    [
        (None, [30], {}, False),
        (said(), [], {}, False),
        (said(), [3], {}, True),
        (said(), [0], {}, False),
        (said(0.9), [], {}, False),
        (said(0.9, count=2), [], {}, True),
        (said(0.9, count=2), [], {"by": 2}, False),
        (said(0.9, count=2), [], {"against": "user"}, False),
        (said(0.9), [2], {"against": "model"}, False),
        (said(0.9), [2], {"against": "user"}, True),
        (said(0.9), [2, 1], {}, False),
        (counted(29), [30], {}, True),
        (counted(29), [30], {"by": 2}, False),
        (counted(29), [], {}, False),
    ],
)
def test_count_that_is_contradicted_matches(
    prediction: Prediction | None, corrections: list[int], more: dict[str, object], expected: bool
) -> None:
    found = candidate(prediction=prediction, corrections=[Correction(count=count) for count in corrections])
    assert match("count_disagrees", found, **more).matched is expected


@pytest.mark.parametrize(
    ("prediction", "more", "expected"),
    [
        (None, {"any": ["pill"]}, False),
        (said(), {"any": ["pill"]}, False),
        (BOTH, {"any": ["pill", "tablet"]}, True),
        (BOTH, {"any": ["tablet"]}, False),
        (BOTH, {"all": ["pill", "capsule"]}, True),
        (BOTH, {"all": ["pill", "tablet"]}, False),
        (BOTH, {"any": ["tablet"], "all": ["pill"]}, False),
        (classes(cat=0.9, dog=0.1), {"any": ["cat"]}, True),
        (classes(cat=0.9, dog=0.1), {"any": ["dog"]}, False),
    ],
)
def test_labels_match_any_and_all(prediction: Prediction | None, more: dict[str, object], expected: bool) -> None:
    assert match("labels", candidate(prediction=prediction), **more).matched is expected


@pytest.mark.parametrize(
    ("shares", "rare_first", "expected"),
    [
        ({}, True, 0),
        ({"pill": 0.99, "capsule": 0.01}, True, 9),
        ({"pill": 0.99}, True, 0),
        ({"pill": 0.5}, True, 4),
        ({"pill": 0.99, "capsule": 0.01}, False, 0),
    ],
)
def test_rare_label_raises_the_task(shares: dict[str, float], rare_first: bool, expected: int) -> None:
    figures = {("labels", f"label_share:{label}"): share for label, share in shares.items()}
    found = match("labels", candidate(prediction=BOTH, figures=figures), any=["pill", "capsule"], rare_first=rare_first)
    assert found.priority_shift == expected


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [(None, False), (said(), True), (counted(3), True), (said(0.5), True), (said(0.99, 0.99), False)],
)
def test_expected_count_error_matches_where_the_count_may_be_wrong(
    prediction: Prediction | None, expected: bool
) -> None:
    assert match("expected_count_error", candidate(prediction=prediction), threshold=0.2).matched is expected
