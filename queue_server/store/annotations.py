"""Annotations as they come back: each version of each is kept, the latest counts."""

from collections.abc import Iterator
from datetime import datetime

from pydantic import TypeAdapter
from sqlmodel import Session, col, select, update

from feedback_sdk.types import Task, Verdict
from queue_server import models
from queue_server.core import datasets
from queue_server.core.annotation import Annotation, Difference
from queue_server.core.outcome import Outcome, outcome

Row = models.Annotation

_ANNOTATION = TypeAdapter(Annotation)


def latest_versions(session: Session, sample_pk: int) -> list[Row]:
    """Return the latest version of each annotation of a sample, deleted ones too, in order of their ids."""
    query = select(Row).where(Row.sample_pk == sample_pk).order_by(col(Row.updated_at), col(Row.id))
    latest = {row.label_studio_annotation_id: row for row in session.exec(query)}
    return [latest[key] for key in sorted(latest)]


def live(session: Session, sample_pk: int) -> list[Row]:
    """Return the latest versions that are still in Label Studio."""
    return [row for row in latest_versions(session, sample_pk) if row.deleted_at is None]


def chosen(session: Session, sample_pk: int) -> datasets.Candidate | None:
    """Return the annotation of a sample that counts: finished, readable, and still in Label Studio."""
    return datasets.choose_annotation(_candidates(live(session, sample_pk)))


def _candidates(rows: list[Row]) -> Iterator[datasets.Candidate]:
    for row in rows:
        if row.document is not None and row.fault is None:
            yield datasets.Candidate(
                id=row.label_studio_annotation_id,
                annotation=_ANNOTATION.validate_python(row.document, strict=False),
                annotator=row.annotator,
                updated_at=row.updated_at,
                is_ground_truth=row.is_ground_truth,
                is_skipped=row.is_skipped,
            )


def outcome_of(session: Session, sample_pk: int, *, verdict: str | None, task: Task) -> Outcome | None:
    """Return whether the users were right, as the annotation that counts says."""
    rows = live(session, sample_pk)
    counts = datasets.choose_annotation(_candidates(rows))
    difference = next(
        (row.model_difference for row in rows if counts and row.label_studio_annotation_id == counts.id), None
    )
    return outcome(Verdict(verdict) if verdict else None, Difference(**difference) if difference else None, task=task)


def record(session: Session, row: Row) -> bool:
    """Keep a version of an annotation; False: we have it."""
    query = select(Row).where(
        Row.project_id == row.project_id,
        Row.label_studio_annotation_id == row.label_studio_annotation_id,
        Row.updated_at == row.updated_at,
    )
    known = session.exec(query).one_or_none()
    if known is None:
        session.add(row)
        session.flush()
        return True
    # A restored back-up of Label Studio brings a deleted one back.
    if known.deleted_at is not None:
        known.deleted_at = None
        session.add(known)
        session.flush()
        return True
    return False


def mark_deleted(session: Session, annotation_pks: list[int], *, now: datetime) -> None:
    """Record that annotations are no longer in Label Studio."""
    session.exec(
        update(Row).where(col(Row.id).in_(annotation_pks), col(Row.deleted_at).is_(None)).values(deleted_at=now)
    )
    session.expire_all()
