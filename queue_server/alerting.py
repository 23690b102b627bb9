"""Look at what alerts watch, tell whom it concerns, and do what people say of alerts.

What is to be said is written in the transaction of what happened; `notifications` sends it.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

import structlog
from sqlmodel import Session

from queue_server import models
from queue_server.backend import Backend
from queue_server.core.alerts import (
    Action,
    AlertRule,
    Event,
    FigureNow,
    Message,
    Occasion,
    Source,
    Turn,
    act,
    for_many_looks,
    look,
    message,
    why_not,
)
from queue_server.errors import AlertError, FigureError
from queue_server.reports.figures import Asked, FigureReader
from queue_server.store import alerts, notifications
from queue_server.store.alerts import Seen, StoredAlert, Word
from queue_server.store.engine import reading, writing

_log = structlog.get_logger()

#: how long a worker may read the figures of a project; if it dies, another looks after that
_LEASE = timedelta(minutes=15)
#: an alert that waits to be raised or ended is looked at as often as this part of its waiting
_LOOKS_A_WAIT = 4


def figures(session: Session, project_id: int, now: datetime) -> Mapping[str, FigureNow]:
    """Return every figure that has a name of its own, of a project's latest model version; None where unknown."""
    return FigureReader(session, project_id, now=now).all()


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What came of looking at a project's alerts."""

    looked: int = 0
    told: int = 0


def look_at_alerts(backend: Backend, project: models.Project, *, now: datetime) -> Looked:
    """Look at a project's alerts that are due; safe to run twice and to die anywhere.

    1. Claim them with a lease. 2. Read their figures, in no transaction that writes. 3. In one transaction: let each
    take its turn from where it stands now (a person may have spoken meanwhile), keep what happened and what is to be
    said, and give it back.
    """
    assert project.id is not None
    owner = secrets.token_hex(8)
    with writing(backend.engine) as session:
        claimed = alerts.claim_due(session, project.id, owner=owner, now=now, lease=_LEASE)
    if not claimed:
        return Looked()
    with reading(backend.engine) as session:
        seen = _see(FigureReader(session, project.id, now=now), claimed)
    told = 0
    with writing(backend.engine) as session:
        held = alerts.lock_held(session, project.id, list(seen), owner=owner)
        for alert in held:
            told += _take_turn(session, backend, project, alert, seen[alert.pk], now)
    _log.info("alerts", action="alerts", project=project.name, looked=len(held), told=told)
    return Looked(looked=len(held), told=told)


def _see(reader: FigureReader, claimed: Sequence[StoredAlert]) -> dict[int, Seen]:
    found = {}
    for alert in claimed:
        try:
            read = reader.read(asked_of(alert.rule))
            found[alert.pk] = Seen(figure=_widened(alert.rule, read.figure), model_version=read.model_version)
        except FigureError as error:
            found[alert.pk] = Seen(figure=FigureNow(value=None), fault=str(error))
    return found


def asked_of(rule: AlertRule) -> Asked:
    """Return which figure a rule is about."""
    return Asked(
        figure=rule.figure,
        over_seconds=rule.given_over_seconds,
        slice=rule.slice,
        model_version=rule.model_version,
    )


def _widened(rule: AlertRule, figure: FigureNow) -> FigureNow:
    """Return a figure that may be looked at at any time: reports are made for one look."""
    if not rule.kind.is_widened:
        return figure
    return for_many_looks(figure, over_seconds=rule.over_seconds, bounds=rule.kind.bounds)


def _take_turn(
    session: Session, backend: Backend, project: models.Project, alert: StoredAlert, seen: Seen, now: datetime
) -> bool:
    turn = look(alert.standing, alert.rule, seen.figure, now=now)
    alerts.finish_look(session, alert, turn, seen, now=now, due_at=now + _pause(alert.rule, turn))
    if turn.event is None:
        return False
    event = alerts.add_event(session, alert.row, turn, now=now)
    if not turn.is_told or not alert.rule.channels:
        return False
    assert project.id is not None
    said = _said(backend, project, alert, turn, seen, now)
    occasion = f"alert-{event.id}"
    notifications.put(session, project.id, said, occasion=occasion, channels=alert.rule.channels, now=now)
    return True


def _pause(rule: AlertRule, turn: Turn) -> timedelta:
    """Return when to look again: as often as the figure is worth reading, and more often while time decides.

    Drift is looked at no more often than its tests are made for.
    """
    pace = rule.kind.pace_seconds
    standing = turn.standing
    is_waiting = bool(rule.hold_seconds) and (standing.beyond_since or standing.clear_since) is not None
    if is_waiting and rule.kind.source is not Source.DRIFT:
        pace = min(pace, max(60.0, rule.hold_seconds / _LOOKS_A_WAIT))
    # A little sooner than the schedule comes by, which would else pass it over every other time.
    return timedelta(seconds=pace * 0.95)


def _said(
    backend: Backend, project: models.Project, alert: StoredAlert, turn: Turn, seen: Seen, now: datetime
) -> Message:
    assert turn.event is not None
    before = alert.standing
    since = before.clear_since if turn.event is Event.RESOLVED else before.beyond_since or before.fired_at
    occasion = Occasion(
        project=project.name,
        event=turn.event,
        incident=turn.standing.incident,
        model_version=seen.model_version,
        since=since or now,
        at=now,
        link=alerts_link(backend, project.name, alert.rule.name),
    )
    return message(alert.rule, seen.figure, occasion)


def alerts_link(backend: Backend, project: str, name: str = "") -> str:
    """Return where a person sees a project's alerts."""
    base = f"{backend.settings.public_url.rstrip('/')}/alerts?project={quote(project)}"
    return f"{base}#{quote(name)}" if name else base


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a person wants of an alert."""

    action: Action
    #: of a snooze
    until: datetime | None = None
    note: str | None = None
    #: who said it, as far as that is known
    actor: str | None = None


def do(session: Session, project_id: int, name: str, order: Order, *, now: datetime) -> StoredAlert:
    """Do what a person wants of an alert, and keep that they did; AlertError where there is none, or it cannot be."""
    held = alerts.lock(session, project_id, name)
    if held is None:
        known = ", ".join(alert.rule.name for alert in alerts.of_project(session, project_id)) or "none"
        raise AlertError(f"there must be an alert of that name, got {name!r}; there are {known}", is_missing=True)
    if order.action is Action.SNOOZE and (order.until is None or order.until <= now):
        raise AlertError("until must be a time to come", field="until")
    why = why_not(held.standing, order.action)
    if why is not None:
        raise AlertError(f"{name} {why}", field="action")
    turn = act(held.standing, order.action, now=now, until=order.until)
    if turn.event is not None:
        alerts.act(session, held, turn, now=now)
        until = order.until if order.action is Action.SNOOZE else None
        alerts.add_event(session, held.row, turn, now=now, word=Word(actor=order.actor, note=order.note, until=until))
    found = alerts.find(session, project_id, name)
    assert found is not None
    return found
