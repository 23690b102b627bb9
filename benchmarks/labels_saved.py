"""Simulate the loop on tables of real predictions: how many errors each policy finds per annotation, against random.

    python benchmarks/labels_saved.py --data FOLDER --json figures.json
    python benchmarks/labels_saved.py --json - --quick --only digits

Progress goes to standard error. benchmarks/README.md says what the folder holds and what the figures mean.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))
# The arrays are small: threads of the linear algebra, made when numpy is loaded, would wait for each other.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from benchmarks.labels_saved_bench.measure import measure
from benchmarks.labels_saved_bench.policies import ABOUT
from benchmarks.labels_saved_bench.report import NOTES, aim
from benchmarks.labels_saved_bench.reporters import REPORTERS
from benchmarks.labels_saved_bench.source import Source
from benchmarks.labels_saved_bench.tables import DIGITS, find_sources

#: how many days are drawn of each table
_DAYS = 30
_QUICK_DAYS = 2
_DATA = "LOOKSWRONG_BENCHMARK_DATA"


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """What the command was given."""

    json: str
    is_quick: bool
    sources: Mapping[str, Source]


def main() -> int:
    """Run the benchmark; what does not hold stands in the figures."""
    arguments = _arguments()
    begin = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - begin:7.1f} s  {text}", file=sys.stderr, flush=True)

    seeds = range(_QUICK_DAYS if arguments.is_quick else _DAYS)
    tables: dict[str, Mapping[str, object]] = {}
    for name, source in arguments.sources.items():
        tables[name] = measure(source, seeds, tell=lambda text, name=name: tell(f"{name}: {text}"))  # type: ignore[misc]  # bound now
        report = _report(tables, arguments, days=len(seeds))
        if arguments.json != "-":  # after each table: a long run that is interrupted leaves its figures
            Path(arguments.json).write_text(json.dumps(report, indent=2) + "\n")
    if arguments.json == "-":
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0


def _report(tables: Mapping[str, Mapping[str, object]], arguments: Arguments, *, days: int) -> Mapping[str, object]:
    return {
        "benchmark": "labels_saved",
        "is_quick": arguments.is_quick,
        "days": days,
        "aim": aim(tables),
        "notes": NOTES,
        "policies": ABOUT,
        "reporters": {name: [asdict(group) for group in groups] for name, groups in REPORTERS.items()},
        "tables": tables,
    }


def _arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True, metavar="FILE", help="where the figures go; -: standard output")
    parser.add_argument("--data", metavar="FOLDER", default=os.environ.get(_DATA), help=f"default: ${_DATA}")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that all works")
    parser.add_argument("--only", metavar="TABLE,…", help=f"some of the tables; {DIGITS} needs no folder")
    given = parser.parse_args()
    wanted = given.only.split(",") if given.only else None
    if wanted != [DIGITS] and (given.data is None or not Path(given.data).is_dir()):
        parser.error(f"--data (or ${_DATA}) must be a folder with tables, got {given.data}; --only {DIGITS} needs none")
    sources = find_sources(None if wanted == [DIGITS] else Path(given.data))
    if wanted is None and list(sources) == [DIGITS]:
        parser.error(f"--data must hold *.npz tables or detections, got {given.data} without any")
    return Arguments(json=given.json, is_quick=given.quick, sources=_chosen(parser, sources, wanted))


def _chosen(
    parser: argparse.ArgumentParser, sources: Mapping[str, Source], wanted: Sequence[str] | None
) -> Mapping[str, Source]:
    if unknown := set(wanted or ()) - set(sources):
        parser.error(f"--only must name tables of {', '.join(sources)}, got {', '.join(sorted(unknown))}")
    return {name: source for name, source in sources.items() if wanted is None or name in wanted}


if __name__ == "__main__":
    sys.exit(main())
