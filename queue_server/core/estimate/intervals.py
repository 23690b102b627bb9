"""An estimate with its interval, and intervals of one share."""

import functools
import math
from dataclasses import dataclass
from statistics import NormalDist

#: of every interval, where nothing else is said
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """An estimate, and between what the truth lies at the stated level."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Return half the width; the value need not stand in the middle.

        >>> Interval(value=0.5, low=0.25, high=0.75).half_width
        0.25
        """
        return (self.high - self.low) / 2


@functools.cache
def z_of(level: float = LEVEL) -> float:
    """Return the normal quantile of a two-sided interval.

    >>> round(z_of(0.95), 6)
    1.959964
    """
    return NormalDist().inv_cdf((1 + level) / 2)


@functools.cache
def t_of(freedom: float, *, level: float = LEVEL) -> float:
    """Return the quantile of a two-sided interval of Student's t, at so many degrees of freedom.

    >>> round(t_of(10), 3)
    2.228
    """
    from scipy.special import stdtrit  # as below

    return float(stdtrit(freedom, (1 + level) / 2))


def wilson(share: float, n: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's interval about a share of n; n may be a fraction. Nothing seen (n = 0): from 0 to 1.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> [round(end, 4) for end in wilson(0.5, 10)]
    [0.2366, 0.7634]
    """
    if n <= 0:
        return 0.0, 1.0
    if math.isinf(n):
        return share, share
    z = z_of(level)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n * n))
    # At the ends the formula is exact, its rounding is not.
    return (max(0.0, middle - reach) if share > 0 else 0.0), (min(1.0, middle + reach) if share < 1 else 1.0)


def wilson_near_ends(share: float, n: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's interval with its inner ends moved outwards where 10 cases or fewer stand against the rest.

    There Wilson's misses on one side alone, up to one time in six: with one error among 50 it denies shares that bring
    one error that often. Over several strata such misses add up. The end becomes Poisson's exact one (Garwood 1936,
    "Fiducial limits for the Poisson distribution"; the idea is Brown, Cai and DasGupta's, 2001, "Interval estimation
    for a binomial proportion", 4.1.1); between whole cases it is interpolated.

    >>> [round(end, 4) for end in wilson_near_ends(0.98, 50)]
    [0.895, 0.9995]
    """
    low, high = wilson(share, n, level=level)
    if n <= 0 or math.isinf(n):
        return low, high
    if n * (1 - share) <= _FEW:
        high = max(high, 1 - _few_cases(n * (1 - share), level) / n)
    if n * share <= _FEW:
        low = min(low, _few_cases(n * share, level) / n)
    return low, high


#: with more cases Wilson's interval misses on both sides, as it should
_FEW = 10


def _few_cases(cases: float, level: float) -> float:
    whole = math.floor(cases)
    below, above = _least_mean(whole, level), _least_mean(whole + 1, level)
    return below + (cases - whole) * (above - below)


@functools.cache
def _least_mean(cases: int, level: float) -> float:
    """Return the mean at which a Poisson variable reaches so many as seldom as a side may miss.

    P(X ≥ k) is the regularised incomplete gamma function P(k, mean): Johnson, Kemp and Kotz 2005, "Univariate Discrete
    Distributions", 4.9.
    """
    from scipy.special import gammaincinv  # for the first report alone: a quarter of a second

    return float(gammaincinv(cases, (1 - level) / 2)) if cases else 0.0
