"""Calls about alerts: which there are, where they stand, and what a person wants of one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from flask import Blueprint

from feedback_sdk.bounds import Text
from queue_server.alerting import Order, do
from queue_server.api.endpoint import Answer, Body, BodyKind, Call, Instant, backend, caller, endpoint, now, read_body
from queue_server.auth import Scope
from queue_server.core.alerts import Action, Status
from queue_server.errors import AlertError, FieldError, ProblemError
from queue_server.store import alerts, notifications
from queue_server.store.alerts import StoredAlert
from queue_server.store.engine import reading, writing
from queue_server.store.notifications import NotificationState

blueprint = Blueprint("alerts", __name__)

_MOST_EVENTS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertAnswer:
    """An alert: its rule, where it stands, and its figure at the last look."""

    name: str
    status: Status
    #: as the project's file says it, defaults written out
    rule: dict[str, object]
    #: null: not known, at the last look
    value: float | None
    #: the interval, wide enough for looks at any time
    low: float | None
    high: float | None
    n: int
    #: the figure is of what came from then on; null: of what was there
    since: datetime | None
    model_version: str | None
    #: null: never looked at
    looked_at: datetime | None
    #: why the figure could not be read
    fault: str | None
    #: how often it was raised
    incident: int
    fired_at: datetime | None
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    snoozed_until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertEventAnswer:
    """Something that happened to an alert."""

    name: str
    event: str
    incident: int
    at: datetime
    is_told: bool
    value: float | None
    actor: str | None
    note: str | None
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnsentAnswer:
    """Something that was to be said and could not be, or not yet."""

    channel: str
    title: str
    #: waiting: it is tried again; failed: it is not
    state: str
    attempts: int
    error: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertsAnswer:
    """A project's alerts in the order of its file, what happened to them, the latest first, and what is not sent."""

    alerts: list[AlertAnswer]
    events: list[AlertEventAnswer]
    unsent: list[UnsentAnswer]


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/alerts",
        summary="Read the project's alerts, the last that happened to them, and what could not be sent.",
        scope=Scope.READ,
        takes_token=False,
        query=None,
        body=None,
        answers={200: AlertsAnswer},
        problems=(401, 403),
    ),
)
def get_alerts() -> Answer[AlertsAnswer]:
    """Read the alerts of the key's project."""
    project_id, at = caller().project_id, now()
    with reading(backend().engine) as session:
        known = alerts.of_project(session, project_id)
        names = alerts.names(session, project_id)
        events = alerts.events(session, project_id, limit=_MOST_EVENTS)
        said = notifications.of_project(session, project_id, limit=_MOST_EVENTS)
    value = AlertsAnswer(
        alerts=[_answer(alert, at) for alert in known],
        events=[
            AlertEventAnswer(
                name=names[event.alert_id],
                event=event.event,
                incident=event.incident,
                at=event.at,
                is_told=event.is_told,
                value=event.value,
                actor=event.actor,
                note=event.note,
                until=event.until,
            )
            for event in events
        ],
        unsent=[
            UnsentAnswer(
                channel=row.channel,
                title=str(row.message["title"]),
                state=row.state,
                attempts=row.attempts,
                error=row.last_error,
                at=row.created_at,
            )
            for row in said
            if row.state != NotificationState.SENT
        ],
    )
    return Answer(status=200, value=value)


def _answer(alert: StoredAlert, at: datetime) -> AlertAnswer:
    row, standing, figure = alert.row, alert.standing, alert.figure
    return AlertAnswer(
        name=row.name,
        status=alert.status(at),
        rule=row.rule,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        n=figure.n,
        since=figure.since,
        model_version=row.model_version,
        looked_at=row.looked_at,
        fault=row.fault,
        incident=standing.incident,
        fired_at=standing.fired_at,
        resolved_at=standing.resolved_at,
        acknowledged_at=standing.acknowledged_at,
        snoozed_until=standing.snoozed_until,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertOrder:
    """What a person wants of an alert."""

    action: Action
    #: of a snooze
    until: Instant | None = None
    #: why, for those who come after
    note: Annotated[str, Text(at_most=1000)] | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/alerts/<name>",
        summary="Acknowledge, snooze, disable or enable an alert.",
        scope=Scope.ADMIN,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON, value=AlertOrder),
        answers={200: AlertAnswer},
        problems=(401, 403, 404, 413, 415, 422),
    ),
)
def post_alert(name: str) -> Answer[AlertAnswer]:
    """Do what is wanted of an alert of the key's project."""
    wanted, at = read_body(AlertOrder), now()
    order = Order(action=wanted.action, until=wanted.until, note=wanted.note, actor="a key with scope admin")
    try:
        with writing(backend().engine) as session:
            found = do(session, caller().project_id, name, order, now=at)
    except AlertError as error:
        if error.is_missing:
            raise ProblemError(404, "the project has no such alert") from error
        raise ProblemError(
            422, "the alert cannot do this", (FieldError(field=error.field, message=str(error)),)
        ) from error
    return Answer(status=200, value=_answer(found, at))
