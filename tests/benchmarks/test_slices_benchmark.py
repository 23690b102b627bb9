"""The benchmark of the search for slices runs from a checkout."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks/slices.py"), "--json", "-", "--runs", "2"]


def test_what_is_bad_enough_is_found_and_chance_is_not() -> None:
    run = subprocess.run(COMMAND, check=True, capture_output=True, timeout=120)
    cases = json.loads(run.stdout)["cases"]
    assert cases["all annotated, 5% errors, 1000"]["a bad slice, 8 x the errors"]["found_first"] == 1.0
    assert [case["no bad slice"]["found_by_chance"] for case in cases.values()] == [0.0] * len(cases)
