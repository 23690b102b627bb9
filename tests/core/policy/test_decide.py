"""Decisions: which rule takes which sample, with what chance, and what becomes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest

from feedback_sdk.types import Box, Prediction, Verdict
from queue_server.core.policy import (
    ArchiveReason,
    Candidate,
    Decision,
    GivenVerdict,
    Opinion,
    Policy,
    State,
    decide,
    opinion,
    parse_rules,
    rule_draw,
)
from queue_server.core.policy.strategies import STRATEGIES
from queue_server.errors import PolicyError

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WINDOW_END = NOW + timedelta(hours=24)
AFTER = WINDOW_END + timedelta(seconds=1)
NAMESPACE = UUID(int=7)

REJECTED = Opinion(verdict=Verdict.REJECTED)
CONFIRMED = Opinion(verdict=Verdict.CONFIRMED)
DISPUTED = Opinion(verdict=Verdict.REJECTED, is_disputed=True)


def said(*confidences: float) -> Prediction:
    boxes = [Box(label="pill", x_min=0, y_min=0, x_max=1, y_max=1, confidence=value) for value in confidences]
    return Prediction(model_version="v1", task="detection", boxes=boxes)


def candidate(**more: object) -> Candidate:
    values: dict[str, object] = {
        "sample_id": UUID(int=1),
        "state": State.AWAITING_FEEDBACK,
        "prediction": said(0.9),
        "opinion": Opinion(),
        "window_ends_at": WINDOW_END,
    }
    return Candidate(**(values | more))  # type: ignore[arg-type]  # each test names the fields it is about


def policy(*rules: dict[str, object]) -> Policy:
    return Policy(version=1, rules=parse_rules(rules, STRATEGIES), salt=b"salt")


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


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        (["random"], "rules.0"),
        ([{"strategy": "guess"}], "rules.0.strategy"),
        ([{"strategy": "random"}], "rules.0.rate"),
        ([{"strategy": "random", "rate": 2}], "rules.0.rate"),
        ([{"strategy": "random", "rate": True}], "rules.0.rate"),
        ([{"strategy": "random", "rate": 0.1, "speed": 3}], "rules.0.speed"),
        ([{"strategy": "empty", "probability": -1}], "rules.0.probability"),
        ([{"strategy": "empty", "priority": "high"}], "rules.0.priority"),
        ([{"strategy": "empty"}, {"strategy": "empty"}], "rules.1.name"),
        ([{"strategy": "unconfirmed_low_confidence", "threshold": 0.5, "missing": "x"}], "rules.0.missing"),
    ],
)
def test_rule_that_is_wrong_is_refused_with_its_path(rules: list[object], field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_rules(rules, STRATEGIES)
    assert caught.value.field == field
