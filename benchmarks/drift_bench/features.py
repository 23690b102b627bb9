"""Streams in which nothing drifts: how often each rule says that something did."""

from collections.abc import Mapping

import numpy as np

from queue_server.core.drift import Alarm, FeatureDrift, Rows, compare, holm

_FEATURES = 10
_A_DAY = 30
_WEEK = 7


def one_look(*, runs: int) -> Mapping[str, object]:
    """Return the share of single looks at two windows of 100 rows at which each rule alarms."""
    random = np.random.default_rng(2)
    alarms = dict.fromkeys(("KS p < 0.05", "PSI > 0.1", "PSI > its critical value", "Jensen-Shannon > 0.1", "ours"), 0)
    for _ in range(runs):
        (found,) = compare(_rows(random, 100, 1), _rows(random, 100, 1))
        assert found.p_value is not None
        alarms["KS p < 0.05"] += found.p_value < 0.05
        alarms["PSI > 0.1"] += (found.psi or 0) > 0.1
        alarms["PSI > its critical value"] += (found.psi or 0) > (found.psi_critical or 0)
        alarms["Jensen-Shannon > 0.1"] += (found.js or 0) > 0.1
        alarms["ours"] += found.is_drifted
    return {"runs": runs, "false_alarms": {name: round(count / runs, 4) for name, count in alarms.items()}}


def years(count: int) -> Mapping[str, object]:
    """Return the share of years with a false alarm, looking every day at the last week of ten features."""
    random = np.random.default_rng(3)
    alarmed = {"ours": 0, "ours without the effect's floor": 0, "Holm at 0.05 a look": 0, "KS p < 0.05 a look": 0}
    for _ in range(count):
        reference, year = _rows(random, 28 * _A_DAY, _FEATURES), _rows(random, 365 * _A_DAY, _FEATURES)
        said = dict.fromkeys(alarmed, False)
        for day in range(365 - _WEEK):
            found = compare(reference, _days(year, day, day + _WEEK), Alarm(effect=0.0))
            for name, is_alarm in _alarms(found).items():
                said[name] |= is_alarm
        for name, was in said.items():
            alarmed[name] += was
    return {
        "years": count,
        "samples_a_day": _A_DAY,
        "target": f"ours <= {Alarm().chance}",
        "years_with_an_alarm": {name: round(times / count, 3) for name, times in alarmed.items()},
    }


def _alarms(found: list[FeatureDrift]) -> dict[str, bool]:
    p_values = [feature.p_value or 0.0 for feature in found]
    large = [feature for feature in found if feature.is_drifted and (feature.effect or 0) >= Alarm().effect]
    return {
        "ours": bool(large),
        "ours without the effect's floor": any(feature.is_drifted for feature in found),
        "Holm at 0.05 a look": min(holm(p_values)) < 0.05,
        "KS p < 0.05 a look": min(p_values) < 0.05,
    }


def _rows(random: np.random.Generator, count: int, features: int) -> Rows:
    numbers = {f"feature_{i}": random.normal(size=count) for i in range(features)}
    return Rows(captured_at=np.zeros(count), weights=np.ones(count), numbers=numbers)


def _days(rows: Rows, first: int, last: int) -> Rows:
    part = slice(first * _A_DAY, last * _A_DAY)
    numbers = {name: values[part] for name, values in rows.numbers.items()}
    return Rows(captured_at=rows.captured_at[part], weights=rows.weights[part], numbers=numbers)
