"""Budgets: counted right by many workers at once, never spent by what was rolled back, kept for the best by choice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import select

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.policy import State, Trigger
from queue_server.ingest.due import decide_due
from queue_server.ingest.requests import request_sample
from queue_server.ingest.settling import settle_ended
from queue_server.store import decisions, samples
from queue_server.store.engine import reading, writing
from tests.server.clock import Clock
from tests.server.conftest import NOW, prediction

HOUR = timedelta(hours=1)
HEAD = """
project: pill-counter
task: detection
labels: [pill, capsule]
confirmation_window: 24h
"""
ALL = "rules:\n  - {strategy: confidence_below, threshold: 1.0}\n"


@pytest.fixture
def make(backend: Backend) -> Iterator[Callable[[str], Clock]]:
    """Make a project with these rules and this budget."""
    return lambda text: Clock(backend, HEAD + text)


def queued(clock: Clock, ids: list[UUID]) -> int:
    return sum(clock.sample(sample_id).state == State.QUEUED for sample_id in ids)


def spent(clock: Clock, account: str) -> list[int]:
    with reading(clock.backend.engine) as session:
        return list(session.exec(select(models.BudgetPeriod.tasks).where(models.BudgetPeriod.account == account)))


def test_eight_workers_spend_a_budget_of_a_hundred_and_not_one_more(make: Callable[[str], Clock]) -> None:
    clock = make(ALL + "budget: {per_day: 100}\n")
    with ThreadPoolExecutor(8) as workers:
        ids = list(workers.map(lambda _: clock.arrive(prediction(0.5)), range(130)))
    assert (queued(clock, ids), spent(clock, "all")) == (100, [100])


def test_budget_of_nothing_queues_nothing(make: Callable[[str], Clock]) -> None:
    clock = make(ALL + "budget: {per_day: 0}\n")
    assert clock.end(clock.arrive(prediction(0.5))) == ("awaiting_feedback", None)


def test_sample_without_room_is_archived_over_budget_at_the_windows_end(make: Callable[[str], Clock]) -> None:
    clock = make(ALL + "budget: {per_day: 1}\n")
    clock.arrive(prediction(0.5))
    late = clock.arrive(prediction(0.5))
    decide_due(clock.backend, now=NOW + timedelta(days=1))
    assert clock.end(late) == ("archived", "over_budget")
    assert clock.rules(late)["confidence_below"]["over_budget"] == "all"
    assert clock.sample(late).inclusion_probability == 0.0


def test_next_period_has_room_again(make: Callable[[str], Clock]) -> None:
    clock = make(ALL + "budget: {per_hour: 1}\n")
    ids = [clock.arrive(prediction(0.5), now=NOW + shift) for shift in (timedelta(0), timedelta(minutes=1), HOUR)]
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["queued", "awaiting_feedback", "queued"]


def test_decision_that_is_rolled_back_spends_nothing(make: Callable[[str], Clock]) -> None:
    clock = make(ALL + "budget: {per_day: 5}\n")
    clock.arrive(prediction(0.5))
    waiting = clock.arrive(prediction(0.5), now=NOW)
    with pytest.raises(RuntimeError), writing(clock.backend.engine) as session:
        row = samples.lock(session, clock.sample(waiting).id)
        row.state, row.shares = State.AWAITING_FEEDBACK, None
        decisions.redecide(session, row, trigger=Trigger.VERDICT, now=NOW)
        raise RuntimeError
    assert spent(clock, "all") == [2]


def test_rule_has_a_budget_of_its_own(make: Callable[[str], Clock]) -> None:
    clock = make("""rules:
  - {strategy: confidence_below, threshold: 0.6, budget: {per_day: 1}}
  - {strategy: user_rejected}
