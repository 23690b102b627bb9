"""What annotators found, in bulk: of each sample the annotation that counts."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import defer
from sqlmodel import Session, col

from feedback_sdk import types
from queue_server import models
from queue_server.core import datasets
from queue_server.core.annotation import Annotation, Difference
from queue_server.store import annotations

#: Label Studio's own words are long, and nothing here reads them
WITHOUT_REGIONS = defer(models.Annotation.result, raiseload=True)  # type: ignore[arg-type]  # a column, to SQLAlchemy


class Truth(NamedTuple):
    """The annotation of a sample that counts."""

    annotation: Annotation
    difference: Difference | None
    is_blind: bool


def truths(session: Session, task: types.Task, pks: set[int]) -> dict[int, Truth]:
    """Return the annotation that counts of each of these samples which has one."""
    found = {}
    for pk, rows in _annotated(session, pks).items():
        standing = live(rows)
        chosen = datasets.choose_annotation(annotations.candidates(standing), task=task)
        if chosen is not None:
            row = next(row for row in standing if row.label_studio_annotation_id == chosen.id)
            difference = Difference(**row.model_difference) if row.model_difference else None
            found[pk] = Truth(chosen.annotation, difference, row.is_blind)
    return found


def _annotated(session: Session, pks: set[int]) -> dict[int, list[models.Annotation]]:
    found: dict[int, list[models.Annotation]] = {}
    query = select(models.Annotation).where(col(models.Annotation.sample_pk).in_(sorted(pks))).options(WITHOUT_REGIONS)
    query = query.order_by(col(models.Annotation.updated_at), col(models.Annotation.id))
    for row in session.scalars(query) if pks else ():
        found.setdefault(row.sample_pk, []).append(row)
    return found


def live(rows: Sequence[models.Annotation]) -> list[models.Annotation]:
    """Return the latest versions that are still in Label Studio; `rows` are in the order of their versions."""
    latest = {row.label_studio_annotation_id: row for row in rows}
    return [row for row in latest.values() if row.deleted_at is None]
