"""The benchmark of the SDK runs from a checkout, without any peer, and prints figures that a program can read."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks/sdk.py")]
NOTHING_LOST = [
    ("outage", "2 s: arrived", 50),
    ("sigkill", "arrived", 200),
    ("crash", "acknowledged and missing", 0),
    ("crash", "altered", 0),
    ("disk", "accepted and missing", 0),
    ("disk", "arrived and not accepted", 0),
    ("fork", "arrived", 100),
    ("fork", "parent's repeats", 0),
    ("late", "stored", 50),
    ("upload", "when_wanted: images", 3),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping]:
    file = tmp_path_factory.mktemp("benchmark") / "figures.json"
    subprocess.run([*COMMAND, "--json", str(file), "--quick", "--peers", "none"], check=True, timeout=240)
    return json.loads(file.read_text())


def figures(report: Mapping[str, Mapping], case: str) -> Mapping[str, Mapping]:
    return report["cases"][case]["libraries"]["lookswrong"]


def test_quick_run_measures_every_case(report):
    failed = {case: figures(report, case)["failed"] for case in report["cases"] if "failed" in figures(report, case)}
    assert (len(report["cases"]), failed) == (12, {})


@pytest.mark.parametrize(("case", "figure", "expected"), NOTHING_LOST)
def test_quick_run_loses_nothing(report, case, figure, expected):
    assert figures(report, case)[figure]["median"] == expected


def test_report_names_the_machine_and_the_versions(report):
    assert {"cpu", "cores", "python", "versions"} <= report["machine"].keys()
    assert "lookswrong" in report["machine"]["versions"]


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--peers", "nobody"], ["--server", "http://h"]])
def test_wrong_argument_gets_a_clear_error(arguments):
    command = [*COMMAND, "--json", "-", *arguments]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2
    assert "must" in ran.stderr
