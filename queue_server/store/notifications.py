"""What is to be said through channels: written in the transaction of what happened, claimed with leases, sent once."""

from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import CursorResult, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.core.alerts import Message
from queue_server.store.upserts import insert_missing

Row = models.Notification


class NotificationState(StrEnum):
    """Where a notification is."""

    WAITING = "waiting"
    SENT = "sent"
    #: given up: the channel refused it, or was away for too long
    FAILED = "failed"


def put(
    session: Session, project_id: int, message: Message, *, occasion: str, channels: tuple[str, ...], now: datetime
) -> None:
    """Let a message be said through channels, once for each and for what happened, however often this is asked."""
    rows = [
        {
            "project_id": project_id,
            "key": f"{occasion}-{channel}",
            "channel": channel,
            "message": asdict(message),
            "state": NotificationState.WAITING,
            "attempts": 0,
            "available_at": now,
            "created_at": now,
        }
        for channel in channels
    ]
    insert_missing(session, Row, rows)


def message_of(row: models.Notification) -> Message:
    """Return what a notification says."""
    return Message(**(row.message | {"lines": tuple(row.message["lines"])}))


def claim(session: Session, *, owner: str, now: datetime, lease: timedelta) -> models.Notification | None:
    """Claim the oldest notification that may be sent; None: there is none.

    Of a channel only the first that waits: "resolved" must not overtake "fired", and one that is away is not asked
    again for each that waits for it.
    """
    earlier = aliased(Row)
    is_first = ~(
        select(earlier.id)
        .where(
            earlier.project_id == Row.project_id,
            earlier.channel == Row.channel,
            earlier.state == NotificationState.WAITING,
            col(earlier.id) < col(Row.id),
        )
        .exists()
    )
    query = (
        select(Row.id)
        .where(
            Row.state == NotificationState.WAITING,
            col(Row.available_at) <= now,
            col(Row.lease_until).is_(None) | (col(Row.lease_until) < now),
            is_first,
        )
        .order_by(col(Row.id))
        .limit(1)
    )
    if session.get_bind().dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True, of=Row)
    pk = session.exec(query).one_or_none()
    if pk is None:
        return None
    held = {"lease_owner": owner, "lease_until": now + lease, "attempts": Row.attempts + 1}
    _update(session, update(Row).where(col(Row.id) == pk).values(**held))
    return session.exec(select(Row).where(Row.id == pk).execution_options(populate_existing=True)).one()


def finish(session: Session, row: models.Notification, *, owner: str, now: datetime) -> bool:
    """Record that it was sent; False: the lease is no longer ours."""
    sent = {"state": NotificationState.SENT, "sent_at": now, "last_error": None}
    return _end(session, row, owner, sent)


def release(session: Session, row: models.Notification, *, owner: str, available_at: datetime, error: str) -> bool:
    """Give it back, to be sent again then."""
    return _end(session, row, owner, {"available_at": available_at, "last_error": error[:1000]})


def give_up(session: Session, row: models.Notification, *, owner: str, error: str) -> bool:
    """Record that it will not be sent."""
    return _end(session, row, owner, {"state": NotificationState.FAILED, "last_error": error[:1000]})


def _end(session: Session, row: models.Notification, owner: str, values: dict[str, object]) -> bool:
    statement = update(Row).where(col(Row.id) == row.id, col(Row.lease_owner) == owner)
    return _update(session, statement.values(lease_owner=None, lease_until=None, **values)).rowcount == 1


def of_project(session: Session, project_id: int, *, limit: int) -> list[models.Notification]:
    """Return a project's notifications, the latest first."""
    query = select(Row).where(Row.project_id == project_id).order_by(col(Row.id).desc()).limit(limit)
    return list(session.exec(query))


def last_of_channels(session: Session, project_id: int) -> list[models.Notification]:
    """Return the last notification of each of a project's channels."""
    last = select(func.max(Row.id)).where(Row.project_id == project_id).group_by(Row.channel)
    return list(session.exec(select(Row).where(col(Row.id).in_(last)).order_by(Row.channel)))


def _update(session: Session, statement) -> CursorResult[tuple[()]]:  # type: ignore[no-untyped-def]  # noqa: ANN001  # an UPDATE
    result: CursorResult[tuple[()]] = session.exec(statement.execution_options(synchronize_session=False))
    session.expire_all()
    return result
