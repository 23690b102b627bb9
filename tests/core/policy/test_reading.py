"""A policy's file: what is read of it, what is refused, and that it reads the same for ever."""

from collections.abc import Mapping, Sequence

import pytest

from queue_server.core.policy import STRATEGIES, parse_policy, parse_rules
from queue_server.core.policy.budget import Allowance, Budget, Period
from queue_server.core.policy.reading import PolicyText, budget_document, near_duplicates_document, rule_document
from queue_server.core.policy.rules import NearDuplicates, Route
from queue_server.errors import PolicyError
from tests.core.policy.every_rule import fullest, least

EMPTY = {"strategy": "empty"}


def read(**document: object) -> PolicyText:
    return parse_policy({"rules": [], **document}, STRATEGIES)


def faults(document: Mapping[str, object]) -> dict[str, str]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(document, STRATEGIES)
    return {fault.field: fault.message for fault in caught.value.faults}


def test_policy_without_rules_is_one() -> None:
    assert parse_policy({}, STRATEGIES) == PolicyText(rules=())


@pytest.mark.parametrize("written", [least, fullest], ids=["least", "fullest"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rule_reads_back_from_its_document(strategy: str, written: object) -> None:
    (rule,) = parse_rules([written(strategy)], STRATEGIES)
    assert parse_rules([rule_document(rule)], STRATEGIES) == (rule,)


@pytest.mark.parametrize(
    "more",
    [
        {"per_class": {}},
        {"labels": [], "tags": []},
        {"labels": ["pill", "pill"]},
        {"where": "  count == 3 "},
        {"budget": {"minutes_per_day": 0.1, "per_stream": {"minutes_per_hour": 7.7}}},
        {"budget": {"per_day": 0, "mode": "held"}},
        {"probability": 0, "priority": 0},
    ],
)
def test_odd_rule_reads_back_from_its_document(more: Mapping[str, object]) -> None:
    (rule,) = parse_rules([least("confidence_below") | more], STRATEGIES)
    assert parse_rules([rule_document(rule)], STRATEGIES) == (rule,)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_fullest_rule_says_every_parameter(strategy: str) -> None:
    assert set(STRATEGIES[strategy].parameters) <= set(fullest(strategy))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rule_of_few_words_has_the_strategys_name_and_priority(strategy: str) -> None:
    (rule,) = parse_rules([least(strategy)], STRATEGIES)
    assert (rule.name, rule.priority, rule.probability) == (strategy, STRATEGIES[strategy].priority, 1.0)
    assert (rule.labels, rule.where, rule.tags, rule.route, rule.budget, rule.annotators) == (
        (),
        None,
        (),
        None,
        None,
        1,
    )


@pytest.mark.parametrize(
    "document",
    [
        {"strategy": "user_rejected", "name": "user_rejected", "priority": 100, "probability": 1.0},
        {
            "strategy": "unconfirmed_low_confidence",
            "name": "low",
            "priority": 60,
            "probability": 0.5,
            "threshold": 0.6,
            "missing": "match",
        },
        {"strategy": "random", "name": "random", "priority": 10, "probability": 1.0, "rate": 0.01},
    ],
)
def test_rule_as_it_was_stored_before_still_reads(document: dict[str, object]) -> None:
    (rule,) = parse_rules([document], STRATEGIES)
    assert {key: rule_document(rule)[key] for key in document} == document


def test_rule_takes_what_any_rule_may_carry() -> None:
    (rule,) = parse_rules([fullest("empty")], STRATEGIES)
    assert (rule.name, rule.priority, rule.probability, rule.annotators) == ("mine", 77, 0.25, 3)
    assert (rule.labels, rule.tags) == (("pill",), ("a", "b"))
    assert rule.route == Route(project="Another project", tab="Odd ones")


@pytest.mark.parametrize(
    ("rule", "field", "message"),
    [
        ("random", "rules.0", "must be a mapping"),
        ({}, "rules.0.strategy", "must be one of user_rejected"),
        ({"strategy": "entropi"}, "rules.0.strategy", "did you mean entropy?"),
        ({"strategy": ["empty"]}, "rules.0.strategy", "must be one of"),
        ({"strategy": "random"}, "rules.0.rate", "must be a number from 0 to 1, got None"),
        ({"strategy": "random", "rate": 1.1}, "rules.0.rate", "must be from 0 to 1, got 1.1"),
        ({"strategy": "random", "rate": float("nan")}, "rules.0.rate", "must be from 0 to 1"),
        ({"strategy": "random", "rate": True}, "rules.0.rate", "must be a number"),
        ({"strategy": "random", "rate": 0.1, "budget": {"per_day": 1}}, "rules.0.budget", "never dropped"),
        ({"strategy": "requested", "budget": {"per_day": 1}}, "rules.0.budget", "never dropped"),
        (EMPTY | {"probabilty": 1}, "rules.0.probabilty", "did you mean probability?"),
        (EMPTY | {"threshold": 0.5}, "rules.0.threshold", "is not known here"),
        (EMPTY | {3: 0.5}, "rules.0.3", "is not known here"),
        (EMPTY | {"priority": 1001}, "rules.0.priority", "must be from 0 to 1000"),
        (EMPTY | {"priority": 1.5}, "rules.0.priority", "a whole number"),
        (EMPTY | {"priority": 10**400}, "rules.0.priority", "must be"),
        (EMPTY | {"priority": float("inf")}, "rules.0.priority", "must be"),
        (EMPTY | {"probability": "half"}, "rules.0.probability", "got 'half'"),
        (EMPTY | {"annotators": 0}, "rules.0.annotators", "must be from 1 to 20"),
        (EMPTY | {"labels": "pill"}, "rules.0.labels", "must be a list of texts"),
        (EMPTY | {"tags": [""]}, "rules.0.tags", "must be a list of texts"),
        (EMPTY | {"name": ""}, "rules.0.name", "1 to 200 characters"),
        (EMPTY | {"name": "x" * 201}, "rules.0.name", "1 to 200 characters"),
        (EMPTY | {"where": "count ="}, "rules.0.where", "must be a condition"),
        (EMPTY | {"where": 3}, "rules.0.where", "must be a condition"),
        (EMPTY | {"route": {}}, "rules.0.route", "must name a project, a tab"),
        (EMPTY | {"route": "x"}, "rules.0.route", "must be a mapping"),
        (EMPTY | {"route": {"tap": "x", "tab": "y"}}, "rules.0.route.tap", "did you mean tab?"),
        (EMPTY | {"route": {"project": "ab"}}, "rules.0.route.project", "3 to 50 characters"),
        (EMPTY | {"route": {"tab": "inbox"}}, "rules.0.route.tab", "another than Inbox"),
        ({"strategy": "metadata"}, "rules.0.condition", "must be a condition"),
        ({"strategy": "confidence_below", "threshold": "low"}, "rules.0.threshold", "{quantile: q}"),
        ({"strategy": "confidence_below", "threshold": {"quantil": 1}}, "rules.0.threshold", "{quantile: q}"),
        ({"strategy": "confidence_below", "threshold": {"quantile": 2}}, "rules.0.threshold.quantile", "0 to 1"),
        ({"strategy": "confidence_below", "threshold": {"target_per_day": 0}}, "rules.0.threshold.target_per_day", ""),
        (
            {"strategy": "confidence_below", "threshold": 0.5, "per_class": {"pill": 2}},
            *("rules.0.per_class.pill", "0 to 1"),
        ),
        ({"strategy": "confidence_below", "threshold": 0.5, "per_class": [1]}, "rules.0.per_class", "a mapping"),
        ({"strategy": "close_to_threshold", "threshold": 0.5, "top_class_only": 1}, "rules.0.top_class_only", "true"),
        ({"strategy": "entropy", "threshold": 1, "aggregate": "median"}, "rules.0.aggregate", "max, mean, sum, min"),
        ({"strategy": "novelty", "span": "a week"}, "rules.0.span", "90s, 15m, 24h or 7d"),
        ({"strategy": "novelty", "span": "3651d"}, "rules.0.span", "at most 3650d"),
        ({"strategy": "novelty", "span": "9" * 400 + "d"}, "rules.0.span", "at most 3650d"),
        ({"strategy": "novelty", "span": True}, "rules.0.span", "90s, 15m, 24h or 7d"),
        ({"strategy": "quality"}, "rules.0.metric", "1 to 200 characters"),
        (EMPTY | {"budget": {}}, "rules.0.budget", "must hold one of per_minute"),
        (EMPTY | {"budget": 5}, "rules.0.budget", "must be a mapping"),
        (EMPTY | {"budget": {"per_week": 5}}, "rules.0.budget.per_week", "is not known here"),
        (EMPTY | {"budget": {"per_day": -1}}, "rules.0.budget.per_day", "must be from 0"),
        (EMPTY | {"budget": {"per_day": 1.5}}, "rules.0.budget.per_day", "a whole number"),
        (EMPTY | {"budget": {"per_day": 1, "mode": "hold"}}, "rules.0.budget.mode", "first_come, held"),
        (EMPTY | {"budget": {"per_day": 1, "per_hour": 1, "mode": "held"}}, "rules.0.budget.mode", "one period"),
        (EMPTY | {"budget": {"per_day": 1, "per_stream": {"day": 1}}}, "rules.0.budget.per_stream.day", "per_day?"),
        (EMPTY | {"budget": {"per_day": 1, "audit_share": 2}}, "rules.0.budget.audit_share", "0 to 1"),
    ],
)
def test_rule_that_is_wrong_is_refused_with_its_path(rule: object, field: str, message: str) -> None:
    found = faults({"rules": [rule]})
    assert list(found) == [field]
    assert message in found[field]


def test_all_faults_are_told_at_once() -> None:
    wrong: Sequence[object] = [
        {"strategy": "random", "rate": 2, "blind": "x", "colour": 1},
        EMPTY,
        EMPTY | {"budget": {"per_day": -1, "mode": "x"}},
        {"strategy": "guess"},
    ]
    assert set(faults({"rules": wrong, "budget": {"per_day": "x"}, "near_duplicates": {"distance": 99}})) == {
        *("rules.0.rate", "rules.0.blind", "rules.0.colour", "rules.2.budget.per_day", "rules.2.budget.mode"),
        *("rules.3.strategy", "budget.per_day", "near_duplicates.distance"),
    }


def test_two_rules_of_one_name_are_refused() -> None:
    assert faults({"rules": [EMPTY, EMPTY | {"name": "other"}, EMPTY]}) == {
        "rules.2.name": "must be unique, 'empty' is taken: give this rule a name"
    }


@pytest.mark.parametrize("rules", ["empty", {"strategy": "empty"}, 3])
def test_rules_must_be_a_list(rules: object) -> None:
    assert list(faults({"rules": rules})) == ["rules"]


def test_held_rule_in_a_held_policy_is_refused() -> None:
    held = {"per_day": 5, "mode": "held"}
    assert list(faults({"rules": [EMPTY | {"budget": held}], "budget": held})) == ["rules.0.budget.mode"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, None),
        ({"per_day": 5}, Budget(allowances=(Allowance(period=Period.DAY, tasks=5),))),
        (
            {"minutes_per_hour": 1.5, "per_hour": 2, "mode": "held"},
            Budget(allowances=(Allowance(period=Period.HOUR, tasks=2, seconds=90.0),), is_held=True),
        ),
        (
            {"per_stream": {"per_minute": 1}, "per_reporter": {"per_day": 2}, "audit_share": 0, "reporter_share": 1},
            Budget(
                allowances=(),
                per_stream=(Allowance(period=Period.MINUTE, tasks=1),),
                per_reporter=(Allowance(period=Period.DAY, tasks=2),),
                audit_share=0.0,
                reporter_share=1.0,
            ),
        ),
    ],
)
def test_budget_is_read_and_reads_back(document: object, expected: Budget | None) -> None:
    found = read(budget=document).budget
    assert found == expected
    assert read(budget=budget_document(found)).budget == found


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, None),
        ({}, NearDuplicates(distance=4, span_seconds=3600.0, is_same_stream=False)),
        (
            {"distance": 0, "span": "10m", "same_stream": True},
            NearDuplicates(distance=0, span_seconds=600.0, is_same_stream=True),
        ),
    ],
)
def test_near_duplicates_are_read_and_read_back(document: object, expected: NearDuplicates | None) -> None:
    found = read(near_duplicates=document).near_duplicates
    assert found == expected
    assert read(near_duplicates=near_duplicates_document(found)).near_duplicates == found


