"""Reports of a project, read afresh at each call."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlmodel import Session

from queue_server.reports.card_text import render_html, render_markdown
from queue_server.reports.cards import ModelCard, model_card
from queue_server.reports.coco import CocoReport, coco_report
from queue_server.reports.drift import DriftReport, drift_report
from queue_server.reports.metrics import MetricsReport, metrics_report
from queue_server.reports.narrowed import Narrowed
from queue_server.reports.quality import QualityReport, quality_report, strata_csv
from queue_server.reports.slices import SlicesReport, slices_report
from queue_server.reports.totals import Totals, totals

__all__ = [
    "REPORTS",
    "CocoReport",
    "DriftReport",
    "MetricsReport",
    "ModelCard",
    "Narrowed",
    "QualityReport",
    "SlicesReport",
    "Totals",
    "coco_report",
    "drift_report",
    "make_report",
    "metrics_report",
    "model_card",
    "render_html",
    "render_markdown",
    "slices_report",
    "strata_csv",
    "totals",
]

REPORTS: Mapping[str, Callable[..., object]] = {
    "quality": quality_report,
    "coco": coco_report,
    "slices": slices_report,
    "drift": drift_report,
    "metrics": metrics_report,
}


def make_report(
    session: Session, name: str, *, project_id: int, now: datetime, narrowed: Narrowed | None = None
) -> object:
    """Make the report of that name: a dataclass of its own."""
    return REPORTS[name](session, narrowed or Narrowed(), project_id=project_id, now=now)
