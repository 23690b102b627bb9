"""The way of an alert: told once when it is raised and once when it is over, and it does not flap."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from queue_server.core.alerts import (
    Action,
    AlertRule,
    Event,
    FigureNow,
    Limits,
    Standing,
    Status,
    Turn,
    act,
    look,
    why_not,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEW = Standing()


def rule(**more: object) -> AlertRule:
    """Return an alert that is raised above 100 and over at 80."""
    values = {"name": "long", "figure": "queue.backlog", "limits": Limits(at_most=100), "clear": Limits(at_most=80)}
    return AlertRule(**(values | more))


def look_hourly(values: Iterable[float | None], of: AlertRule, standing: Standing = NEW) -> list[str]:
    """Look once an hour, and return what was told, with the hour."""
    told = []
    for hour, value in enumerate(values):
        turn = look(standing, of, FigureNow(value=value), now=NOW + hour * HOUR)
        standing = turn.standing
        told += [f"{turn.event}@{hour}"] if turn.is_told else []
    return told


def fired(*, told: bool = True) -> Standing:
    return Standing(incident=1, is_firing=True, fired_at=NOW, told_incident=int(told), told_at=NOW if told else None)


@pytest.mark.parametrize("value", [None, 0.0, 100.0])
def test_quiet_alert_stays_quiet_within_its_limits(value: float | None) -> None:
    turn = look(NEW, rule(), FigureNow(value=value), now=NOW)
    assert turn == Turn(standing=NEW)


@pytest.mark.parametrize(
    ("values", "hold", "told"),
    [
        ([101], 0, ["fired@0"]),
        ([101, 150, 101, 300], 0, ["fired@0"]),
        ([101, 80], 0, ["fired@0", "resolved@1"]),
        # Between 80 and 100 nothing changes: neither of the ends is told.
        ([101, 99, 101, 81, 120, 99], 0, ["fired@0"]),
        ([99, 81, 99], 0, []),
        ([101, 101, 101, 101], 3, ["fired@3"]),
        ([101, 101, 99, 101, 101], 3, []),
        ([101, 101, 101, 101, 50, 50, 90, 50, 50, 50, 50], 3, ["fired@3", "resolved@10"]),
        ([101, 50, 101, 50], 0, ["fired@0", "resolved@1", "fired@2", "resolved@3"]),
        # What is not known is neither bad nor good news.
        ([101, None, None, None], 0, ["fired@0"]),
        ([None, 101, None, 101], 2, ["fired@3"]),
    ],
)
def test_alert_is_told_once_when_raised_and_once_when_over(values: list, hold: int, told: list) -> None:
    assert look_hourly(values, rule(hold_seconds=hold * 3600.0)) == told


def test_figure_that_dances_on_the_limit_does_not_flap() -> None:
    assert look_hourly([101, 99] * 50, rule()) == ["fired@0"]


def test_reminders_come_by_choice_alone() -> None:
    assert look_hourly([101] * 8, rule(remind_seconds=3 * 3600.0)) == ["fired@0", "reminded@3", "reminded@6"]


@pytest.mark.parametrize(
    ("low", "high", "is_fired"),
    [(None, None, True), (0.86, 0.91, False), (0.82, 0.89, True), (0.85, 0.9, False)],
)
def test_whole_interval_must_be_beyond_the_limit(low: float | None, high: float | None, is_fired: bool) -> None:
    least = Limits(at_least=0.9)
    of = AlertRule(name="fell", figure="accuracy", limits=least, clear=least)
    turn = look(NEW, of, FigureNow(value=0.87, low=low, high=high), now=NOW)
    assert (turn.event is Event.FIRED) == is_fired


def test_interval_that_grows_wide_again_ends_nothing() -> None:
    least = Limits(at_least=0.9)
    of = AlertRule(name="fell", figure="accuracy", limits=least, clear=least)
    assert look(fired(), of, FigureNow(value=0.87, low=0.5, high=0.99), now=NOW).event is None


def test_acknowledged_alert_is_not_said_again_until_it_is_over() -> None:
    standing = act(fired(), Action.ACKNOWLEDGE, now=NOW).standing
    assert standing.status(NOW) is Status.ACKNOWLEDGED
    assert look_hourly([101] * 5 + [50], rule(remind_seconds=3600.0), standing) == ["resolved@5"]


def test_next_incident_of_an_acknowledged_alert_is_told() -> None:
    standing = act(fired(), Action.ACKNOWLEDGE, now=NOW).standing
    assert look_hourly([50, 101], rule(), standing) == ["resolved@0", "fired@1"]


def test_snoozed_alert_is_silent_and_says_so_once_when_the_snooze_ends() -> None:
    standing = act(NEW, Action.SNOOZE, now=NOW, until=NOW + 3 * HOUR).standing
    assert standing.status(NOW) is Status.SNOOZED
    assert look_hourly([101] * 8, rule(), standing) == ["reminded@3"]


def test_what_comes_and_goes_within_a_snooze_is_never_told() -> None:
    standing = act(NEW, Action.SNOOZE, now=NOW, until=NOW + 3 * HOUR).standing
    assert look_hourly([101, 50, 50, 50, 50], rule(), standing) == []


def test_those_who_heard_of_it_hear_that_it_is_over_though_snoozed() -> None:
    standing = act(fired(), Action.SNOOZE, now=NOW, until=NOW + 9 * HOUR).standing
    assert look_hourly([101, 50], rule(), standing) == ["resolved@1"]


def test_disabled_alert_is_not_looked_at() -> None:
    standing = act(fired(), Action.DISABLE, now=NOW).standing
    assert (standing.status(NOW), standing.is_firing) == (Status.DISABLED, False)
    assert look_hourly([101, 101], rule(), standing) == []


def test_enabled_alert_is_looked_at_as_if_it_were_new() -> None:
    standing = act(act(fired(), Action.DISABLE, now=NOW).standing, Action.ENABLE, now=NOW).standing
    turn = look(standing, rule(), FigureNow(value=101), now=NOW)
    assert (turn.event, turn.is_told, turn.standing.incident) == (Event.FIRED, True, 2)


@pytest.mark.parametrize(
    ("standing", "action", "why"),
    [
        (NEW, Action.ACKNOWLEDGE, "must be firing to be acknowledged"),
        (fired(), Action.ACKNOWLEDGE, None),
        (NEW, Action.SNOOZE, None),
        (Standing(is_disabled=True), Action.SNOOZE, "must be enabled to be snoozed"),
        (Standing(is_disabled=True), Action.ENABLE, None),
    ],
)
def test_what_a_person_may_do_hangs_on_where_it_stands(standing: Standing, action: Action, why: str | None) -> None:
    assert why_not(standing, action) == why


@pytest.mark.parametrize("action", [Action.ACKNOWLEDGE, Action.DISABLE])
def test_saying_the_same_twice_changes_nothing(action: Action) -> None:
    once = act(fired(), action, now=NOW).standing
    assert act(once, action, now=NOW + HOUR) == Turn(standing=once)


def test_status_tells_the_way() -> None:
    of, seen = rule(hold_seconds=3600.0), []
    standing = NEW
    for hour, value in enumerate([50, 101, 101, 50, 50]):
        standing = look(standing, of, FigureNow(value=value), now=NOW + hour * HOUR).standing
        seen.append(standing.status(NOW + hour * HOUR).value)
    assert seen == ["quiet", "pending", "firing", "firing", "resolved"]
