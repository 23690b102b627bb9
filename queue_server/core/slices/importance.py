"""Which numbers tell a model's errors: of images, predictions and metadata."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from queue_server.core.slices.features import Floats, Members

#: with fewer annotated samples that have the number nothing is said
FEWEST_KNOWN = 50
_BINS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricBin:
    """How often the model is right where a metric lies between these."""

    low: float
    high: float
    accuracy: float
    #: annotated samples
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Importance:
    """How much a metric tells of whether a prediction is right."""

    metric: str
    #: Pearson's correlation with being right, in [-1, 1]
    correlation: float
    #: in bits, corrected for chance (Miller 1955); 0: it tells nothing
    mutual_information: float
    n: int
    bins: list[MetricBin]


def importance(numbers: Mapping[str, Floats], is_right: Members, weights: Floats) -> list[Importance]:
    """Return the metrics of annotated samples, those that tell most of being right first.

    Weighted, so that the few stand for all that came. Information over ten bins of equal weight (Cover and Thomas 2006,
    2.3), less its bias, (bins − 1)/(2n ln 2) at the effective n.

    >>> right = np.arange(100) >= 50
    >>> (found,) = importance({"metric.brightness": np.arange(100.0)}, right, np.ones(100))
    >>> round(found.correlation, 2), round(found.mutual_information, 2)
    (0.87, 0.94)
    """
    made = []
    for name, values in numbers.items():
        known = ~np.isnan(values)
        if known.sum() >= FEWEST_KNOWN and np.unique(values[known]).size > 1:
            made.append(_importance(name, values[known], is_right[known], weights[known]))
    return sorted(made, key=lambda one: (-one.mutual_information, -abs(one.correlation), one.metric))


def _importance(name: str, values: Floats, is_right: Members, weights: Floats) -> Importance:
    right = is_right.astype(np.float64)
    places = _places(values, weights)
    return Importance(
        metric=name,
        correlation=_correlation(values, right, weights),
        mutual_information=_information(places, right, weights),
        n=int(values.size),
        bins=_bins(values, right, weights, places),
    )


def _correlation(values: Floats, right: Floats, weights: Floats) -> float:
    share = weights / weights.sum()
    one, other = values - share @ values, right - share @ right
    scale = math.sqrt(float(share @ one**2) * float(share @ other**2))
    return float(share @ (one * other)) / scale if scale > 0 else 0.0


def _places(values: Floats, weights: Floats) -> NDArray[np.int64]:
    """Return the bin of each value, of about equal weight; equal values never part."""
    order = np.argsort(values, kind="stable")
    heights = np.cumsum(weights[order]) / weights.sum()
    edges = np.unique(values[order][np.minimum(np.searchsorted(heights, np.arange(1, _BINS) / _BINS), values.size - 1)])
    return np.searchsorted(edges, values, side="left")


def _information(places: NDArray[np.int64], right: Floats, weights: Floats) -> float:
    share = weights / weights.sum()
    joint = np.array([np.bincount(places, share * side) for side in (right, 1 - right)])
    margins = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    bits = float((joint[seen] * np.log2(joint[seen] / margins[seen])).sum())
    used = int((joint.sum(axis=0) > 0).sum())
    effective = 1 / float((share**2).sum())
    return max(0.0, bits - (used - 1) / (2 * effective * math.log(2)))


def _bins(values: Floats, right: Floats, weights: Floats, places: NDArray[np.int64]) -> list[MetricBin]:
    made = []
    for place in np.unique(places):
        here = places == place
        accuracy = float(weights[here] @ right[here] / weights[here].sum())
        low, high = float(values[here].min()), float(values[here].max())
        made.append(MetricBin(low=low, high=high, accuracy=accuracy, n=int(here.sum())))
    return made
