"""Alerts: one row a rule of a project's file, claimed with a lease for each look, and what happened to them."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import CursorResult
from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.core.alerts import (
    AlertRule,
    Event,
    FigureNow,
    Standing,
    Status,
    Turn,
    afresh,
    alert_document,
    parse_alerts,
)

Row = models.Alert
_STANDING = tuple(field.name for field in fields(Standing))


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAlert:
    """An alert as it is kept: its rule, where it stands, its figure at the last look."""

    row: models.Alert
    rule: AlertRule
    standing: Standing
    figure: FigureNow

    @property
    def pk(self) -> int:
        """Return its row id."""
        assert self.row.id is not None
        return self.row.id

    def status(self, now: datetime) -> Status:
        """Return what a person sees."""
        return self.standing.status(now)


def _stored(row: models.Alert) -> StoredAlert:
    (rule,) = parse_alerts([row.rule], channels=row.rule.get("channels", ()))
    return StoredAlert(
        row=row,
        rule=rule,
        standing=Standing(**{name: getattr(row, name) for name in _STANDING}),
        figure=FigureNow(value=row.value, low=row.low, high=row.high, n=row.n, since=row.since),
    )


def of_project(session: Session, project_id: int) -> list[StoredAlert]:
    """Return a project's alerts, those that its file no longer has left out, in the file's order."""
    project = session.get_one(models.Project, project_id)
    order = {rule["name"]: index for index, rule in enumerate(project.alerts or ())}
    rows = session.exec(select(Row).where(Row.project_id == project_id, col(Row.is_removed).is_(False)))
    return [_stored(row) for row in sorted(rows, key=lambda row: order.get(row.name, len(order)))]


def names(session: Session, project_id: int) -> dict[int, str]:
    """Return the name of each of a project's alerts by row id, also of those that its file no longer has."""
    rows = session.exec(select(Row.id, Row.name).where(Row.project_id == project_id))
    return {pk: name for pk, name in rows if pk is not None}


def find(session: Session, project_id: int, name: str) -> StoredAlert | None:
    """Return a project's alert of that name."""
    if "\x00" in name:  # PostgreSQL refuses it
        return None
    query = select(Row).where(Row.project_id == project_id, Row.name == name, col(Row.is_removed).is_(False))
    row = session.exec(query).one_or_none()
    return _stored(row) if row is not None else None


def sync(session: Session, project_id: int, rules: Sequence[AlertRule], *, now: datetime) -> None:
    """Let the alerts be those of the project's file; the caller holds the project's row.

    A rule that is said otherwise keeps its incident, and starts its waiting anew.
    """
    known = {row.name: row for row in session.exec(select(Row).where(Row.project_id == project_id).with_for_update())}
    for rule in rules:
        document = alert_document(rule)
        row = known.pop(rule.name, None)
        if row is None:
            session.add(Row(project_id=project_id, name=rule.name, rule=document, due_at=now, created_at=now))
        elif row.is_removed or row.rule != document:
            row.rule, row.is_removed = document, False
            row.beyond_since = row.clear_since = row.lease_owner = row.lease_until = None
            row.due_at = now
    for row in known.values():
        _remove(session, row, now)
    session.flush()


def _remove(session: Session, row: models.Alert, now: datetime) -> None:
    if row.is_removed:
        return
    standing = _stored(row).standing
    if standing.is_firing:
        turn = Turn(standing=standing, event=Event.RESOLVED)
        add_event(session, row, turn, now=now, word=Word(note="its rule was taken out of the project's file"))
    _set(row, afresh(standing))
    row.is_removed = True


def claim_due(session: Session, project_id: int, *, owner: str, now: datetime, lease: timedelta) -> list[StoredAlert]:
    """Claim the project's alerts that are due a look; another worker passes over those that are held."""
    query = (
        select(Row.id)
        .where(
            Row.project_id == project_id,
            col(Row.is_removed).is_(False),
            col(Row.is_disabled).is_(False),
            col(Row.due_at) <= now,
            col(Row.lease_until).is_(None) | (col(Row.lease_until) < now),
        )
        .order_by(col(Row.id))
    )
    if session.get_bind().dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    pks = list(session.exec(query))
    if pks:
        held = update(Row).where(col(Row.id).in_(pks)).values(lease_owner=owner, lease_until=now + lease)
        _update(session, held)
    rows = session.exec(select(Row).where(col(Row.id).in_(pks)).order_by(col(Row.id)))
    return [_stored(row) for row in rows]


