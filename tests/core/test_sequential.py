"""Figures that are looked at every day: how often they are wrong in a year, and how soon they find a change."""

from datetime import date, timedelta

import numpy as np
import pytest
from scipy import stats

from queue_server.core.estimate import wilson
from queue_server.core.sequential import (
    DayCount,
    Direction,
    Watch,
    confidence_sequence,
    difference_sequence,
    level_of_look,
    watch,
)

START = date(2026, 1, 1)
CALM = [DayCount(day=START + timedelta(i), n=100, successes=5) for i in range(28)]


def days(random: np.random.Generator, rates: np.ndarray, *, n: int, start: date = START) -> list[DayCount]:
    counts = random.poisson(n, rates.size)
    found = random.binomial(counts, rates)
    return [
        DayCount(day=start + timedelta(i), n=int(count), successes=int(one))
        for i, (count, one) in enumerate(zip(counts, found, strict=True))
    ]


def later(count: int, *, n: int, successes: int, begin: int = 28) -> list[DayCount]:
    return [DayCount(day=START + timedelta(begin + i), n=n, successes=successes) for i in range(count)]


def test_nothing_seen_may_be_anything() -> None:
    found = confidence_sequence(0, 0)
    assert (found.low, found.high) == (0, 1)


@pytest.mark.parametrize("successes", [0, 1, 7, 40])
def test_share_is_denied_where_the_mixture_says_so(successes: int) -> None:
    found = confidence_sequence(successes, 40)
    for end in (found.low, found.high):
        if 0 < end < 1:
            mixture = stats.betabinom.pmf(successes, 40, 1, 1)
            assert mixture / stats.binom.pmf(successes, 40, end) == pytest.approx(20)


def test_share_of_all_or_none_ends_there() -> None:
    assert (confidence_sequence(0, 9).low, confidence_sequence(9, 9).high) == (0, 1)


def test_confidence_sequence_holds_at_every_look_and_a_daily_interval_does_not() -> None:
    random = np.random.default_rng(1)
    missed, missed_by_interval = 0, 0
    looks = np.unique(np.geomspace(1, 365, 40).astype(int))
    for _ in range(60):
        seen = np.cumsum(random.random(365 * 10) < 0.1)[9::10]
        ends = [confidence_sequence(int(seen[day - 1]), 10 * day) for day in looks]
        missed += any(not found.low <= 0.1 <= found.high for found in ends)
        daily = [wilson(k / (10 * day), 10 * day) for day, k in enumerate(seen, 1)]
        missed_by_interval += any(not low <= 0.1 <= high for low, high in daily)
    assert missed / 60 <= 0.05
    assert missed_by_interval / 60 > 0.15


def test_difference_holds_both() -> None:
    one, other = confidence_sequence(30, 100, level=0.975), confidence_sequence(10, 100, level=0.975)
    found = difference_sequence((30, 100), (10, 100))
    assert (found.low, found.high) == (pytest.approx(one.low - other.high), pytest.approx(one.high - other.low))


def test_looks_share_the_error() -> None:
    assert 365 * (1 - level_of_look(0.95, 365)) == pytest.approx(0.05)


@pytest.mark.parametrize("reference", [[], CALM[:0], [DayCount(day=START, n=99, successes=9)]], ids=str)
def test_reference_with_few_cases_cannot_be_watched(reference: list[DayCount]) -> None:
    found = watch(reference, later(30, n=100, successes=90))
    assert (found.change, found.quiet) == (None, None)


def test_no_day_is_no_change() -> None:
    assert watch(CALM, []).change is None


@pytest.mark.parametrize(
    ("successes", "direction"), [(30, Direction.ROSE), (0, Direction.FELL)], ids=["many more", "none any more"]
)
def test_rate_that_changed_is_found(successes: int, direction: Direction) -> None:
    calm = [DayCount(day=day.day, n=100, successes=15) for day in CALM]
    same, changed = later(20, n=100, successes=15), later(10, n=100, successes=successes, begin=48)
    found = watch(calm, same + changed).change
    assert (found.direction, found.since, found.before) == (direction, START + timedelta(48), 0.15)
    assert found.found_on <= START + timedelta(51)
    assert found.after.low < successes / 100 < found.after.high or successes == 0


def test_change_of_less_than_a_point_is_none() -> None:
    many = [DayCount(day=day.day, n=100_000, successes=5000) for day in CALM]
    assert watch(many, later(100, n=100_000, successes=5900)).change is None


def test_alarm_ends_when_the_rate_returns() -> None:
    risen = later(20, n=100, successes=20)
    assert watch(CALM, risen).change is not None
    assert watch(CALM, risen + later(20, n=100, successes=5, begin=48)).change is None


def test_days_that_always_differed_are_no_change() -> None:
    uneven = [DayCount(day=START + timedelta(i), n=1000, successes=20 if i % 2 else 80) for i in range(28)]
    found = watch(uneven, later(3, n=1000, successes=80))
    assert found.dispersion > 15
    assert found.change is None


def test_day_without_a_case_says_nothing() -> None:
    assert watch(CALM, later(200, n=0, successes=0)).change is None


def test_year_without_a_change_raises_an_alarm_as_seldom_as_it_says() -> None:
    random = np.random.default_rng(2)
    alarms = 0
    for _ in range(30):
        reference = days(random, np.full(28, 0.1), n=50)
        year = days(random, np.full(365, 0.1), n=50, start=START + timedelta(28))
        # an alarm stays for days: a look every 20 days misses few
        alarms += any(
            watch(reference, year[:day], Watch(least_points=0, least_part=0)).change for day in range(20, 366, 20)
        )
    assert alarms <= 1


@pytest.mark.parametrize(("n", "rate", "most_days"), [(100, 0.2, 5), (100, 0.1, 40), (1000, 0.1, 3), (1000, 0.075, 20)])
def test_rise_from_5_in_100_is_found_within_days(n: int, rate: float, most_days: int) -> None:
    random = np.random.default_rng(3)
    delays = []
    for _ in range(30):
        reference = days(random, np.full(28, 0.05), n=n)
        change = watch(reference, days(random, np.full(60, rate), n=n, start=START + timedelta(28))).change
        delays.append((change.found_on - START).days - 27 if change else 999)
    assert np.median(delays) <= most_days
