"""A limit that is looked at every day for a year: false alarms stay below the stated rate, real falls are seen."""

import numpy as np
import pytest
from numpy.typing import NDArray

from queue_server.core.alerts import FigureNow, for_many_looks
from queue_server.core.alerts.looks import FALSE_ALARMS_A_YEAR, widening
from queue_server.core.estimate import wilson

MONTH = 30
DAY_SECONDS = 86_400.0


def months(share: float, *, a_day: int, years: int) -> NDArray[np.float64]:
    """Return the share over the last 30 days, on each day of so many years of annotations."""
    found = np.random.default_rng(7).binomial(a_day, share, (years, 365 + MONTH)).cumsum(axis=1)
    return (found[:, MONTH:] - found[:, :-MONTH]) / (MONTH * a_day)


def upper_ends(shares: NDArray[np.float64], n: int, *, factor: float) -> NDArray[np.float64]:
    known = np.array([wilson(count / n, n)[1] for count in range(n + 1)])
    return shares + factor * (known[np.rint(shares * n).astype(int)] - shares)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.97])
def test_year_of_daily_looks_raises_few_false_alarms(share: float) -> None:
    # The truth lies right at the limit, the worst place that is no alarm.
    found = months(share, a_day=10, years=1500)
    naive = (upper_ends(found, 300, factor=1.0) < share).any(axis=1).mean()
    wide = (upper_ends(found, 300, factor=widening(MONTH * DAY_SECONDS)) < share).any(axis=1).mean()
    assert naive > 0.6
    assert wide <= FALSE_ALARMS_A_YEAR


def test_fall_of_ten_points_is_seen_within_the_month() -> None:
    found = months(0.8, a_day=10, years=300)[:, 0]
    ends = upper_ends(found, 300, factor=widening(MONTH * DAY_SECONDS))
    assert (ends < 0.9).mean() > 0.8


@pytest.mark.parametrize("figure", [FigureNow(value=None), FigureNow(value=7.0)])
def test_figure_without_an_interval_stays_as_it_is(figure: FigureNow) -> None:
    assert for_many_looks(figure, over_seconds=DAY_SECONDS, bounds=(0.0, 1.0)) == figure


def test_interval_stays_within_what_the_figure_can_be() -> None:
    wide = for_many_looks(FigureNow(value=0.98, low=0.9, high=0.99), over_seconds=DAY_SECONDS, bounds=(0.0, 1.0))
    assert (wide.low < 0.9, wide.high) == (True, 1.0)


def test_stretches_longer_than_a_year_are_no_narrower_than_one() -> None:
    assert widening(366 * DAY_SECONDS) == widening(3000 * DAY_SECONDS) >= 1.0
