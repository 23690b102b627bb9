"""The benchmark of the policy runs from a checkout and prints figures that a program can read."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks/policy.py")]


@pytest.fixture(scope="module")
def cases() -> Mapping[str, Mapping[str, object]]:
    run = subprocess.run(
        [*COMMAND, "--json", "-", "--samples", "200", "--skip-replay"], check=True, capture_output=True, timeout=120
    )
    return json.loads(run.stdout)["decide"]["cases"]


@pytest.mark.parametrize("kind", ["detection of 5 boxes", "classification"])
@pytest.mark.parametrize("budget", ["budget", "no budget"])
def test_quick_run_measures_every_case(cases: Mapping[str, Mapping[str, object]], kind: str, budget: str) -> None:
    figures = cases[f"{kind}, {budget}"]
    assert figures["decisions_per_second"] > figures["in_words_per_second"] > 0
    assert (figures["target"], figures["matching_rules"] > 1) == (">= 20000", True)


@pytest.mark.parametrize("samples", ["0", "-1", "many"])
def test_wrong_number_of_samples_gets_a_clear_error(samples: str) -> None:
    ran = subprocess.run([*COMMAND, "--json", "-", f"--samples={samples}"], check=False, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "must be a whole number" in ran.stderr
