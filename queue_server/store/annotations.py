"""Annotations as they come back: each version of each is kept, the latest counts."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlmodel import Session, col, select, update

from feedback_sdk import types
from feedback_sdk.types import Task, Verdict
from queue_server import models
from queue_server.core import datasets
from queue_server.core.annotation import Annotation, Difference
from queue_server.core.outcome import Outcome, disagrees, outcome
from queue_server.store import feedback, projects, samples

Row = models.Annotation

_ANNOTATION = TypeAdapter(Annotation)
_CORRECTION = TypeAdapter(types.Correction)
_PREDICTION = TypeAdapter(types.Prediction)


def latest_versions(session: Session, sample_pk: int) -> list[Row]:
    """Return the latest version of each annotation of a sample, deleted ones too, in order of their ids."""
    query = select(Row).where(Row.sample_pk == sample_pk).order_by(col(Row.updated_at), col(Row.id))
    latest = {row.label_studio_annotation_id: row for row in session.exec(query)}
    return [latest[key] for key in sorted(latest)]


def live(session: Session, sample_pk: int, *, look: int | None = None) -> list[Row]:
    """Return the latest versions that are still in Label Studio, of one look or of all."""
    rows = latest_versions(session, sample_pk)
    return [row for row in rows if row.deleted_at is None and look in (None, row.look)]


def chosen(session: Session, sample_pk: int, *, task: Task) -> datasets.Candidate | None:
    """Return the annotation of a sample that counts: finished, readable, and still in Label Studio."""
    return datasets.choose_annotation(candidates(live(session, sample_pk)), task=task)


def candidates(rows: Sequence[Row]) -> Iterator[datasets.Candidate]:
    """Yield those annotations that can be read."""
    for row in rows:
        if row.document is not None and row.fault is None:
            yield datasets.Candidate(
                id=row.label_studio_annotation_id,
                annotation=_ANNOTATION.validate_python(row.document, strict=False),
                annotator=row.annotator,
                updated_at=row.updated_at,
                is_ground_truth=row.is_ground_truth,
                is_skipped=row.is_skipped,
                look=row.look,
            )


def _counting(session: Session, sample_pk: int, task: Task) -> tuple[Row, Annotation] | None:
    """Return the annotation that counts with its row."""
    rows = live(session, sample_pk)
    counts = datasets.choose_annotation(candidates(rows), task=task)
    if counts is None:
        return None
    return next(row for row in rows if row.label_studio_annotation_id == counts.id), counts.annotation


def outcome_of(session: Session, sample_pk: int, *, verdict: str | None, task: Task) -> Outcome | None:
    """Return whether the users were right, as the annotation that counts says."""
    found = _counting(session, sample_pk, task)
    difference = _difference(found[0]) if found is not None else None
    return outcome(Verdict(verdict) if verdict else None, difference, task=task)


def _difference(row: Row) -> Difference | None:
    return Difference(**row.model_difference) if row.model_difference else None


def is_disputed(session: Session, sample: models.Sample, *, now: datetime) -> bool:
    """Tell whether a user objected after the annotation that counts was pulled, and says something else than it."""
    assert sample.id is not None
    task = Task(projects.get(session, sample.project_id).task)
    found = _counting(session, sample.id, task)
    if found is None:
        return False
    row, annotation = found
    shown = samples.shown_prediction(session, sample.id)
    prediction = _PREDICTION.validate_python(shown.document, strict=False) if shown is not None else None
    return any(
        disagrees(
            annotation,
            _CORRECTION.validate_python(said.correction, strict=False) if said.correction is not None else None,
            prediction=prediction,
            difference=_difference(row),
            task=task,
        )
        for said in feedback.last_words(feedback.of_sample(session, sample.id))
        if said.verdict != Verdict.CONFIRMED and row.pulled_at < said.received_at <= now
    )


def is_blind(session: Session, sample_pk: int, *, look: int) -> bool:
    """Tell whether what came of a look so far was made without seeing the prediction."""
    query = select(Row.id).where(Row.sample_pk == sample_pk, Row.look == look, col(Row.is_blind)).limit(1)
    return session.exec(query).one_or_none() is not None


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
