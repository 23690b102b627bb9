"""What happens to a sample when its confirmation window ends, on each database and on the server's clock."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import select

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.backend import Backend
from queue_server.ingest.due import decide_due
from queue_server.store.engine import reading
from tests.server.clock import Clock
from tests.server.conftest import NOW, PROJECT, apply_project, prediction

WINDOW = timedelta(hours=24)
#: what the audit and the users' rejections are sampled at, for the tests of π
SAMPLED = PROJECT.replace("rate: 0.0", "rate: 0.25").replace("user_rejected", "user_rejected, probability: 0.5")


@pytest.fixture
def clock(backend: Backend) -> Iterator[Clock]:
    """An empty project with a window of a day."""
    return Clock(backend)


def test_nothing_is_due_where_nothing_came(clock: Clock) -> None:
    assert decide_due(clock.backend, now=NOW + WINDOW) == 0


@pytest.mark.parametrize(
    ("confidences", "end"),
    [
        ((), ("queued", "unconfirmed_low_confidence")),
        ((0.3,), ("queued", "unconfirmed_low_confidence")),
        ((0.9,), ("archived", "affirmed")),
    ],
)
def test_windows_end_queues_the_unsure_and_affirms_the_confident(clock: Clock, confidences: tuple, end: tuple) -> None:
    sample_id = clock.arrive(prediction(*confidences))
    assert clock.end(sample_id) == ("awaiting_feedback", None)
    assert decide_due(clock.backend, now=NOW + WINDOW) == 1
    assert clock.end(sample_id) == end


def test_window_is_open_until_its_last_moment(clock: Clock) -> None:
    sample_id = clock.arrive(prediction(0.3))
    assert decide_due(clock.backend, now=NOW + WINDOW - timedelta(milliseconds=1)) == 0
    assert clock.end(sample_id) == ("awaiting_feedback", None)


def test_window_runs_from_arrival_not_from_capture(clock: Clock) -> None:
    clock.arrive(prediction(0.3), captured_at=NOW - timedelta(days=9))
    later = [timedelta(0), WINDOW - timedelta(seconds=1), WINDOW]
    assert [decide_due(clock.backend, now=NOW + after) for after in later] == [0, 0, 1]


def test_deciding_again_changes_nothing(clock: Clock) -> None:
    for confidence in (0.3, 0.9):
        clock.arrive(prediction(confidence))
    tables = (models.Decision, models.HistoryEntry, models.LabelingTask)
    assert decide_due(clock.backend, now=NOW + WINDOW) == 2
    before = [clock.count(table) for table in tables]
    assert decide_due(clock.backend, now=NOW + 2 * WINDOW) == 0
    assert [clock.count(table) for table in tables] == before


def test_no_more_are_decided_at_once_than_asked_and_the_oldest_first(clock: Clock) -> None:
    ids = [clock.arrive(prediction(0.3), now=NOW + timedelta(minutes=minute)) for minute in (2, 0, 1)]
    assert decide_due(clock.backend, now=NOW + 2 * WINDOW, limit=2) == 2
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["awaiting_feedback", "queued", "queued"]


def test_two_workers_at_once_decide_each_sample_once(clock: Clock) -> None:
    ids = [clock.arrive(prediction(0.3)) for _ in range(12)]
    counts: list[int] = []
    workers = [
        threading.Thread(target=lambda: counts.append(decide_due(clock.backend, now=NOW + WINDOW))) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(counts) == len(ids)
    assert [[item.trigger for item in clock.decisions(sample_id)] for sample_id in ids] == [
        ["arrival", "window_end"] for _ in ids
    ]
    assert clock.count(models.LabelingTask) == len(ids)


def test_confirmed_sample_is_archived_at_once_and_stays_so(clock: Clock) -> None:
    sample_id = clock.arrive(prediction(0.3))
    clock.say(sample_id, Verdict.CONFIRMED, now=NOW + timedelta(hours=1))
    assert clock.end(sample_id) == ("archived", "confirmed")
    decide_due(clock.backend, now=NOW + WINDOW)
    assert clock.end(sample_id) == ("archived", "confirmed")


def test_late_rejection_queues_what_silence_affirmed(clock: Clock) -> None:
    sample_id = clock.arrive(prediction(0.9))
    decide_due(clock.backend, now=NOW + WINDOW)
    clock.say(sample_id, Verdict.REJECTED, now=NOW + 3 * WINDOW)
    assert clock.end(sample_id) == ("queued", "user_rejected")
    assert [item.trigger for item in clock.decisions(sample_id)] == ["arrival", "window_end", "late_feedback"]


def test_late_confirmation_takes_back_what_low_confidence_queued(clock: Clock) -> None:
    sample_id = clock.arrive(prediction(0.3))
    decide_due(clock.backend, now=NOW + WINDOW)
    clock.say(sample_id, Verdict.CONFIRMED, now=NOW + 2 * WINDOW)
    assert clock.end(sample_id) == ("archived", "withdrawn")


def test_rejected_sample_is_not_queued_again_at_the_windows_end(clock: Clock) -> None:
    sample_id = clock.arrive(prediction(0.3))
    clock.say(sample_id, Verdict.REJECTED, now=NOW + timedelta(hours=1))
    decide_due(clock.backend, now=NOW + WINDOW)
    assert clock.end(sample_id) == ("queued", "user_rejected")
    with reading(clock.backend.engine) as session:
        task = session.exec(select(models.LabelingTask)).one()
    assert (task.generation, task.reasons) == (1, ["user_rejected", "unconfirmed_low_confidence"])


def test_policy_is_the_one_of_the_arrival_although_a_newer_one_is_there(clock: Clock) -> None:
    sample_id = clock.arrive(prediction(0.5))
    apply_project(clock.backend, PROJECT.replace("threshold: 0.6", "threshold: 0.1"))
    decide_due(clock.backend, now=NOW + WINDOW)
    assert clock.end(sample_id) == ("queued", "unconfirmed_low_confidence")
    assert {item.policy_version for item in clock.decisions(sample_id)} == {1}


def test_inclusion_probability_is_that_of_the_latest_decision(backend: Backend) -> None:
    clock = Clock(backend, SAMPLED)
    sample_id = clock.arrive(prediction(0.3))
    seen = [clock.sample(sample_id).inclusion_probability]
    clock.say(sample_id, Verdict.REJECTED, now=NOW + timedelta(hours=1))
    seen.append(clock.sample(sample_id).inclusion_probability)
    clock.say(sample_id, Verdict.CONFIRMED, now=NOW + timedelta(hours=2))
    seen.append(clock.sample(sample_id).inclusion_probability)
    assert seen == pytest.approx([0.25, 1 - 0.75 * 0.5, 0.25])
    assert [item.inclusion_probability for item in clock.decisions(sample_id)] == seen


def test_inclusion_probability_at_the_windows_end_counts_every_matching_rule(backend: Backend) -> None:
    clock = Clock(backend, SAMPLED.replace("threshold: 0.6", "threshold: 0.6, probability: 0.4"))
    sample_id = clock.arrive(prediction(0.3))
    decide_due(backend, now=NOW + WINDOW)
    assert clock.sample(sample_id).inclusion_probability == pytest.approx(1 - 0.75 * 0.6)
