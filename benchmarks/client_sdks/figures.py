"""Figures: what one run of one library gave, the median of the runs, and what ours must hold to."""

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from benchmarks.client_sdks.libraries import LIBRARIES, OURS

#: the figure of a library that could not be measured
FAILED = "failed"

Value = float | int | str | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure of one library in one run."""

    library: str
    figure: str
    value: Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a figure of ours must hold to."""

    sign: str
    bound: float

    def holds(self, value: Value) -> bool:
        """Return whether a figure holds to it; no figure never does."""
        return isinstance(value, int | float) and _SIGNS[self.sign](value, self.bound)

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"


_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": lambda value, bound: value <= bound,
    ">=": lambda value, bound: value >= bound,
    "==": lambda value, bound: value == bound,
}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of all lies (nearest rank).

    >>> percentile([1, 2, 3, 4], 0.5)
    2
    """
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)
    return ordered[max(int(rank) - 1, 0)]


def table(rows: Sequence[Row], targets: Mapping[str, Target]) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
    """Return library -> figure -> median and spread of its runs, and for ours whether it holds to its target."""
    runs: dict[str, dict[str, list[Value]]] = {}
    for row in rows:
        runs.setdefault(row.library, {}).setdefault(row.figure, []).append(row.value)
    return {
        library: {
            figure: _summary(figure, values, targets.get(figure) if library == OURS else None)
            for figure, values in figures.items()
        }
        for library, figures in runs.items()
    }


def ratios(
    found: Mapping[str, Mapping[str, Mapping[str, object]]], bounds: Mapping[str, Mapping[str, float]]
) -> Mapping[str, Mapping[str, object]]:
    """Return figure -> peer -> how many times the peer's median ours is, and whether that is few enough."""
    return {
        figure: {peer: _ratio(found, figure, peer=peer, bound=bound) for peer, bound in of.items()}
        for figure, of in bounds.items()
    }


def _ratio(
    found: Mapping[str, Mapping[str, Mapping[str, object]]], figure: str, *, peer: str, bound: float
) -> Mapping[str, object]:
    ours, theirs = (found.get(name, {}).get(figure, {}).get("median") for name in (OURS, peer))
    if not isinstance(ours, int | float) or not isinstance(theirs, int | float):
        return {"target": f"<= {bound:g} times", "times": None, "holds": False}
    return {"target": f"<= {bound:g} times", "times": round(ours / theirs, 3), "holds": ours <= bound * theirs}


def _summary(figure: str, values: Sequence[Value], target: Target | None) -> Mapping[str, object]:
    numbers = [value for value in values if isinstance(value, int | float)]
    middle: Value = median(numbers) if numbers and len(numbers) == len(values) else values[-1]
    summary: dict[str, object] = {"median": round(middle, 3) if isinstance(middle, float) else middle}
    if len(numbers) > 1:
        summary |= {"min": round(min(numbers), 3), "max": round(max(numbers), 3), "runs": len(numbers)}
    if figure == FAILED:
        summary |= {"holds": False}
    elif target is not None:
        summary |= {"target": str(target), "holds": target.holds(middle)}
    return summary


def machine() -> Mapping[str, object]:
    """Return what the figures hang on."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "load_at_start": load(),
        "versions": {name: _version(item.distribution) for name, item in LIBRARIES.items() if item.is_installed},
    }


def load() -> float:
    """Return how many processes wanted a processor during the last minute."""
    return round(os.getloadavg()[0], 2)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "this checkout"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