""")
    first, second = clock.arrive(prediction(0.5)), clock.arrive(prediction(0.5))
    clock.say(second, Verdict.REJECTED)
    assert [clock.end(sample_id) for sample_id in (first, second)] == [
        ("queued", "confidence_below"),
        ("queued", "user_rejected"),
    ]
    assert spent(clock, "rule:confidence_below") == [1]


def test_stream_has_a_cap(make: Callable[[str], Clock]) -> None:
    clock = make(ALL + "budget: {per_day: 100, per_stream: {per_hour: 1}}\n")
    ids = [clock.arrive(prediction(0.5), stream=stream) for stream in ("door", "door", "yard")]
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["queued", "awaiting_feedback", "queued"]


def test_flood_of_one_reporter_leaves_room_for_others(make: Callable[[str], Clock]) -> None:
    clock = make("rules:\n  - {strategy: user_rejected}\nbudget: {per_day: 10}\n")
    ids = [clock.arrive(prediction(0.9)) for _ in range(25)]
    for index, sample_id in enumerate(ids):
        clock.say(sample_id, Verdict.REJECTED, reporter="mallory" if index < 20 else f"person {index}")
    assert (queued(clock, ids[:20]), queued(clock, ids[20:])) == (5, 5)


def test_annotators_minutes_are_a_budget_too(make: Callable[[str], Clock]) -> None:
    clock = make(ALL + "budget: {minutes_per_day: 3}\n")
    ids = [clock.arrive(prediction(0.5)) for _ in range(5)]
    assert queued(clock, ids) == 3


def test_audit_is_never_over_budget_and_its_share_is_reserved(make: Callable[[str], Clock]) -> None:
    clock = make("""rules:
  - {strategy: confidence_below, threshold: 0.6}
  - {strategy: random, rate: 1.0, where: "tags has 'audit'"}
budget: {per_day: 10, audit_share: 0.3}
""")
    ids = [clock.arrive(prediction(0.5)) for _ in range(12)]
    audits = [clock.arrive(prediction(0.9), tags=["audit"]) for _ in range(5)]
    assert (queued(clock, ids), queued(clock, audits)) == (7, 5)


HELD = """rules:
  - {strategy: user_rejected, priority: 100}
  - {strategy: confidence_below, threshold: 0.6, priority: 50}
  - {strategy: confidence_below, name: very_low, threshold: 0.3, priority: 70}
budget: {per_hour: 2, mode: held}
"""


def test_held_budget_keeps_the_best_at_the_periods_end(make: Callable[[str], Clock]) -> None:
    clock = make(HELD)
    ids = [clock.arrive(prediction(value)) for value in (0.5, 0.5, 0.2, 0.5)]
    assert [clock.end(sample_id)[0] for sample_id in ids] == ["held"] * 4
    decide_due(clock.backend, now=NOW + HOUR)
    states = [clock.end(sample_id)[0] for sample_id in ids]
    assert (states[2], states.count("queued"), spent(clock, "all")) == ("queued", 2, [2])


def test_held_samples_probability_is_fixed_at_the_periods_end(make: Callable[[str], Clock]) -> None:
    clock = make(HELD)
    ids = [clock.arrive(prediction(value)) for value in (0.5, 0.5, 0.2, 0.5)]
    decide_due(clock.backend, now=NOW + HOUR)
    decide_due(clock.backend, now=NOW + 25 * HOUR)
    chances = [clock.sample(sample_id).inclusion_probability for sample_id in ids]
    assert chances == pytest.approx([1 / 3, 1 / 3, 1.0, 1 / 3])
    assert sorted(clock.end(sample_id) for sample_id in ids)[:2] == [("archived", "over_budget")] * 2


def test_period_is_settled_once_for_a_sample_that_was_asked_for_meanwhile_too(make: Callable[[str], Clock]) -> None:
    clock = make(HELD)
    sample_id = clock.arrive(prediction(0.5))
    request_sample(clock.backend, clock.project_id, sample_id, reason="asked", now=NOW)
    assert clock.end(sample_id) == ("queued", "requested")
    assert [settle_ended(clock.backend, now=NOW + HOUR) for _ in range(2)] == [1, 0]


def test_workers_that_settle_at_once_give_a_period_once(make: Callable[[str], Clock]) -> None:
    clock = make(HELD)
    ids = [clock.arrive(prediction(0.5)) for _ in range(12)]
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: decide_due(clock.backend, now=NOW + HOUR), range(4)))
    decide_due(clock.backend, now=NOW + HOUR)
    assert (queued(clock, ids), spent(clock, "all")) == (2, [2])


def test_audit_draw_learns_at_the_periods_end_what_its_other_rules_would_have_given_it(
    make: Callable[[str], Clock],
) -> None:
    clock = make(HELD.replace("budget:", "  - {strategy: random, rate: 0.5}\nbudget:"))
    ids = [clock.arrive(prediction(0.5)) for _ in range(12)]
    drawn = [sample_id for sample_id in ids if clock.end(sample_id)[0] == "queued"]
    decide_due(clock.backend, now=NOW + HOUR)
    waited = len(ids) - len(drawn)
    left = max(0, 2 - len(drawn))
    expected = 1 - 0.5 * (1 - min(1.0, (left + 1) / (waited + 1)))
    assert {round(clock.sample(sample_id).inclusion_probability, 9) for sample_id in drawn} == {round(expected, 9)}


def test_sample_that_is_judged_late_keeps_its_place_in_the_period_that_ended(make: Callable[[str], Clock]) -> None:
    clock = make(HELD)
    sample_id = clock.arrive(prediction(0.5))
    clock.say(sample_id, Verdict.CONFIRMED, now=NOW + HOUR + timedelta(seconds=1))
    decide_due(clock.backend, now=NOW + HOUR + timedelta(seconds=2))
    assert clock.end(sample_id) == ("queued", "confidence_below")


AUDITED = """rules:
  - {strategy: confidence_below, threshold: 0.6, annotators: 3, budget: {per_day: 1}}
  - {strategy: random, rate: 1.0, where: "tags has 'audit'"}
