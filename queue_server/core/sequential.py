"""Figures that are looked at every day: intervals and alarms that hold however often one looks.

An interval of 95% holds at the one look that it was made for. Looked at every day it misses the truth on some day of
the year two times in three. What stands here holds at all times together.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from queue_server.core.drift.chi_squared import chi_squared_tail
from queue_server.core.estimate import Interval, wilson
from queue_server.core.estimate.intervals import LEVEL

#: a figure is looked at so often a year
LOOKS = 365


def level_of_look(level: float = LEVEL, looks: int = LOOKS) -> float:
    """Return the level that each of so many looks must have, for all to hold together at `level` (Bonferroni).

    >>> round(level_of_look(0.95, 365), 6)
    0.999863
    """
    return 1 - (1 - level) / looks


def confidence_sequence(successes: float, n: float, *, level: float = LEVEL) -> Interval:
    """Return an interval for a share that holds at every n at once: one may look whenever one likes, and stop.

    Robbins' mixture: ∫ p^k (1 − p)^(n−k) dBeta(1, 1) against the share's own likelihood is a martingale that starts at
    1, so it exceeds 1/α at any time with a chance of at most α (Ville 1939; Robbins 1970, "Statistical methods related
    to the law of the iterated logarithm"; Howard, Ramdas, McAuliffe and Sekhon 2021, "Time-uniform, nonparametric,
    nonasymptotic confidence sequences", proposition 7). Cases that count a part each are fine.

    >>> found = confidence_sequence(10, 100)
    >>> round(found.low, 3), found.value, round(found.high, 3)
    (0.029, 0.1, 0.228)
    """
    if n <= 0:
        return Interval(value=0.0, low=0.0, high=1.0)
    k, rest = successes, n - successes
    bound = math.log(1 / (1 - level))
    mixture = math.lgamma(k + 1) + math.lgamma(rest + 1) - math.lgamma(n + 2)

    def is_denied(share: float) -> bool:
        return mixture - _log_likelihood(k, rest, share) >= bound

    value = k / n
    return Interval(value=value, low=_edge(is_denied, 0.0, value), high=_edge(is_denied, 1.0, value))


def _log_likelihood(k: float, rest: float, share: float) -> float:
    first = k * math.log(share) if k > 0 else 0.0
    return first + (rest * math.log1p(-share) if rest > 0 else 0.0)


def _edge(is_denied: Callable[[float], bool], end: float, value: float) -> float:
    """Return the last share on the way from the value to an end of [0, 1] that is not denied, by bisection."""
    if value == end:
        return end
    inside, outside = value, end
    for _ in range(45):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if is_denied(middle) else (middle, outside)
    return outside


def difference_sequence(one: tuple[float, float], other: tuple[float, float], *, level: float = LEVEL) -> Interval:
    """Return how far one share lies above another, each given as (successes, n), at all times at once.

    Each share has a confidence sequence at half the error (Bonferroni): nothing is assumed of how they hang together.

    >>> found = difference_sequence((300, 1000), (100, 1000))
    >>> round(found.low, 3), round(found.value, 3), round(found.high, 3)
    (0.107, 0.2, 0.289)
    """
    half = 1 - (1 - level) / 2
    first, second = (confidence_sequence(k, n, level=half) for k, n in (one, other))
    return Interval(value=first.value - second.value, low=first.low - second.high, high=first.high - second.low)


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCount:
    """How many cases a day had, and in how many of them it happened."""

    day: date
    n: int
    successes: int


class Direction(StrEnum):
    """Where a rate went."""

    ROSE = "rose"
    FELL = "fell"


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What alarms, and how often it may be wrong."""

    #: of the false alarms in a year: the chance that there is any
    chance: float = 0.05
    #: a change of fewer points, and of less than this part of the rate, is none
    least_points: float = 0.01
    least_part: float = 0.1
    #: cases in the reference
    fewest: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class RateChange:
    """That a rate is no longer what it was in the reference."""

    direction: Direction
    #: the first day of the rate as it is now, as far as that can be told
    since: date
    #: the day whose cases made it certain
    found_on: date
    before: float
    after: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What came of watching a rate."""

    change: RateChange | None
    #: between these nothing counts as a change; null: the reference has too few cases
    quiet: tuple[float, float] | None
    #: how much more than by chance days differ in the reference, 1 or more; cases are divided by it
    dispersion: float


#: a change is thought to multiply the odds by one of these, or to divide them
_ODDS = np.array([1.15, 1.4, 2.0, 3.0, 6.0])
#: of a year's false alarms, so large a part is the reference's own uncertainty
_REFERENCE_PART = 0.2
#: fewer tell nothing of how much days differ
_FEWEST_DAYS = 7


def watch(reference: Sequence[DayCount], days: Sequence[DayCount], limits: Watch | None = None) -> Watched:
    """Tell whether a rate is, on the last of the days, no longer what it was in the reference.

    1. The reference says between what the rate lay (Wilson), widened by what does not matter.
    2. For each end of that, and each of some larger (smaller) rates, a day's likelihood ratio is an e-value: its mean
       is at most 1 while nothing has changed. R ← (R + 1) · e sums their products over all days on which a change may
       have begun, and the chance that it reaches A within T days is at most T/A (Doob): here T = 365, so A = 365 over
       the side's part of the chance. The mean time to a false alarm is at least A days. Shiryaev-Roberts e-detector:
       Shin, Ramdas and Rinaldo 2023, "E-detectors: a nonparametric framework for sequential change detection".
    3. R goes no higher than A, so it comes down as quickly when the rate returns: the alarm ends below √A.

    Where days differ by more than chance, cases are divided by that dispersion (McCullagh and Nelder 1989, 4.5).

    >>> from datetime import timedelta
    >>> calm = [DayCount(day=date(2026, 1, 1) + timedelta(i), n=100, successes=5) for i in range(30)]
    >>> risen = [DayCount(day=date(2026, 2, 1) + timedelta(i), n=100, successes=15) for i in range(9)]
    >>> watch(calm, calm).change, watch(calm, risen).change.direction
    (None, <Direction.ROSE: 'rose'>)
    """
    rules = limits or Watch()
    n, successes = sum(day.n for day in reference), sum(day.successes for day in reference)
    if n < rules.fewest:
        return Watched(change=None, quiet=None, dispersion=1.0)
    dispersion = _dispersion(reference, successes / n)
    quiet = _quiet(successes / n, n / dispersion, rules)
    bound = math.log(LOOKS / (rules.chance * (1 - _REFERENCE_PART) / 2))
    for direction, end in ((Direction.ROSE, quiet[1]), (Direction.FELL, quiet[0])):
        found = _alarm(days, end, direction=direction, bound=bound, dispersion=dispersion)
        if found is not None:
            found_on, since = found
            change = RateChange(
                direction=direction,
                since=since,
                found_on=found_on,
                before=successes / n,
                after=_after(days, since, dispersion),
            )
            return Watched(change=change, quiet=quiet, dispersion=dispersion)
    return Watched(change=None, quiet=quiet, dispersion=dispersion)


def _dispersion(days: Sequence[DayCount], rate: float) -> float:
    """Return Pearson's χ² over its degrees of freedom; 1 where chance brings as much one time in 20."""
    used = [day for day in days if day.n > 0]
    if len(used) < _FEWEST_DAYS or not 0 < rate < 1:
        return 1.0
    chi_squared = sum((day.successes - day.n * rate) ** 2 / (day.n * rate * (1 - rate)) for day in used)
    is_chance = chi_squared_tail(chi_squared, len(used) - 1) > 1 - LEVEL
    return 1.0 if is_chance else chi_squared / (len(used) - 1)


def _quiet(rate: float, n: float, rules: Watch) -> tuple[float, float]:
    # At one end at a time: the rate cannot lie beyond both.
    low, high = wilson(rate, n, level=1 - rules.chance * _REFERENCE_PART)
    margin = max(rules.least_points, rules.least_part * rate)
    return max(0.0, low - margin), min(1.0, high + margin)


def _alarm(
    days: Sequence[DayCount], end: float, *, direction: Direction, bound: float, dispersion: float
) -> tuple[date, date] | None:
    """Return when the alarm that stands on the last day was found, and since when the rate is another."""
    if not 0 < end < 1:
        return None
    factors = _ODDS if direction is Direction.ROSE else 1 / _ODDS
    others = factors * end / (1 - end + factors * end)
    won, lost = np.log(others / end), np.log((1 - others) / (1 - end))
    several = math.log(others.size)
    # Each of the larger rates may bring the mean to the bound alone, and rounding must not keep it below.
    most = bound + several + 1e-9
    sums = np.full(others.size, -np.inf)
    found_on: date | None = None
    counts = np.array([(day.successes, day.n - day.successes) for day in days], dtype=np.float64).reshape(-1, 2)
    for day, gained in zip(days, counts @ np.array([won, lost]) / dispersion, strict=True):
        sums = np.minimum(np.logaddexp(sums, 0.0) + gained, most)
        evidence = np.logaddexp.reduce(sums) - several
        if found_on is None and evidence >= bound:
            found_on = day.day
        elif evidence < bound / 2:
            found_on = None
    if found_on is None:
        return None
    likeliest = int(np.argmax(sums))
    return found_on, _beginning(days, float(won[likeliest]) / dispersion, float(lost[likeliest]) / dispersion)


def _beginning(days: Sequence[DayCount], won: float, lost: float) -> date:
    """Return the likeliest first day of a change that lasts: behind the least of the sums (Page 1954, CUSUM)."""
    least, total, begins = 0.0, 0.0, 0
    for place, day in enumerate(days):
        total += day.successes * won + (day.n - day.successes) * lost
        if total < least:
            least, begins = total, place + 1
    return days[min(begins, len(days) - 1)].day


def _after(days: Sequence[DayCount], since: date, dispersion: float) -> Interval:
    n = sum(day.n for day in days if day.day >= since)
    successes = sum(day.successes for day in days if day.day >= since)
    return confidence_sequence(successes / dispersion, n / dispersion)
