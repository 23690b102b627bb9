"""How sure a prediction is, and how full its image: Encord Active's figures, mean over objects.

Each object is measured on its distribution over classes, else on (confidence, 1 − confidence). `core.uncertainty` has
the same measures scaled to [0, 1], for rules.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from feedback_sdk.types import Box, Polygon, Prediction
from queue_server.core.metrics.coverage import covered_share
from queue_server.core.uncertainty import distributions, object_confidences, object_count, objects

#: with more objects than these it is not told how much of the image they cover: their sample would wait for it
_MOST_OBJECTS = 1000


def prediction_values(prediction: Prediction | None, *, size: tuple[int, int] | None) -> dict[str, float]:
    """Return the metrics of a prediction by name, without those that cannot be told.

    `size` is that of the stored image, (width, height) in pixels; the prediction's own `image_size` goes before it.

    >>> said = Prediction(model_version="v1", task="classification", classes={"cat": 0.75, "dog": 0.25})
    >>> prediction_values(said, size=None)["margin"]
    0.5
    """
    if prediction is None:
        return {}
    found = _mean_over(distributions(prediction))
    count = object_count(prediction)
    if count is not None:
        confidences = object_confidences(prediction)
        found["object_count"] = float(count)
        if confidences or count == 0:
            found["mean_object_confidence"] = sum(confidences) / len(confidences) if confidences else 0.0
    density = _density(prediction, size)
    if density is not None:
        found["frame_density"] = density
    return {name: round(value, 6) for name, value in found.items()}


def _mean_over(said: Sequence[Sequence[float]]) -> dict[str, float]:
    if not said:
        return {}
    return {name: sum(map(measure, said)) / len(said) for name, measure in _MEASURES.items()}


def _density(prediction: Prediction, size: tuple[int, int] | None) -> float | None:
    frame = prediction.image_size or size
    if frame is None or (prediction.boxes is None and prediction.polygons is None and prediction.masks is None):
        return None
    found = objects(prediction)
    if len(found) > _MOST_OBJECTS:
        return None
    return 100.0 * covered_share(
        [item for item in found if isinstance(item, Box | Polygon)], prediction.masks or (), size=frame
    )


def _entropy(values: Sequence[float]) -> float:
    return sum(-p * math.log2(p) for p in values if p > 0)


def _margin(values: Sequence[float]) -> float:
    first, second = sorted(values, reverse=True)[:2]
    return first - second


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((p - mean) ** 2 for p in values) / len(values)


_MEASURES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "entropy": _entropy,
    "least_confidence": lambda values: 1.0 - max(values),
    "margin": _margin,
    "variance": _variance,
}
