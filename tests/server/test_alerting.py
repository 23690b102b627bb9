"""Alerts from what is stored: raised, told once, ended, and what people say of them."""

import threading
from datetime import timedelta

import pytest
from sqlmodel import update

from queue_server import alerting, models
from queue_server.alerting import Looked
from queue_server.backend import Backend
from queue_server.core.alerts import FIGURES, Action, Status
from queue_server.errors import AlertError
from queue_server.ingest.due import decide_due
from queue_server.store import alerts
from queue_server.store.engine import reading, writing
from tests.server.alerts import BACKLOG, HOUR, Watched
from tests.server.conftest import NOW
from tests.server.receivers import WebReceiver

LONG = BACKLOG % ""
DAY = timedelta(days=1)


def test_project_without_alerts_looks_at_nothing(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend)
    assert watched.look() == Looked()
    assert watched.deliver().sent == 0


def test_every_figure_of_an_empty_project_is_none_or_zero(backend: Backend) -> None:
    watched = Watched(backend)
    with reading(backend.engine) as session:
        found = alerting.figures(session, watched.project_id, NOW)
    assert set(found) <= set(FIGURES)
    assert {name: figure.value for name, figure in found.items() if figure.value} == {}


def test_alert_is_raised_and_told_once(backend: Backend, web: WebReceiver) -> None:
    watched = Watched(backend, LONG, url=web.url)
    watched.object(2)
    for hour in range(5):
        watched.look(NOW + hour * HOUR)
        watched.deliver()
    (posted,) = web.posted
    assert posted.json["title"] == "pill-counter: queue.backlog is 2, expected at most 1"
    assert (posted.json["event"], posted.json["value"], watched.events()) == ("fired", 2.0, ["fired"])
    assert posted.json["link"] == "http://127.0.0.1:8500/alerts?project=pill-counter#long"


def test_alert_that_is_over_is_told_once(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, LONG, url=web.url)
    watched.object(2)
    watched.look()
    empty_queue(watched)
    for hour in range(1, 4):
        watched.look(NOW + hour * HOUR)
    watched.deliver()
    assert [posted.json["event"] for posted in web.posted] == ["fired", "resolved"]
    assert watched.status() is Status.RESOLVED


def empty_queue(watched: Watched) -> None:
    with writing(watched.backend.engine) as session:
        session.exec(update(models.Sample).values(state="annotated"))


def test_alert_is_looked_at_when_it_is_due(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, LONG, "{name: fell, figure: accuracy, below: 0.9}")
    looked = [watched.look(NOW + minutes * timedelta(minutes=1)).looked for minutes in (0, 0.5, 1, 2, 60)]
    assert looked == [2, 0, 1, 1, 2]


