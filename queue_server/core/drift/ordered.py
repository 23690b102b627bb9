"""Numbers of one window in their order, with what each counts: what all comparisons of numbers stand on."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ordered:
    """Values in ascending order, and how they are distributed."""

    values: Floats
    #: what lies before each value, as a share; one more than values, from 0 to 1
    cumulative: Floats
    #: how many rows of equal weight would say as much, (Σw)²/Σw² (Kish 1965)
    n: float
    #: weighted; 0 where there is nothing
    mean: float

    def below(self, points: Floats) -> Floats:
        """Return the share at or below each point.

        >>> order(np.array([1.0, 2.0])).below(np.array([0.5, 1.0])).tolist()
        [0.0, 0.5]
        """
        found: Floats = self.cumulative[np.searchsorted(self.values, points, side="right")]
        return found

    def middle_ranks(self, points: Floats) -> Floats:
        """Return where points stand among the values, in [0, 1]; a tie stands in the middle of its equals.

        >>> order(np.array([1.0, 2.0])).middle_ranks(np.array([1.0, 1.5])).tolist()
        [0.25, 0.5]
        """
        before: Floats = self.cumulative[np.searchsorted(self.values, points, side="left")]
        return (before + self.below(points)) / 2

    def quantiles(self, shares: Floats) -> Floats:
        """Return the least value at or below which each share lies.

        >>> order(np.array([3.0, 1.0, 2.0])).quantiles(np.array([0.5])).tolist()
        [2.0]
        """
        # A share that rounding put above its own step still belongs to it.
        places = np.searchsorted(self.cumulative[1:], shares - 1e-12, side="left")
        found: Floats = self.values[np.minimum(places, self.values.size - 1)]
        return found


def order(values: Floats, weights: Floats | None = None) -> Ordered:
    """Sort values; NaN stands for none and is left out, as is what weighs nothing.

    >>> order(np.array([2.0, math.nan, 1.0])).values.tolist()
    [1.0, 2.0]
    """
    if weights is None or _are_alike(weights):
        found = np.sort(values)
        found = found[: found.size - np.count_nonzero(np.isnan(found))]
        mean = float(found.mean()) if found.size else 0.0
        return Ordered(values=found, cumulative=_steps(found.size), n=float(found.size), mean=mean)
    is_there = ~np.isnan(values) & (weights > 0)
    kept, weight = (values, weights) if is_there.all() else (values[is_there], weights[is_there])
    places = np.argsort(kept)
    sums = np.empty(kept.size + 1)
    sums[0] = 0.0
    np.cumsum(weight[places], out=sums[1:])
    total = float(sums[-1])
    if not total:
        return Ordered(values=np.zeros(0), cumulative=np.zeros(1), n=0.0, mean=0.0)
    n, mean = total**2 / float(weight @ weight), float(kept @ weight) / total
    return Ordered(values=kept[places], cumulative=sums / total, n=n, mean=mean)


def _are_alike(weights: Floats) -> bool:
    return bool(weights.size and weights[0] > 0 and weights.min() == weights.max())


@functools.lru_cache(maxsize=4)
def _steps(count: int) -> Floats:
    """Return the same array for all features of a window; nobody may write into it."""
    steps = np.arange(count + 1, dtype=np.float64) / max(1, count)
    steps.setflags(write=False)
    return steps


def largest_gap(one: Ordered, other: Ordered) -> float:
    """Return the Kolmogorov-Smirnov distance: the largest difference of the shares at or below any value.

    >>> largest_gap(order(np.array([1.0, 2.0])), order(np.array([2.0, 3.0])))
    0.5
    """
    if not one.values.size or not other.values.size:
        return 0.0
    many, few = (one, other) if one.values.size > other.values.size else (other, one)
    # Between two steps of the few their share stands still, so the gap is largest at a step, or just before it.
    first = _starts(few.values)
    last = np.append(first[1:], few.values.size)
    points = few.values if first.size == few.values.size else few.values[first]
    below = np.searchsorted(many.values, points, side="left")
    before = many.cumulative[below] - few.cumulative[first]
    at = many.cumulative[_behind(many.values, points, below)] - few.cumulative[last]
    return float(max(np.abs(before).max(), np.abs(at).max()))


def _starts(values: Floats) -> Places:
    """Return where each run of equal values begins."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1]))


def _behind(values: Floats, points: Floats, below: Places) -> Places:
    """Return how many values are at or below each point, of which so many are below."""
    if (values[1:] == values[:-1]).any():
        return np.asarray(np.searchsorted(values, points, side="right"))
    # None comes twice: a look at the next one is half the work of a search.
    is_there: Bools = values[np.minimum(below, values.size - 1)] == points
    return below + is_there


def kolmogorov_tail(distance: float, n: float, m: float) -> float:
    """Return the chance of so large a distance between windows of one distribution; with ties it is less.

    Kolmogorov's limit (Smirnov 1939): Σ 2(−1)^(j−1) exp(−2j²λ²) with λ = D √(nm/(n+m)). For windows of like size the
    chance itself is a little below it.

    >>> round(kolmogorov_tail(0.2, 100, 100), 3)
    0.037
    """
    if n <= 0 or m <= 0:
        return 1.0
    from scipy.special import kolmogorov  # for the first report alone: a quarter of a second

    return float(kolmogorov(distance * math.sqrt(n * m / (n + m))))
