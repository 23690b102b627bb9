"""Two windows of ten features: ours, and evidently's preset where it is installed."""

import statistics
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from queue_server.core.drift import Rows, compare, match_season

Floats = NDArray[np.float64]

FEATURES = 10
_REPEATS = 3
_MONTH_SECONDS = 28 * 86_400


def measure(*, rows: int) -> Mapping[str, object]:
    """Return seconds of the processor for each way, and how many times faster ours is."""
    random = np.random.default_rng(1)
    names = [f"feature_{i}" for i in range(FEATURES)]
    reference, current = ({name: random.normal(size=rows) for name in names} for _ in range(2))
    at = random.uniform(0, _MONTH_SECONDS, rows)
    ways: dict[str, Callable[[], object]] = {"ours": lambda: _ours(reference, current, at)}
    if find_spec("evidently") is not None:
        ways |= _evidently(reference, current)
    seconds = {name: _seconds(way) for name, way in ways.items()}
    ratios = {f"times_{name}": round(taken / seconds["ours"], 1) for name, taken in seconds.items() if name != "ours"}
    found = {name: round(taken, 4) for name, taken in seconds.items()}
    return {"rows": rows, "features": FEATURES, "seconds": found, "target": "evidently's preset >= 20 times", **ratios}


def _ours(reference: dict[str, Floats], current: dict[str, Floats], at: Floats) -> object:
    ones = np.ones(at.size)
    there, here = (Rows(captured_at=at, weights=ones, numbers=numbers) for numbers in (reference, current))
    return compare(there.weighing(match_season(at, at).factors), here)


def _evidently(reference: dict[str, Floats], current: dict[str, Floats]) -> dict[str, Callable[[], object]]:
    pandas, library, presets = map(import_module, ("pandas", "evidently", "evidently.presets"))
    frames = [pandas.DataFrame(columns) for columns in (current, reference)]

    def way(**options: str) -> Callable[[], object]:
        return lambda: library.Report([presets.DataDriftPreset(**options)]).run(*frames).dict()

    return {"evidently": way(), "evidently_ks": way(method="ks")}


def _seconds(way: Callable[[], object]) -> float:
    way()
    taken = []
    for _ in range(_REPEATS):
        begin = time.process_time()
        way()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)
