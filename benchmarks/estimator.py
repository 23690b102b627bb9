"""Measure how often intervals of the accuracy hold the truth, over many simulated projects; print JSON.

    python benchmarks/estimator.py --json figures.json
    python benchmarks/estimator.py --data FOLDER --json - --runs 500

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

from benchmarks.estimator_bench.projects import (
    ESTIMATORS,
    Design,
    Interval,
    Project,
    rejections_whole,
    sampled,
    simulate,
)
from benchmarks.estimator_bench.streams import Source, sources
from queue_server.core.estimate import wilson

_DATA = "LOOKSWRONG_BENCHMARK_DATA"
_AUDIT = 0.01
TARGET = 0.93


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A way of drawing, and how many samples come."""

    design: Design
    samples: int


CASES: Mapping[str, Case] = {
    "rejections x8, low confidence x4, n about 50": Case(design=sampled, samples=4_000),
    "rejections x8, low confidence x4, n about 250": Case(design=sampled, samples=20_000),
    "rejections x8, low confidence x4, n about 1000": Case(design=sampled, samples=80_000),
    "rejections and low confidence whole, 47 audits": Case(design=rejections_whole, samples=4_700),
}


def main() -> int:
    """Run the benchmark; what does not hold stands in the figures."""
    given = _arguments()
    begin = time.monotonic()
    found: dict[str, dict[str, object]] = {}
    for name, source in sources(given.data).items():
        for what, case in CASES.items():
            found.setdefault(name, {})[what] = measure(source, case, runs=given.runs)
            print(f"{time.monotonic() - begin:6.1f} s  {name}: {what}", file=sys.stderr, flush=True)
    report = {"benchmark": "estimator", "runs": given.runs, "level": 0.95, "target": f">= {TARGET}", "sources": found}
    text = json.dumps(report, indent=2) + "\n"
    if given.json == "-":
        sys.stdout.write(text)
    else:
        Path(given.json).write_text(text)
    return 0


def measure(source: Source, case: Case, *, runs: int) -> dict[str, object]:
    """Return how often each estimator's interval holds the truth, and how wide it is."""
    random = np.random.default_rng(7)
    tallies = {name: _Tally() for name in [*ESTIMATORS, "random sample of the same size"]}
    drawn = 0
    for _ in range(runs):
        project = simulate(random, source(random, case.samples), case.design, audit=_AUDIT)
        drawn += int(project.is_drawn.sum())
        for name, estimator in ESTIMATORS.items():
            tallies[name].add(estimator(project), project.truth)
        tallies["random sample of the same size"].add(_at_random(random, project), project.truth)
    return {
        "annotations": round(drawn / runs, 1),
        "estimators": {name: tally.figures(runs) for name, tally in tallies.items()},
    }


def _at_random(random: np.random.Generator, project: Project) -> Interval:
    n = max(1, int(project.is_drawn.sum()))
    wrong = int(project.stream.is_wrong.sum())
    found = random.hypergeometric(wrong, len(project.chance) - wrong, n)
    return wilson(1 - found / n, n)


class _Tally:
    """Adds up one estimator's intervals."""

    def __init__(self) -> None:
        self._held = self._too_low = 0
        self._width = self._error = 0.0

    def add(self, interval: Interval, truth: float) -> None:
        low, high = interval
        self._held += low - 1e-12 <= truth <= high + 1e-12
        self._too_low += high + 1e-12 < truth
        self._width += high - low
        self._error += (low + high) / 2 - truth

    def figures(self, runs: int) -> dict[str, float]:
        return {
            "coverage": round(self._held / runs, 4),
            "below_the_truth": round(self._too_low / runs, 4),
            "width": round(self._width / runs, 4),
            "middle_minus_truth": round(self._error / runs, 4),
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True, metavar="FILE", help="where the figures go; -: standard output")
    parser.add_argument("--runs", type=_positive, default=2000, metavar="N", help="projects of each case")
    parser.add_argument("--data", type=Path, default=os.environ.get(_DATA), metavar="FOLDER", help="tables, *.npz")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
