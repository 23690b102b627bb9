"""Decisions under a budget: who is taken, who waits, who is left out, and what it costs."""

from dataclasses import replace
from uuid import UUID

import pytest

from queue_server.core.policy import (
    Account,
    ArchiveReason,
    Candidate,
    Decision,
    Policy,
    Share,
    Spent,
    Standing,
    State,
    decide,
)
from queue_server.core.policy.budget import Period
from tests.core.policy.policies import AFTER, NOW, REJECTED, WINDOW_END, candidate, policy, said

DAY = Period.DAY.start(NOW)
FULL = {Account("all", Period.DAY, DAY): Spent(tasks=5)}
EMPTY = {"strategy": "empty"}
AUDIT = {"strategy": "random", "rate": 1.0}
FIRST_COME = policy(EMPTY, {"strategy": "user_rejected"}, budget={"per_day": 5})
HELD = policy(EMPTY, {"strategy": "user_rejected"}, budget={"per_day": 5, "mode": "held"})


def nothing_found(**more: object) -> Candidate:
    return candidate(**{"prediction": said(), "ledger": {}, **more})


def fate(found: Decision) -> tuple[str, str | None]:
    return found.state.value, found.reason


def names(found: Decision) -> list[str]:
    return sorted(account.name for account in found.spends)


def share(probability: float, is_taken: bool) -> Share:
    return Share(probability=probability, is_taken=is_taken, full=None if is_taken else "all")


def test_sample_that_no_rule_takes_spends_nothing() -> None:
    found = decide(candidate(ledger={}), FIRST_COME, AFTER)
    assert (found.spends, found.shares) == ((), {})


def test_task_spends_from_the_budget_and_its_share_is_kept() -> None:
    found = decide(nothing_found(), FIRST_COME, NOW)
    assert (fate(found), names(found)) == (("queued", "empty"), ["all"])
    assert found.shares == {"empty": share(1.0, True)}


@pytest.mark.parametrize(
    ("now", "expected"), [(NOW, ("awaiting_feedback", None)), (WINDOW_END, ("archived", "over_budget"))]
)
def test_sample_over_budget_is_archived_at_the_windows_end_only(now: object, expected: tuple[str, str | None]) -> None:
    ledger = {Account("all", Period.DAY, Period.DAY.start(now)): Spent(tasks=5)}
    found = decide(nothing_found(ledger=ledger), FIRST_COME, now)
    assert (fate(found), found.spends, found.inclusion_probability) == (expected, (), 0.0)


def test_share_that_was_told_is_kept_when_the_budget_has_room_again() -> None:
    found = decide(nothing_found(shares={"empty": share(0.0, False)}), FIRST_COME, AFTER)
    assert (fate(found), found.shares["empty"]) == (("archived", "over_budget"), share(0.0, False))


def test_share_that_was_told_is_kept_when_the_budget_is_full() -> None:
    found = decide(nothing_found(ledger=FULL, shares={"empty": share(1.0, True)}), FIRST_COME, NOW)
    assert (fate(found), found.spends) == (("queued", "empty"), ())


def test_another_rule_asks_anew_where_one_was_over_budget() -> None:
    found = decide(nothing_found(shares={"empty": share(0.0, False)}, opinion=REJECTED), FIRST_COME, NOW)
    assert (fate(found), names(found)) == (("queued", "user_rejected"), ["all"])


@pytest.mark.parametrize("state", [State.QUEUED, State.PUSHED])
@pytest.mark.parametrize("rules", [FIRST_COME, HELD], ids=["first come", "held"])
def test_live_task_is_raised_whatever_the_budget_says(state: State, rules: Policy) -> None:
    found = decide(nothing_found(state=state, ledger=FULL, opinion=REJECTED), rules, NOW)
    assert (found.state, found.priority, found.spends) == (state, 100, ())
    assert found.reasons == ("user_rejected", "empty")


def test_audit_draw_is_never_over_budget_and_pays_from_its_own() -> None:
    found = decide(nothing_found(ledger=FULL), policy(EMPTY, AUDIT, budget={"per_day": 5}), NOW)
    assert (fate(found), found.inclusion_probability) == (("queued", "random"), 1.0)
    assert names(found) == ["all", "audit"]


def test_audit_draw_is_never_held() -> None:
    found = decide(candidate(ledger={}), policy(AUDIT, budget={"per_day": 5, "mode": "held"}), NOW)
    assert fate(found) == ("queued", "random")


def test_budget_that_nobody_has_looked_at_has_room() -> None:
    assert fate(decide(nothing_found(ledger=None), FIRST_COME, NOW)) == ("queued", "empty")


@pytest.mark.parametrize(
    ("rules", "account"),
    [
        (HELD, "all"),
        (policy(EMPTY | {"budget": {"per_hour": 1, "mode": "held"}}), "rule:empty"),
    ],
)
def test_held_sample_waits_for_its_periods_end(rules: Policy, account: str) -> None:
    found = decide(nothing_found(), rules, NOW)
    assert (fate(found), found.priority, found.spends, found.shares) == (("held", "empty"), 50, (), {})
    assert found.held_in is not None
    assert (found.held_in.name, found.held_in.starts_at) == (account, found.held_in.period.start(NOW))