def test_many_workers_at_once_raise_an_alert_once(backend: Backend) -> None:
    watched = Watched(backend, LONG)
    watched.object(2)
    found: list[Looked] = []
    workers = [threading.Thread(target=lambda: found.append(watched.look())) for _ in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(looked.told for looked in found) == [0, 0, 0, 0, 1]
    assert (watched.events(), len(watched.notifications())) == (["fired"], 1)


@pytest.mark.parametrize(
    ("alert", "minutes"),
    [
        ("{name: long, figure: queue.backlog, above: 1}", 0.95),
        ("{name: long, figure: rejection_rate, above: 1}", 4.75),
        ("{name: long, figure: queue.backlog, above: 1, for: 1d}", 0.95),
        ("{name: long, figure: accuracy, below: 0.9}", 57),
        ("{name: long, figure: drift.features, above: 0, for: 2h}", 1368),
    ],
)
def test_figure_is_read_as_often_as_it_is_worth(sqlite_backend: Backend, alert: str, minutes: float) -> None:
    watched = Watched(sqlite_backend, alert)
    watched.look()
    assert watched.alert().row.due_at - NOW == timedelta(minutes=minutes)


def test_two_workers_at_once_look_at_an_alert_once(backend: Backend) -> None:
    watched = Watched(backend, LONG)
    watched.object(2)
    with writing(backend.engine) as session:
        first = alerts.claim_due(session, watched.project_id, owner="a", now=NOW, lease=HOUR)
    assert (len(first), watched.look()) == (1, Looked())
    # Who died holding it keeps it for its lease, and no longer.
    assert watched.look(NOW + 2 * HOUR) == Looked(looked=1, told=1)


def test_worker_that_lost_its_lease_changes_nothing(backend: Backend) -> None:
    watched = Watched(backend, LONG)
    with writing(backend.engine) as session:
        (held,) = alerts.claim_due(session, watched.project_id, owner="a", now=NOW, lease=HOUR)
    watched.look(NOW + 2 * HOUR)
    with writing(backend.engine) as session:
        assert alerts.lock_held(session, watched.project_id, [held.pk], owner="a") == []


def test_alert_without_channels_is_kept_and_not_sent(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, "{name: long, figure: queue.backlog, above: 1}")
    watched.object(2)
    assert watched.look() == Looked(looked=1, told=0)
    assert (watched.events(), watched.notifications()) == (["fired"], [])


def test_each_channel_is_told(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, LONG.replace("[ops]", "[ops, team]"), url=web.url)
    watched.object(2)
    watched.look()
    assert watched.deliver().sent == 2
    assert len({posted.headers["Idempotency-Key"] for posted in web.posted}) == 2


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (
            "{name: long, figure: accuracy, below: 0.9, slice: night}",
            "slice: must be a slice of the project, got 'night'; there are none yet",
        ),
        ("{name: long, figure: drift.features, above: 0, slice: night}", "slice: must be a slice of the project"),
        ("{name: long, figure: mask_iou, below: 0.9}", "mask_iou must be a figure of the project's task, detection"),
        ("{name: long, figure: drift.mood, above: 0.2}", "drift.mood must be drift. and a feature, of which there are"),
    ],
)
def test_figure_that_cannot_be_read_is_said_and_changes_nothing(sqlite_backend: Backend, alert: str, said: str) -> None:
    watched = Watched(sqlite_backend, alert)
    watched.object(1)
    while decide_due(sqlite_backend, now=NOW + 2 * DAY):
        pass
    watched.look(NOW + 2 * DAY)
    found = watched.alert()
    assert str(found.row.fault).startswith(said)
    assert (found.status(NOW), watched.events()) == (Status.QUIET, [])


def test_acknowledged_alert_keeps_who_and_why(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, LONG)
    watched.object(2)
    watched.look()
    watched.do(Action.ACKNOWLEDGE)
    assert (watched.status(), watched.events()) == (Status.ACKNOWLEDGED, ["fired", "acknowledged"])


def test_snooze_holds_until_its_time(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, LONG, url=web.url)
    watched.object(2)
    watched.do(Action.SNOOZE, until=NOW + DAY)
    told = [watched.look(NOW + hours * HOUR).told for hours in (0, 1, 23, 25, 26)]
    assert (told, watched.events()) == ([0, 0, 0, 1, 0], ["snoozed", "fired", "reminded"])


def test_disabled_alert_is_not_looked_at_until_it_is_enabled(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, LONG)
    watched.object(2)
    watched.do(Action.DISABLE)
    assert watched.look(NOW + HOUR) == Looked()
    watched.do(Action.ENABLE, now=NOW + HOUR)
    assert watched.look(NOW + HOUR) == Looked(looked=1, told=1)


@pytest.mark.parametrize(
    ("action", "name", "until", "said"),
    [
        (Action.ACKNOWLEDGE, "long", None, "long must be firing to be acknowledged"),
        (Action.DISABLE, "lon", None, "there must be an alert of that name, got 'lon'; there are long"),
        (Action.DISABLE, "a\x00", None, "there must be an alert of that name"),
        (Action.SNOOZE, "long", None, "until must be a time to come"),
        (Action.SNOOZE, "long", NOW, "until must be a time to come"),
    ],
)
def test_what_cannot_be_done_is_said(
    sqlite_backend: Backend, action: Action, name: str, until: object, said: str
) -> None:
    watched = Watched(sqlite_backend, LONG)
    with pytest.raises(AlertError) as caught:
        watched.do(action, name=name, until=until)
    assert said in str(caught.value)


def test_rule_that_changes_keeps_its_incident(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, LONG)
    watched.object(2)
    watched.look()
    watched.apply(LONG.replace("above: 1", "above: 1.5"))
    assert (watched.status(), watched.alert().rule.limits.at_most) == (Status.FIRING, 1.5)
    assert watched.look() == Looked(looked=1, told=0)


def test_rule_that_is_taken_out_ends_and_may_come_back(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, LONG)
    watched.object(2)
    watched.look()
    watched.apply()
    assert (watched.look(NOW + HOUR), watched.events()) == (Looked(), ["fired", "resolved"])
    watched.apply(LONG)
    assert watched.look(NOW + HOUR) == Looked(looked=1, told=1)
