"""Measure the policy: decisions a second with ten rules, all explained, and replay of stored samples; print JSON.

    python benchmarks/policy.py --json figures.json
    python benchmarks/policy.py --json - --samples 20000 --skip-replay

Progress goes to standard error; benchmarks/README.md says what the figures mean.
"""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from benchmarks.policy_bench.decide import decide_figures


def main() -> int:
    """Run the benchmark; what does not hold stands in the figures."""
    given = _arguments()
    report: dict[str, object] = {
        "benchmark": "policy",
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_at_start": round(os.getloadavg()[0], 2),
        },
    }
    print(f"decide: {given.samples} decisions a case", file=sys.stderr, flush=True)
    report["decide"] = decide_figures(given.samples)
    if not given.skip_replay:
        from benchmarks.policy_bench.replay import replay_figures  # it opens a database

        print(f"replay: {given.replay_samples} samples", file=sys.stderr, flush=True)
        report["replay"] = replay_figures(given.replay_samples)
    text = json.dumps(report, indent=2) + "\n"
    if given.json == "-":
        sys.stdout.write(text)
    else:
        Path(given.json).write_text(text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True, metavar="FILE", help="where the figures go; -: standard output")
    parser.add_argument("--samples", type=_positive, default=50_000, metavar="N", help="decisions of each case")
    parser.add_argument("--replay-samples", type=_positive, default=1_000_000, metavar="N", help="stored samples")
    parser.add_argument("--skip-replay", action="store_true", help="measure `decide` alone")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
