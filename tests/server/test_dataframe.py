"""A row of each sample for pandas, Evidently and spreadsheets."""

import csv
import json
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from feedback_sdk.types import Prediction
from queue_server.backend import Backend
from queue_server.cli import main
from queue_server.reports import Narrowed
from queue_server.reports.dataframe import DataFrame, column_mapping, dataframe_of
from queue_server.store.engine import reading
from tests.server.clock import Clock
from tests.server.conftest import NOW, prediction
from tests.server.test_reports import annotate

RULES = "  - {strategy: user_rejected}\n  - {strategy: random, rate: 1.0}\n"
CLASSES = """
project: pill-kind
task: classification
labels: [pill, capsule]
confirmation_window: 24h
rules: [{strategy: random, rate: 1.0}]
"""
#: run by a Python that has pandas and Evidently: a report of drift and one of quality, from the file and its columns
EVIDENTLY = """
import json, sys
import pandas
from evidently import BinaryClassification, DataDefinition, Dataset, Report
from evidently.presets import ClassificationPreset, DataDriftPreset

frame = pandas.read_csv(sys.argv[1], parse_dates=["captured_at"])
mapping = json.load(open(sys.argv[1] + ".columns.json"))
held = BinaryClassification(target=mapping["target"], prediction_labels=mapping["prediction_labels"], pos_label="pill")
definition = DataDefinition(**mapping["data_definition"], classification=[held])
first, second = (Dataset.from_pandas(part, data_definition=definition) for part in (frame[:20], frame[20:]))
found = Report([DataDriftPreset(), ClassificationPreset()]).run(second, first).dict()
print([metric["value"] for metric in found["metrics"] if metric["metric_name"].startswith("Accuracy")][0])
"""
Made = Callable[[str], Clock]


def dataframe(clock: Clock, **narrowed: Any) -> tuple[DataFrame, list[dict[str, object]]]:
    """Return the table, and its rows."""
    with reading(clock.backend.engine) as session:
        made = dataframe_of(session, Narrowed(**narrowed), project_id=clock.project_id, now=NOW + timedelta(days=2))
        return made, [dict(row) for page in made.pages for row in page]


def test_project_without_samples_has_columns_alone(make: Made) -> None:
    made, rows = dataframe(make(RULES))
    assert rows == []
    assert {"sample_id", "captured_at", "confidence", "brightness", "object_count"} <= set(made.columns)


def test_row_says_what_all_three_voices_said(make: Made) -> None:
    clock = make(RULES)
    seen = clock.arrive(prediction(0.9, 0.8), stream="cam-1")
    clock.say(seen, "rejected")
    annotate(clock, [seen], right=False, document={"boxes": []})
    (row,) = dataframe(clock)[1]
    assert (row["sample_id"], row["stream"], row["verdict"]) == (str(seen), "cam-1", "rejected")
    assert (row["predicted_count"], row["annotated_count"], row["is_right"]) == (2, 0, "no")
    assert row["object_count"] == 2


def test_row_holds_nothing_where_nobody_looked(make: Made) -> None:
    clock = make(RULES)
    clock.arrive(prediction(0.9))
    (row,) = dataframe(clock)[1]
    assert (row["verdict"], row["annotated_count"], row["is_right"]) == (None, None, None)


def test_rows_are_of_the_version_that_is_asked_for(make: Made) -> None:
    clock = make(RULES)
    clock.arrive(prediction(0.9, model_version="v1"))
    clock.arrive(prediction(0.9, model_version="v2"))
    assert [row["model_version"] for row in dataframe(clock, model_version="v2")[1]] == ["v2"]


def test_pages_join_without_a_gap(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_server.store.dataframe._PAGE", 2)
    clock = make(RULES)
    ids = [str(clock.arrive(prediction(0.9))) for _ in range(5)]
    assert [row["sample_id"] for row in dataframe(clock)[1]] == ids


def test_columns_that_are_empty_or_no_data_are_not_to_be_looked_at(make: Made) -> None:
    made, _ = dataframe(make(RULES))
    found = column_mapping(made, frozenset({"confidence", "verdict", "reason", "stands_for"}))
    definition = found["data_definition"]
    assert (definition["numerical_columns"], definition["categorical_columns"]) == (["confidence"], ["verdict"])


def classified(backend: Backend, count: int = 40) -> Clock:
    """Return a project of which an annotator saw every sample, and changed one in four."""
    clock = Clock(backend, CLASSES)
    for number in range(count):
        said = ("pill", "capsule")[number % 2]
        found = Prediction(model_version="v1", task="classification", classes={said: 0.5 + number / 100})
        seen = clock.arrive(found, captured_at=NOW + timedelta(minutes=number))
        is_right = number % 4 > 0
        label = said if is_right else "capsule"
        annotate(clock, [seen], right=is_right, document={"labels": [label]})
    return clock


def written(backend: Backend, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write all samples by the command."""
    folder = backend.settings.data_dir
    monkeypatch.setenv("LOOKSWRONG_DATA_DIR", str(folder))
    ended = CliRunner().invoke(main, ["dataframe", str(folder / name), "--since", "2026-11-01"])
    assert ended.exit_code == 0, ended.output
    return folder / name


def test_command_writes_a_table_and_what_its_columns_are(
    sqlite_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    classified(sqlite_backend, 4)
    file = written(sqlite_backend, "samples.csv", monkeypatch)
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [(row["predicted"], row["annotated"], row["is_right"]) for row in rows[:2]] == [
        ("pill", "capsule", "no"),
        ("capsule", "capsule", "yes"),
    ]
    mapping = json.loads(Path(f"{file}.columns.json").read_text())
    assert (mapping["target"], mapping["prediction_labels"]) == ("annotated", "predicted")
    assert rows[0]["captured_at"] == "2026-11-20T12:00:00.000000+00:00"


def test_parquet_holds_the_same(sqlite_backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")
    classified(sqlite_backend, 4)
    found = parquet.read_table(written(sqlite_backend, "samples.parquet", monkeypatch)).to_pylist()
    assert [row["predicted"] for row in found] == ["pill", "capsule"] * 2
    assert found[0]["captured_at"] == NOW


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    ended = CliRunner().invoke(main, ["dataframe", str(tmp_path / "samples.xlsx")])
    assert ended.exit_code == 2
    assert "FILE must end in .parquet or .csv, got samples.xlsx" in ended.output


def test_evidently_reads_it(sqlite_backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    python = os.environ.get("LOOKSWRONG_EVIDENTLY_PYTHON")
    if python is None:
        pytest.skip("LOOKSWRONG_EVIDENTLY_PYTHON must name a Python with evidently and pandas below 3 (1 GB)")
    classified(sqlite_backend)
    file = written(sqlite_backend, "samples.csv", monkeypatch)
    command = (python, "-W", "ignore", "-c", EVIDENTLY, str(file))
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout.splitlines()[-1]) == pytest.approx(0.75)
