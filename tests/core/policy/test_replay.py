"""A policy over the past: what it would have queued, when, and what that says of the errors that are known."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from feedback_sdk.types import Box, Prediction, Verdict
from queue_server.core.estimate import wilson
from queue_server.core.policy import STRATEGIES, Candidate, Opinion, Standing, State, parse_policy
from queue_server.core.policy.replay import Replay, Replayed, Stored
from queue_server.core.policy.replay import replay as replay_module

START = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = timedelta(hours=24)

REJECTED = {"strategy": "user_rejected"}
LOW = {"strategy": "confidence_below", "threshold": 0.5}
UNSURE = {"strategy": "unconfirmed_low_confidence", "threshold": 0.5}
AUDIT = {"strategy": "random", "rate": 1.0}


def replay_of(*rules: dict[str, object], **more: object) -> Replay:
    text = parse_policy({"rules": list(rules), **more}, STRATEGIES)
    return Replay(text.policy(version=1, salt=b"salt"), window_seconds=WINDOW.total_seconds())


def stored(number: int, confidence: float = 0.9, *, at: timedelta | None = None, **more: object) -> Stored:
    """Return a sample that came `at` (one an hour where nothing is said)."""
    verdict, stream = more.pop("verdict", None), more.pop("stream", None)
    boxes = [Box(label="pill", x_min=0.0, y_min=0.0, x_max=9.0, y_max=9.0, confidence=confidence)]
    received_at = START + (at if at is not None else number * HOUR)
    candidate = Candidate(
        sample_id=UUID(int=number),
        state=State.AWAITING_FEEDBACK,
        prediction=Prediction(model_version="v1", task="detection", boxes=boxes),
        opinion=Opinion(verdict=verdict),
        window_ends_at=received_at,
        stream=stream,
        standings={"anna": Standing()} if verdict is Verdict.REJECTED else {},
    )
    answered_at = received_at + timedelta(minutes=5) if verdict is not None else None
    return Stored(key=number, candidate=candidate, received_at=received_at, answered_at=answered_at, **more)


def run(replay: Replay, *samples: Stored) -> Replayed:
    for sample in samples:
        replay.take(sample)
    return replay.finish()


def test_nothing_came() -> None:
    replayed = replay_of(LOW).finish()
    assert (replayed.samples, replayed.queued, replayed.since) == (0, {}, None)
    assert replayed.errors_caught.why_none == "no annotation says that the model was wrong"


@pytest.mark.parametrize(
    ("rule", "sample", "queued"),
    [
        (LOW, stored(1, 0.4), {"confidence_below": 1}),
        (LOW, stored(1, 0.6), {}),
        (REJECTED, stored(1, verdict=Verdict.REJECTED), {"user_rejected": 1}),
        (UNSURE, stored(1, 0.4), {"unconfirmed_low_confidence": 1}),
        (UNSURE, stored(1, 0.4, verdict=Verdict.CONFIRMED), {}),
        (AUDIT, stored(1, verdict=Verdict.CONFIRMED), {"random": 1}),
        ({**AUDIT, "rate": 0.0}, stored(1), {}),
    ],
)
@pytest.mark.parametrize("budget", [{}, {"budget": {"per_day": 9}}, {"near_duplicates": {}}])
def test_sample_is_queued_by_what_is_known_of_it_in_the_end(
    rule: dict, sample: Stored, queued: dict, budget: dict
) -> None:
    assert run(replay_of(rule, **budget), sample).queued == queued


def test_reason_is_the_rule_of_the_highest_priority_whenever_it_matched() -> None:
    both = stored(1, 0.4, verdict=Verdict.REJECTED)
    for more in ({}, {"budget": {"per_day": 9}}):
        assert run(replay_of(LOW, REJECTED, **more), both).queued == {"user_rejected": 1}


def test_first_that_come_spend_the_budget_of_their_day() -> None:
    samples = [stored(number, 0.4) for number in range(48)]
    replayed = run(replay_of(LOW, budget={"per_day": 5}), *samples)
    assert (replayed.queued, replayed.over_budget) == ({"confidence_below": 10}, 38)
    assert [day.queued for day in replayed.by_day.values()] == [5, 5]


def test_budget_is_spent_in_the_order_of_time_not_of_arrival() -> None:
    # The first one's window ends an hour after the second came, which was sure to be queued on arrival.
    unsure, later = stored(1, 0.4, at=HOUR), stored(2, at=WINDOW, stream="fast")
    fast = {**LOW, "threshold": 1.0, "where": "stream == 'fast'"}
    replayed = run(replay_of(UNSURE, fast, budget={"per_day": 1}), unsure, later)
    assert (replayed.queued, replayed.over_budget) == ({"confidence_below": 1}, 1)


def test_held_budget_keeps_the_best_of_its_period() -> None:
    urgent = {**LOW, "name": "urgent", "threshold": 0.2, "priority": 90}
    samples = [stored(number, 0.4) for number in range(10)] + [stored(11, 0.1), stored(12, 0.1)]
    replayed = run(replay_of(LOW, urgent, budget={"per_day": 3, "mode": "held"}), *samples)
    assert replayed.queued == {"urgent": 2, "confidence_below": 1}
    assert (replayed.samples, replayed.over_budget) == (12, 9)


def test_sample_that_the_audit_drew_is_counted_once_while_it_waits_for_its_share() -> None:
    samples = [stored(number, 0.4, at=timedelta(minutes=number)) for number in range(5)]
    replayed = run(replay_of(LOW, AUDIT, budget={"per_day": 2, "mode": "held"}), *samples)
    assert (replayed.samples, replayed.queued_in_all) == (5, 5)


def test_more_that_wait_than_memory_holds_are_decided_on_before_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "_MOST_WAITING", 5)
    samples = [stored(number, 0.4, at=timedelta(minutes=number)) for number in range(60)]
    replayed = run(replay_of(UNSURE, budget={"per_day": 40}), *samples)
    assert (replayed.queued_in_all, replayed.over_budget) == (40, 20)


def test_held_sample_that_a_user_rejects_is_held_with_the_objections_priority() -> None:
    samples = [stored(number, 0.4, at=timedelta(minutes=number)) for number in range(9)]
    samples.append(stored(10, 0.4, at=timedelta(minutes=30), verdict=Verdict.REJECTED))
    replayed = run(replay_of(LOW, REJECTED, budget={"per_day": 1, "mode": "held"}), *samples)
    assert replayed.queued == {"user_rejected": 1}


def test_budget_of_a_reporter_leaves_room_for_others() -> None:
    samples = [stored(number, verdict=Verdict.REJECTED) for number in range(8)]
    replayed = run(replay_of(REJECTED, budget={"per_day": 100, "per_reporter": {"per_day": 2}}), *samples)
    assert (replayed.queued, replayed.over_budget) == ({"user_rejected": 2}, 6)


@pytest.mark.parametrize(("sha256", "duplicates"), [((None, None), 0), (("a", "b"), 0), (("a", "a"), 1)])
def test_picture_of_equal_bytes_is_queued_once(sha256: tuple[str | None, str | None], duplicates: int) -> None:
    samples = [stored(number, 0.4, image_sha256=sha256[number]) for number in range(2)]
    replayed = run(replay_of(LOW), *samples)
    assert (replayed.duplicates, replayed.queued_in_all) == (duplicates, 2 - duplicates)


@pytest.mark.parametrize(
    ("near", "bits", "apart", "duplicates"),
    [
        ({"distance": 4}, 0b1111, timedelta(minutes=5), 1),
        ({"distance": 3}, 0b1111, timedelta(minutes=5), 0),
        ({"span": "1h"}, 0b1, timedelta(hours=2), 0),
        ({"same_stream": True}, 0b1, timedelta(minutes=5), 0),
    ],
)
def test_near_duplicates_count_as_one(near: dict, bits: int, apart: timedelta, duplicates: int) -> None:
    one = stored(1, 0.4, at=timedelta(), perceptual_hash=-1, stream="a")
    other = stored(2, 0.4, at=apart, perceptual_hash=-1 ^ bits, stream="b")
    assert run(replay_of(LOW, near_duplicates=near), one, other).duplicates == duplicates


def test_near_duplicates_are_found_among_the_last_five_thousand() -> None:
    hashes = [number << 7 for number in range(5001)]
    samples = [stored(number, 0.4, at=timedelta(seconds=number)) for number in range(5002)]
    replay = replay_of(LOW, near_duplicates={"distance": 0, "span": "7d"})
    pictures = [
        Stored(key=sample.key, candidate=sample.candidate, received_at=sample.received_at, perceptual_hash=value)
        for sample, value in zip(samples, [*hashes, hashes[2000]], strict=True)
    ]
    assert run(replay, *pictures).duplicates == 1


def test_novel_picture_is_one_unlike_all_that_were_queued() -> None:
    samples = [stored(number, perceptual_hash=value) for number, value in enumerate((0, 1, -1, None))]
    assert run(replay_of({"strategy": "novelty"}), *samples).queued == {"novelty": 2}


def test_one_in_n_of_each_stream_is_queued() -> None:
    samples = [stored(number, stream=f"camera {number % 2}") for number in range(200)]
    assert run(replay_of({"strategy": "every_nth", "n": 10}), *samples).queued == {"every_nth": 20}


def test_threshold_is_taken_from_the_days_before_and_frozen() -> None:
    samples = [stored(number, (number % 90) / 100, at=timedelta(minutes=number)) for number in range(2880)]
    replayed = run(replay_of({**LOW, "threshold": {"quantile": 0.1}}), *samples)
    # On the first day it is made of the first 30, of confidences to 0.29; on the second of the whole day before.
    assert [day.queued for day in replayed.by_day.values()] == [45, 144]


def test_days_before_are_looked_at_first_where_a_threshold_is_taken_from_them() -> None:
    replay = replay_of({**LOW, "threshold": {"quantile": 0.1}})
    for number in range(100):
        replay.observe(stored(number, number / 100, at=timedelta(minutes=number)))
    samples = [stored(number, number / 100, at=WINDOW + timedelta(minutes=number)) for number in range(100)]
    assert (replay.looks_back, run(replay, *samples).queued) == (True, {"confidence_below": 10})


def test_what_the_policies_of_then_could_never_see_is_counted() -> None:
    samples = [stored(1, 0.4), stored(2, 0.9), stored(3, 0.4, inclusion_probability=0.1, was_queued=True)]
    replayed = run(replay_of(LOW), *samples)
    assert (replayed.never_visible, replayed.newly_visible) == (2, 1)
    assert (replayed.queued_by_both, replayed.queued_only_here, replayed.queued_only_then) == (1, 1, 0)


def test_share_of_errors_is_weighted_by_the_chance_with_which_each_came_to_be_known() -> None:
    # An error of 1 in 100 stands for 100; three certain ones for themselves. The policy catches the former.
    rare = stored(1, 0.4, is_model_right=False, inclusion_probability=0.01)
    certain = [stored(number, is_model_right=False, inclusion_probability=1.0) for number in (2, 3, 4)]
    right = stored(5, 0.4, is_model_right=True, inclusion_probability=0.01)
    caught = run(replay_of(LOW), rare, *certain, right).errors_caught
    assert (caught.share, caught.known_errors) == (pytest.approx(100 / 103), 4)
    assert caught.low < caught.share < caught.high
    assert caught.effective_errors == pytest.approx(103**2 / 10_003)


def test_sampling_in_the_app_is_part_of_the_chance() -> None:
    kept = stored(1, 0.4, is_model_right=False, inclusion_probability=0.5, capture_probability=0.1)
    other = stored(2, is_model_right=False, inclusion_probability=0.5)
    assert run(replay_of(LOW), kept, other).errors_caught.share == pytest.approx(20 / 22)


@pytest.mark.parametrize(("audit", "share", "left_out"), [(0.0, None, 1), (0.01, 1.0, 0)])
def test_error_that_a_person_asked_for_counts_through_the_audit_alone(
    audit: float, share: float | None, left_out: int
) -> None:
    asked = stored(
        1, 0.4, is_model_right=False, inclusion_probability=0.9, hangs_on_people=True, audit_probability=audit
    )
    caught = run(replay_of(LOW), asked).errors_caught
    assert (caught.share, caught.left_out, caught.why_none is None) == (share, left_out, share is not None)


@pytest.mark.parametrize(("share", "n", "interval"), [(0.0, 10, (0.0, 0.2775)), (0.9, 100.0, (0.8256, 0.9448))])
def test_interval_is_wilsons(share: float, n: float, interval: tuple[float, float]) -> None:
    assert wilson(share, n) == pytest.approx(interval, abs=1e-4)


def test_tasks_cost_what_their_reason_took_before_times_their_annotators() -> None:
    text = parse_policy({"rules": [{**LOW, "annotators": 2}, AUDIT]}, STRATEGIES)
    policy = text.policy(version=1, salt=b"salt")
    replay = Replay(policy, window_seconds=0, lead_seconds={"confidence_below": 30.0})
    assert run(replay, stored(1, 0.4), stored(2)).annotator_minutes == {"confidence_below": 1.0, "random": 1.0}
