"""The benchmark of alerts, in a short form: few false alarms a year, and a real fall is told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def figures() -> dict:
    command = [sys.executable, str(ROOT / "benchmarks/alerts.py"), "--json", "-", "--years", "12"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def alarms(figures: dict, how: str) -> float:
    """Return the share of years with an alarm, over all cases together: 108 years."""
    cases = figures["truth_at_the_limit"]
    return sum(case[how]["years_with_an_alarm"] for case in cases) / len(cases)


def test_year_of_daily_looks_raises_few_false_alarms(figures: dict) -> None:
    assert alarms(figures, "ours") <= figures["stated_false_alarms_a_year"]
    assert alarms(figures, "interval of 95% as it is") > 0.5


def test_fall_of_ten_points_is_told(figures: dict) -> None:
    told = {(case["falls_to"], case["audits_a_day"]): case["told_within_a_year"] for case in figures["falls"]}
    assert told[0.82, 10] == 1.0