def test_highest_rule_names_what_is_held() -> None:
    assert fate(decide(nothing_found(opinion=REJECTED), HELD, NOW)) == ("held", "user_rejected")


def test_match_that_draws_no_lot_is_not_held() -> None:
    rules = policy(EMPTY | {"probability": 0.0}, budget={"per_day": 5, "mode": "held"})
    assert fate(decide(nothing_found(), rules, AFTER)) == ("archived", "not_sampled")


def test_kept_sample_is_queued_and_was_paid_for_at_the_periods_end() -> None:
    found = decide(nothing_found(state=State.HELD, shares={"empty": share(0.25, True)}), HELD, NOW)
    assert (fate(found), found.spends, found.inclusion_probability) == (("queued", "empty"), (), 0.25)


@pytest.mark.parametrize(
    ("now", "expected"), [(NOW, ("awaiting_feedback", None)), (WINDOW_END, ("archived", "over_budget"))]
)
def test_held_sample_that_was_not_kept_goes_back_to_wait(now: object, expected: tuple[str, str | None]) -> None:
    found = decide(nothing_found(state=State.HELD, shares={"empty": share(0.25, False)}), HELD, now)
    assert (fate(found), found.inclusion_probability) == (expected, 0.25)


@pytest.mark.parametrize(("chance", "expected"), [(1.0, 0.25), (0.5, 0.25 * 0.75)])
def test_share_of_a_periods_end_counts_once_however_many_rules_waited(chance: float, expected: float) -> None:
    rules = policy(
        EMPTY | {"probability": chance},
        EMPTY | {"probability": chance, "name": "again"},
        budget={"per_day": 5, "mode": "held"},
    )
    shares = dict.fromkeys(("empty", "again"), share(0.25, True))
    found = decide(nothing_found(state=State.HELD, shares=shares), rules, NOW)
    assert found.inclusion_probability == pytest.approx(expected)


def test_rule_that_drew_no_lot_shares_what_the_period_gave() -> None:
    rules = policy(
        EMPTY,
        EMPTY | {"probability": 0.0, "name": "never"},
        AUDIT | {"rate": 0.1},
        budget={"per_day": 5, "mode": "held"},
    )
    found = decide(nothing_found(state=State.HELD, shares={"empty": share(0.5, True)}), rules, NOW)
    assert found.inclusion_probability == pytest.approx(1 - 0.5 * 0.9)


def test_confirmation_takes_a_held_sample_out() -> None:
    rules = policy({"strategy": "user_rejected"}, budget={"per_day": 5, "mode": "held"})
    held = decide(candidate(opinion=REJECTED, ledger={}), rules, NOW)
    assert fate(decide(candidate(state=held.state, ledger={}), rules, AFTER)) == ("archived", "affirmed")


def test_stream_and_reporters_pay_for_what_they_cause() -> None:
    rules = policy({"strategy": "user_rejected"}, budget={"per_day": 5, "per_stream": {"per_day": 9}, "audit_share": 0})
    found = decide(candidate(opinion=REJECTED, stream="left", standings={"anna": Standing()}, ledger={}), rules, NOW)
    assert names(found) == ["all", "reporter:anna", "stream:left"]


def test_reporter_who_floods_leaves_room_for_others() -> None:
    spent = {Account("reporter:bot", Period.DAY, DAY): Spent(tasks=3), Account("all", Period.DAY, DAY): Spent(tasks=3)}
    rules = policy({"strategy": "user_rejected"}, budget={"per_day": 6})
    bot = candidate(opinion=REJECTED, standings={"bot": Standing()}, ledger=spent)
    assert decide(bot, rules, NOW).state is State.AWAITING_FEEDBACK
    assert decide(replace(bot, standings={"anna": Standing()}), rules, NOW).state is State.QUEUED


def test_request_by_hand_spends_and_is_never_over_budget() -> None:
    found = decide(candidate(is_requested=True, ledger=FULL), FIRST_COME, NOW)
    assert (fate(found), names(found), found.inclusion_probability) == (("queued", "requested"), ["all"], 0.0)


def test_task_costs_what_its_reason_was_measured_to_cost() -> None:
    rules = policy(EMPTY, budget={"minutes_per_day": 1})
    found = [decide(nothing_found(lead_seconds={"empty": cost}), rules, NOW) for cost in (59.0, 61.0)]
    assert [(item.state, item.cost_seconds) for item in found] == [
        (State.QUEUED, 59.0),
        (State.AWAITING_FEEDBACK, 60.0),
    ]


@pytest.mark.parametrize("reason", [ArchiveReason.SKIPPED, ArchiveReason.ERASED, ArchiveReason.DUPLICATE])
def test_closed_sample_spends_nothing(reason: ArchiveReason) -> None:
    found = decide(nothing_found(state=State.ARCHIVED, archive_reason=reason), FIRST_COME, AFTER)
    assert (found.state, found.spends) == (State.ARCHIVED, ())


def test_rules_with_one_budget_get_one_answer() -> None:
    rules = policy(*(EMPTY | {"name": f"r{number}"} for number in range(5)), budget={"per_day": 5})
    found = decide(nothing_found(sample_id=UUID(int=9), ledger=FULL), rules, NOW)
    assert set(found.shares.values()) == {share(0.0, False)}
