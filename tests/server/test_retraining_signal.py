"""The signal to retrain: from what is stored, given once a training, with the data set that it is for."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest
from click.testing import CliRunner, Result

from queue_server import models
from queue_server.backend import Backend
from queue_server.cli import main
from queue_server.core.policy import State
from queue_server.retraining import look_for_retraining, retraining_status
from queue_server.store import retraining, samples
from queue_server.store.engine import reading, writing
from tests.server.alerts import Watched
from tests.server.conftest import NOW, Server, prediction, run_server
from tests.server.receivers import WebReceiver
from tests.server.test_reports import annotate

RULE = "retraining: {new_errors: 3, channels: [ops]}\n"
LATER = NOW + timedelta(days=2)
HOUR = timedelta(hours=1)


def annotated(watched: Watched, count: int, *, right: bool = False, at: datetime = NOW) -> list[UUID]:
    """Let so many samples have been annotated."""
    ids = [watched.arrive(prediction(0.9)) for _ in range(count)]
    for sample_id in ids:
        watched.say(sample_id, "rejected")
    annotate(watched, ids, right=right, pulled_at=at)
    settle(watched, ids)
    return ids


def settle(watched: Watched, ids: Sequence[UUID]) -> None:
    with writing(watched.backend.engine) as session:
        for sample_id in ids:
            row = samples.find(session, watched.project_id, sample_id, for_update=True)
            samples.move(session, row, state=State.ANNOTATED, reason=row.reason, now=NOW)


def look(watched: Watched, now: datetime = LATER) -> bool:
    return look_for_retraining(watched.backend, watched.project, now=now)


def train(watched: Watched, export_id: UUID, version: str = "v2") -> None:
    with writing(watched.backend.engine) as session:
        values = {"project_id": watched.project_id, "name": version, "trained_on": export_id, "created_at": LATER}
        session.add(models.ModelVersion(**values))


def signals(watched: Watched) -> list[models.RetrainingSignal]:
    with reading(watched.backend.engine) as session:
        return retraining.of_project(session, watched.project_id)


def test_project_that_says_nothing_of_it_gives_no_signal(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend)
    annotated(watched, 3)
    with reading(sqlite_backend.engine) as session:
        assert retraining_status(session, watched.project, now=LATER) is None
    assert (look(watched), signals(watched)) == (False, [])


def test_signal_is_given_once_and_posted_with_the_manifest(backend: Backend, web: WebReceiver) -> None:
    watched = Watched(backend, url=web.url, more=RULE)
    annotated(watched, 3)
    assert [look(watched, LATER + hour * HOUR) for hour in range(3)] == [True, False, False]
    watched.deliver()
    (posted,) = web.posted
    export = posted.json["export"]
    assert (posted.json["kind"], [reason["name"] for reason in posted.json["reasons"]]) == (
        "retraining",
        ["new_errors"],
    )
    assert export["url"] == "http://127.0.0.1:8500/v1/exports/jsonl"
    assert (export["manifest"]["counts"]["items"], str(signals(watched)[0].export_id)) == (3, export["id"])


@pytest.mark.parametrize(("wrong", "right"), [(2, 0), (2, 5)])
def test_too_few_errors_are_no_signal_yet(sqlite_backend: Backend, wrong: int, right: int) -> None:
    watched = Watched(sqlite_backend, more=RULE)
    annotated(watched, wrong)
    annotated(watched, right, right=True)
    assert (look(watched), signals(watched)) == (False, [])


def test_it_is_looked_once_an_hour_among_all_workers(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, more=RULE)
    assert look(watched) is False
    annotated(watched, 3)
    assert [look(watched, LATER + HOUR / 2), look(watched, LATER + HOUR)] == [False, True]


def test_next_training_starts_the_count_anew(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, more=RULE)
    annotated(watched, 3)
    look(watched)
    train(watched, signals(watched)[0].export_id)
    with reading(sqlite_backend.engine) as session:
        status = retraining_status(session, watched.project, now=LATER)
    assert (status.training.model_version, status.learned.new_errors, status.signal) == ("v2", 0, None)
    annotated(watched, 3, at=LATER + HOUR / 2)
    assert look(watched, LATER + HOUR) is True
    assert len(signals(watched)) == 2


def test_sample_that_was_annotated_twice_counts_once(sqlite_backend: Backend) -> None:
    watched = Watched(sqlite_backend, more=RULE)
    ids = annotated(watched, 2)
    annotate(watched, ids, right=False, annotator="cleo")
    assert look(watched) is False


def test_data_set_that_cannot_be_made_stops_no_signal(sqlite_backend: Backend, web: WebReceiver) -> None:
    watched = Watched(sqlite_backend, url=web.url, more=RULE.replace("3,", "3, format: coco,"))
    ids = annotated(watched, 3)
    annotate(watched, ids, right=False, document={"boxes": [], "count": 9})
    assert look(watched) is True
    watched.deliver()
    assert web.posted[0].json["export"] is None


def test_all_thresholds_are_looked_at(sqlite_backend: Backend) -> None:
    more = "retraining: {new_labels: 9, new_errors: 9, quality_drop: 0.1, drifted_features: 1}\n"
    watched = Watched(sqlite_backend, more=more)
    annotated(watched, 2)
    with reading(sqlite_backend.engine) as session:
        advice = retraining_status(session, watched.project, now=LATER + timedelta(days=4)).advice
    assert {reason.name: reason.value for reason in advice.reasons} == {
        "new_errors": 2.0,
        "new_labels": 2.0,
        "quality_drop": None,
        "drifted_features": 0.0,
    }


@pytest.fixture
def served(sqlite_backend: Backend, web: WebReceiver) -> Server:
    """A server whose project is about to say that it is time."""
    watched = Watched(sqlite_backend, url=web.url, more=RULE)
    annotated(watched, 3)
    yield from run_server(sqlite_backend, project_text=None)


def command(served: Server, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("LOOKSWRONG_DATA_DIR", str(served.backend.settings.data_dir))
    monkeypatch.setenv("LOOKSWRONG_SECRET_KEY", "s" * 32)
    return CliRunner().invoke(main, ["retraining", *arguments])


def test_call_tells_whether_it_is_time(served: Server) -> None:
    found = served.read.get("/v1/retraining").raise_for_status().json()
    assert (found["is_time"], found["new_errors"], found["is_given"], found["signals"]) == (True, 3, False, [])
    assert found["reasons"][0]["sentence"].startswith("3 samples were annotated in which the model was wrong, of 3")


def test_call_of_a_project_that_says_nothing_of_it(server: Server) -> None:
    found: httpx.Response = server.read.get("/v1/retraining")
    assert (found.json()["is_time"], found.json()["reasons"]) == (None, [])


def test_commands_say_it_and_post_it_once(served: Server, web: WebReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    status = command(served, "status", monkeypatch=monkeypatch).stdout.splitlines()
    assert status[0] == "it is time to train"
    assert status[2].startswith("reached: 3 samples were annotated")
    given = command(served, "check", "--json", "-", monkeypatch=monkeypatch)
    assert json.loads(given.stdout)["given"] == {"pill-counter": True}
    assert len(web.posted) == 1
    assert served.read.get("/v1/retraining").json()["is_given"] is True
    assert "said on" in command(served, "status", monkeypatch=monkeypatch).stdout


def test_command_says_what_the_file_must_have(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = command(server, "status", monkeypatch=monkeypatch)
    assert "the file of pill-counter must have a key retraining" in failed.stderr
