"""Numbers that policies take from the traffic: frozen once for a day or an hour, then only read."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from queue_server import models
from queue_server.store.upserts import insert_missing

Row = models.FrozenFigure

#: a worker that was away for longer leaves rules without a threshold
_LONGEST = timedelta(days=8)
#: an audit's rate is that of the hour; one that nobody lowered is the policy's own
_LONGEST_RATE = timedelta(hours=2)
_LONGEST_TASK_SECONDS = 900.0


def known(
    session: Session, project_id: int, *, policy_version: int, model_version: str | None, at: datetime
) -> dict[tuple[str, str], float]:
    """Return the figures that a sample which came then was decided by: (rule, name) -> value."""
    query = select(Row).where(
        Row.project_id == project_id,
        Row.policy_version == policy_version,
        col(Row.model_version).in_(["", model_version or ""]),
        col(Row.starts_at) >= at - _LONGEST,
        col(Row.frozen_at) <= at,
    )
    rows = [row for row in session.exec(query.order_by(col(Row.starts_at))) if not _is_past(row, at)]
    return {(row.rule, row.name): row.value for row in rows}


def _is_past(row: Row, at: datetime) -> bool:
    return row.name == "rate" and row.starts_at < at - _LONGEST_RATE


def lead_seconds(session: Session, project_id: int) -> dict[str, float]:
    """Return what a task of each reason takes an annotator, as measured last; a reason without one is missing."""
    query = select(Row).where(Row.project_id == project_id, Row.policy_version == 0, Row.name == "lead_seconds")
    return {row.rule: row.value for row in session.exec(query.order_by(col(Row.starts_at)))}


def frozen(session: Session, project_id: int, *, policy_version: int, since: datetime) -> set[tuple[str, str, str]]:
    """Return what was frozen since then: (rule, model version, name)."""
    query = select(Row.rule, Row.model_version, Row.name).where(
        Row.project_id == project_id, Row.policy_version == policy_version, col(Row.starts_at) >= since
    )
    return set(session.exec(query))


def freeze(session: Session, row: Row) -> None:
    """Keep a figure, once: of two workers the first counts."""
    insert_missing(session, Row, [row.model_dump(exclude={"id"})])


def measured_lead_seconds(session: Session, project_id: int, *, since: datetime) -> Mapping[str, tuple[float, int]]:
    """Return the mean time that annotators took since then, by reason, with how many times it was measured.

    A page that was left open over lunch is no work: longer than a quarter of an hour does not count.
    """
    annotation, sample = models.Annotation, models.Sample
    query = (
        select(sample.reason, func.avg(annotation.lead_time_seconds), func.count())
        .join(sample, col(sample.id) == annotation.sample_pk)
        .where(
            annotation.project_id == project_id,
            col(annotation.pulled_at) >= since,
            col(annotation.lead_time_seconds) > 0,
            col(annotation.lead_time_seconds) <= _LONGEST_TASK_SECONDS,
        )
        .group_by(col(sample.reason))
    )
    return {reason or "": (float(mean), count) for reason, mean, count in session.exec(query)}


def arrivals(session: Session, project_id: int, *, since: datetime, until: datetime) -> int:
    """Count the samples that came in a stretch of time."""
    row = models.Sample
    query = select(func.count()).where(
        row.project_id == project_id, col(row.received_at) >= since, col(row.received_at) < until
    )
    return session.exec(query).one()


def arrivals_by_model(
    session: Session, project_id: int, *, since: datetime, until: datetime
) -> dict[str, tuple[int, datetime]]:
    """Return, for each model version, how many samples came in a stretch of time, and when the first one did."""
    row = models.Sample
    query = (
        select(row.model_version, func.count(), func.min(row.received_at))
        .where(
            row.project_id == project_id,
            col(row.received_at) >= since,
            col(row.received_at) < until,
            col(row.model_version).is_not(None),
        )
        .group_by(col(row.model_version))
    )
    return {version or "": (count, first) for version, count, first in session.exec(query)}


def latest_of_model(
    session: Session, project_id: int, model_version: str | None, *, since: datetime, until: datetime, limit: int
) -> list[models.Sample]:
    """Return the last samples of a model version, or of all, that came in a stretch of time."""
    row = models.Sample
    query = select(row).where(row.project_id == project_id, col(row.received_at) >= since, col(row.received_at) < until)
    if model_version is not None:
        query = query.where(row.model_version == model_version)
    return list(session.exec(query.order_by(col(row.received_at).desc(), col(row.id).desc()).limit(limit)))
