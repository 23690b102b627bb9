"""Budgets: what a period is, which accounts must have room, and who is kept when a period ends."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_server.core.policy.budget import (
    Account,
    Allowance,
    Budget,
    Cap,
    Held,
    Payer,
    Period,
    Share,
    Spent,
    audit_room,
    caps,
    full,
    period_end,
    settle,
)

NOW = datetime(2026, 11, 20, 23, 59, 30, 5, tzinfo=UTC)
DAY, HOUR = Period.DAY, Period.HOUR


def allow(tasks: int | None = None, period: Period = DAY, seconds: float | None = None) -> Allowance:
    return Allowance(period=period, tasks=tasks, seconds=seconds)


def account(name: str, period: Period = DAY) -> Account:
    return Account(name, period, period.start(NOW))


def payer(budget: Budget | None = None, rule_budget: Budget | None = None, **more: object) -> Payer:
    return Payer(rule="empty", rule_budget=rule_budget, policy_budget=budget, **more)


def first_full(who: Payer, spent: dict[Account, Spent], cost_seconds: float = 60.0) -> str | None:
    found = full(caps(who, NOW), spent, cost_seconds=cost_seconds)
    return None if found is None else found.name


@pytest.mark.parametrize(
    ("period", "expected"),
    [(Period.MINUTE, "2026-11-20T23:59:00"), (HOUR, "2026-11-20T23:00:00"), (DAY, "2026-11-20T00:00:00")],
)
def test_period_begins_with_its_minute_hour_or_day_in_utc(period: Period, expected: str) -> None:
    assert period.start(NOW).isoformat() == f"{expected}+00:00"
    assert period.start(NOW.astimezone(timezone(timedelta(hours=9)))) == period.start(NOW)


@pytest.mark.parametrize("period", Period)
def test_next_period_begins_where_one_ends(period: Period) -> None:
    end = period_end(period, period.start(NOW))
    assert period.start(end) == end
    assert period.start(end - timedelta(microseconds=1)) == period.start(NOW)


def test_nothing_is_full_without_a_budget() -> None:
    assert first_full(payer(), {}) is None


@pytest.mark.parametrize(("spent", "expected"), [(0, None), (4, None), (5, "rule:empty"), (9, "rule:empty")])
def test_limit_of_tasks_is_never_passed(spent: int, expected: str | None) -> None:
    who = payer(rule_budget=Budget(allowances=(allow(5),)))
    assert first_full(who, {account("rule:empty"): Spent(tasks=spent)}) == expected


@pytest.mark.parametrize(("cost", "expected"), [(60.0, None), (60.5, "rule:empty")])
def test_limit_of_minutes_counts_what_the_next_task_costs(cost: float, expected: str | None) -> None:
    who = payer(rule_budget=Budget(allowances=(allow(seconds=600.0),)))
    assert first_full(who, {account("rule:empty"): Spent(tasks=9, seconds=540.0)}, cost) == expected


def test_every_period_must_have_room() -> None:
    who = payer(rule_budget=Budget(allowances=(allow(5), allow(1, HOUR))))
    assert first_full(who, {account("rule:empty", HOUR): Spent(tasks=1)}) == "rule:empty"
    assert first_full(who, {account("rule:empty"): Spent(tasks=1)}) is None


def test_rule_and_policy_must_both_have_room() -> None:
    who = payer(Budget(allowances=(allow(5),), audit_share=0), Budget(allowances=(allow(5),)))
    assert first_full(who, {account("all"): Spent(tasks=5)}) == "all"
    assert first_full(who, {account("rule:empty"): Spent(tasks=5)}) == "rule:empty"


@pytest.mark.parametrize(
    ("spent", "audits", "expected"),
    [(7, 0, None), (8, 0, "all"), (8, 1, None), (9, 2, None), (10, 2, "all"), (9, 5, None), (10, 5, "all")],
)
def test_audits_share_is_kept_free_until_the_audit_spent_it(spent: int, audits: int, expected: str | None) -> None:
    who = payer(Budget(allowances=(allow(10),), audit_share=0.2))
    assert first_full(who, {account("all"): Spent(tasks=spent), account("audit"): Spent(tasks=audits)}) == expected


def test_audits_share_of_minutes_is_kept_too() -> None:
    who = payer(Budget(allowances=(allow(seconds=600.0),), audit_share=0.2))
    spent = {account("all"): Spent(seconds=430.0)}
    assert (first_full(who, spent, 50.0), first_full(who, spent, 51.0)) == (None, "all")


@pytest.mark.parametrize(
    ("tasks", "share", "spent", "expected"),
    [(10, 0.5, 4, None), (10, 0.5, 5, "reporter:anna"), (1, 0.5, 0, None), (10, 1.0, 9, None)],
)
def test_one_reporter_gets_no_more_than_their_share(tasks: int, share: float, spent: int, expected: str | None) -> None:
    budget = Budget(allowances=(allow(tasks),), audit_share=0, reporter_share=share)
    who = payer(budget, reporters=("anna", "bert"))
    assert first_full(who, {account("reporter:anna"): Spent(tasks=spent)}) == expected


@pytest.mark.parametrize("stream", ["left", None])
def test_each_stream_has_its_own_limit(stream: str | None) -> None:
    budget = Budget(allowances=(), per_stream=(allow(2),))
    name = f"stream:{stream or ''}"
    assert first_full(payer(budget, stream=stream), {account(name): Spent(tasks=2)}) == name
    assert first_full(payer(budget, stream="right"), {account(name): Spent(tasks=2)}) is None


def test_caps_of_a_rule_are_counted_apart_from_those_of_the_policy() -> None:
    budget = Budget(allowances=(), per_stream=(allow(2),), per_reporter=(allow(3),))
    who = payer(budget, budget, stream="left", reporters=("anna",))
    assert [cap.account.name for cap in caps(who, NOW)] == [
        *("rule:empty/stream:left", "rule:empty/reporter:anna", "stream:left", "reporter:anna")
    ]


def test_held_budgets_own_limit_waits_for_the_periods_end() -> None:
    held = Budget(allowances=(allow(5),), is_held=True, per_stream=(allow(2),))
    assert [cap.account.name for cap in caps(payer(held, stream="left"), NOW)] == ["stream:left"]


@pytest.mark.parametrize(
    ("allowances", "expected"),
    [((), None), ((allow(seconds=60.0),), None), ((allow(240),), 2.0), ((allow(240), allow(5, HOUR)), 1.0)],
)
def test_audits_room_is_its_share_of_the_tightest_limit(
    allowances: tuple[Allowance, ...], expected: float | None
) -> None:
    assert audit_room(Budget(allowances=allowances, audit_share=0.2)) == expected


def held(*priorities: int, **more: object) -> list[Held]:
    return [Held(key=key, priority=value, draw=key / 100, **more) for key, value in enumerate(priorities)]


def chances(found: dict[int, Share]) -> list[tuple[float, bool]]:
    return [(found[key].probability, found[key].is_taken) for key in sorted(found)]


@pytest.mark.parametrize(
    ("priorities", "limit", "spent", "expected"),
    [
        ((), 2, 0, []),
        ((10,), 0, 0, [(0, False)]),
        ((10, 60), 2, 0, [(1, True), (1, True)]),
        ((10, 60), 1, 0, [(0, False), (1, True)]),
        ((10, 60), 3, 2, [(0, False), (1, True)]),
        ((10, 60), 2, 2, [(0, False), (0, False)]),
        ((50, 50), 1, 0, [(0.5, True), (0.5, False)]),
        ((90, 50, 50, 50, 10), 2, 0, [(1, True), (1 / 3, True), (1 / 3, False), (1 / 3, False), (0, False)]),
    ],
)
def test_best_are_kept_and_ties_have_equal_chances(
    priorities: tuple[int, ...], limit: int, spent: int, expected: list[tuple[float, bool]]
) -> None:
    assert chances(settle(held(*priorities), allow(limit), {}, spent=Spent(tasks=spent))) == expected


def test_minutes_limit_a_held_period_too() -> None:
    found = settle(held(9, 8, 7, cost_seconds=60.0), allow(seconds=150.0), {}, spent=Spent(seconds=20.0))
    assert [taken for _, taken in chances(found)] == [True, True, False]


def test_order_in_which_they_come_does_not_matter() -> None:
    waiting = held(5, 7, 5, 9, 5, 7)
    assert settle(waiting, allow(3), {}, spent=Spent()) == settle(waiting[::-1], allow(3), {}, spent=Spent())


CAMERA = Cap(account=account("stream:left"), tasks=1, seconds=None)


def test_one_without_room_in_its_own_account_makes_room_for_the_next() -> None:
    left = held(90, 80, caps=(CAMERA,))
    right = Held(key=2, priority=10, draw=0.5)
    found = settle([*left, right], allow(2), {}, spent=Spent())
    assert [taken for _, taken in chances(found)] == [True, False, True]
    assert found[1].full == "stream:left"


def test_ties_whose_own_accounts_have_room_have_the_same_chance() -> None:
    roomy = Cap(account=account("stream:right"), tasks=9, seconds=None)
    waiting = [*held(50, 50, caps=(roomy,)), *(replace(item, key=item.key + 2) for item in held(50, 50))]
    assert [chance for chance, _ in chances(settle(waiting, allow(1), {}, spent=Spent()))] == [0.25] * 4


def test_ties_in_one_account_share_its_room() -> None:
    found = settle(held(50, 50, 50, 50, caps=(CAMERA,)), allow(10), {}, spent=Spent())
    assert chances(found) == [(0.25, True), (0.25, False), (0.25, False), (0.25, False)]


def test_what_an_account_of_its_own_spent_before_counts() -> None:
    found = settle(held(50, caps=(CAMERA,)), allow(10), {CAMERA.account: Spent(tasks=1)}, spent=Spent())
    assert chances(found) == [(0, False)]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1, exclude_max=True))), st.integers(0, 8))
def test_period_keeps_as_many_as_it_may_and_says_so_on_average(found: list[tuple[int, float]], limit: int) -> None:
    waiting = [Held(key=key, priority=priority, draw=draw) for key, (priority, draw) in enumerate(found)]
    shares = settle(waiting, allow(limit), {}, spent=Spent())
    taken = Counter(share.is_taken for share in shares.values())[True]
    assert taken == min(limit, len(waiting))
    assert sum(share.probability for share in shares.values()) == pytest.approx(taken)
