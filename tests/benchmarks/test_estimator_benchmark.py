"""The benchmark of intervals runs from a checkout, and the server's own interval holds what it says."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks/estimator.py"), "--json", "-"]
ERRORS = ["8%", "1%", "0.3%"]
FEW = "rejections and low confidence whole, 47 audits"
RUNS = 150


@pytest.fixture(scope="module")
def sources() -> Mapping[str, Mapping[str, Mapping]]:
    run = subprocess.run([*COMMAND, f"--runs={RUNS}"], check=True, capture_output=True, timeout=240)
    return json.loads(run.stdout)["sources"]


def coverage(case: Mapping, estimator: str) -> float:
    return case["estimators"][estimator]["coverage"]


@pytest.mark.parametrize("errors", ERRORS)
def test_own_interval_holds_the_truth(sources: Mapping, errors: str) -> None:
    # of 150 runs at 95% fewer than 0.9 hold once in 200 times
    assert min(coverage(case, "ours") for case in sources[f"made up, {errors} errors"].values()) >= 0.9


@pytest.mark.parametrize("estimator", ["users' feedback", "queue as it is", "post-stratified, one effective n"])
def test_simpler_figures_do_not_where_audits_find_few_errors(sources: Mapping, estimator: str) -> None:
    assert coverage(sources["made up, 1% errors"][FEW], estimator) < 0.5
