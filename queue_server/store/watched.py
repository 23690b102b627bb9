"""What alerts and the signal to retrain watch, as counts that are quick to make."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from feedback_sdk.types import Task
from queue_server import models
from queue_server.core.annotation import Difference
from queue_server.core.outcome import is_model_right
from queue_server.store import filters, quality
from queue_server.store.labeling_tasks import TaskState


def verdicts(session: Session, wanted: quality.Matured) -> Counter[str | None]:
    """Count samples whose window has ended by what their users said; None: nothing."""
    query = select(models.Sample.verdict, func.count()).where(*quality.matured(wanted))
    return Counter(dict(session.exec(query.group_by(models.Sample.verdict)).all()))


def arrived(session: Session, wanted: quality.Matured) -> int:
    """Count the samples that came since then, whatever became of them."""
    sample = models.Sample
    query = select(func.count()).where(sample.project_id == wanted.project_id)
    if wanted.since is not None:
        query = query.where(sample.received_at >= wanted.since)
    if wanted.model_version is not None:
        query = query.where(sample.model_version == wanted.model_version)
    if wanted.where is not None:
        query = query.where(filters.matches(wanted.where))
    return session.exec(query).one()


def overdue_since(session: Session, project_id: int, now: datetime) -> datetime | None:
    """Return since when the oldest decision is due that nobody has taken; None: none is."""
    due = col(models.Sample.decide_after)
    query = select(func.min(due)).where(models.Sample.project_id == project_id, due <= now)
    return session.exec(query).one()


def push_failures(session: Session, project_id: int) -> int:
    """Count the labeling tasks that wait for another try, as the last one failed."""
    task = models.LabelingTask
    query = select(func.count()).where(
        task.project_id == project_id, task.state == TaskState.WAITING, col(task.last_error).is_not(None)
    )
    return session.exec(query).one()


def latest_version(session: Session, project_id: int) -> str | None:
    """Return the model version of the sample that came last."""
    sample = models.Sample
    query = select(sample.model_version).where(sample.project_id == project_id, col(sample.model_version).is_not(None))
    return session.exec(query.order_by(col(sample.id).desc()).limit(1)).first()


def first_received(session: Session, project_id: int, model_version: str) -> datetime | None:
    """Return when a version's first sample came: a device's clock may say that it was captured in 1970."""
    sample = models.Sample
    query = select(func.min(sample.received_at)).where(
        sample.project_id == project_id, sample.model_version == model_version
    )
    return session.exec(query).one()


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotated:
    """How many samples have an annotation that came since then, and in how many of them the model was wrong."""

    labels: int = 0
    errors: int = 0


def annotated_since(session: Session, project_id: int, since: datetime | None, *, task: Task) -> Annotated:
    """Count samples that were annotated since then, each once, by its latest annotation.

    Where an annotator did not see the prediction nothing tells whether it was wrong: it counts as a label alone.
    """
    row = models.Annotation
    query = select(row.sample_pk, row.model_difference).where(
        row.project_id == project_id, col(row.is_skipped).is_(False), col(row.deleted_at).is_(None)
    )
    if since is not None:
        query = query.where(row.pulled_at > since)
    latest = dict(session.exec(query.order_by(col(row.updated_at), col(row.id))).all())
    wrong = [
        is_model_right(Difference(**document), task=task) is False
        for document in latest.values()
        if document is not None
    ]
    return Annotated(labels=len(latest), errors=sum(wrong))
