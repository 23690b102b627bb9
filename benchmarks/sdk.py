"""Measure our client side by side with every peer that is installed here; print the figures as JSON.

    python benchmarks/sdk.py --json figures.json
    python benchmarks/sdk.py --json - --quick --only capture,exit --peers sentry,requests

Progress goes to standard error. benchmarks/README.md says how to install the peers and what the cases mean.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from benchmarks.client_sdks import case_capture, case_crash, case_exit, case_loss, case_start, case_upload
from benchmarks.client_sdks.bench import QUICK, Bench, Sizes, attempt
from benchmarks.client_sdks.figures import Row, load, machine, ratios, table
from benchmarks.client_sdks.libraries import LIBRARIES, OURS
from benchmarks.client_sdks.targets import RATIOS, TARGETS

CASES: Mapping[str, Callable[[Bench], Sequence[Row]]] = {
    "capture": case_capture.capture,
    "start": case_start.start,
    "memory": case_start.memory,
    "outage": case_loss.outage,
    "sigkill": case_loss.sigkill,
    "crash": case_crash.crash,
    "disk": case_crash.disk,
    "exit": case_exit.leave,
    "fork": case_loss.fork,
    "late": case_loss.late,
    "block": case_capture.block,
    "upload": case_upload.upload,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """What the command was given."""

    json: str
    is_quick: bool
    cases: Sequence[str]
    libraries: Sequence[str]
    server_url: str
    server_key: str


def main() -> int:
    """Run the benchmark; what does not hold stands in the figures."""
    arguments = _arguments()
    # Where it is set, each interpreter compiles every module anew, and a library is charged for that.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = time.monotonic()
    # Children, servers and a mounted disk must not outlive a run that is told to stop.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))

    def tell(text: str) -> None:
        print(f"{time.monotonic() - begin:7.1f} s  {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="lookswrong-benchmark-") as folder:
        bench = Bench(
            libraries=arguments.libraries,
            sizes=QUICK if arguments.is_quick else Sizes(),
            folder=Path(folder),
            tell=tell,
            server_url=arguments.server_url,
            server_key=arguments.server_key,
        )
        cases: dict[str, Mapping[str, object]] = {}
        report = {
            "benchmark": "sdk",
            "is_quick": arguments.is_quick,
            "machine": machine(),
            "notes": {name: LIBRARIES[name].note for name in arguments.libraries if LIBRARIES[name].note},
            "cases": cases,
        }
        for case in arguments.cases:
            cases[case] = _case(bench, case)
            if arguments.json != "-":  # after each case: a long run that is interrupted leaves its figures
                _write(Path(arguments.json), report)
    if arguments.json == "-":
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0


def _write(path: Path, report: Mapping[str, object]) -> None:
    path.write_text(json.dumps(report, indent=2) + "\n")


def _case(bench: Bench, case: str) -> Mapping[str, object]:
    begin, load_before = time.monotonic(), load()
    # A quick run is to see that all works: too small for what a full run must hold to.
    is_judged = bench.sizes != QUICK
    found = table(attempt(lambda _: CASES[case](bench), OURS), TARGETS.get(case, {}) if is_judged else {})
    compared = ratios(found, RATIOS.get(case, {}) if is_judged else {})
    seconds = round(time.monotonic() - begin, 1)
    bench.tell(f"{case}: done in {seconds} s")
    return {
        "seconds": seconds,
        "load_before": load_before,
        "load_after": load(),
        "ratios": compared,
        "libraries": found,
    }


def _arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True, metavar="FILE", help="where the figures go; -: standard output")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that all works")
    parser.add_argument("--only", default=",".join(CASES), metavar="CASE,…", help=f"of {', '.join(CASES)}")
    parser.add_argument("--peers", default="all", metavar="NAME,…", help="all (that are installed), none, or names")
    parser.add_argument("--server", default="", metavar="URL", help="a real server for the case `late`; needs --key")
    parser.add_argument("--key", default="", help="a key of that server with the scopes ingest and read")
    given = parser.parse_args()
    cases = given.only.split(",")
    if unknown := set(cases) - set(CASES):
        parser.error(f"--only must name cases of {', '.join(CASES)}, got {', '.join(sorted(unknown))}")
    if bool(given.server) != bool(given.key):
        parser.error("--server and --key must be given together, got one of them")
    return Arguments(
        json=given.json,
        is_quick=given.quick,
        cases=cases,
        libraries=[OURS, *_peers(parser, given.peers)],
        server_url=given.server,
        server_key=given.key,
    )


def _peers(parser: argparse.ArgumentParser, given: str) -> Sequence[str]:
    installed = [name for name, library in LIBRARIES.items() if name != OURS and library.is_installed]
    if given == "all":
        return installed
    names = [] if given == "none" else given.split(",")
    if absent := [name for name in names if name not in installed]:
        parser.error(f"--peers must name what is installed here ({', '.join(installed)}), got {', '.join(absent)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
