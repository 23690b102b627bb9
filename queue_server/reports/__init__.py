"""Reports of a project, read afresh at each call."""

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from queue_server.reports.quality import Narrowed, QualityReport, quality_report, strata_csv
from queue_server.reports.totals import Totals, totals

__all__ = ["REPORTS", "Narrowed", "QualityReport", "Totals", "make_report", "strata_csv", "totals"]

REPORTS: dict[str, Callable[..., QualityReport]] = {"quality": quality_report}


def make_report(
    session: Session, name: str, *, project_id: int, now: datetime, narrowed: Narrowed | None = None
) -> QualityReport:
    """Make the report of that name."""
    return REPORTS[name](session, narrowed or Narrowed(), project_id=project_id, now=now)
