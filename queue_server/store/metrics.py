"""The metrics of samples, to filter, to sort, and in bulk; a name is one of `METRICS`, or `custom.NAME`."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from queue_server import models
from queue_server.core.metrics import CUSTOM, METRICS

Sample, Row, Custom = models.Sample, models.SampleMetric, models.CustomMetric

#: rows are turned into arrays so many at a time: a row of Python's numbers takes ten times the memory
_CHUNK = 10_000


def column(name: str) -> ColumnElement[float]:
    """Return a metric in SQL, for queries over samples that went through `join`; ValueError where there is none."""
    if not name.startswith(CUSTOM):
        return _built_in(name)
    own = select(Custom.value).where(Custom.sample_pk == Sample.id, Custom.name == name.removeprefix(CUSTOM))
    return own.correlate(Sample).scalar_subquery()


def _built_in(name: str) -> ColumnElement[float]:
    if name not in METRICS:
        raise ValueError(f"a metric must be one of {', '.join(METRICS)}, or {CUSTOM}NAME, got {name!r}")
    found: ColumnElement[float] = Row.__table__.c[name]  # type: ignore[attr-defined]  # SQLModel's own
    return found


def join(query: Select[Any]) -> Select[Any]:
    """Return a query over samples with their metrics beside them; a sample without any stays."""
    return query.outerjoin(Row, col(Row.sample_pk) == Sample.id)


def names(session: Session, project_id: int) -> tuple[str, ...]:
    """Return all metrics that a project's samples may have."""
    return (*METRICS, *(f"{CUSTOM}{name}" for name in custom_names(session, project_id)))


def custom_names(session: Session, project_id: int) -> Iterator[str]:
    """Yield the names of a project's custom metrics, each by one look into the index."""
    last = ""
    while True:
        query = select(func.min(Custom.name)).where(Custom.project_id == project_id, col(Custom.name) > last)
        found: str | None = session.exec(query).one()
        if found is None:
            return
        last = found
        yield found


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Metrics of many samples: arrays of one length, in the order of the samples' rows; NaN: cannot be told."""

    pks: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]


def measured(
    session: Session,
    project_id: int,
    wanted: Sequence[str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    model_version: str | None = None,
    where: ColumnElement[bool] | None = None,
) -> Measured:
    """Return metrics of the samples captured in [since, until), and that a condition holds of."""
    query = _selected(wanted).where(col(Sample.project_id) == project_id)
    if since is not None:
        query = query.where(col(Sample.captured_at) >= since)
    if until is not None:
        query = query.where(col(Sample.captured_at) < until)
    if model_version is not None:
        query = query.where(col(Sample.model_version) == model_version)
    if where is not None:
        query = query.where(where)
    rows = session.connection().execute(query.order_by(col(Sample.id)).execution_options(yield_per=_CHUNK))
    chunks = [np.array([tuple(row) for row in part], dtype=np.float64) for part in rows.partitions()]
    table = np.concatenate(chunks) if chunks else np.zeros((0, len(wanted) + 1))
    return Measured(
        pks=table[:, 0].astype(np.int64),
        values={name: np.ascontiguousarray(table[:, index + 1]) for index, name in enumerate(wanted)},
    )


def _selected(wanted: Sequence[str]) -> Select[Any]:
    """Return a query of samples' row ids and metrics; a custom one is joined, as subqueries are slow in bulk."""
    columns: list[Any] = [col(Sample.id)]
    joined = []
    for name in wanted:
        if name.startswith(CUSTOM):
            own = aliased(Custom)
            joined.append((own, (col(own.sample_pk) == Sample.id) & (col(own.name) == name.removeprefix(CUSTOM))))
            columns.append(col(own.value))
        else:
            columns.append(_built_in(name))
    query = join(sqlalchemy.select(*columns).select_from(Sample))
    for own, is_its in joined:
        query = query.outerjoin(own, is_its)
    return query


def values(
    session: Session,
    project_id: int,
    wanted: Sequence[str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    model_version: str | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return metrics by name, each of all samples captured in [since, until); NaN: cannot be told."""
    found = measured(session, project_id, wanted, since=since, until=until, model_version=model_version)
    return found.values


def of_sample(session: Session, sample_pk: int) -> dict[str, float]:
    """Return all metrics of a sample by name, without those that cannot be told."""
    row = session.get(Row, sample_pk)
    found = {name: getattr(row, name) for name in METRICS} if row is not None else {}
    own = session.exec(select(Custom).where(Custom.sample_pk == sample_pk).order_by(Custom.name))
    found |= {f"{CUSTOM}{item.name}": item.value for item in own}
    return {name: value for name, value in found.items() if value is not None}


def sample_ids(session: Session, pks: Collection[int]) -> dict[int, UUID]:
    """Return the ids of samples by their row ids."""
    query = select(Sample.id, Sample.sample_id).where(col(Sample.id).in_(pks))
    return {pk: sample_id for pk, sample_id in session.exec(query) if pk is not None}
