"""Feedback, append-only; it may be there before its sample."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select, update

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.core.policy import GivenVerdict


def find(session: Session, project_id: int, feedback_id: UUID) -> models.Feedback | None:
    """Return a project's feedback of that id."""
    query = select(models.Feedback).where(
        models.Feedback.project_id == project_id, models.Feedback.feedback_id == feedback_id
    )
    return session.exec(query).one_or_none()


def last_given_at(
    session: Session, project_id: int, sample_id: UUID, *, reporter: str | None, since: datetime, before: datetime
) -> datetime | None:
    """Return when a reporter last gave feedback on a sample in that time, parked or not; None: they gave none."""
    query = select(models.Feedback.given_at).where(
        models.Feedback.project_id == project_id,
        models.Feedback.sample_id == sample_id,
        models.Feedback.reporter == reporter,
        models.Feedback.given_at >= since,
        models.Feedback.given_at < before,
    )
    return session.exec(query.order_by(col(models.Feedback.given_at).desc()).limit(1)).first()


def parked(session: Session, project_id: int, sample_id: UUID) -> list[models.Feedback]:
    """Return what came before its sample."""
    query = select(models.Feedback).where(
        models.Feedback.project_id == project_id,
        models.Feedback.sample_id == sample_id,
        col(models.Feedback.sample_pk).is_(None),
    )
    return list(session.exec(query.order_by(col(models.Feedback.id))))


def attach(session: Session, row: models.Feedback, *, sample_pk: int, fault: str | None) -> None:
    """Tie parked feedback to its sample, with why it does not count if it does not."""
    session.exec(
        update(models.Feedback)
        .where(col(models.Feedback.id) == row.id, col(models.Feedback.sample_pk).is_(None))
        .values(sample_pk=sample_pk, fault=fault)
    )
    session.refresh(row)


def of_sample(session: Session, sample_pk: int) -> list[models.Feedback]:
    """Return all feedback on a sample, in order of arrival."""
    query = select(models.Feedback).where(models.Feedback.sample_pk == sample_pk)
    return list(session.exec(query.order_by(col(models.Feedback.id))))


def verdicts(session: Session, sample_pk: int) -> list[GivenVerdict]:
    """Return the verdicts that count."""
    return [
        GivenVerdict(reporter=row.reporter, verdict=Verdict(row.verdict), given_at=row.given_at)
        for row in of_sample(session, sample_pk)
        if row.fault is None
    ]
