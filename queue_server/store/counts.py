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


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """The labeling tasks in one state that nobody has finished."""

    state: str
    count: int
    #: when the oldest of them was made
    since: datetime


def backlog(session: Session, project_id: int) -> list[Backlog]:
    """Count what waits to be pushed, and what waits for an annotator; a state in which nothing waits is left out."""
    sample, task = models.Sample, models.LabelingTask
    query = (
        select(sample.state, func.count(), func.min(task.created_at))
        .join(task, col(task.sample_pk) == col(sample.id))
        .where(sample.project_id == project_id, col(sample.state).in_([State.QUEUED, State.PUSHED]))
        .group_by(sample.state)
    )
    return [Backlog(state=state, count=count, since=since) for state, count, since in session.exec(query)]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountSpent:
    """What an account of a budget spent in the period that runs."""

    project_id: int
    account: str
    period: str
    tasks: int
    seconds: float


def spent(session: Session, now: datetime) -> list[AccountSpent]:
    """Return what all projects spent in the running periods; accounts of streams and reporters are too many to show."""
    row = models.BudgetPeriod
    query = select(row).where(
        row.starts_at <= now,
        row.ends_at > now,
        ~col(row.account).contains("stream:"),
        ~col(row.account).contains("reporter:"),
    )
    return [
        AccountSpent(
            project_id=found.project_id,
            account=found.account,
            period=found.period,
            tasks=found.tasks,
            seconds=found.seconds,
        )
        for found in session.exec(query)
    ]


def failing_targets(session: Session, project_id: int) -> int:
    """Count the places in Label Studio where the last work failed."""
    target = models.LabelStudioTarget
    return session.exec(
        select(func.count()).where(target.project_id == project_id, col(target.error).is_not(None))
    ).one()
