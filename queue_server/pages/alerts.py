"""The page that shows the alerts, and lets a person acknowledge, snooze, disable and enable them."""

from datetime import UTC, datetime, timedelta

from flask import Response, redirect, render_template, request, url_for

from queue_server.alerting import Order, do
from queue_server.core.alerts import Action
from queue_server.core.alerts.standing import why_not
from queue_server.core.alerts.wording import say, say_limits
from queue_server.errors import AlertError, ProblemError
from queue_server.pages.frame import admin, backend, blueprint, posting_admin
from queue_server.store import alerts, notifications
from queue_server.store.engine import reading, writing
from queue_server.store.notifications import NotificationState

_MOST_EVENTS = 50
#: how long a snooze lasts
_SNOOZES = {"1 hour": 1, "8 hours": 8, "1 day": 24, "1 week": 168}


@blueprint.get("/alerts")
def show_alerts() -> str:
    """Show each alert of the project's file, what happened to them, and what could not be sent."""
    caller, now = admin(), datetime.now(UTC)
    with reading(backend().engine) as session:
        known = alerts.of_project(session, caller.project_id)
        said = notifications.of_project(session, caller.project_id, limit=_MOST_EVENTS)
        return render_template(
            "pages/alerts.html",
            known=[(one, one.status(now), _actions(one)) for one in known],
            names=alerts.names(session, caller.project_id),
            events=alerts.events(session, caller.project_id, limit=_MOST_EVENTS),
            unsent=[row for row in said if row.state != NotificationState.SENT],
            say=say,
            say_limits=say_limits,
            snoozes=_SNOOZES,
        )


@blueprint.post("/alerts/<name>")
def order_alert(name: str) -> Response:
    """Do what a person wants of an alert."""
    caller, now = posting_admin(), datetime.now(UTC)
    try:
        action = Action(request.form.get("action", ""))
    except ValueError as error:
        raise ProblemError(422, "an alert must be acknowledged, snoozed, disabled or enabled") from error
    hours = min(max(request.form.get("hours", 24, type=int), 1), 24 * 365)
    order = Order(
        action=action,
        until=now + timedelta(hours=hours) if action is Action.SNOOZE else None,
        note=request.form.get("note", "").strip()[:1000] or None,
        actor="a person on the page of alerts",
    )
    try:
        with writing(backend().engine) as session:
            do(session, caller.project_id, name, order, now=now)
    except AlertError as error:
        raise ProblemError(404 if error.is_missing else 422, str(error)) from error
    return redirect(url_for("pages.show_alerts", _anchor=name), code=303)  # type: ignore[return-value]  # werkzeug's, of the same kind


def _actions(one: alerts.StoredAlert) -> list[Action]:
    """Return what a person can do with an alert now."""
    is_off = one.standing.is_disabled
    wanted = [Action.ENABLE] if is_off else [Action.ACKNOWLEDGE, Action.SNOOZE, Action.DISABLE]
    is_known = one.standing.acknowledged_at is not None
    return [
        action
        for action in wanted
        if why_not(one.standing, action) is None and not (action is Action.ACKNOWLEDGE and is_known)
    ]
