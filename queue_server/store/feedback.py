"""Feedback, append-only; it may be there before its sample."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select, update

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.core.policy import GivenVerdict


class Source(StrEnum):
    """Through what feedback came."""

    KEY = "key"
    TOKEN = "token"  # noqa: S105  # a word
    #: a key that anybody can read off a page
    PUBLISHABLE = "publishable"


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
        models.Feedback.source != Source.PUBLISHABLE,
        models.Feedback.given_at >= since,
        models.Feedback.given_at < before,
    )
    return session.exec(query.order_by(col(models.Feedback.given_at).desc()).limit(1)).first()


def count_answers(session: Session, project_id: int, sample_id: UUID, *, reporter: str | None, source: Source) -> int:
    """Count what a reporter said of a sample through this, parked or not."""
    query = select(func.count()).where(
        models.Feedback.project_id == project_id,
        models.Feedback.sample_id == sample_id,
        models.Feedback.reporter == reporter,
        models.Feedback.source == source,
    )
    return session.exec(query).one()


def parked(session: Session, project_id: int, sample_id: UUID) -> list[models.Feedback]:
    """Return what came before its sample."""
    query = select(models.Feedback).where(
        models.Feedback.project_id == project_id,
        models.Feedback.sample_id == sample_id,
        col(models.Feedback.sample_pk).is_(None),
    )
    return list(session.exec(query.order_by(col(models.Feedback.id))))


def attach(session: Session, row: models.Feedback, *, sample_pk: int, fault: str | None) -> None:
    """Tie parked feedback to its sample, with why it does not count if it does not; what never counts stays so."""
    session.exec(
        update(models.Feedback)
        .where(col(models.Feedback.id) == row.id, col(models.Feedback.sample_pk).is_(None))
        .values(sample_pk=sample_pk, fault=row.fault or fault)
    )
    session.refresh(row)


def of_sample(session: Session, sample_pk: int) -> list[models.Feedback]:
    """Return all feedback on a sample, in order of arrival."""
    query = select(models.Feedback).where(models.Feedback.sample_pk == sample_pk)
    return list(session.exec(query.order_by(col(models.Feedback.id))))


def verdicts_of(rows: Iterable[models.Feedback]) -> list[GivenVerdict]:
    """Return the verdicts that count."""
    return [
        GivenVerdict(reporter=row.reporter, verdict=Verdict(row.verdict), given_at=row.given_at)
        for row in rows
        if row.fault is None
    ]


def last_words(rows: Iterable[models.Feedback]) -> list[models.Feedback]:
    """Return each reporter's latest verdict that counts, the oldest first."""
    latest = {row.reporter: row for row in sorted(rows, key=lambda row: row.given_at) if row.fault is None}
    return sorted(latest.values(), key=lambda row: row.given_at)
