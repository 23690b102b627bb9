"""The same hours and weekdays on both sides: mornings are dark, and Sundays are quiet, without any drift."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from queue_server.core.drift.ordered import Floats

Hours = NDArray[np.int64]

_HOUR_SECONDS = 3600
#: 1970 began on a Thursday
_FIRST_HOUR = 3 * 24
#: a part of the week with fewer rows in the reference says nothing of that part
_FEWEST = 5
#: so much of the current rows may lie where the reference has none
_MOST_MISSED = 0.02
#: of the reference's effective size half must remain, or so many rows
_ENOUGH = 1000.0


class Season(StrEnum):
    """By which parts of the week both windows hold the same mix."""

    HOUR_OF_WEEK = "hour_of_week"
    QUARTER_OF_DAY = "weekday_and_quarter_of_day"
    HOUR_OF_DAY = "hour_of_day"
    WEEKDAY = "weekday"
    NONE = "none"


#: from whole hours since 1970; the finest first
_PARTS: dict[Season, Callable[[Hours], Hours]] = {
    Season.HOUR_OF_WEEK: lambda hours: (hours + _FIRST_HOUR) % 168,
    Season.QUARTER_OF_DAY: lambda hours: (hours + _FIRST_HOUR) % 168 // 6,
    Season.HOUR_OF_DAY: lambda hours: hours % 24,
    Season.WEEKDAY: lambda hours: (hours + _FIRST_HOUR) % 168 // 24,
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Matched:
    """What makes the reference's mix of hours that of the current window."""

    season: Season
    #: for each row of the reference
    factors: Floats


def match_season(reference_at: Floats, current_at: Floats) -> Matched:
    """Weigh the reference's rows so that each part of the week counts as in the current window.

    The finest parts for which the reference has rows wherever the current window has some, and after which its
    effective size (Kish) is 1000, or half of what it was: post-stratification by time. Times are in seconds, UTC.

    >>> match_season(np.array([0.0]), np.array([7200.0])).season
    <Season.NONE: 'none'>
    """
    if reference_at.size and current_at.size:
        there, here = (at.astype(np.int64) // _HOUR_SECONDS for at in (reference_at, current_at))
        for season, part in _PARTS.items():
            factors = _factors(part(there), part(here))
            if factors is not None:
                return Matched(season=season, factors=factors)
    return Matched(season=Season.NONE, factors=np.ones(reference_at.size))


def _factors(reference: Hours, current: Hours) -> Floats | None:
    there, now = (np.bincount(parts, minlength=7 * 24).astype(np.float64) for parts in (reference, current))
    is_known = there >= _FEWEST
    if now[~is_known].sum() > _MOST_MISSED * current.size:
        return None
    ratio = np.where(is_known, now, 0.0) / np.maximum(there, 1.0)
    factors = ratio[reference] * (reference.size / current.size)
    left = factors.sum() ** 2 / (factors**2).sum()
    return factors if left >= min(_ENOUGH, reference.size / 2) else None
