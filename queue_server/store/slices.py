"""Slices of a project, and what samples are told apart by."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlmodel import Session, col, delete
from sqlmodel import select as select_rows

from queue_server import models
from queue_server.core.metrics import CUSTOM, METRICS, Of
from queue_server.core.slices import Described, Slice, read_slice
from queue_server.store import json_sql, metrics
from queue_server.store.upserts import insert_missing

Sample, Prediction, Row = models.Sample, models.Prediction, models.Slice

#: PostgreSQL and SQLite take more in one IN
_PAGE = 1000


def of_project(session: Session, project_id: int) -> list[Slice]:
    """Return a project's slices, by name."""
    rows = session.exec(select_rows(Row).where(Row.project_id == project_id).order_by(Row.name))
    return [_slice(row) for row in rows]


def find(session: Session, project_id: int, name: str) -> Slice | None:
    """Return a project's slice of that name."""
    row = _row(session, project_id, name)
    return _slice(row) if row is not None else None


def keep(session: Session, project_id: int, found: Slice, *, now: datetime) -> bool:
    """Keep a slice, in place of one of its name; True: there was none."""
    is_new = _row(session, project_id, found.name) is None
    insert_missing(session, Row, [{"project_id": project_id, "name": found.name, "created_at": now}])
    row = _row(session, project_id, found.name)
    assert row is not None
    row.condition = found.where.text if found.where is not None else None
    row.model_version, row.since, row.until = found.model_version, found.since, found.until
    session.add(row)
    session.flush()
    return is_new


def remove(session: Session, project_id: int, name: str) -> bool:
    """Remove a slice; False: there is none of that name."""
    if "\x00" in name:  # PostgreSQL refuses it
        return False
    result = session.exec(delete(Row).where(col(Row.project_id) == project_id, col(Row.name) == name))
    return result.rowcount == 1


def described(session: Session, project_id: int, sample_ids: Sequence[str]) -> dict[str, Described]:
    """Return what these samples are told apart by, by id; of the metrics those that every sample may have."""
    custom = list(metrics.custom_names(session, project_id))
    found: dict[str, Described] = {}
    for start in range(0, len(sample_ids), _PAGE):
        found |= dict(_described(session, project_id, sample_ids[start : start + _PAGE], custom))
    return found


def _described(
    session: Session, project_id: int, sample_ids: Sequence[str], custom: Sequence[str]
) -> Iterator[tuple[str, Described]]:
    own = [f"{CUSTOM}{name}" for name in custom]
    numbers = {
        "confidence": col(Sample.confidence),
        **{f"metric.{name}": metrics.column(name) for name in (*_TOLD, *own)},
    }
    query = (
        select(col(Sample.sample_id), col(Sample.stream), col(Sample.tags), _labels(), col(Sample.extra))
        .add_columns(*numbers.values())
        .select_from(Sample)
        .outerjoin(Prediction, (col(Prediction.sample_pk) == col(Sample.id)) & col(Prediction.is_shown))
        .where(col(Sample.project_id) == project_id, col(Sample.sample_id).in_([UUID(one) for one in sample_ids]))
    )
    for row in session.connection().execute(metrics.join(query)):
        sample_id, stream, tags, labels, extra, *values = row
        known = {name: value for name, value in zip(numbers, values, strict=True) if value is not None}
        yield (
            str(sample_id),
            Described(stream=stream, tags=tags, labels=labels or (), metadata=extra, numbers=known),
        )


#: An annotation is made of the few that were queued; what is drawn at random tells nothing.
_TOLD = [name for name, metric in METRICS.items() if metric.of is not Of.ANNOTATION and name != "random"]


def _labels() -> ColumnElement[Any]:
    document: Any = Prediction.document
    return json_sql.predicted_labels(document)


def _row(session: Session, project_id: int, name: str) -> models.Slice | None:
    if "\x00" in name:  # PostgreSQL refuses it
        return None
    return session.exec(select_rows(Row).where(Row.project_id == project_id, Row.name == name)).one_or_none()


def _slice(row: models.Slice) -> Slice:
    return read_slice(row.name, where=row.condition, model_version=row.model_version, since=row.since, until=row.until)
