"""Samples that something is wrong with, as cleanvision 0.3.7 and Encord Active say it: metrics beyond a bound."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from queue_server.core.metrics.neighbours import NEAR_DUPLICATE

Values = NDArray[np.float64]
#: sizes so many interquartile ranges beyond a quartile are odd
_ODD_SIZE = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag:
    """A fault that a metric tells of; NaN is none."""

    name: str
    metric: str
    words: str
    holds: Callable[[Values], NDArray[np.bool_]]


def _below(name: str, metric: str, bound: float, words: str) -> Flag:
    return Flag(name=name, metric=metric, words=f"{words}: {metric} < {bound:g}", holds=lambda values: values < bound)


def _from(name: str, metric: str, bound: float, words: str) -> Flag:
    return Flag(name=name, metric=metric, words=f"{words}: {metric} >= {bound:g}", holds=lambda values: values >= bound)


def odd_sizes(areas: Values) -> NDArray[np.bool_]:
    """Tell which images are far smaller or larger than the others, by the root of their area in pixels.

    >>> odd_sizes(np.array([100.0] * 9 + [400.0])).tolist()[8:]
    [False, True]
    """
    roots = np.sqrt(areas)
    known = roots[~np.isnan(roots)]
    if not known.size:
        return np.zeros(areas.shape, bool)
    low, high = np.percentile(known, (25, 75))
    reach = _ODD_SIZE * (high - low)
    return np.asarray((roots < low - reach) | (roots > high + reach))


#: by name, in the order of the documentation
FLAGS: Mapping[str, Flag] = {
    flag.name: flag
    for flag in (
        _below("dark", "dark_score", 0.32, "too dark"),
        _below("light", "light_score", 0.05, "too light"),
        _below("odd_aspect_ratio", "odd_aspect_score", 0.35, "far longer than wide, or wider than long"),
        _below("low_information", "low_information_score", 0.3, "next to nothing to see"),
        _below("blurry", "blurry_score", 0.29, "blurred"),
        _from("grayscale", "grayscale", 1.0, "without colour channels"),
        Flag(
            name="odd_size",
            metric="area",
            words="far smaller or larger than the others: √area beyond 3 interquartile ranges",
            holds=odd_sizes,
        ),
        _from("exact_duplicate", "exact_duplicate", 1.0, "the same bytes as an earlier one"),
        _from("near_duplicate", "near_duplicate", 1.0, "looks like an earlier one"),
        _below("near_embedding", "novelty", NEAR_DUPLICATE, "its embedding is nearly another's"),
        _from("drawn_twice", "duplicate_overlap", 0.6, "two objects of one label in one place"),
        _from("missing_object", "missing_object", 1.0, "lacks an object that the frames around it have"),
        _from("inconsistent_label", "inconsistent_label", 1.0, "another label than the frame before, in one place"),
    )
}
