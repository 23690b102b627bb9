"""How sure a prediction is of itself, as one number for the whole image.

A prediction that found nothing has no such number: silence about an object is not certainty that there is none. So
every function here returns None for zero objects, and a rule's `missing` says what that means.
"""

import math
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

from feedback_sdk.types import Box, Keypoint, Mask, Polygon, Prediction, Task


class Aggregate(StrEnum):
    """How the confidences of an image's objects become one."""

    MEAN = "mean"
    MIN = "min"
    PRODUCT = "product"
    EXPECTED_COUNT_ERROR = "expected_count_error"


class Measure(StrEnum):
    """How far a distribution over classes is from certainty; each is in [0, 1], 0 where all is on one class."""

    ENTROPY = "entropy"
    MARGIN = "margin"
    LEAST_CONFIDENCE = "least_confidence"
    VARIANCE = "variance"


class Pooling(StrEnum):
    """How the scores of an image's objects become one."""

    MAX = "max"
    MEAN = "mean"
    SUM = "sum"
    MIN = "min"


def is_empty(prediction: Prediction) -> bool:
    """Tell whether the model looked for objects and found none.

    >>> is_empty(Prediction(model_version="v1", task="detection", boxes=[]))
    True
    >>> is_empty(Prediction(model_version="v1", task="counting", count=3))
    False
    """
    if prediction.boxes:
        return False
    lists = _object_lists(prediction)
    if lists and any(lists):
        return False
    return prediction.count == 0 if prediction.count is not None else bool(lists)


def confidence(
    prediction: Prediction | None, aggregate: Aggregate | None = None, labels: Collection[str] = ()
) -> float | None:
    """Return the image-level confidence in [0, 1], or None where the prediction has none.

    Without `aggregate`: the given one, else the top class probability, else the mean over the objects, for a counting
    model how little its count is expected to err. With it: that aggregate over the objects. With `labels`: over the
    objects of those, where there are any. Zero objects have none, whatever was given.

    >>> confidence(Prediction(model_version="v1", task="classification", classes={"cat": 0.75, "dog": 0.25}))
    0.75
    >>> confidence(Prediction(model_version="v1", task="detection", boxes=[], confidence=0.99)) is None
    True
    """
    if prediction is None or is_empty(prediction):
        return None
    if aggregate is None and not (labels and objects(prediction)):
        if prediction.confidence is not None:
            return prediction.confidence
        if prediction.classes:
            return max(prediction.classes.values())
    values = object_confidences(prediction, labels)
    usual = Aggregate.EXPECTED_COUNT_ERROR if prediction.task is Task.COUNTING else Aggregate.MEAN
    return _AGGREGATES[aggregate or usual](values) if values else None


def objects(prediction: Prediction) -> Sequence[Box | Polygon | Mask | Keypoint]:
    """Return all objects of a prediction, whatever their kind.

    >>> objects(Prediction(model_version="v1", task="detection", boxes=[]))
    ()
    """
    lists = _object_lists(prediction)
    if not lists:
        return ()
    return tuple(lists[0]) if len(lists) == 1 else tuple([item for found in lists for item in found])


def object_confidences(prediction: Prediction, labels: Collection[str] = ()) -> list[float]:
    """Return the confidence of each object that has one; with `labels`, of those alone.

    >>> object_confidences(Prediction(model_version="v1", task="detection", boxes=[]))
    []
    """
    return [
        item.confidence
        for item in objects(prediction)
        if item.confidence is not None and (not labels or item.label in labels)
    ]


def object_labels(prediction: Prediction) -> list[str]:
    """Return the label of each object.

    >>> object_labels(Prediction(model_version="v1", task="detection", boxes=[]))
    []
    """
    return [item.label for item in objects(prediction)]


def predicted_labels(prediction: Prediction) -> set[str]:
    """Return the labels that a prediction names: of its objects, and the class that it chose.

    >>> predicted_labels(Prediction(model_version="v1", task="classification", classes={"cat": 0.7, "dog": 0.3}))
    {'cat'}
    """
    labels = set(object_labels(prediction))
    classes = prediction.classes or {}
    if classes and prediction.multi_label:
        labels |= {label for label, probability in classes.items() if probability >= 0.5}
    elif classes:
        labels.add(max(classes, key=lambda label: classes[label]))
    return labels


def object_count(prediction: Prediction) -> int | None:
    """Return how many objects the model saw: the count it gave, else its objects; None where it looked for none.

    >>> object_count(Prediction(model_version="1", task="detection", boxes=[]))
    0
    """
    if prediction.count is not None:
        return prediction.count
    lists = _object_lists(prediction)
    return sum(map(len, lists)) if lists else None


def expected_count_error(prediction: Prediction, labels: Collection[str] = ()) -> float | None:
    """Return Σp(1−p)/n over the objects, in [0, 0.25]: the variance of a sum of yes-or-no objects, by count.

    >>> expected_count_error(Prediction(model_version="v1", task="counting", boxes=[])) is None
    True
    """
    values = object_confidences(prediction, labels)
    return sum(p * (1.0 - p) for p in values) / len(values) if values else None


