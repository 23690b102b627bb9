"""How sure a prediction is, as one number for the whole image."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_sdk.types import Box, Keypoint, Prediction
from queue_server.core.uncertainty import (
    Aggregate,
    Measure,
    Pooling,
    confidence,
    distributions,
    expected_count_error,
    is_empty,
    object_count,
    predicted_labels,
    uncertainty,
)


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


def boxes(*found: tuple[str, float | None, dict[str, float] | None]) -> Prediction:
    drawn = [
        Box(label=label, x_min=0.0, y_min=0.0, x_max=1.0, y_max=1.0, confidence=value, classes=given)
        for label, value, given in found
    ]
    return Prediction(model_version="v1", task="detection", boxes=drawn)


def several(**probabilities: float) -> Prediction:
    return Prediction(model_version="v1", task="classification", classes=probabilities, multi_label=True)


def measured(prediction: Prediction, measure: Measure) -> float:
    found = uncertainty(prediction, measure, Pooling.MEAN)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("prediction", "labels", "expected"),
    [
        (points(), (), []),
        (points(confidence=0.99), (), []),
        (Prediction(model_version="v1", task="counting", count=0, confidence=0.9), (), []),
        (Prediction(model_version="v1", task="classification"), (), []),
        (Prediction(model_version="v1", task="classification", confidence=0.75), (), [(0.75, 0.25)]),
        (points(None), (), []),
        (points(0.75, None, 0.5), (), [(0.75, 0.25), (0.5, 0.5)]),
        (classes(cat=0.75, dog=0.25), (), [[0.75, 0.25]]),
        (classes(cat=3 / 8, dog=1 / 8), (), [[0.75, 0.25]]),
        (classes(cat=0.0, dog=0.0), (), []),
        (classes(cat=0.75), (), [(0.75, 0.25)]),
        (several(cat=0.75, dog=0.5), (), [(0.75, 0.25), (0.5, 0.5)]),
        (several(cat=0.75, dog=0.5), ("dog",), [(0.5, 0.5)]),
        (boxes(("a", 0.75, None), ("b", 0.5, None)), ("b",), [(0.5, 0.5)]),
        (boxes(("a", 0.9, {"a": 0.75, "b": 0.25})), (), [[0.75, 0.25]]),
        (boxes(("a", 0.75, {"a": 0.0})), (), [(0.0, 1.0)]),
        (boxes(("a", 0.75, {"a": 0.0, "b": 0.0})), (), [(0.75, 0.25)]),
    ],
)
def test_distributions_are_of_each_object_else_of_the_image(
    prediction: Prediction, labels: tuple[str, ...], expected: list[object]
) -> None:
    assert distributions(prediction, labels) == expected


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Measure.ENTROPY, (0.25 * math.log(4) + 0.75 * math.log(4 / 3)) / math.log(2)),
        (Measure.MARGIN, 0.5),
        (Measure.LEAST_CONFIDENCE, 0.25),
        (Measure.VARIANCE, 0.75),
    ],
)
def test_measure_of_two_classes(measure: Measure, expected: float) -> None:
    assert measured(classes(cat=0.75, dog=0.25), measure) == pytest.approx(expected)


@pytest.mark.parametrize("measure", Measure)
@pytest.mark.parametrize("count", [2, 3, 10])
def test_every_measure_is_0_when_sure_and_rises_until_the_classes_come_level(measure: Measure, count: int) -> None:
    rest = [0.0, 0.01, 0.1, 1 / count]
    found = [
        measured(classes(a=1 - low * (count - 1), **{f"c{i}": low for i in range(count - 1)}), measure) for low in rest
    ]
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] == pytest.approx(1 - 1 / count if measure is Measure.LEAST_CONFIDENCE else 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.sampled_from(Measure))
def test_every_measure_is_within_0_and_1(values: list[float], measure: Measure) -> None:
    found = uncertainty(classes(**{f"c{i}": value for i, value in enumerate(values)}), measure, Pooling.MAX)
    assert found is None or -1e-9 <= found <= 1 + 1e-9


@pytest.mark.parametrize(
    ("pooling", "expected"), [(Pooling.MAX, 0.5), (Pooling.MEAN, 0.3), (Pooling.SUM, 0.6), (Pooling.MIN, 0.1)]
)
def test_pooling_makes_one_score_of_the_objects(pooling: Pooling, expected: float) -> None:
    assert uncertainty(points(0.9, 0.5), Measure.LEAST_CONFIDENCE, pooling) == pytest.approx(expected)


@pytest.mark.parametrize("pooling", Pooling)
@pytest.mark.parametrize("measure", Measure)
def test_zero_objects_have_no_uncertainty(measure: Measure, pooling: Pooling) -> None:
    assert uncertainty(points(confidence=0.99), measure, pooling) is None


@pytest.mark.parametrize(
    ("prediction", "labels", "expected"),
    [
        (points(), (), None),
        (points(None), (), None),
        (points(1.0, 1.0), (), 0.0),
        (points(0.5, 1.0), (), 0.125),
        (boxes(("a", 1.0, None), ("b", 0.5, None)), ("b",), 0.25),
    ],
)
def test_expected_count_error_is_the_variance_by_count(
    prediction: Prediction, labels: tuple[str, ...], expected: float | None
) -> None:
    assert expected_count_error(prediction, labels) == expected


def test_counting_is_as_sure_as_its_count() -> None:
    drawn = boxes(("a", 0.5, None), ("a", 1.0, None)).boxes
    assert confidence(Prediction(model_version="v1", task="counting", boxes=drawn)) == 0.5


@pytest.mark.parametrize(
    ("labels", "expected"), [((), 0.7), (("a",), 0.9), (("b",), 0.5), (("a", "b"), 0.7), (("c",), None)]
)
def test_confidence_of_some_labels_is_over_their_objects(labels: tuple[str, ...], expected: float | None) -> None:
    found = confidence(boxes(("a", 0.9, None), ("b", 0.5, None)), None, labels)
    assert found == pytest.approx(expected) if expected is not None else found is None


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (points(), set()),
        (points(0.5), {"pill"}),
        (classes(cat=0.7, dog=0.3), {"cat"}),
        (several(cat=0.7, dog=0.5, cow=0.1), {"cat", "dog"}),
        (several(cat=0.1), set()),
    ],
)
def test_predicted_labels_are_those_of_objects_and_of_the_chosen_classes(
    prediction: Prediction, expected: set[str]
) -> None:
    assert predicted_labels(prediction) == expected


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [(points(), 0), (points(0.5, None), 2), (points(count=7), 7), (classes(cat=1.0), None)],
)
def test_count_is_the_given_one_else_the_objects(prediction: Prediction, expected: int | None) -> None:
    assert object_count(prediction) == expected
