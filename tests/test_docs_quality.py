"""docs/quality.md names all that a report of quality holds."""

from dataclasses import fields
from pathlib import Path

import pytest

from feedback_sdk.types import Task
from queue_server.core.model_quality import VersionQuality
from queue_server.core.model_quality.measures import measures
from queue_server.reports import QualityReport, Totals
from queue_server.reports.quality import STRATA_COLUMNS

DOCS = (Path(__file__).parent.parent / "docs" / "quality.md").read_text()
PLAIN = {"model_version", "samples", "stands_for", "versions", "since"}
NEW = {field.name for field in fields(QualityReport)} - {field.name for field in fields(Totals)}
FIGURES = {figure.name for task in Task for figure in measures([], [], task)}


@pytest.mark.parametrize("name", sorted({field.name for field in fields(VersionQuality)} | NEW | FIGURES - PLAIN))
def test_docs_name_what_a_report_holds(name: str) -> None:
    assert f"`{name}`" in DOCS or name in PLAIN


@pytest.mark.parametrize("name", ["size", "drawn", "annotated", "stratum_weight", "share"])
def test_docs_tell_the_columns_of_the_strata(name: str) -> None:
    assert name in STRATA_COLUMNS
    assert f"`{name}`" in DOCS
