"""Strategies that look at a distribution over classes."""

import pytest

from feedback_sdk.types import Prediction
from tests.core.policy.policies import box, candidate, classes, match, said

LEVEL = classes(cat=0.5, dog=0.5)
SURE = classes(cat=1.0, dog=0.0)
TWO_KINDS = Prediction(model_version="v1", task="detection", boxes=[box(0.5, "pill"), box(0.99, "capsule")])


@pytest.mark.parametrize("strategy", ["entropy", "margin", "least_confidence", "variance"])
@pytest.mark.parametrize(
    ("prediction", "more", "expected"),
    [
        (None, {}, False),
        (said(), {}, True),
        (said(), {"missing": "ignore"}, False),
        (said(None), {}, True),
        (LEVEL, {}, True),
        (SURE, {}, False),
        (said(0.5), {}, True),
        (said(0.99), {}, False),
        (said(0.5, 0.99, 0.99), {}, False),
        (said(0.5, 0.99, 0.99), {"aggregate": "max"}, True),
        (said(0.5, 0.99, 0.99), {"aggregate": "min"}, False),
        (said(0.9, 0.9, 0.9, 0.9, 0.9), {}, False),
        (said(0.9, 0.9, 0.9, 0.9, 0.9), {"aggregate": "sum"}, True),
        (TWO_KINDS, {"labels": ["pill"]}, True),
        (TWO_KINDS, {"labels": ["capsule"]}, False),
        (LEVEL, {"threshold": {"quantile": 0.9}}, False),
    ],
)
def test_high_score_matches(
    strategy: str, prediction: Prediction | None, more: dict[str, object], expected: bool
) -> None:
    found = match(strategy, candidate(prediction=prediction), **({"threshold": 0.48} | more))
    assert found.matched is expected


def test_score_at_the_threshold_matches() -> None:
    found = match("entropy", candidate(prediction=LEVEL), threshold=1)
    assert (found.matched, found.score, found.compared) == (True, 1.0, {"score": 1.0, "threshold": 1.0})


def test_objects_own_classes_are_what_is_measured() -> None:
    torn = box(0.99, classes={"pill": 0.5, "capsule": 0.5})
    assert match("margin", candidate(prediction=said(boxes=[torn])), threshold=1).matched
