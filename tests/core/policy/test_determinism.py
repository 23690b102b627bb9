"""The same sample and policy give the same decision: in any process, in any order, however often it is asked."""

import os
import subprocess
import sys
from pathlib import Path

from tests.core.policy import deciding

ROOT = Path(__file__).parents[3]


def told_by_process(seed: int) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "tests.core.policy.deciding", str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


def test_decisions_differ_from_sample_to_sample() -> None:
    made = [deciding.decide(sample, deciding.POLICIES[0], deciding.AFTER) for sample in deciding.samples(50)]
    assert len({(found.state, found.reason, found.inclusion_probability) for found in made}) > 10


def test_any_order_and_any_retries_give_the_same_decisions() -> None:
    assert deciding.digest(1, 100) == deciding.digest(2, 100)


def test_two_processes_give_the_same_decisions() -> None:
    assert told_by_process(1) == told_by_process(2)
