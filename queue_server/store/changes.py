"""Changes of samples: each sample's history, and all of a project's as a feed in which none is missed.

A row's id is drawn before its transaction commits, so on PostgreSQL a lower id may become visible after a higher one:
whoever remembers the highest id that he saw would miss it. So a row gets its `position` after its commit, by whoever
reads the feed next, one reader at a time: once a position can be seen, every lower one can.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import Session, col, select, update

from queue_server import models

Row = models.HistoryEntry
#: a sample's id and one of its changes
Change = tuple[UUID, Row]

#: the advisory locks of this kind, one a project
_PUBLISH_LOCK = 7_305_512
_PUBLISH_BATCH = 10_000


def record(session: Session, sample: models.Sample, *, now: datetime) -> None:
    """Append what a sample is from now on to its history."""
    assert sample.id is not None
    session.add(
        Row(
            project_id=sample.project_id,
            sample_pk=sample.id,
            state=sample.state,
            reason=sample.reason,
            verdict=sample.verdict,
            outcome=sample.outcome,
            at=now,
        )
    )
    session.flush()


def of_sample(session: Session, sample_pk: int) -> list[Row]:
    """Return a sample's changes, the oldest first."""
    return list(session.exec(select(Row).where(Row.sample_pk == sample_pk).order_by(col(Row.id))))


def last(session: Session, sample_pk: int) -> Row:
    """Return a sample's latest change: it has one from its arrival on."""
    return session.exec(select(Row).where(Row.sample_pk == sample_pk).order_by(col(Row.id).desc()).limit(1)).one()


def is_unpublished(session: Session, project_id: int) -> bool:
    """Tell whether there are changes without a place in the feed."""
    query = select(Row.id).where(Row.project_id == project_id, col(Row.position).is_(None))
    # The order is that of the index of such rows: without it PostgreSQL may look for the first one in the table.
    return session.exec(query.order_by(col(Row.project_id), col(Row.id)).limit(1)).one_or_none() is not None


def publish(session: Session, project_id: int) -> None:
    """Give the changes that can be seen by now their places in the feed, the oldest first and so many at a time."""
    if session.get_bind().dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:kind, :project)")
        session.connection().execute(lock, {"kind": _PUBLISH_LOCK, "project": project_id})
    top = end(session, project_id)
    fresh = (
        select(Row.id, func.row_number().over(order_by=col(Row.id)).label("rank"))
        .where(Row.project_id == project_id, col(Row.position).is_(None))
        .order_by(col(Row.project_id), col(Row.id))
        .limit(_PUBLISH_BATCH)
        .subquery()
    )
    session.exec(
        update(Row)
        .where(col(Row.id) == fresh.c.id)
        .values(position=top + fresh.c.rank)
        .execution_options(synchronize_session=False)
    )


def end(session: Session, project_id: int) -> int:
    """Return the last position of a project's feed; 0: it has none."""
    return session.exec(select(func.max(Row.position)).where(Row.project_id == project_id)).one() or 0


def before(session: Session, project_id: int, since: datetime) -> int:
    """Return the position after which every change lies that was made at that time or later."""
    # "+ 0" keeps PostgreSQL from walking up all positions until one is late enough.
    query = select(func.min(col(Row.position) + 0)).where(Row.project_id == project_id, col(Row.at) >= since)
    first = session.exec(query).one()
    return end(session, project_id) if first is None else first - 1


def page(session: Session, project_id: int, *, after: int, limit: int) -> Sequence[Change]:
    """Return the changes after a position, in the feed's order."""
    query = (
        select(models.Sample.sample_id, Row)
        .join(models.Sample, col(models.Sample.id) == Row.sample_pk)
        .where(Row.project_id == project_id, col(Row.position) > after)
        .order_by(col(Row.position))
        .limit(limit)
    )
    return session.exec(query).all()


def latest(session: Session, project_id: int, sample_ids: Sequence[UUID]) -> Sequence[Change]:
    """Return the latest change of each of these samples, published or not, the oldest first."""
    newest = (
        select(func.max(Row.id))
        .join(models.Sample, col(models.Sample.id) == Row.sample_pk)
        .where(models.Sample.project_id == project_id, col(models.Sample.sample_id).in_(sample_ids))
        .group_by(col(Row.sample_pk))
    )
    query = (
        select(models.Sample.sample_id, Row)
        .join(models.Sample, col(models.Sample.id) == Row.sample_pk)
        .where(col(Row.id).in_(newest))
        .order_by(col(Row.id))
    )
    return session.exec(query).all()
