"""Counts over the tables, for reports, pages and metrics."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from queue_server import models
from queue_server.core.policy import State


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleCount:
    """How many samples of a project share a state, a reason, a verdict and a model version."""

    state: str
    reason: str | None
    verdict: str | None
    model_version: str | None
    count: int


def by_state(session: Session, project_id: int) -> list[SampleCount]:
    """Count a project's samples by all that the first report shows."""
    row = models.Sample
    query = (
        select(row.state, row.reason, row.verdict, row.model_version)
        .add_columns(func.count())
        .where(col(row.project_id) == project_id)
        .group_by(col(row.state), col(row.reason), col(row.verdict), col(row.model_version))
        .order_by(col(row.state), col(row.reason), col(row.verdict), col(row.model_version))
    )
    return [
        SampleCount(state=state, reason=reason, verdict=verdict, model_version=version, count=count)
        for state, reason, verdict, version, count in session.connection().execute(query)
    ]


def feedback_by_verdict(session: Session, project_id: int) -> dict[str, int]:
    """Count a project's feedback by verdict, every one that was kept."""
    query = (
        select(models.Feedback.verdict, func.count())
        .where(models.Feedback.project_id == project_id)
        .group_by(models.Feedback.verdict)
        .order_by(models.Feedback.verdict)
    )
    return dict(session.exec(query).all())


def annotated(session: Session, project_id: int) -> int:
    """Count a project's samples with a finished annotation."""
    query = select(func.count()).where(models.Sample.project_id == project_id, models.Sample.state == State.ANNOTATED)
    return session.exec(query).one()


def labeling_tasks_by_state(session: Session, project_id: int) -> dict[str, int]:
    """Count a project's labeling tasks by state."""
    query = (
        select(models.LabelingTask.state, func.count())
        .where(models.LabelingTask.project_id == project_id)
        .group_by(models.LabelingTask.state)
    )
    return dict(session.exec(query).all())


def queued_by_reason(session: Session, project_id: int) -> dict[str, int]:
    """Count the samples that wait for an annotator, by the reason that ranks highest."""
    query = (
        select(models.Sample.reason, func.count())
        .where(
            models.Sample.project_id == project_id,
            col(models.Sample.state).in_([State.QUEUED, State.PUSHED, State.HELD]),
        )
        .group_by(models.Sample.reason)
        .order_by(func.count().desc())
    )
    return {reason or "": count for reason, count in session.exec(query)}


def overdue(session: Session, now: datetime) -> int:
    """Count the samples on which the worker should have decided by now."""
    query = select(func.count()).where(col(models.Sample.decide_after) <= now)
    return session.exec(query).one()
