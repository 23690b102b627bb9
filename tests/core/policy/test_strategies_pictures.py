"""Strategies that look at the picture, at what came with it, and at what another model says."""

import pytest

from feedback_sdk.types import Prediction
from tests.core.policy.policies import box, candidate, classes, counted, match, said

AWAY = said(boxes=[box(0.9, x_min=5.0, x_max=6.0)])


@pytest.mark.parametrize(
    ("quality", "more", "expected"),
    [
        ({}, {"below": 40}, False),
        ({"sharpness": 1.0}, {"below": 40}, False),
        ({"brightness": 39.0}, {"below": 40}, True),
        ({"brightness": 40.0}, {"below": 40}, False),
        ({"brightness": 250.0}, {"above": 240}, True),
        ({"brightness": 100.0}, {"below": 40, "above": 240}, False),
    ],
)
def test_quality_outside_its_bounds_matches(quality: dict[str, float], more: dict[str, object], expected: bool) -> None:
    assert match("quality", candidate(quality=quality), metric="brightness", **more).matched is expected


@pytest.mark.parametrize(("bits", "expected"), [(None, False), (0, False), (15, False), (16, True), (64, True)])
def test_novelty_matches_what_is_far_from_all_that_was_queued(bits: int | None, expected: bool) -> None:
    assert match("novelty", candidate(novelty_bits=bits)).matched is expected


@pytest.mark.parametrize(("site", "expected"), [(None, False), ("south", False), ("north", True)])
def test_metadata_matches_its_condition(site: str | None, expected: bool) -> None:
    found = match("metadata", candidate(metadata={"site": site}), condition="metadata.site == 'north'")
    assert (found.matched, found.compared) == (expected, {"condition": "metadata.site == 'north'"})


@pytest.mark.parametrize(
    ("prediction", "shadow", "more", "expected"),
    [
        (None, said(0.9), {}, False),
        (said(0.9), None, {}, False),
        (said(), said(), {}, False),
        (said(), said(0.9), {}, True),
        (classes(cat=0.9, dog=0.1), classes(cat=0.6, dog=0.4), {}, False),
        (classes(cat=0.9, dog=0.1), classes(cat=0.4, dog=0.6), {}, True),
        (counted(3), counted(3), {"by": "count"}, False),
        (counted(3), counted(4), {"by": "count"}, True),
        (counted(3), counted(4), {"by": "count", "threshold": 2}, False),
        (counted(3), classes(cat=0.9), {"by": "count"}, False),
        (said(), said(), {"by": "iou"}, False),
        (said(), said(0.9), {"by": "iou"}, True),
        (said(0.9), said(0.2), {"by": "iou"}, False),
        (said(0.9), AWAY, {"by": "iou"}, True),
        (said(0.9, 0.9), said(0.9), {"by": "iou"}, True),
        (said(0.9, 0.9), said(0.9), {"by": "iou", "threshold": 0.5}, False),
    ],
)
def test_models_that_disagree_match(
    prediction: Prediction | None, shadow: Prediction | None, more: dict[str, object], expected: bool
) -> None:
    found = candidate(prediction=prediction, shadows=[shadow] if shadow else [])
    assert match("model_disagreement", found, **more).matched is expected


def test_disagreement_with_any_version_matches() -> None:
    shadows = [classes(cat=0.9, dog=0.1), classes(cat=0.1, dog=0.9)]
    found = match("model_disagreement", candidate(prediction=classes(cat=0.8, dog=0.2), shadows=shadows))
    assert (found.matched, found.score) == (True, 1.0)
