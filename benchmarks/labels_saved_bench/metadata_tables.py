"""Tables of a model of two classes, with what its app knows of each prediction: `label`, `probability`, and others."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.labels_saved_bench.days import Company, Day, Floats, Ints, split
from benchmarks.labels_saved_bench.source import Source
from feedback_sdk.types import Prediction, Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The columns of a file."""

    #: of class 1
    probabilities: Floats
    errors: Ints
    metadata: Sequence[Mapping[str, object]]


def find_metadata_tables(folder: Path) -> Mapping[str, Source]:
    """Return a source for each `*.csv` that has the columns `label` (0 or 1) and `probability` (of class 1)."""
    found = {}
    for file in sorted(folder.rglob("*.csv")):
        with file.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            if {"label", "probability"} <= set(reader.fieldnames or ()):
                found[file.stem] = _source(_read(list(reader)))
    return found


def _read(rows: Sequence[Mapping[str, str]]) -> Table:
    probabilities = np.array([float(row["probability"]) for row in rows])
    labels = np.array([int(row["label"]) for row in rows])
    return Table(
        probabilities=probabilities,
        errors=((probabilities >= 0.5) != labels).astype(np.int64),
        metadata=[
            {name: _value(text) for name, text in row.items() if name not in ("label", "probability")} for row in rows
        ],
    )


def _value(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _source(table: Table) -> Source:
    def draw(seed: int) -> Day:
        parts = split(len(table.errors), seed=seed)
        return Day(
            yesterday=_predictions(table, parts.yesterday),
            today=_predictions(table, parts.today),
            shadows=(),
            errors=table.errors[parts.today],
            is_wrong=table.errors[parts.today] > 0,
            yesterday_errors=table.errors[parts.yesterday],
            yesterday_company=_company(table, parts.yesterday),
            company=_company(table, parts.today),
        )

    return Source(
        rows=len(table.errors),
        about=f"{len(table.errors)} stored probabilities of two classes, with labels and metadata",
        is_classification=True,
        budget_share=0.05,
        draw=draw,
    )


def _predictions(table: Table, rows: Ints) -> list[Prediction]:
    return [
        Prediction(model_version="table", task=Task.CLASSIFICATION, classes={"0": 1.0 - one, "1": one})
        for one in table.probabilities[rows].tolist()
    ]


def _company(table: Table, rows: Ints) -> list[Company]:
    return [Company(metadata=table.metadata[row]) for row in rows.tolist()]
