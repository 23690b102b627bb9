"""How sure a prediction is of itself, as one number for the whole image.

A prediction that found nothing has no such number: silence about an object is not certainty that there is none.
"""

import math
from collections.abc import Callable, Sequence
from enum import StrEnum

from feedback_sdk.types import Prediction


class Aggregate(StrEnum):
    """How the confidences of an image's objects become one."""

    MEAN = "mean"
    MIN = "min"
    PRODUCT = "product"
    EXPECTED_COUNT_ERROR = "expected_count_error"


def is_empty(prediction: Prediction) -> bool:
    """Tell whether the model looked for objects and found none.

    >>> is_empty(Prediction(model_version="v1", task="detection", boxes=[]))
    True
    >>> is_empty(Prediction(model_version="v1", task="counting", count=3))
    False
    """
    lists = _object_lists(prediction)
    if any(lists):
        return False
    return prediction.count == 0 if prediction.count is not None else bool(lists)


def confidence(prediction: Prediction | None, aggregate: Aggregate | None = None) -> float | None:
    """Return the image-level confidence in [0, 1], or None where the prediction has none.

    Without `aggregate`: the given one, else the top class probability, else the mean over the objects.
    With it: that aggregate over the objects. Zero objects have none, whatever was given.

    >>> confidence(Prediction(model_version="v1", task="classification", classes={"cat": 0.75, "dog": 0.25}))
    0.75
    >>> confidence(Prediction(model_version="v1", task="detection", boxes=[], confidence=0.99)) is None
    True
    """
    if prediction is None or is_empty(prediction):
        return None
    if aggregate is None:
        if prediction.confidence is not None:
            return prediction.confidence
        if prediction.classes:
            return max(prediction.classes.values())
    values = object_confidences(prediction)
    return _AGGREGATES[aggregate or Aggregate.MEAN](values) if values else None


def object_confidences(prediction: Prediction) -> list[float]:
    """Return the confidence of each object that has one.

    >>> object_confidences(Prediction(model_version="v1", task="detection", boxes=[]))
    []
    """
    objects = [item for found in _object_lists(prediction) for item in found]
    return [item.confidence for item in objects if item.confidence is not None]


def _object_lists(prediction: Prediction) -> list[Sequence]:  # type: ignore[type-arg]  # four kinds of object
    lists = (prediction.boxes, prediction.polygons, prediction.masks, prediction.keypoints)
    return [found for found in lists if found is not None]


def _certainty_of_count(values: Sequence[float]) -> float:
    """Return 1 − 4·Σp(1−p)/n: the expected error of the count per object, scaled so that p = ½ throughout gives 0."""
    return 1.0 - 4.0 * sum(p * (1.0 - p) for p in values) / len(values)


_AGGREGATES: dict[Aggregate, Callable[[Sequence[float]], float]] = {
    Aggregate.MEAN: lambda values: sum(values) / len(values),
    Aggregate.MIN: min,
    Aggregate.PRODUCT: math.prod,
    Aggregate.EXPECTED_COUNT_ERROR: _certainty_of_count,
}
