"""Samples as they are held against each other: their embeddings, and what annotators drew."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session, col, select

from feedback_sdk.types import Task
from queue_server import models
from queue_server.core import datasets
from queue_server.core.annotation import Annotation
from queue_server.core.policy import State
from queue_server.store import annotations, projects

Sample = models.Sample

#: annotations of so many samples are read at a time
_PAGE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedded:
    """Samples with embeddings of one length: row ids, and vectors (n, d)."""

    pks: list[int]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """A sample with the annotation that counts."""

    pk: int
    stream: str | None
    captured_at: datetime
    annotation: Annotation


def embedded(session: Session, project_id: int, *, limit: int) -> Embedded:
    """Return the latest samples with an embedding, as long as the latest one's: others are of another model."""
    query = select(Sample.id, Sample.embedding).where(
        Sample.project_id == project_id, col(Sample.embedding).is_not(None)
    )
    rows = session.exec(query.order_by(col(Sample.id).desc()).limit(limit)).all()
    found = [(pk, own) for pk, own in rows if pk is not None and own is not None]
    same = [(pk, own) for pk, own in found if len(own) == len(found[0][1])]
    vectors = np.array([own for _, own in same], np.float32) if same else np.zeros((0, 1), np.float32)
    return Embedded(pks=[pk for pk, _ in same], vectors=vectors)


def labelled(session: Session, project_id: int, *, limit: int) -> list[Labelled]:
    """Return the latest annotated samples in the order in which they were captured."""
    query = select(Sample.id, Sample.stream, Sample.captured_at).where(
        Sample.project_id == project_id, Sample.state == State.ANNOTATED
    )
    rows = session.exec(query.order_by(col(Sample.id).desc()).limit(limit)).all()
    chosen = chosen_annotations(session, project_id, [pk for pk, _, _ in rows if pk is not None])
    found = [
        Labelled(pk=pk, stream=stream, captured_at=captured_at, annotation=chosen[pk])
        for pk, stream, captured_at in rows
        if pk in chosen
    ]
    return sorted(found, key=lambda one: (one.captured_at, one.pk))


def chosen_annotations(session: Session, project_id: int, pks: Sequence[int]) -> dict[int, Annotation]:
    """Return the annotation that counts of each of these samples that has one, in bulk."""
    task = Task(projects.get(session, project_id).task)
    row = models.Annotation
    found = {}
    for start in range(0, len(pks), _PAGE):
        query = select(row).where(col(row.sample_pk).in_(pks[start : start + _PAGE]))
        latest: dict[int, dict[int, models.Annotation]] = {}
        for one in session.exec(query.order_by(col(row.updated_at), col(row.id))):
            latest.setdefault(one.sample_pk, {})[one.label_studio_annotation_id] = one
        for pk, versions in latest.items():
            live = [one for one in versions.values() if one.deleted_at is None]
            chosen = datasets.choose_annotation(annotations.candidates(live), task=task)
            if chosen is not None:
                found[pk] = chosen.annotation
    return found
