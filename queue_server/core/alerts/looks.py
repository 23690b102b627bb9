"""Intervals for a figure that is looked at again and again: a look a day at 95% would raise an alarm a year."""

import functools
import math
from dataclasses import replace
from statistics import NormalDist

from queue_server.core.alerts.figures import FigureNow

#: of one year of looks at one limit, the chance of an alarm although the truth never crossed it
FALSE_ALARMS_A_YEAR = 0.05
#: the interval that comes is one of 95%, two-sided
_Z = NormalDist().inv_cdf(0.975)
_YEAR_SECONDS = 365.25 * 86_400
_NORMAL = NormalDist()


def for_many_looks(figure: FigureNow, *, over_seconds: float, bounds: tuple[float, float]) -> FigureNow:
    """Return the figure with its interval of 95% made as wide as looks at any time, for a year, need.

    The figure is the mean over a stretch that moves along, `over_seconds` long, in which the truth stays where it is.
    A figure without an interval is returned as it is.

    >>> month = FigureNow(value=0.9, low=0.85, high=0.94, n=200)
    >>> wide = for_many_looks(month, over_seconds=30 * 86_400, bounds=(0.0, 1.0))
    >>> round(wide.low, 3), round(wide.high, 3)
    (0.813, 0.97)
    """
    if figure.value is None or figure.low is None or figure.high is None:
        return figure
    factor = widening(over_seconds)
    return replace(
        figure,
        low=max(bounds[0], figure.value - factor * (figure.value - figure.low)),
        high=min(bounds[1], figure.value + factor * (figure.high - figure.value)),
    )


@functools.lru_cache(maxsize=256)
def widening(over_seconds: float) -> float:
    """Return by how much an interval of 95% is to be wider, for a mean over so long a stretch.

    Such a mean, looked at all the time, crosses u of its standard errors T·u·φ(u) times in T stretches, as its
    correlation falls linearly with the distance (Slepian 1961; Pickands 1969, with his constant H₁ = 1). So u is
    chosen that a year has no more than `FALSE_ALARMS_A_YEAR`. More looks a day need nothing wider; fewer need less.

    >>> round(widening(30 * 86_400), 2), round(widening(86_400), 2)
    (1.74, 2.22)
    """
    stretches = max(1.0, _YEAR_SECONDS / over_seconds)
    low, high = 1.0, 40.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if stretches * middle * _NORMAL.pdf(middle) > FALSE_ALARMS_A_YEAR:
            low = middle
        else:
            high = middle
    return max(1.0, math.ceil(high * 1e6) / 1e6 / _Z)
