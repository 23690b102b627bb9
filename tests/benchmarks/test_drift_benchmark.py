"""The benchmark of drift runs from a checkout, and a rise is found within the stated days."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks/drift.py"), "--json", "-", "--quick"]


def case(name: str, *more: str) -> Mapping:
    run = subprocess.run([*COMMAND, "--only", name, *more], check=True, capture_output=True, timeout=120)
    return json.loads(run.stdout)["cases"][name]


def test_rise_is_found_within_the_stated_days() -> None:
    assert [found for found in case("a rate that rises") if found["median_days"] > found["stated_days"]] == []


def test_usual_limits_alarm_without_any_drift_and_ours_do_not() -> None:
    found = case("one look at 100 rows")["false_alarms"]
    assert found["PSI > 0.1"] > 0.3
    assert found["ours"] == 0


def test_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "employment_MA.parquet" in case("census", "--data", str(tmp_path))["left_out"]


@pytest.mark.parametrize("name", ["speed"])
def test_speed_is_measured_without_peers_too(name: str) -> None:
    assert case(name)["seconds"]["ours"] > 0
