"""Decisions: which rule takes which sample, with what chance, and what becomes of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import pytest

from feedback_sdk.types import Verdict
from queue_server.core.policy import (
    ArchiveReason,
    Decision,
    GivenVerdict,
    Opinion,
    State,
    Twin,
    decide,
    opinion,
    rule_draw,
)
from queue_server.core.policy.rules import Route
from tests.core.policy.policies import (
    AFTER,
    CONFIRMED,
    DISPUTED,
    NOW,
    REJECTED,
    WINDOW_END,
    candidate,
    classes,
    policy,
    said,
)

NAMESPACE = UUID(int=7)
EMPTY = {"strategy": "empty"}

USUAL = policy(
    {"strategy": "user_rejected"},
    {"strategy": "unconfirmed_low_confidence", "threshold": 0.6},
    {"strategy": "empty", "probability": 0.0},
    {"strategy": "random", "rate": 0.0},
)


def outcome(found: Decision) -> tuple[str, str | None]:
    return found.state.value, found.reason


@pytest.mark.parametrize(
    ("change", "now", "expected"),
    [
        ({}, NOW, ("awaiting_feedback", None)),
        ({}, AFTER, ("archived", "affirmed")),
        ({"opinion": REJECTED}, NOW, ("queued", "user_rejected")),
        ({"opinion": DISPUTED}, NOW, ("queued", "disputed")),
        ({"opinion": CONFIRMED}, NOW, ("archived", "confirmed")),
        ({"prediction": said(0.5)}, NOW, ("awaiting_feedback", None)),
        ({"prediction": said(0.5)}, WINDOW_END, ("queued", "unconfirmed_low_confidence")),
        ({"prediction": said(0.5), "opinion": CONFIRMED}, AFTER, ("archived", "confirmed")),
        ({"prediction": said()}, AFTER, ("queued", "unconfirmed_low_confidence")),
        ({"prediction": None}, AFTER, ("archived", "not_sampled")),
        ({"is_requested": True}, NOW, ("queued", "requested")),
    ],
)
def test_waiting_sample_goes_where_its_rules_send_it(
    change: dict[str, object], now: datetime, expected: tuple[str, str | None]
) -> None:
    assert outcome(decide(candidate(**change), USUAL, now)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"archive_reason": ArchiveReason.AFFIRMED, "opinion": REJECTED}, ("queued", "user_rejected")),
        ({"archive_reason": ArchiveReason.CONFIRMED, "opinion": DISPUTED}, ("queued", "disputed")),
        ({"archive_reason": ArchiveReason.WITHDRAWN, "opinion": REJECTED}, ("queued", "user_rejected")),
        ({"archive_reason": ArchiveReason.WITHDRAWN, "opinion": CONFIRMED}, ("archived", "withdrawn")),
        ({"archive_reason": ArchiveReason.AFFIRMED, "opinion": CONFIRMED}, ("archived", "confirmed")),
        ({"archive_reason": ArchiveReason.SKIPPED, "opinion": REJECTED}, ("archived", "skipped")),
        ({"archive_reason": ArchiveReason.ERASED, "opinion": REJECTED}, ("archived", "erased")),
    ],
)
def test_late_feedback_queues_what_nobody_has_looked_at(change: dict[str, object], expected: tuple[str, str]) -> None:
    assert outcome(decide(candidate(state=State.ARCHIVED, **change), USUAL, AFTER)) == expected


def test_annotated_sample_stays_so_whatever_is_said_later() -> None:
    assert decide(candidate(state=State.ANNOTATED, opinion=REJECTED), USUAL, AFTER).state is State.ANNOTATED


def test_late_confirmation_takes_back_what_low_confidence_queued() -> None:
    found = decide(candidate(state=State.PUSHED, prediction=said(0.5), opinion=CONFIRMED), USUAL, AFTER)
    assert (found.state, found.is_withdrawal) == (State.PUSHED, True)


def test_audit_draw_is_never_withdrawn() -> None:
    always = policy({"strategy": "unconfirmed_low_confidence", "threshold": 0.6}, {"strategy": "random", "rate": 1.0})
    found = decide(candidate(state=State.PUSHED, prediction=said(0.5), opinion=CONFIRMED), always, AFTER)
    assert (found.is_withdrawal, found.reason) == (False, "random")


def test_later_match_adds_its_reason_and_raises_the_priority() -> None:
    found = decide(candidate(state=State.PUSHED, prediction=said(0.5), opinion=REJECTED), USUAL, AFTER)
    assert found.reasons == ("user_rejected", "unconfirmed_low_confidence")
    assert (found.state, found.priority) == (State.PUSHED, 100)


def test_rules_that_need_no_feedback_decide_at_arrival() -> None:
    found = decide(candidate(prediction=said()), policy({"strategy": "empty"}), NOW)
    assert outcome(found) == ("queued", "empty")


def test_match_that_draws_no_lot_is_not_sampled_rather_than_affirmed() -> None:
    never = policy({"strategy": "unconfirmed_low_confidence", "threshold": 0.6, "probability": 0.0})
    assert outcome(decide(candidate(prediction=said(0.5)), never, AFTER)) == ("archived", "not_sampled")


def test_silence_never_affirms_a_prediction_that_found_nothing() -> None:
    ignoring = policy({"strategy": "unconfirmed_low_confidence", "threshold": 0.6, "missing": "ignore"})
    assert outcome(decide(candidate(prediction=said()), ignoring, AFTER)) == ("archived", "not_sampled")


@pytest.mark.parametrize(
    ("opinion_given", "expected"),
    [(Opinion(), 1 - 0.5 * 0.9), (REJECTED, 1 - 0.2 * 0.5 * 0.9), (CONFIRMED, 0.1)],
)
def test_inclusion_probability_is_over_all_matching_rules(opinion_given: Opinion, expected: float) -> None:
    rules = policy(
        {"strategy": "user_rejected", "probability": 0.8},
        {"strategy": "unconfirmed_low_confidence", "threshold": 0.6, "probability": 0.5},
        {"strategy": "random", "rate": 0.1},
    )
    found = decide(candidate(prediction=said(0.5), opinion=opinion_given), rules, AFTER)
    assert found.inclusion_probability == pytest.approx(expected)


def test_draws_fall_as_often_as_the_rate_says_and_apart_from_each_other() -> None:
    ids = [uuid5(NAMESPACE, str(number)) for number in range(4000)]
    one, other = ([rule_draw(sample_id, name, b"salt") < 0.25 for sample_id in ids] for name in ("a", "b"))
    assert sum(one) == pytest.approx(1000, abs=4 * 27.4)
    assert sum(x and y for x, y in zip(one, other, strict=True)) == pytest.approx(250, abs=4 * 15.3)


def test_every_rule_is_recorded_with_what_it_compared() -> None:
    found = decide(candidate(prediction=said(0.5)), USUAL, NOW)
    low = next(rule for rule in found.rules if rule.strategy == "unconfirmed_low_confidence")
    assert low.compared == {"confidence": 0.5, "threshold": 0.6, "confirmed": False, "window_open": True}
    assert [rule.strategy for rule in found.rules] == [rule.strategy for rule in USUAL.rules]


def test_same_sample_and_policy_give_the_same_decision() -> None:
    half = policy({"strategy": "random", "rate": 0.5})
    for number in range(50):
        one = candidate(sample_id=UUID(int=number))
        assert decide(one, half, NOW) == decide(replace(one), half, NOW)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], Opinion()),
        ([("anna", "confirmed")], CONFIRMED),
        ([("anna", "rejected"), ("anna", "confirmed")], CONFIRMED),
        ([("anna", "confirmed"), ("bert", "rejected")], DISPUTED),
        ([("anna", "rejected"), ("bert", "corrected")], Opinion(verdict=Verdict.CORRECTED)),
        ([(None, "rejected"), (None, "confirmed")], CONFIRMED),
    ],
)
def test_latest_verdict_of_each_reporter_counts(verdicts: list[tuple[str, str]], expected: Opinion) -> None:
    given = [
        GivenVerdict(reporter=reporter, verdict=Verdict(verdict), given_at=NOW + timedelta(minutes=minute))
        for minute, (reporter, verdict) in enumerate(verdicts)
    ]
    assert opinion(reversed(given)) == expected


NEAR = Twin(key=7, sample_id=UUID(int=7), is_exact=False)
SAME = Twin(key=7, sample_id=UUID(int=7), is_exact=True)
AUDIT = {"strategy": "random", "rate": 1.0}


@pytest.mark.parametrize(
    ("rules", "change", "expected"),
    [
        ([EMPTY], {"twin": NEAR}, ("archived", "duplicate")),
        ([EMPTY], {"twin": SAME}, ("archived", "duplicate")),
        ([EMPTY, AUDIT], {"twin": NEAR}, ("queued", "empty")),
        ([AUDIT], {"twin": NEAR}, ("queued", "random")),
        ([AUDIT], {"twin": SAME}, ("archived", "duplicate")),
        ([], {"twin": NEAR, "is_requested": True}, ("queued", "requested")),
        ([], {"twin": NEAR}, ("awaiting_feedback", None)),
    ],
)
def test_twins_task_serves_a_sample_that_a_rule_takes(
    rules: list[dict[str, object]], change: dict[str, object], expected: tuple[str, str | None]
) -> None:
    found = decide(candidate(prediction=said(), **change), policy(*rules), NOW)
    assert outcome(found) == expected
    assert found.spends == ()


@pytest.mark.parametrize(
    ("is_disputed", "given", "expected"),
    [
        (False, REJECTED, ("annotated", None)),
        (True, Opinion(), ("annotated", None)),
        (True, CONFIRMED, ("annotated", None)),
        (True, REJECTED, ("queued", "disputed")),
    ],
)
def test_second_look_is_opened_by_a_user_whom_the_annotation_contradicts(
    is_disputed: bool, given: Opinion, expected: tuple[str, str | None]
) -> None:
    found = decide(candidate(state=State.ANNOTATED, is_annotation_disputed=is_disputed, opinion=given), USUAL, AFTER)
    assert (outcome(found), found.is_second_look) == (expected, expected[0] == "queued")


@pytest.mark.parametrize("mode", ["first_come", "held"])
def test_second_look_waits_for_no_periods_end_and_is_paid_for(mode: str) -> None:
    rules = policy({"strategy": "user_rejected"}, budget={"per_day": 5, "mode": mode})
    found = decide(
        candidate(state=State.ANNOTATED, is_annotation_disputed=True, opinion=REJECTED, ledger={}), rules, AFTER
    )
    assert (found.is_second_look, [account.name for account in found.spends]) == (True, ["all"])


def test_requested_rule_replaces_the_usual_one() -> None:
    rules = policy({"strategy": "requested", "name": "by hand", "priority": 5, "tags": ["asked"], "annotators": 2})
    found = decide(candidate(is_requested=True), rules, NOW)
    assert (outcome(found), found.priority, found.tags) == (("queued", "by hand"), 5, ("asked",))
    assert [rule.rule for rule in found.rules] == ["by hand"]


def test_request_has_no_draw_and_no_chance() -> None:
    found = decide(candidate(is_requested=True), policy(), NOW)
    assert (found.rules[0].probability, found.rules[0].draw, found.inclusion_probability) == (None, None, 0.0)


def test_tags_of_every_rule_that_matches_are_kept_in_order() -> None:
    rules = policy(
        {"strategy": "user_rejected", "tags": ["users"]},
        EMPTY | {"tags": ["nothing", "odd"], "probability": 0.0},
        EMPTY | {"name": "again", "tags": ["odd", "again"]},
    )
    assert decide(candidate(prediction=said()), rules, NOW).tags == ("nothing", "odd", "again")


def test_order_has_the_route_of_the_highest_rule_that_routes_and_the_most_annotators() -> None:
    rules = policy(
        EMPTY | {"name": "low", "priority": 10, "route": {"tab": "Low"}, "annotators": 3},
        EMPTY | {"name": "high", "priority": 50, "route": {"project": "Other"}},
        EMPTY | {"name": "top", "priority": 90},
        EMPTY | {"name": "unlucky", "priority": 99, "probability": 0.0, "route": {"tab": "X"}, "annotators": 9},
    )
    found = decide(candidate(prediction=said()), rules, NOW)
    assert (found.order.route, found.order.annotators) == (Route(project="Other"), 3)
    assert found.reasons == ("top", "high", "low")


def test_sample_that_no_rule_takes_has_no_order() -> None:
    assert decide(candidate(), policy(EMPTY | {"route": {"tab": "X"}}), NOW).order.route == Route()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [([EMPTY], False), ([AUDIT], False), ([AUDIT | {"blind": 1.0}], True), ([EMPTY, AUDIT | {"blind": 1.0}], True)],
)
def test_only_an_audit_draw_is_blind(rules: list[dict[str, object]], expected: bool) -> None:
    assert decide(candidate(prediction=said()), policy(*rules), NOW).order.is_blind is expected


@pytest.mark.parametrize(("more", "expected"), [({"labels": ["dog"]}, False), ({"where": "tags has 'x'"}, False)])
def test_rule_says_so_where_it_does_not_look(more: dict[str, object], expected: bool) -> None:
    rules = policy({"strategy": "entropy", "threshold": 0, **more})
    (found,) = decide(candidate(prediction=classes(cat=0.6, dog=0.4)), rules, NOW).rules
    assert (found.matched, found.compared) == (expected, {"in_scope": False})


def test_rule_with_labels_looks_at_what_found_nothing() -> None:
    rules = policy({"strategy": "confidence_below", "threshold": 0.5, "labels": ["pill"]})
    assert outcome(decide(candidate(prediction=said()), rules, NOW)) == ("queued", "confidence_below")


@pytest.mark.parametrize(("priority", "shift", "expected"), [(995, 9, 1000), (0, 0, 0), (500, 9, 509)])
def test_priority_stays_within_its_bounds(priority: int, shift: int, expected: int) -> None:
    rules = policy({"strategy": "labels", "any": ["pill"], "rare_first": True, "priority": priority})
    figures = {("labels", "label_share:pill"): 1 - shift / 9}
    assert decide(candidate(figures=figures), rules, NOW).priority == expected
