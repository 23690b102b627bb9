"""A rate that is looked at every day: false alarms of a year without a change, and days until a rise is found."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np

from queue_server.core.estimate import wilson
from queue_server.core.sequential import DayCount, Watch, watch

_START = date(2026, 1, 1)
_REFERENCE_DAYS = 28
_RATE = 0.05
#: an alarm stays for days: a look every ten days finds all that last
_LOOKS = range(10, 366, 10)
_MOST_DAYS = 90

#: answers a day, rate after a rise from 5 in 100 -> days in which half of such rises are found
STATED: Mapping[tuple[int, float], int] = {
    (20, 0.2): 12,
    (100, 0.1): 30,
    (100, 0.15): 6,
    (100, 0.2): 3,
    (1000, 0.075): 20,
    (1000, 0.1): 3,
}


def years(count: int) -> Mapping[str, object]:
    """Return the share of years with a false alarm, by answers a day; beside it a daily interval of 95%."""
    random = np.random.default_rng(4)
    found = {}
    for a_day in (20, 100, 1000):
        ours = exact = naive = 0
        for _ in range(count):
            reference, year = _days(random, _REFERENCE_DAYS, a_day, _RATE), _days(random, 365, a_day, _RATE)
            ours += any(watch(reference, year[:day]).change for day in _LOOKS)
            strict = Watch(least_points=0.0, least_part=0.0)
            exact += any(watch(reference, year[:day], strict).change for day in _LOOKS)
            naive += _interval_misses(year)
        shares = {"ours": ours, "ours, however small the change": exact, "the last week's interval of 95%": naive}
        found[f"{a_day} answers a day"] = {name: round(times / count, 3) for name, times in shares.items()}
    return {"years": count, "target": f"ours <= {Watch().chance}", "years_with_an_alarm": found}


def _interval_misses(year: Sequence[DayCount]) -> bool:
    for last in range(7, len(year) + 1):
        week = year[last - 7 : last]
        n, successes = sum(day.n for day in week), sum(day.successes for day in week)
        low, high = wilson(successes / n, n)
        if not low <= _RATE <= high:
            return True
    return False


def delays(*, runs: int) -> list[Mapping[str, object]]:
    """Return in how many days a rise is found."""
    random = np.random.default_rng(5)
    return [_delay(random, a_day, rate, runs, stated) for (a_day, rate), stated in STATED.items()]


def _delay(random: np.random.Generator, a_day: int, rate: float, runs: int, stated: int) -> Mapping[str, object]:
    taken, off = [], []
    for _ in range(runs):
        change = watch(_days(random, _REFERENCE_DAYS, a_day, _RATE), _days(random, _MOST_DAYS, a_day, rate)).change
        taken.append((change.found_on - _START).days + 1 if change else _MOST_DAYS + 1)
        off += [abs((change.since - _START).days)] if change else []
    return {
        "answers_a_day": a_day,
        "rise": f"{_RATE} to {rate}",
        "stated_days": stated,
        "median_days": float(np.median(taken)),
        "nine_in_ten_days": float(np.quantile(taken, 0.9)),
        "first_day_is_off_by": float(np.median(off)) if off else None,
    }


def _days(random: np.random.Generator, count: int, a_day: int, rate: float) -> list[DayCount]:
    sizes = random.poisson(a_day, count)
    found = random.binomial(sizes, rate)
    return [
        DayCount(day=_START + timedelta(i), n=int(n), successes=int(one))
        for i, (n, one) in enumerate(zip(sizes, found, strict=True))
    ]
