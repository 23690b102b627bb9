"""The benchmark of the pages in its short form: it fills a database and answers every page."""

import json
import subprocess
import sys
from pathlib import Path

from scripts import services
from tests.servers import missing

ROOT = Path(__file__).parents[2]


def test_benchmark_measures_every_page(tmp_path: Path) -> None:
    if services.find_postgresql() is None:
        missing("PostgreSQL")
    out = tmp_path / "figures.json"
    command = [sys.executable, "benchmarks/pages.py", "--json", str(out), "--samples", "300", "--requests", "1"]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    figures = json.loads(out.read_text())
    assert figures["samples"] == 300
    assert len(figures["pages"]) >= 10
    assert all(0 < page["p50_ms"] <= page["p95_ms"] for page in figures["pages"].values())
    assert set(figures["worker_seconds"]) >= {"totals", "quality", "rules"}