"""


def test_rule_without_room_names_no_task_that_another_made(make: Callable[[str], Clock]) -> None:
    clock = make(AUDITED)
    clock.arrive(prediction(0.5))
    audit = clock.arrive(prediction(0.5), tags=["audit"])
    decide_due(clock.backend, now=NOW + timedelta(days=1))
    task = clock.task(audit)
    assert (clock.end(audit), task.reasons, task.annotators) == (("queued", "random"), ["random"], 1)
    assert clock.rules(audit)["confidence_below"]["over_budget"] == "rule:confidence_below"


def test_later_rejection_joins_a_task_that_is_there_although_the_budget_is_spent(make: Callable[[str], Clock]) -> None:
    clock = make(
        "rules:\n  - {strategy: confidence_below, threshold: 0.6}\n  - {strategy: user_rejected}\n"
        "budget: {per_day: 1}\n"
    )
    sample_id = clock.arrive(prediction(0.5))
    clock.say(sample_id, Verdict.REJECTED)
    decide_due(clock.backend, now=NOW + timedelta(days=1))
    assert clock.task(sample_id).reasons == ["user_rejected", "confidence_below"]
    assert (clock.task(sample_id).priority, spent(clock, "all")) == (100, [1])


def test_audit_draw_is_not_named_for_rules_that_wait_for_the_periods_end(make: Callable[[str], Clock]) -> None:
    clock = make(HELD.replace("budget:", "  - {strategy: random, rate: 1.0, where: \"tags has 'audit'\"}\nbudget:"))
    audit = clock.arrive(prediction(0.5), tags=["audit"])
    decide_due(clock.backend, now=NOW + HOUR)
    decide_due(clock.backend, now=NOW + 25 * HOUR)
    assert (clock.end(audit), clock.task(audit).reasons) == (("queued", "random"), ["random"])


def test_rejection_of_an_audit_draw_joins_its_task_under_a_held_budget_too(make: Callable[[str], Clock]) -> None:
    clock = make(HELD.replace("budget:", "  - {strategy: random, rate: 1.0, where: \"tags has 'audit'\"}\nbudget:"))
    audit = clock.arrive(prediction(0.9), tags=["audit"])
    clock.say(audit, Verdict.REJECTED)
    decide_due(clock.backend, now=NOW + HOUR)
    assert (clock.end(audit), clock.task(audit).reasons) == (("queued", "user_rejected"), ["user_rejected", "random"])
