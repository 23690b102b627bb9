"""Measure how often the search for the worst slices takes chance for one, and finds one that is there; print JSON.

    python benchmarks/slices.py --json figures.json
    python benchmarks/slices.py --json - --runs 20

Progress goes to standard error; benchmarks/README.md says what the figures mean.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))
# The arrays are small: threads of the linear algebra would wait for each other.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from numpy.typing import NDArray

from queue_server.core.slices import Described, Searched, features, search

#: the bad slice, one sample in 20
_BAD = ("tags has 'night'", "stream == 'cam-2'")
#: with this many predicates, of which several mean nothing
_EMPTY_TAGS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A stream, and how it is annotated."""

    samples: int
    error_rate: float
    #: of what no user objects to; users object to 40% of what is wrong and 2% of what is right
    audit: float


CASES: Mapping[str, Case] = {
    "all annotated, 5% errors, 1000": Case(samples=1_000, error_rate=0.05, audit=1.0),
    "audit of 5%, 1% errors, 8000": Case(samples=8_000, error_rate=0.01, audit=0.05),
    "audit of 5%, 5% errors, 8000": Case(samples=8_000, error_rate=0.05, audit=0.05),
    "audit of 5%, 10% errors, 20000": Case(samples=20_000, error_rate=0.10, audit=0.05),
    "audit of 1%, 5% errors, 40000": Case(samples=40_000, error_rate=0.05, audit=0.01),
}
#: the error rate in the bad slice, as many times the usual
RATIOS = (1, 4, 8)


def main() -> int:
    """Run the benchmark; what does not hold stands in the figures."""
    given = _arguments()
    begin = time.monotonic()
    found: dict[str, dict[str, object]] = {}
    for name, case in CASES.items():
        for ratio in RATIOS:
            said = "no bad slice" if ratio == 1 else f"a bad slice, {ratio} x the errors"
            found.setdefault(name, {})[said] = measure(case, ratio, runs=given.runs)
            print(f"{time.monotonic() - begin:6.1f} s  {name}: {said}", file=sys.stderr, flush=True)
    report = {"benchmark": "slices", "runs": given.runs, "target": "found_by_chance <= 0.05", "cases": found}
    text = json.dumps(report, indent=2) + "\n"
    sys.stdout.write(text) if given.json == "-" else Path(given.json).write_text(text)
    return 0


def measure(case: Case, ratio: int, *, runs: int) -> dict[str, object]:
    """Return how many searches found something, the bad slice first, and something that is chance."""
    searches = [_search(np.random.default_rng(run), case, ratio) for run in range(runs)]
    false = [_is_false(one, ratio) for one in searches]
    return {
        "annotated": round(sum(one.annotated for one in searches) / runs),
        "tested": round(sum(one.tested for one in searches) / runs),
        "found_any": sum(bool(one.found) for one in searches) / runs,
        "found_first": sum(bool(one.found) and _is_bad(one.found[0].condition) for one in searches) / runs,
        "found_by_chance": sum(false) / runs,
    }


def _is_false(one: Searched, ratio: int) -> bool:
    """Tell whether anything was found that has nothing of the bad slice in it."""
    return any(ratio == 1 or not any(part in found.condition for part in _BAD) for found in one.found)


def _is_bad(condition: str) -> bool:
    return set(condition.split(" and ")) == set(_BAD)


def _search(random: np.random.Generator, case: Case, ratio: int) -> Searched:
    count = case.samples
    stream, night = random.integers(0, 6, count), random.random(count) < 0.3
    rate = np.where(night & (stream == 2), min(0.9, ratio * case.error_rate), case.error_rate)
    is_wrong = random.random(count) < rate
    objected = random.random(count) < np.where(is_wrong, 0.4, 0.02)
    drawn = np.flatnonzero(objected | (random.random(count) < case.audit))
    weights = np.where(objected[drawn], 1.0, 1.0 / case.audit)
    told = features(_described(random, stream[drawn], night[drawn]), fewest=20)
    return search(told.predicates, is_wrong[drawn], weights)


def _described(random: np.random.Generator, stream: NDArray[np.int64], night: NDArray[np.bool_]) -> list[Described]:
    count = stream.size
    empty = random.random((count, _EMPTY_TAGS)) < 0.25
    brightness, lens, lot = random.random(count), random.integers(0, 3, count), random.integers(0, 40, count)
    return [
        Described(
            stream=f"cam-{stream[at]}",
            tags=["night"] * bool(night[at]) + [f"tag-{tag}" for tag in np.flatnonzero(empty[at])],
            metadata={"lens": f"l{lens[at]}", "lot": int(lot[at])},
            numbers={"metric.brightness": float(brightness[at])},
        )
        for at in range(count)
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", default="-", help="where the figures go; - is standard output")
    parser.add_argument("--runs", type=int, default=400, help="simulated streams of each case")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
