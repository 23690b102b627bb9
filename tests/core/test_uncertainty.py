"""The confidence of a whole image."""

import pytest

from feedback_sdk.types import Keypoint, Prediction
from queue_server.core.uncertainty import Aggregate, confidence, is_empty


def points(*confidences: float | None, **more: object) -> Prediction:
    found = [Keypoint(label="pill", x=1.0, y=1.0, confidence=value) for value in confidences]
    return Prediction(model_version="v1", task="keypoints", keypoints=found, **more)  # type: ignore[arg-type]  # each test names the fields it is about


def classes(**probabilities: float) -> Prediction:
    return Prediction(model_version="v1", task="classification", classes=probabilities)


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (None, None),
        (points(), None),
        (points(confidence=0.99), None),
        (Prediction(model_version="v1", task="counting", count=0, confidence=0.99), None),
        (Prediction(model_version="v1", task="counting", count=3), None),
        (Prediction(model_version="v1", task="counting", count=3, confidence=0.4), 0.4),
        (classes(cat=0.7, dog=0.3), 0.7),
        (points(0.2, 0.8), 0.5),
        (points(0.2, None), 0.2),
        (points(None), None),
        (points(0.2, 0.8, confidence=0.9), 0.9),
    ],
)
def test_confidence_is_the_given_one_else_the_top_class_else_the_mean(
    prediction: Prediction | None, expected: float | None
) -> None:
    assert confidence(prediction) == expected


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (Aggregate.MEAN, 0.75),
        (Aggregate.MIN, 0.5),
        (Aggregate.PRODUCT, 0.5),
        (Aggregate.EXPECTED_COUNT_ERROR, 0.5),
    ],
)
def test_aggregate_is_over_the_objects_whatever_was_given(aggregate: Aggregate, expected: float) -> None:
    assert confidence(points(0.5, 1.0, confidence=0.99), aggregate) == expected


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (points(), True),
        (points(0.5), False),
        (points(count=3), False),
        (Prediction(model_version="v1", task="counting", count=0), True),
        (Prediction(model_version="v1", task="classification"), False),
    ],
)
def test_empty_means_looked_and_found_none(prediction: Prediction, expected: bool) -> None:
    assert is_empty(prediction) is expected
