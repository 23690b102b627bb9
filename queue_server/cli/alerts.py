"""Commands for alerts: where they stand, what a person wants of one, and whether messages arrive."""

import getpass
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TypeVar

import click

from queue_server.alerting import Order, do, look_at_alerts
from queue_server.cli.opening import chosen, json_option, now, open_database, project_option, write_json
from queue_server.cli.tables import table
from queue_server.core.alerts import Action, say, say_limits
from queue_server.core.policy.parameters import read_seconds
from queue_server.errors import PolicyError
from queue_server.store import alerts as store
from queue_server.store import projects
from queue_server.store.alerts import StoredAlert
from queue_server.store.engine import reading, writing

F = TypeVar("F", bound=Callable[..., object])


class Span(click.ParamType):  # type: ignore[type-arg]  # it has none in older versions
    """A time span such as 90s, 15m, 24h or 7d."""

    name = "SPAN"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return timedelta(seconds=read_seconds("", value))
        except PolicyError as error:
            self.fail(error.message, param, ctx)


@click.group()
def alerts() -> None:
    """Look at alerts, answer them, and try channels; they are made in the project's file."""


@alerts.command("list")
@project_option
@json_option
def list_alerts(project_name: str | None, json_file: str | None) -> None:
    """List the alerts, where they stand, what is and what is expected."""
    backend, _, project_id = chosen(project_name)
    at = now()
    with reading(backend.engine) as session:
        known = store.of_project(session, project_id)
    if json_file != "-":
        rows = [("alert", "status", "is", "expected", "since"), *(_row(alert, at) for alert in known)]
        for line in table(rows) if known else ["no alerts: the project's file has none"]:
            click.echo(line)
        for alert in known:
            if alert.row.fault is not None:
                click.echo(f"{alert.rule.name}: {alert.row.fault}")
    write_json([_document(alert, at) for alert in known], json_file)


def _row(alert: StoredAlert, at: datetime) -> tuple[str, ...]:
    unit, standing = alert.rule.kind.unit, alert.standing
    since = standing.fired_at if standing.is_firing else standing.resolved_at
    return (
        alert.rule.name,
        alert.status(at).value,
        f"{alert.rule.figure} {say(alert.figure.value, unit)}",
        say_limits(alert.rule.limits, unit),
        f"{since:%Y-%m-%d %H:%M}" if since is not None else "",
    )


def _document(alert: StoredAlert, at: datetime) -> dict[str, object]:
    found = {"name": alert.rule.name, "status": alert.status(at).value, "rule": alert.row.rule}
    return found | asdict(alert.figure) | {"fault": alert.row.fault, "looked_at": alert.row.looked_at}


def _note(command: F) -> F:
    return click.option("--note", help="Why, for those who come after.")(command)


@alerts.command("acknowledge")
@click.argument("name")
@project_option
@_note
def acknowledge(name: str, project_name: str | None, note: str | None) -> None:
    """Say that somebody knows: no reminders until the next incident."""
    _do(name, project_name, Order(action=Action.ACKNOWLEDGE, note=note))


@alerts.command("snooze")
@click.argument("name")
@click.option("--for", "span", type=Span(), default="24h", show_default=True, help="For how long.")
@project_option
@_note
def snooze(name: str, span: timedelta, project_name: str | None, note: str | None) -> None:
    """Tell nobody for a while; what lasts is said once when that is over."""
    _do(name, project_name, Order(action=Action.SNOOZE, until=now() + span, note=note))


@alerts.command("disable")
@click.argument("name")
@project_option
@_note
def disable(name: str, project_name: str | None, note: str | None) -> None:
    """Look at it no more, until it is enabled."""
    _do(name, project_name, Order(action=Action.DISABLE, note=note))


@alerts.command("enable")
@click.argument("name")
@project_option
@_note
def enable(name: str, project_name: str | None, note: str | None) -> None:
    """Look at it again, as if it were new."""
    _do(name, project_name, Order(action=Action.ENABLE, note=note))


def _do(name: str, project_name: str | None, order: Order) -> None:
    backend, _, project_id = chosen(project_name)
    order = Order(action=order.action, until=order.until, note=order.note, actor=f"{_user()}, by command")
    at = now()
    with writing(backend.engine) as session:
        found = do(session, project_id, name, order, now=at)
    until = f" until {found.standing.snoozed_until:%Y-%m-%d %H:%M} UTC" if order.until is not None else ""
    click.echo(f"{name}: {found.status(at)}{until}")


def _user() -> str:
    try:
        return getpass.getuser()[:50]
    except (OSError, KeyError):  # in a container without accounts
        return "somebody"


@alerts.command("test")
@click.argument("channel")
@project_option
def try_channel(channel: str, project_name: str | None) -> None:
    """Say through a channel, now, that this is a trial."""
    from queue_server.notifications import send_trial

    backend, project, _ = chosen(project_name)
    send_trial(backend, project, channel)
    click.echo(f"{channel}: the message was taken")


@alerts.command("check")
@json_option
def check(json_file: str | None) -> None:
    """Look at the alerts that are due, and send what is to be said, once, now; the worker does so by itself."""
    from queue_server.notifications import deliver

    backend = open_database()
    with reading(backend.engine) as session:
        known = projects.all_projects(session)
    looked = {project.name: asdict(look_at_alerts(backend, project, now=now())) for project in known}
    delivered = deliver(backend)
    if json_file != "-":
        for name, result in looked.items():
            click.echo(f"{name}: {result['looked']} looked at, {result['told']} to be told")
        click.echo(f"{delivered.sent} sent, {delivered.failed} failed")
    write_json({"alerts": looked, "notifications": asdict(delivered)}, json_file)


COMMANDS = (alerts,)
