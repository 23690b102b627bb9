"""All that a page shows of several samples, in one query for each kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlmodel import Session, SQLModel, col, select

from queue_server import models

R = TypeVar("R", bound=SQLModel)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A sample with what belongs to it; a duplicate with the task and the annotations that serve it too."""

    sample: models.Sample
    image: models.Image | None
    prediction: models.Prediction | None
    #: in order of arrival
    feedback: tuple[models.Feedback, ...]
    #: the latest version of each that is still in Label Studio
    annotations: tuple[models.Annotation, ...]
    #: the last one
    decision: models.Decision | None
    task: models.LabelingTask | None


def read(session: Session, samples: Sequence[models.Sample]) -> list[Shown]:
    """Return what belongs to these samples."""
    pks = [sample.id for sample in samples if sample.id is not None]
    looked_at = [_looked_at(sample) for sample in samples]
    images = {row.sha256: row for row in _images(session, samples)}
    predictions = {row.sample_pk: row for row in _of(session, models.Prediction, pks) if row.is_shown}
    feedback = _grouped(session, models.Feedback, pks)
    annotations = _grouped(session, models.Annotation, looked_at)
    decisions = {row.sample_pk: row for row in _of(session, models.Decision, pks)}
    tasks = {row.sample_pk: row for row in _of(session, models.LabelingTask, looked_at)}
    return [
        Shown(
            sample=sample,
            image=images.get(sample.image_sha256 or ""),
            prediction=predictions.get(sample.id or 0),
            feedback=tuple(feedback.get(sample.id or 0, ())),
            annotations=_live(annotations.get(_looked_at(sample), [])),
            decision=decisions.get(sample.id or 0),
            task=tasks.get(_looked_at(sample)),
        )
        for sample in samples
    ]


def _looked_at(sample: models.Sample) -> int:
    assert sample.id is not None
    return sample.duplicate_of or sample.id


def _images(session: Session, samples: Sequence[models.Sample]) -> list[models.Image]:
    hashes = {sample.image_sha256 for sample in samples if sample.image_sha256 is not None}
    return list(session.exec(select(models.Image).where(col(models.Image.sha256).in_(hashes))))


def _of(session: Session, table: type[R], pks: Sequence[int]) -> list[R]:
    """Return rows of a table in their order, by the sample that they belong to."""
    query = select(table).where(table.sample_pk.in_(pks)).order_by(table.id)  # type: ignore[attr-defined]  # each has both
    return list(session.exec(query))


def _grouped(session: Session, table: type[R], pks: Sequence[int]) -> dict[int, list[R]]:
    found: dict[int, list[R]] = {}
    for row in _of(session, table, pks):
        found.setdefault(row.sample_pk, []).append(row)  # type: ignore[attr-defined]  # as above
    return found


def _live(rows: Sequence[models.Annotation]) -> tuple[models.Annotation, ...]:
    ordered = sorted(rows, key=lambda row: (row.updated_at, row.id or 0))
    latest = {row.label_studio_annotation_id: row for row in ordered}
    return tuple(row for row in latest.values() if row.deleted_at is None)
