"""Intervals of figures that are no plain shares: errors of counts, F1, average precision."""

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from queue_server.core.estimate.intervals import LEVEL, Interval, t_of

Floats = NDArray[np.float64]

#: more clusters than that are left out in groups: each costs one more look at all
MOST_GROUPS = 100


def jackknife(
    statistic: Callable[[Floats], float | None],
    weights: Floats,
    clusters: Sequence[Hashable],
    *,
    level: float = LEVEL,
) -> tuple[float | None, Interval | None]:
    """Return a statistic of weighted units, and its interval; None where it has no value, or there is one cluster.

    `statistic` takes a weight for each unit, 0 for one that is left out. Clusters are left out one after another, for
    units of one cluster (a person, a camera) err alike; Var = (G − 1)/G Σ(θ_g − mean)², Student's t with G − 1 degrees
    of freedom. Wolter 2007, "Introduction to Variance Estimation", 4; in groups Kott 2001.

    >>> values = np.array([1.0, 2.0, 3.0, 4.0])
    >>> mean, interval = jackknife(lambda w: float(w @ values / w.sum()), np.ones(4), ["a", "b", "c", "d"])
    >>> mean, round(interval.low, 3)
    (2.5, 0.446)
    """
    value = statistic(weights) if weights.size and weights.sum() > 0 else None
    if value is None:
        return None, None
    groups = _groups(clusters)
    count = int(groups.max()) + 1
    without = [statistic(np.where(groups == group, 0.0, weights)) for group in range(count)] if count > 1 else []
    found = np.array([one for one in without if one is not None])
    if found.size < 2:
        return value, None
    error = math.sqrt((found.size - 1) / found.size * float(((found - found.mean()) ** 2).sum()))
    reach = t_of(found.size - 1, level=level) * error
    return value, Interval(value=value, low=value - reach, high=value + reach)


def _groups(clusters: Sequence[Hashable]) -> NDArray[np.int64]:
    """Return a group for each unit, those of one cluster in one."""
    places: dict[Hashable, int] = {}
    for cluster in clusters:
        places.setdefault(cluster, len(places) % MOST_GROUPS)
    return np.array([places[cluster] for cluster in clusters], dtype=np.int64)
