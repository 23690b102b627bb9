"""How production differs from what a model was trained on, one figure after another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Kind(StrEnum):
    """What is compared."""

    #: the share of images in which a label occurs
    LABEL = "label"
    #: the mean of a metric
    METRIC = "metric"


@dataclass(frozen=True, kw_only=True, slots=True)
class DataDifference:
    """One figure in the reference and in production."""

    name: str
    kind: Kind
    reference: float
    production: float
    #: Cohen's h of two shares, d of two means (1988, "Statistical Power Analysis"): 0.2 is small, 0.8 large
    effect: float


def label_difference(name: str, reference: float, production: float) -> DataDifference:
    """Return how two shares of images differ.

    >>> round(label_difference("pill", 0.5, 0.75).effect, 3)
    0.524
    """
    effect = 2 * math.asin(math.sqrt(production)) - 2 * math.asin(math.sqrt(reference))
    return DataDifference(name=name, kind=Kind.LABEL, reference=reference, production=production, effect=effect)


def metric_differences(reference: Mapping[str, Floats], production: Mapping[str, Floats]) -> list[DataDifference]:
    """Return how the metrics differ that both have, the largest difference first; NaN: not known.

    >>> one, other = np.array([1.0, 3.0]), np.array([3.0, 5.0])
    >>> round(metric_differences({"area": one}, {"area": other})[0].effect, 3)
    1.414
    """
    found = []
    for name in sorted(reference.keys() & production.keys()):
        one, other = (values[~np.isnan(values)] for values in (reference[name], production[name]))
        if one.size > 1 and other.size > 1:
            found.append(_difference(name, one, other))
    return sorted(found, key=lambda each: -abs(each.effect))


def _difference(name: str, one: Floats, other: Floats) -> DataDifference:
    squares = float(((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum())
    spread = math.sqrt(squares / (one.size + other.size - 2))
    step = float(other.mean() - one.mean())
    effect = step / spread if spread > 1e-12 else 0.0
    return DataDifference(
        name=name, kind=Kind.METRIC, reference=float(one.mean()), production=float(other.mean()), effect=effect
    )