def uncertainty(
    prediction: Prediction, measure: Measure, pooling: Pooling, labels: Collection[str] = ()
) -> float | None:
    """Return how unsure a prediction is, 0 sure; in [0, 1] but for a sum over objects. None where it cannot be told.

    An object that gives `classes` is measured on them, else on (confidence, 1 − confidence); a multi-label
    classification on such a pair of each class. Settles 2009, "Active learning literature survey", section 3.1.

    >>> said = Prediction(model_version="v1", task="classification", classes={"cat": 0.5, "dog": 0.5})
    >>> uncertainty(said, Measure.ENTROPY, Pooling.MAX)
    1.0
    """
    measured = _MEASURES[measure]
    scores = [measured(item) for item in distributions(prediction, labels)]
    return _POOLINGS[pooling](scores) if scores else None


def distributions(prediction: Prediction, labels: Collection[str] = ()) -> list[Sequence[float]]:
    """Return the distributions over classes that a prediction holds, each of sum 1; none for zero objects.

    >>> distributions(Prediction(model_version="v1", task="counting", count=3, confidence=0.75))
    [(0.75, 0.25)]
    """
    chosen: Sequence[Box | Polygon | Mask | Keypoint] = objects(prediction)
    if not chosen and is_empty(prediction):
        return []
    if labels:
        chosen = [item for item in chosen if item.label in labels]
    if chosen:
        return [found for found in map(_of_object, chosen) if found is not None]
    classes = prediction.classes or {}
    if classes and prediction.multi_label:
        return [_pair(probability) for label, probability in classes.items() if not labels or label in labels]
    if classes:
        return _normalised(list(classes.values()))
    return [_pair(prediction.confidence)] if prediction.confidence is not None else []


def _of_object(item: Box | Polygon | Mask | Keypoint) -> Sequence[float] | None:
    classes = item.classes if isinstance(item, Box) else None
    if classes and (found := _normalised(list(classes.values()))):
        return found[0]
    return _pair(item.confidence) if item.confidence is not None else None


def _pair(probability: float) -> tuple[float, float]:
    return probability, 1.0 - probability


def _normalised(values: Sequence[float]) -> list[Sequence[float]]:
    """Return a distribution of the values; a single class is held against its absence."""
    if len(values) == 1:
        return [_pair(values[0])]
    total = sum(values)
    return [[value / total for value in values]] if total > 0 else []


def _entropy(values: Sequence[float]) -> float:
    nats = 0.0
    for p in values:
        if p > 0:
            nats -= p * math.log(p)
    return nats / math.log(len(values))


def _margin(values: Sequence[float]) -> float:
    first, second = sorted(values, reverse=True)[:2]
    return 1.0 - (first - second)


def _least_confidence(values: Sequence[float]) -> float:
    return 1.0 - max(values)


def _variance(values: Sequence[float]) -> float:
    """Return 1 − var(p) / var of a sure distribution: the variance falls as the classes come level."""
    mean = 1.0 / len(values)
    variance = sum([(p - mean) ** 2 for p in values]) / len(values)
    return 1.0 - variance / (mean * (1.0 - mean))


def _object_lists(prediction: Prediction) -> list[Sequence]:  # type: ignore[type-arg]  # four kinds of object
    found: list[Sequence] = []  # type: ignore[type-arg]  # four kinds of object
    if prediction.boxes is not None:
        found.append(prediction.boxes)
    if prediction.polygons is not None:
        found.append(prediction.polygons)
    if prediction.masks is not None:
        found.append(prediction.masks)
    if prediction.keypoints is not None:
        found.append(prediction.keypoints)
    return found


def _certainty_of_count(values: Sequence[float]) -> float:
    """Return 1 − 4·Σp(1−p)/n: the expected error of the count per object, scaled so that p = ½ throughout gives 0."""
    return 1.0 - 4.0 * sum(p * (1.0 - p) for p in values) / len(values)


_AGGREGATES: dict[Aggregate, Callable[[Sequence[float]], float]] = {
    Aggregate.MEAN: lambda values: sum(values) / len(values),
    Aggregate.MIN: min,
    Aggregate.PRODUCT: math.prod,
    Aggregate.EXPECTED_COUNT_ERROR: _certainty_of_count,
}
_MEASURES: dict[Measure, Callable[[Sequence[float]], float]] = {
    Measure.ENTROPY: _entropy,
    Measure.MARGIN: _margin,
    Measure.LEAST_CONFIDENCE: _least_confidence,
    Measure.VARIANCE: _variance,
}
_POOLINGS: dict[Pooling, Callable[[Sequence[float]], float]] = {
    Pooling.MAX: max,
    Pooling.MEAN: lambda values: sum(values) / len(values),
    Pooling.SUM: sum,
    Pooling.MIN: min,
}
