"""The difference between two shares, with its interval: of two sets of samples, or of the same ones seen twice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from queue_server.core.estimate.intervals import LEVEL, Interval, wilson


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """A stratum of samples that two models answered."""

    #: of all, by size
    size: float
    #: weights of the samples where both are right, the first alone, the second alone, none
    both: float
    first: float
    second: float
    neither: float
    #: as many equally likely draws would say as much; endless: all were looked at
    effective_n: float


def difference(one: Interval, other: Interval) -> Interval:
    """Return how far one share lies above another of other samples.

    MOVER, which for single samples is Newcombe's method 10 (1998, "Interval estimation for the difference between
    independent proportions").

    >>> found = difference(Interval(value=0.9, low=0.8, high=0.95), Interval(value=0.8, low=0.7, high=0.9))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.1, -0.041, 0.212)
    """
    value = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Interval(value=value, low=max(-1.0, value - below), high=min(1.0, value + above))


def paired_difference(strata: Sequence[Pairs], *, level: float = LEVEL) -> Interval | None:
    """Return how far the first share lies above the second, of the same samples; None: there are none.

    Within a stratum Newcombe's method 10 for paired proportions (1998, "Improved confidence intervals for the
    difference between binomial proportions based on paired data"), over strata MOVER.

    >>> found = paired_difference([Pairs(size=1.0, both=36.0, first=12.0, second=2.0, neither=0.0, effective_n=50.0)])
    >>> round(found.value, 2), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0569, 0.3404)
    """
    seen = [stratum for stratum in strata if _weight(stratum) > 0]
    total = sum(stratum.size for stratum in seen)
    if not total:
        return None
    parts = [(stratum.size / total, _paired(stratum, level)) for stratum in seen]
    value = sum(part * found.value for part, found in parts)
    below = math.sqrt(sum((part * (found.value - found.low)) ** 2 for part, found in parts))
    above = math.sqrt(sum((part * (found.high - found.value)) ** 2 for part, found in parts))
    return Interval(value=value, low=max(-1.0, value - below), high=min(1.0, value + above))


def _weight(stratum: Pairs) -> float:
    return stratum.both + stratum.first + stratum.second + stratum.neither


def _paired(stratum: Pairs, level: float) -> Interval:
    weight = _weight(stratum)
    one, other = (stratum.both + stratum.first) / weight, (stratum.both + stratum.second) / weight
    value = one - other
    (low1, high1), (low2, high2) = (wilson(share, stratum.effective_n, level=level) for share in (one, other))
    phi = _correlation(stratum)
    below = _together(one - low1, high2 - other, phi)
    above = _together(high1 - one, other - low2, phi)
    return Interval(value=value, low=value - below, high=value + above)


def _together(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one**2 - 2 * correlation * one * other + other**2))


def _correlation(stratum: Pairs) -> float:
    """Return φ of the table of both answers, a positive one pulled to 0 as far as the paper says.

    0 where one of them is always the same, or nothing was left to chance.
    """
    both, first, second, neither = stratum.both, stratum.first, stratum.second, stratum.neither
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    if margins <= 0 or math.isinf(stratum.effective_n):
        return 0.0
    crossed = both * neither - first * second
    if crossed > 0:
        # n/2 of a table that adds up to n
        crossed = max(0.0, crossed - _weight(stratum) ** 2 / stratum.effective_n / 2)
    return crossed / math.sqrt(margins)
