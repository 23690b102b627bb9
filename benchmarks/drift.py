"""Measure reports of drift: how fast, how often they are wrong in a year, and how soon they find a shift; print JSON.

    python benchmarks/drift.py --json figures.json
    python benchmarks/drift.py --data FOLDER --json - --quick

Progress goes to standard error; benchmarks/README.md says what the figures mean.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))
# The arrays are small: threads of the linear algebra would wait for each other.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from benchmarks.drift_bench import census, features, rates, speed

_DATA = "LOOKSWRONG_BENCHMARK_DATA"


def main() -> int:
    """Run the benchmark; what does not hold stands in the figures."""
    given = _arguments()
    years = 4 if given.quick else given.years
    cases: Mapping[str, Callable[[], object]] = {
        "speed": lambda: speed.measure(rows=10_000 if given.quick else 100_000),
        "one look at 100 rows": lambda: features.one_look(runs=200 if given.quick else 2000),
        "a year of daily looks, 10 features": lambda: features.years(years),
        "a year of daily looks, a rate": lambda: rates.years(years * 5),
        "a rate that rises": lambda: rates.delays(runs=10 if given.quick else 100),
        "census": lambda: census.measure(given.data, runs=2 if given.quick else 10),
    }
    found: dict[str, object] = {}
    begin = time.monotonic()
    for name, case in cases.items():
        if given.only in (None, name):
            found[name] = case()
            print(f"{time.monotonic() - begin:6.1f} s  {name}", file=sys.stderr, flush=True)
    text = json.dumps({"benchmark": "drift", "load_at_start": os.getloadavg()[0], "cases": found}, indent=2) + "\n"
    if given.json == "-":
        sys.stdout.write(text)
    else:
        Path(given.json).write_text(text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True, metavar="FILE", help="where the figures go; -: standard output")
    parser.add_argument("--quick", action="store_true", help="few of everything, to see that all works")
    parser.add_argument("--only", metavar="CASE", help="one case")
    parser.add_argument(
        "--years", type=int, default=40, metavar="N", help="of ten features; of a rate five times as many"
    )
    parser.add_argument("--data", type=Path, default=os.environ.get(_DATA), metavar="FOLDER", help="the census table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