def lock_held(session: Session, project_id: int, pks: Collection[int], *, owner: str) -> list[StoredAlert]:
    """Return those alerts that the owner still holds, kept for it until the transaction ends.

    The project's row is held first, as by who applies its file: two orders would be a deadlock.
    """
    project = select(models.Project.id).where(models.Project.id == project_id)
    session.exec(project.with_for_update(read=True, key_share=True)).one()
    query = select(Row).where(col(Row.id).in_(pks), Row.lease_owner == owner).order_by(col(Row.id)).with_for_update()
    return [_stored(row) for row in session.exec(query.execution_options(populate_existing=True))]


def lock(session: Session, project_id: int, name: str) -> StoredAlert | None:
    """Return a project's alert, and keep others off it until the transaction ends."""
    known = find(session, project_id, name)
    if known is None:
        return None
    query = select(Row).where(Row.id == known.pk).with_for_update()
    return _stored(session.exec(query.execution_options(populate_existing=True)).one())


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a look found: the figure, of which model version, or why it could not be read."""

    figure: FigureNow
    model_version: str | None = None
    fault: str | None = None


def finish_look(
    session: Session, held: StoredAlert, turn: Turn, seen: Seen, *, now: datetime, due_at: datetime
) -> None:
    """Record a look and give the alert back, due again then."""
    row = held.row
    _set(row, turn.standing)
    for name in ("value", "low", "high", "n", "since"):
        setattr(row, name, getattr(seen.figure, name))
    row.model_version = seen.model_version
    row.fault = seen.fault[:500] if seen.fault is not None else None
    row.looked_at, row.due_at = now, due_at
    row.lease_owner = row.lease_until = None
    session.add(row)
    session.flush()


def act(session: Session, held: StoredAlert, turn: Turn, *, now: datetime) -> None:
    """Record what a person did; an alert that was disabled is due at once when it is enabled."""
    _set(held.row, turn.standing)
    held.row.due_at = min(held.row.due_at, now)
    session.add(held.row)
    session.flush()


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """What a person said when they acted."""

    actor: str | None = None
    note: str | None = None
    until: datetime | None = None


def add_event(
    session: Session, row: models.Alert, turn: Turn, *, now: datetime, word: Word | None = None
) -> models.AlertEvent:
    """Keep what happened."""
    assert turn.event is not None
    assert row.id is not None
    event = models.AlertEvent(
        alert_id=row.id,
        event=turn.event.value,
        incident=turn.standing.incident,
        at=now,
        is_told=turn.is_told,
        value=row.value,
        low=row.low,
        high=row.high,
        n=row.n,
        **asdict(word or Word()),
    )
    session.add(event)
    session.flush()
    return event


def events(session: Session, project_id: int, *, limit: int, name: str | None = None) -> list[models.AlertEvent]:
    """Return what happened to a project's alerts, or to one, the latest first."""
    query = select(models.AlertEvent).join(Row, col(Row.id) == models.AlertEvent.alert_id)
    query = query.where(Row.project_id == project_id)
    if name is not None:
        query = query.where(Row.name == name)
    return list(session.exec(query.order_by(col(models.AlertEvent.id).desc()).limit(limit)))


def _set(row: models.Alert, standing: Standing) -> None:
    for name in _STANDING:
        setattr(row, name, getattr(standing, name))


def _update(session: Session, statement) -> CursorResult[tuple[()]]:  # type: ignore[no-untyped-def]  # noqa: ANN001  # an UPDATE
    result: CursorResult[tuple[()]] = session.exec(statement.execution_options(synchronize_session=False))
    session.expire_all()
    return result
