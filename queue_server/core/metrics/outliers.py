"""How the values of a metric lie, and which lie far from the others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

#: so many interquartile ranges beyond a quartile is odd, and this many very odd (Tukey 1977; Encord Active)
MODERATE, SEVERE = 1.5, 2.5
#: fewer values have no quartiles to speak of
LEAST_VALUES = 20
_BINS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """How the values lie that can be told."""

    n: int
    mean: float
    standard_deviation: float
    minimum: float
    quartile_1: float
    median: float
    quartile_3: float
    maximum: float
    #: of bins of one width, from the minimum to the maximum
    histogram: list[int]
    bin_edges: list[float]


def distribution(values: Values) -> Distribution | None:
    """Return how values lie, NaN aside; None where there are none.

    >>> distribution(np.array([np.nan])) is None
    True
    """
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    minimum, quartile_1, median, quartile_3, maximum = map(float, np.quantile(known, (0, 0.25, 0.5, 0.75, 1)))
    # Neighbours in the last place have no room for bins between them.
    is_wide = maximum - minimum > 1e-9 * max(abs(minimum), abs(maximum))
    counts, edges = (
        np.histogram(known, bins=_BINS) if is_wide else (np.array([known.size]), np.array([minimum, maximum]))
    )
    return Distribution(
        n=int(known.size),
        mean=float(known.mean()),
        standard_deviation=float(known.std()),
        minimum=minimum,
        quartile_1=quartile_1,
        median=median,
        quartile_3=quartile_3,
        maximum=maximum,
        histogram=counts.tolist(),
        bin_edges=edges.tolist(),
    )


def oddness(values: Values) -> Values:
    """Return how many interquartile ranges each value lies beyond the nearer quartile; 0 within, or with few values.

    Where half of the values and more are one value there is no range: nothing is odd.

    >>> round(float(oddness(np.array([*range(21), 100.0])).max()), 2)
    8.02
    """
    found = np.zeros(values.shape)
    known = values[~np.isnan(values)]
    if known.size < LEAST_VALUES:
        return found
    low, high = np.quantile(known, (0.25, 0.75))
    if high <= low:
        return found
    return np.asarray(np.nan_to_num(np.maximum(low - values, values - high).clip(0) / (high - low)))


def undersampled(counts: dict[str, int]) -> list[str]:
    """Return the labels of which there are at most half as many as of the label in the middle (Encord Active).

    >>> undersampled({"pill": 90, "capsule": 30, "blister": 100})
    ['capsule']
    """
    if len(counts) < 2:
        return []
    limit = 0.5 * float(np.median(list(counts.values())))
    return [label for label, count in counts.items() if count <= limit]
