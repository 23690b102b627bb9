"""What is to be said is sent once through each channel, whatever fails and whoever dies."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import update

from queue_server import models, notifications
from queue_server.backend import Backend
from queue_server.core.alerts import Message
from queue_server.doctor import examine
from queue_server.errors import NotifyError
from queue_server.notifications import Delivered, deliver, send_trial
from queue_server.store import notifications as store
from queue_server.store.engine import writing
from tests.server.alerts import Watched
from tests.server.receivers import MailReceiver, WebReceiver

LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


def put(watched: Watched, *occasions: str, channels: tuple[str, ...] = ("ops",)) -> None:
    """Let something be said."""
    for occasion in occasions:
        said = Message(title=occasion, lines=(), link="http://here", document={})
        with writing(watched.backend.engine) as session:
            store.put(session, watched.project_id, said, occasion=occasion, channels=channels, now=datetime.now(UTC))


def come_back(watched: Watched) -> None:
    """Let the pause after a failed try, and any lease, be over."""
    with writing(watched.backend.engine) as session:
        session.exec(update(models.Notification).values(available_at=LONG_AGO, lease_until=None))


def titles(web: WebReceiver) -> list[str]:
    return [posted.json["title"] for posted in web.posted]


def states(watched: Watched) -> list[str]:
    return [row.state for row in watched.notifications()]


def test_nothing_to_say_sends_nothing(sqlite_backend: Backend) -> None:
    assert deliver(sqlite_backend) == Delivered()


def test_same_occasion_is_said_once_however_often_it_is_put(backend: Backend, web: WebReceiver) -> None:
    watched = Watched(backend, url=web.url)
    put(watched, "one", "one", "two", channels=("ops", "team"))
    assert deliver(backend) == Delivered(sent=4)
    assert sorted(posted.headers["Idempotency-Key"] for posted in web.posted) == [
        "one-ops",
        "one-team",
        "two-ops",
        "two-team",
    ]


def test_many_workers_at_once_send_each_once(backend: Backend, web: WebReceiver) -> None:
    watched = Watched(backend, url=web.url)
    put(watched, *(f"occasion-{number}" for number in range(12)), channels=("ops", "team"))
    workers = [threading.Thread(target=deliver, args=(backend,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # A worker that found the first of a channel held by another went home: the next run sends the rest.
    deliver(backend)
    keys = [posted.headers["Idempotency-Key"] for posted in web.posted]
    assert (len(keys), len(set(keys))) == (24, 24)


def test_worker_that_died_after_sending_leaves_it_to_be_sent_with_the_same_key(
    sqlite_backend: Backend, web: WebReceiver
) -> None:
    watched = Watched(sqlite_backend, url=web.url)
    put(watched, "fired")
    now = datetime.now(UTC)
    with writing(sqlite_backend.engine) as session:
        row = store.claim(session, owner="dead", now=now, lease=timedelta(minutes=2))
    notifications.send(
        notifications.channel_of(sqlite_backend, watched.project_id, "ops"),
        store.message_of(row),
        key=row.key,
        settings=sqlite_backend.settings,
    )
    assert deliver(sqlite_backend) == Delivered()  # the lease of the dead holds
    come_back(watched)
    assert deliver(sqlite_backend) == Delivered(sent=1)
    assert [posted.headers["Idempotency-Key"] for posted in web.posted] == ["fired-ops", "fired-ops"]


def test_worker_whose_lease_ran_out_records_nothing(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend)
    put(watched, "fired")
    now = datetime.now(UTC)
    with writing(sqlite_backend.engine) as session:
        first = store.claim(session, owner="slow", now=now, lease=timedelta(0))
        second = store.claim(session, owner="quick", now=now + timedelta(seconds=1), lease=timedelta(minutes=1))
        assert (first.id, store.finish(session, first, owner="slow", now=now)) == (second.id, False)


def test_what_failed_is_tried_again_and_nothing_overtakes_it(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, url=web.url)
    put(watched, "fired", "resolved")
    web.answers = [503]
    assert deliver(sqlite_backend) == Delivered(failed=1)
    assert deliver(sqlite_backend) == Delivered()
    come_back(watched)
    assert deliver(sqlite_backend) == Delivered(sent=2)
    assert titles(web) == ["fired", "fired", "resolved"]


def test_channel_that_is_away_holds_up_no_other(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, url=web.url)
    put(watched, "one", "two", channels=("ops", "team"))
    web.answers = [500]
    assert deliver(sqlite_backend) == Delivered(sent=2, failed=1)
    assert states(watched) == ["waiting", "sent", "waiting", "sent"]


def test_what_is_refused_for_good_is_given_up_and_the_next_is_sent(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, url=web.url)
    put(watched, "one", "two")
    web.answers = [410]
    assert deliver(sqlite_backend) == Delivered(sent=1, failed=1)
    assert [(row.state, row.last_error) for row in watched.notifications()] == [
        ("failed", "the channel must answer 2xx, got 410"),
        ("sent", None),
    ]


def test_what_could_not_be_said_for_days_is_given_up(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, url=web.url)
    put(watched, "old")
    with writing(sqlite_backend.engine) as session:
        session.exec(update(models.Notification).values(created_at=LONG_AGO))
    web.answers = [503]
    deliver(sqlite_backend)
    assert states(watched) == ["failed"]


def test_pause_grows_with_each_try(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, url=web.url)
    put(watched, "one")
    web.answers, pauses = [500] * 9, []
    for _ in range(9):
        before = datetime.now(UTC)
        deliver(sqlite_backend)
        pauses.append(round((watched.notifications()[0].available_at - before).total_seconds(), -1))
        come_back(watched)
    assert pauses == [10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_channel_that_left_the_file_is_no_longer_told(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend)
    put(watched, "one", channels=("gone",))
    deliver(sqlite_backend)
    (row,) = watched.notifications()
    assert (row.state, row.last_error) == (
        "failed",
        "the channel must be one of the project's file, got 'gone'; there are ops, team",
    )


def test_doctor_names_a_channel_through_which_the_last_message_did_not_go(
    sqlite_backend: Backend, web: WebReceiver
) -> None:
    watched = Watched(sqlite_backend, url=web.url)
    put(watched, "one", "two", channels=("ops", "team"))
    web.answers = [401]
    deliver(sqlite_backend)
    # Of ops one was refused, and the next went through.
    assert [found.name for found in examine(sqlite_backend) if found.name.startswith("channel")] == []
    put(watched, "three")
    web.answers = [401]
    deliver(sqlite_backend)
    (found,) = [found for found in examine(sqlite_backend) if found.name.startswith("channel")]
    assert (found.name, found.detail) == ("channel ops of pill-counter", "the channel must answer 2xx, got 401")
    assert found.remedy.endswith("lookswrong alerts test ops --project pill-counter")


def test_trial_says_that_nothing_is_wrong(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, url=web.url)
    send_trial(sqlite_backend, watched.project, "ops")
    assert titles(web) == ["pill-counter: a trial of the channel ops"]
    with pytest.raises(NotifyError, match="must be one of the project's file, got 'opps'"):
        send_trial(sqlite_backend, watched.project, "opps")


def test_email_goes_through_the_server_of_the_settings(sqlite_backend: Backend, mail: MailReceiver) -> None:
    watched = Watched(sqlite_backend, more="")
    settings = sqlite_backend.settings.model_copy(update={"smtp_url": mail.url})
    with writing(sqlite_backend.engine) as session:
        session.get(models.Project, watched.project_id).channels = {"ops": {"email": ["anna@app.example"]}}
    put(watched, "fired")
    assert deliver(replace(sqlite_backend, settings=settings)) == Delivered(sent=1)
    assert mail.mails[0]["Subject"] == "fired"
