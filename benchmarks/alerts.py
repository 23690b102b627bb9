"""Measure what a year of daily looks at an alert comes to: false alarms, messages, and how soon a fall is told.

    python benchmarks/alerts.py --json figures.json
    python benchmarks/alerts.py --json - --years 100

Progress goes to standard error; benchmarks/README.md says what the figures mean.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

import numpy as np
from numpy.typing import NDArray

from queue_server.core.alerts import AlertRule, Event, FigureNow, Limits, Standing, for_many_looks, look
from queue_server.core.alerts.looks import FALSE_ALARMS_A_YEAR
from queue_server.core.estimate import wilson

MONTH = 30
YEAR = 365
DAY_SECONDS = 86_400.0
SHARES = (0.8, 0.9, 0.97)
#: finished audits a day
A_DAY = (3, 10, 50)
#: points by which the accuracy falls, from 0.92, with an alert below 0.9
FALLS = (0.05, 0.1, 0.2)
START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Run the benchmark; what does not hold stands in the figures."""
    given = _arguments()
    begin = time.monotonic()
    figures = {
        "stated_false_alarms_a_year": FALSE_ALARMS_A_YEAR,
        "years": given.years,
        "truth_at_the_limit": [_at_the_limit(share, a_day, given.years) for share in SHARES for a_day in A_DAY],
        "falls": [_fall(points, a_day, given.years) for points in FALLS for a_day in A_DAY],
        "seconds": round(time.monotonic() - begin, 1),
    }
    text = json.dumps(figures, indent=1)
    if given.json == "-":
        print(text)
    else:
        Path(given.json).write_text(text + "\n", encoding="utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", default="-", help="where the figures go; - is standard output")
    parser.add_argument("--years", type=int, default=400, help="simulated years a case")
    return parser.parse_args()


def _at_the_limit(share: float, a_day: int, years: int) -> dict[str, object]:
    """Look at a truth that lies right at the limit and never changes, the worst place that is no alarm."""
    print(f"share {share}, {a_day} a day", file=sys.stderr)
    found = _means(np.full(YEAR + MONTH, share), a_day, years)
    rule = _rule(share, clear=share)
    calm = _rule(share, clear=share + 0.02)
    return {
        "share": share,
        "audits_a_day": a_day,
        "interval of 95% as it is": _year(found, a_day, rule, is_widened=False),
        "ours": _year(found, a_day, rule, is_widened=True),
        "the figure alone, no interval": _year(found, a_day, rule, is_widened=None),
        "the figure alone, clear 2 points better": _year(found, a_day, calm, is_widened=None),
    }


def _fall(points: float, a_day: int, years: int) -> dict[str, object]:
    """Let the accuracy fall after a month, and tell how many days pass until that is told."""
    truth = np.full(YEAR + MONTH, 0.92)
    truth[2 * MONTH :] -= points
    found = _means(truth, a_day, years)
    told = [_days_told(row, a_day, _rule(0.9, clear=0.9), is_widened=True) for row in found]
    delays = sorted(next((day - MONTH for day in days if day >= MONTH), YEAR) for days in told)
    return {
        "falls_to": round(0.92 - points, 2),
        "audits_a_day": a_day,
        "told_within_30_days": float(np.mean([delay <= MONTH for delay in delays])),
        "told_within_a_year": float(np.mean([delay < YEAR for delay in delays])),
        "days_median": float(np.median(delays)),
    }


def _means(truth: NDArray[np.float64], a_day: int, years: int) -> NDArray[np.float64]:
    """Return the share of right ones over the last 30 days, on each day of so many years."""
    found = np.random.default_rng(11).binomial(a_day, truth, (years, truth.size)).cumsum(axis=1)
    means: NDArray[np.float64] = (found[:, MONTH:] - found[:, :-MONTH]) / (MONTH * a_day)
    return means


def _rule(limit: float, *, clear: float) -> AlertRule:
    return AlertRule(
        name="fell", figure="accuracy", limits=Limits(at_least=limit), clear=Limits(at_least=min(1.0, clear))
    )


def _year(found: NDArray[np.float64], a_day: int, rule: AlertRule, *, is_widened: bool | None) -> dict[str, float]:
    """Return in how many years there was an alarm, and how many messages a year brings."""
    raised = messages = 0
    for row in found:
        fired, told = _look_daily(row, a_day, rule, is_widened=is_widened)
        raised += bool(fired)
        messages += told
    return {"years_with_an_alarm": raised / len(found), "messages_a_year": messages / len(found)}


def _days_told(row: Sequence[float], a_day: int, rule: AlertRule, *, is_widened: bool) -> list[int]:
    return _look_daily(row, a_day, rule, is_widened=is_widened)[0]


def _look_daily(row: Sequence[float], a_day: int, rule: AlertRule, *, is_widened: bool | None) -> tuple[list[int], int]:
    """Return the days on which the alert was raised, and how many messages there were in all."""
    standing, fired, told = Standing(), [], 0
    for day, share in enumerate(row):
        turn = look(
            standing, rule, _figure(float(share), MONTH * a_day, is_widened=is_widened), now=START + timedelta(days=day)
        )
        standing = turn.standing
        told += turn.is_told
        if turn.event is Event.FIRED:
            fired.append(day)
    return fired, told


def _figure(share: float, n: int, *, is_widened: bool | None) -> FigureNow:
    if is_widened is None:
        return FigureNow(value=share, n=n)
    low, high = wilson(share, n)
    figure = FigureNow(value=share, low=low, high=high, n=n)
    return for_many_looks(figure, over_seconds=MONTH * DAY_SECONDS, bounds=(0.0, 1.0)) if is_widened else figure


if __name__ == "__main__":
    sys.exit(main())
