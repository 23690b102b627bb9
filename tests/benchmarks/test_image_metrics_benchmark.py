"""The benchmark of image metrics runs from a checkout, and its mixed set holds pictures of every fault."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks/image_metrics.py"), "--json", "-"]
FAULTS = ["dark", "light", "odd_aspect_ratio", "low_information", "blurry", "grayscale", "odd_size", "exact_duplicates"]


@pytest.fixture(scope="module")
def figures() -> Mapping[str, Mapping]:
    options = ["--photos=1", "--rounds=1", "--mixed=18"]
    run = subprocess.run([*COMMAND, *options], check=True, capture_output=True, timeout=240)
    return json.loads(run.stdout)


@pytest.mark.parametrize("size", ["1 MP", "12 MP"])
def test_each_size_has_its_rate(figures: Mapping, size: str) -> None:
    assert figures["speed"][size]["images_per_second"] > 1


@pytest.mark.parametrize("fault", FAULTS)
def test_mixed_set_has_pictures_with_each_fault(figures: Mapping, fault: str) -> None:
    flags = figures["flags"]
    assert 0 < flags["flagged"][fault] < flags["files"]
