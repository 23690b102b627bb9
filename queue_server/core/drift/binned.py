"""Shares in bins: two windows side by side, for people to see and for distances that need bins."""

import math

import numpy as np

from queue_server.core.drift.chi_squared import chi_squared_quantile
from queue_server.core.drift.ordered import Floats, Ordered

#: of the population stability index, by tradition
BINS = 10
#: of a histogram to look at
SHOWN_BINS = 20
#: so many whole numbers get a bin each
_MOST_WHOLE = 30
#: what lies beyond is in the outermost bins, so that one odd row does not squeeze all others into one bin
_TAILS = np.array([0.005, 0.995])


def quantile_edges(reference: Ordered, bins: int = BINS) -> Floats:
    """Return the edges between bins that hold as much of the reference each; fewer where many values are equal.

    >>> from queue_server.core.drift.ordered import order
    >>> quantile_edges(order(np.arange(8.0)), 4).tolist()
    [1.0, 3.0, 5.0]
    """
    edges = np.unique(reference.quantiles(np.arange(1, bins) / bins))
    # Nothing lies above the largest value: that bin would be empty.
    found: Floats = edges[edges < reference.values[-1]]
    return found


def shares_between(window: Ordered, edges: Floats) -> Floats:
    """Return the share in each bin, an edge belongs to the bin below it: one bin more than edges.

    >>> from queue_server.core.drift.ordered import order
    >>> shares_between(order(np.arange(4.0)), np.array([0.0, 2.0])).tolist()
    [0.25, 0.5, 0.25]
    """
    return np.diff(np.concatenate(([0.0], window.below(edges), [1.0])))


def shown_edges(one: Ordered, other: Ordered) -> Floats:
    """Return the edges of a histogram of both windows: of equal width, for few whole numbers one bin a number.

    >>> from queue_server.core.drift.ordered import order
    >>> shown_edges(order(np.array([1.0, 2.0])), order(np.array([2.0]))).tolist()
    [0.5, 1.5, 2.5]
    """
    ends = [float(window.quantiles(_TAILS)[end]) for window in (one, other) for end in (0, 1)]
    low, high = min(ends), max(ends)
    if _is_whole(one) and _is_whole(other) and high - low <= _MOST_WHOLE:
        return np.asarray(np.arange(low, high + 2) - 0.5, dtype=np.float64)
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    return np.asarray(np.linspace(low, high, SHOWN_BINS + 1), dtype=np.float64)


def _is_whole(window: Ordered) -> bool:
    few, values = window.values[:100], window.values
    # Of measures one of the first is none, as a rule.
    return bool((few == np.round(few)).all() and (values == np.round(values)).all())


def stability_index(reference: Floats, current: Floats, *, n: float, m: float) -> float:
    """Return the population stability index Σ(q − p) ln(q/p) of shares; half a row is added to each bin.

    Lin 2017, "Examining distributional shifts by using population stability index". Without the half rows one empty bin
    would make it endless.

    >>> round(stability_index(np.array([0.5, 0.5]), np.array([0.25, 0.75]), n=1e9, m=1e9), 4)
    0.2747
    """
    p = (reference * n + 0.5) / (n + 0.5 * reference.size)
    q = (current * m + 0.5) / (m + 0.5 * current.size)
    return float(((q - p) * np.log(q / p)).sum())


def stability_critical(bins: int, *, n: float, m: float, level: float = 0.95) -> float:
    """Return what the index stays below with that chance where nothing drifts: χ²(B − 1) · (1/n + 1/m).

    Yurdakul and Naranjo 2020, "Statistical properties of the population stability index". The usual 0.1 and 0.25 know
    nothing of n: with 100 rows each, 0.1 alarms most times without any drift.

    >>> round(stability_critical(10, n=100, m=100), 3)
    0.338
    """
    return chi_squared_quantile(level, bins - 1) * (1 / n + 1 / m) if bins > 1 else 0.0


def jensen_shannon(one: Floats, other: Floats) -> float:
    """Return the Jensen-Shannon distance of two sets of shares, in [0, 1]: the root of the divergence in bits.

    Endres and Schindelin 2003, "A new metric for probability distributions".

    >>> jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    middle = (one + other) / 2
    bits = (_divergence(one, middle) + _divergence(other, middle)) / 2
    return math.sqrt(min(1.0, max(0.0, bits)))


def _divergence(one: Floats, other: Floats) -> float:
    is_there = one > 0
    return float((one[is_there] * np.log2(one[is_there] / other[is_there])).sum())
