"""docs/drift.md names all that a report of drift holds."""

from dataclasses import fields
from pathlib import Path

import pytest

from queue_server.core.drift import Alarm, FeatureDrift, Pace
from queue_server.core.sequential import RateChange
from queue_server.reports import DriftReport
from queue_server.reports.drift import RateDrift, ReferenceSource

DOCS = (Path(__file__).parent.parent / "docs" / "drift.md").read_text()
PLAIN = {"project", "made_at", "model_version", "name", "kind", "n", "reference", "false_alarms_a_year", "drifted"}
NAMES = {field.name for value in (FeatureDrift, DriftReport, RateDrift, RateChange) for field in fields(value)}


@pytest.mark.parametrize("name", sorted((NAMES | set(Pace)) - PLAIN))
def test_docs_name_what_a_report_holds(name: str) -> None:
    assert f"`{name}`" in DOCS


@pytest.mark.parametrize("name", ReferenceSource)
def test_docs_name_each_kind_of_reference(name: str) -> None:
    assert f"`{name}`" in DOCS


def test_docs_state_the_limits() -> None:
    limits = Alarm()
    assert f"`effect` ≥ {limits.effect}" in DOCS
    assert f"`level` is {limits.chance}/{limits.looks}" in DOCS
    assert f"hold {limits.fewest} rows or more" in DOCS
