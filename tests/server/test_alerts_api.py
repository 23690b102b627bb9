"""Alerts over the wire and by command."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from click.testing import CliRunner, Result

from queue_server.alerting import look_at_alerts
from queue_server.backend import Backend
from queue_server.cli import main
from tests.server.conftest import PROJECT, Server, jpeg, run_server, sample
from tests.server.receivers import WebReceiver

ALERTS = """channels: {ops: {webhook: '%s'}}
alerts:
  - {name: long, figure: queue.backlog, above: 0, channels: [ops]}
  - {name: fell, figure: accuracy, below: 0.9, clear: 0.92, for: 1d}
"""


@pytest.fixture
def watched(sqlite_backend: Backend, web: WebReceiver) -> Iterator[Server]:
    """A server on whose project an alert is about to be raised."""
    for server in run_server(sqlite_backend, project_text=PROJECT + ALERTS % web.url):
        value = sample()
        server.post(value, jpeg())
        server.say(value.id, "rejected")
        yield server


def look(server: Server) -> None:
    look_at_alerts(server.backend, server.project, now=datetime.now(UTC))


def order(server: Server, name: str = "long", **body: object) -> httpx.Response:
    return server.admin.post(f"/v1/alerts/{name}", json=body)


def statuses(server: Server) -> dict[str, str]:
    return {alert["name"]: alert["status"] for alert in server.read.get("/v1/alerts").json()["alerts"]}


def command(server: Server, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("LOOKSWRONG_DATA_DIR", str(server.backend.settings.data_dir))
    monkeypatch.setenv("LOOKSWRONG_SECRET_KEY", "s" * 32)
    return CliRunner().invoke(main, ["alerts", *arguments])


def test_project_without_alerts_answers_none(server: Server) -> None:
    assert server.read.get("/v1/alerts").json() == {"alerts": [], "events": [], "unsent": []}


def test_alerts_tell_where_they_stand_and_what_is(watched: Server) -> None:
    look(watched)
    found = watched.read.get("/v1/alerts").json()
    long, fell = found["alerts"]
    assert (long["status"], long["value"], long["incident"], fell["status"]) == ("firing", 1.0, 1, "quiet")
    assert fell["rule"] == {"name": "fell", "figure": "accuracy", "below": 0.9, "clear": 0.92, "for": 86400.0}
    assert [(event["name"], event["event"], event["is_told"]) for event in found["events"]] == [("long", "fired", True)]
    assert [(row["channel"], row["state"]) for row in found["unsent"]] == [("ops", "waiting")]


def test_alert_is_answered_over_the_wire(watched: Server) -> None:
    look(watched)
    assert order(watched, action="acknowledge", note="on it").json()["status"] == "acknowledged"
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert order(watched, action="snooze", until=until).json()["status"] == "snoozed"
    assert order(watched, action="disable").json()["status"] == "disabled"
    assert order(watched, action="enable").json()["status"] == "resolved"
    events = watched.read.get("/v1/alerts").json()["events"]
    assert [event["event"] for event in events] == ["enabled", "disabled", "snoozed", "acknowledged", "fired"]
    assert (events[3]["note"], events[3]["actor"]) == ("on it", "a key with scope admin")


@pytest.mark.parametrize(
    ("name", "body", "status", "field"),
    [
        ("lonely", {"action": "disable"}, 404, None),
        ("fell", {"action": "acknowledge"}, 422, "action"),
        ("fell", {"action": "snooze"}, 422, "until"),
        ("fell", {"action": "snooze", "until": "2020-01-01T00:00:00Z"}, 422, "until"),
        ("fell", {"action": "snooze", "until": "2020-01-01T00:00:00"}, 422, "until"),
        ("fell", {"action": "silence"}, 422, "action"),
        ("fell", {"action": "disable", "for": "24h"}, 422, "for"),
    ],
)
def test_what_cannot_be_done_names_the_field(
    watched: Server, name: str, body: dict, status: int, field: str | None
) -> None:
    answer = order(watched, name, **body)
    assert (answer.status_code, [fault["field"] for fault in answer.json()["errors"]]) == (
        status,
        [field] if field else [],
    )


def test_only_an_admin_may_change_an_alert(watched: Server) -> None:
    assert watched.read.post("/v1/alerts/long", json={"action": "disable"}).status_code == 403
    assert watched.ingest.get("/v1/alerts").status_code == 403
    assert statuses(watched) == {"long": "quiet", "fell": "quiet"}


def test_commands_look_send_and_list(watched: Server, web: WebReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    done = command(watched, "check", monkeypatch=monkeypatch)
    assert done.stdout.splitlines() == ["pill-counter: 2 looked at, 1 to be told", "1 sent, 0 failed"]
    assert [posted.json["event"] for posted in web.posted] == ["fired"]
    listed = command(watched, "list", monkeypatch=monkeypatch).stdout.splitlines()
    assert listed[1].split()[:5] == ["long", "firing", "queue.backlog", "1", "at"]
    assert "accuracy not known" in listed[2]


def test_commands_answer_an_alert(watched: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    look(watched)
    said = [
        command(watched, *arguments, monkeypatch=monkeypatch).stdout.partition(" until")[0].strip()
        for arguments in (
            ("acknowledge", "long", "--note", "on it"),
            ("snooze", "long", "--for", "2h"),
            ("disable", "long"),
            ("enable", "long"),
        )
    ]
    assert said == ["long: acknowledged", "long: snoozed", "long: disabled", "long: resolved"]
    listed = command(watched, "list", "--json", "-", monkeypatch=monkeypatch)
    assert json.loads(listed.stdout)[0]["status"] == "resolved"


def test_command_tries_a_channel(watched: Server, web: WebReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(watched, "test", "ops", monkeypatch=monkeypatch).stdout == "ops: the message was taken\n"
    web.answers = [401]
    failed = command(watched, "test", "ops", monkeypatch=monkeypatch)
    assert (failed.exit_code, failed.stderr) == (1, "Error: the channel must answer 2xx, got 401\n")


def test_command_says_which_alerts_there_are(watched: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = command(watched, "disable", "lon", monkeypatch=monkeypatch)
    assert "there must be an alert of that name, got 'lon'; there are long, fell" in failed.stderr


def test_project_shows_what_it_watches(watched: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKSWRONG_DATA_DIR", str(watched.backend.settings.data_dir))
    shown = json.loads(CliRunner().invoke(main, ["project", "show"]).stdout)
    assert [alert["name"] for alert in shown["alerts"]] == ["long", "fell"]
    assert shown["retraining"] is None
