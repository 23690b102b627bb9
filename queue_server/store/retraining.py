"""What the last model was trained on, and the signals that it is time for the next."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CursorResult
from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.store.upserts import insert_missing

Signal = models.RetrainingSignal


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """The last export that a registered model version was trained on."""

    model_version: str
    export_id: UUID
    exported_at: datetime


def last_training(session: Session, project_id: int) -> Training | None:
    """Return the training whose data was taken last; None: no registered model names an export."""
    version, export = models.ModelVersion, models.Export
    query = (
        select(version.name, export.export_id, export.created_at)
        .join(export, (col(export.export_id) == col(version.trained_on)) & (export.project_id == version.project_id))
        .where(version.project_id == project_id)
        .order_by(col(export.created_at).desc(), col(version.id).desc())
        .limit(1)
    )
    row = session.exec(query).first()
    return Training(model_version=row[0], export_id=row[1], exported_at=row[2]) if row is not None else None


def baseline_of(training: Training | None) -> str:
    """Return the name of that since which a signal counts: with it a signal is given once."""
    return str(training.export_id) if training is not None else "none"


def claim(session: Session, project_id: int, *, now: datetime, pause: timedelta) -> bool:
    """Take up the look whether it is time to train; False: it is not due, or another worker was faster."""
    due = col(models.Project.retraining_due_at)
    statement = (
        update(models.Project)
        .where(col(models.Project.id) == project_id, due.is_(None) | (due <= now))
        .values(retraining_due_at=now + pause)
        .execution_options(synchronize_session=False)
    )
    result: CursorResult[tuple[()]] = session.exec(statement)
    return result.rowcount == 1


def find(session: Session, project_id: int, baseline: str) -> models.RetrainingSignal | None:
    """Return the signal that was given since a training."""
    query = select(Signal).where(Signal.project_id == project_id, Signal.baseline == baseline)
    return session.exec(query).one_or_none()


def give(session: Session, fresh: models.RetrainingSignal) -> models.RetrainingSignal | None:
    """Keep a signal; None: one was given since that training."""
    if find(session, fresh.project_id, fresh.baseline) is not None:
        return None
    insert_missing(session, Signal, [fresh.model_dump(exclude={"id"})])
    return find(session, fresh.project_id, fresh.baseline)


def of_project(session: Session, project_id: int) -> list[models.RetrainingSignal]:
    """Return a project's signals, the latest first."""
    return list(session.exec(select(Signal).where(Signal.project_id == project_id).order_by(col(Signal.id).desc())))