@pytest.mark.parametrize(("rules", "share"), [([], 0.0), ([{"strategy": "random", "rate": 0}], 0.0)])
def test_nothing_is_reserved_for_an_audit_that_draws_nothing(rules: list[object], share: float) -> None:
    budget = read(rules=rules, budget={"per_day": 5}).policy(version=1, salt=b"s").budget
    assert budget is not None
    assert budget.audit_share == share


def test_audit_has_its_share_reserved() -> None:
    rules = [{"strategy": "random", "rate": 0.1}]
    budget = read(rules=rules, budget={"per_day": 5}).policy(version=1, salt=b"s").budget
    assert budget is not None
    assert budget.audit_share == 0.2


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({"strategy": "labels"}, "rules.0.any: must be given, or all"),
        ({"strategy": "count_outside"}, "rules.0.more_than: must be given, or fewer_than"),
        ({"strategy": "quality", "metric": "brightness"}, "rules.0.below: must be given, or above"),
        (
            {"strategy": "confidence_band", "low": 0.9, "high": 0.1},
            "rules.0.low: must be at most high, got 0.9",
        ),
        ({"strategy": "reporter_trust", "at_least": 0.9, "at_most": 0.1}, "rules.0.at_least: must be at most at_most"),
        ({"strategy": "entropy", "threshold": 50}, "rules.0.threshold: must be at most 1 unless aggregate is sum"),
        ({"strategy": "empty", "where": "verdict == 'rejectd'"}, "rules.0.where: must compare verdict with confirmed"),
    ],
)
def test_rule_that_can_match_nothing_or_all_is_refused(rule: dict[str, object], fault: str) -> None:
    with pytest.raises(PolicyError, match=fault):
        parse_rules([rule], STRATEGIES)
