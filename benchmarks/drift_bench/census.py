"""A real table of people with a model's outputs, 2015 to 2018: years that are alike, and shifts made of age slices."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from queue_server.core.drift import Alarm, FeatureDrift, LabelShares
from queue_server.core.drift.features import compare_labels, compare_numbers, judge
from queue_server.core.drift.ordered import order

_FILE = "employment_MA.parquet"
_NUMBERS = ("AGEP", "predicted_probability")
_LABELS = ("SCHL", "MAR", "RELP", "CIT", "SEX", "RAC1P", "ESP", "MIG")
_WEEK = 7
_SHIFT_DAY = 60
_MOST_DAYS = 30
_AGES: Mapping[str, tuple[float, float]] = {"under 30": (0, 30), "over 65": (65, 200)}

#: rows a day, share of rows that are of an age slice from some day on -> days until it is found, at most
STATED: Mapping[tuple[int, float], int] = {(50, 1.0): 3, (50, 0.5): 6, (200, 0.5): 4, (200, 0.25): 8}

Columns = Mapping[str, NDArray[Any]]


def measure(folder: Path | None, *, runs: int) -> Mapping[str, object]:
    """Return false alarms over years that are alike, and the days until a shift is found."""
    file = next(iter(folder.rglob(_FILE)), None) if folder is not None else None
    if file is None or find_spec("pyarrow") is None:
        return {"left_out": f"it needs {_FILE} below --data, pandas and pyarrow"}
    columns = _read(file)
    random = np.random.default_rng(6)
    before, after = (np.flatnonzero((columns["year"] == 2015) == is_before) for is_before in (True, False))
    alarms = sum(
        _first_alarm(random, columns, before, after, None, a_day=50, days=365) is not None for _ in range(runs)
    )
    return {
        "features": len(_NUMBERS) + len(_LABELS),
        "years_without_a_shift": runs,
        "years_with_an_alarm": round(alarms / runs, 3),
        "target": f"<= {Alarm().chance}",
        "shifts": [
            {"ages": name, **_delay(random, columns, before, after, ages, a_day, share, runs)}
            for name, ages in _AGES.items()
            for a_day, share in STATED
        ],
    }


def _read(file: Path) -> Columns:
    table = import_module("pandas").read_parquet(file)
    numbers = {name: table[name].to_numpy(dtype=np.float64) for name in _NUMBERS}
    return numbers | {name: table[name].astype(str).to_numpy() for name in _LABELS} | {"year": table["year"].to_numpy()}


def _delay(
    random: np.random.Generator,
    columns: Columns,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    ages: tuple[float, float],
    a_day: int,
    share: float,
    runs: int,
) -> Mapping[str, object]:
    of_age = after[(columns["AGEP"][after] >= ages[0]) & (columns["AGEP"][after] < ages[1])]
    taken = []
    for _ in range(runs):
        shift = (of_age, share)
        found = _first_alarm(random, columns, before, after, shift, a_day=a_day, days=_SHIFT_DAY + _MOST_DAYS)
        taken.append(found - _SHIFT_DAY + 1 if found is not None else _MOST_DAYS + 1)
    return {
        "rows_a_day": a_day,
        "share_of_that_age": share,
        "stated_days": STATED[a_day, share],
        "median_days": float(np.median(taken)),
        "longest_days": max(taken),
        "alarms_before_the_shift": sum(one < 1 for one in taken),
    }


def _first_alarm(
    random: np.random.Generator,
    columns: Columns,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    shift: tuple[NDArray[np.int64], float] | None,
    *,
    a_day: int,
    days: int,
) -> int | None:
    """Return the first day at whose end the last week is told apart from four weeks of 2015."""
    reference = random.choice(before, 28 * a_day)
    stream = random.choice(after, days * a_day)
    if shift is not None:
        rows, share = shift
        is_shifted = (np.arange(stream.size) >= _SHIFT_DAY * a_day) & (random.random(stream.size) < share)
        stream[is_shifted] = random.choice(rows, int(is_shifted.sum()))
    first = _WEEK - 1 if shift is None else _SHIFT_DAY - 10
    for day in range(first, days):
        found = _compared(columns, reference, stream[(day - _WEEK + 1) * a_day : (day + 1) * a_day])
        if any(feature.is_drifted for feature in found):
            return day
    return None


def _compared(columns: Columns, reference: NDArray[np.int64], current: NDArray[np.int64]) -> list[FeatureDrift]:
    found = [compare_numbers(name, order(columns[name][reference]), order(columns[name][current])) for name in _NUMBERS]
    found += [
        compare_labels(name, _shares(columns[name][reference]), _shares(columns[name][current])) for name in _LABELS
    ]
    return judge(found)


def _shares(labels: NDArray[Any]) -> LabelShares:
    names, counts = np.unique(labels, return_counts=True)
    shares = {str(name): float(count) / labels.size for name, count in zip(names, counts, strict=True)}
    return LabelShares(shares=shares, n=float(labels.size))
