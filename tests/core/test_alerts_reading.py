"""Alerts and channels of a project's file: what is read, and how a fault says what must hold."""

import pytest

from queue_server.core.alerts import (
    AlertRule,
    Channel,
    ChannelKind,
    Limits,
    alert_document,
    channel_document,
    parse_alerts,
    parse_channels,
)
from queue_server.errors import PolicyError


def alert(**given: object) -> AlertRule:
    (rule,) = parse_alerts([{"name": "a", "figure": "accuracy", **given}], channels=["ops", "team"])
    return rule


def fault_of(**given: object) -> str:
    with pytest.raises(PolicyError) as caught:
        alert(**given)
    return str(caught.value)


@pytest.mark.parametrize("nothing", [None, []])
def test_file_without_alerts_has_none(nothing: object) -> None:
    assert parse_alerts(nothing, channels=[]) == ()


def test_file_without_channels_has_none() -> None:
    assert parse_channels(None) == ()


@pytest.mark.parametrize(
    ("given", "limits", "clear"),
    [
        ({"below": 0.9}, Limits(at_least=0.9), Limits(at_least=0.9)),
        ({"below": 0.9, "clear": 0.92}, Limits(at_least=0.9), Limits(at_least=0.92)),
        ({"above": 5}, Limits(at_most=5.0), Limits(at_most=5.0)),
        ({"above": 5, "clear": 4}, Limits(at_most=5.0), Limits(at_most=4.0)),
        (
            {"outside": [1, 9], "clear": [2, 8]},
            Limits(at_least=1.0, at_most=9.0),
            Limits(at_least=2.0, at_most=8.0),
        ),
    ],
)
def test_limits_are_read_with_where_it_is_over(given: dict, limits: Limits, clear: Limits) -> None:
    rule = alert(**given)
    assert (rule.limits, rule.clear) == (limits, clear)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "alerts.0: must hold one of below, above, outside, got none"),
        ({"below": 1, "above": 2}, "alerts.0: must hold one of below, above, outside, got below, above"),
        ({"figure": "acuracy", "below": 1}, "did you mean accuracy?"),
        ({"figure": "drift.", "above": 1}, "alerts.0.figure: must be one of accuracy"),
        ({"figure": "metric.brightnes", "above": 1}, "did you mean metric.brightness?"),
        ({"figure": "metric.custom.", "above": 1}, "alerts.0.figure: must be one of accuracy"),
        ({"belw": 1, "below": 1}, "alerts.0.belw: is not known here"),
        ({"below": "0.9"}, "alerts.0.below: must be a number"),
        ({"below": True}, "alerts.0.below: must be a number"),
        ({"below": 0.9, "clear": 0.8}, "alerts.0.clear: must lie on the good side of below, 0.9, got 0.8"),
        ({"outside": [1, 9], "clear": [0, 8]}, "alerts.0.clear: must lie on the good side"),
        ({"outside": [9, 1]}, "alerts.0.outside: must have the lower number first"),
        ({"outside": 9}, "alerts.0.outside: must be a list of two numbers, got 9"),
        ({"below": 0.9, "channels": ["opps"]}, "got 'opps': did you mean ops?"),
        ({"below": 0.9, "every": "5s"}, "alerts.0.every: must be at least 60s, got '5s'"),
        ({"below": 0.9, "for": "soon"}, "alerts.0.for: must be a time span"),
        ({"name": "", "below": 0.9}, "alerts.0.name: must be a text of 1 to 100"),
        ({"name": "a/b", "below": 0.9}, "alerts.0.name: must be a text of 1 to 100"),
        ({"figure": "queue.backlog", "above": 9, "over": "7d"}, "alerts.0.over: must not be given"),
        ({"figure": "queue.backlog", "above": 9, "slice": "night"}, "alerts.0.slice: must not be given"),
    ],
)
def test_fault_of_an_alert_says_what_must_hold(given: dict, said: str) -> None:
    assert said in fault_of(**given)


@pytest.mark.parametrize("value", ["none", {"name": "a"}, [1], ["a"], [{}] * 201])
def test_what_is_no_list_of_alerts_is_refused(value: object) -> None:
    with pytest.raises(PolicyError, match=r"^alerts"):
        parse_alerts(value, channels=[])


def test_two_alerts_of_one_name_are_refused() -> None:
    given = {"name": "a", "figure": "accuracy", "below": 0.9}
    with pytest.raises(PolicyError, match=r"alerts\.1\.name: must be unique, 'a' is taken"):
        parse_alerts([given, given], channels=[])


@pytest.mark.parametrize(
    "given",
    [
        {"below": 0.9},
        {"above": 0.9, "clear": 0.5, "for": "1d", "every": "7d", "over": "14d"},
        {"outside": [0.1, 0.9], "slice": "night", "model_version": "v8", "channels": ["ops", "team"]},
    ],
)
def test_document_of_an_alert_is_read_as_the_same(given: dict) -> None:
    rule = alert(**given)
    assert parse_alerts([alert_document(rule)], channels=["ops", "team"]) == (rule,)


VARIABLE = "LOOKSWRONG_CHANNEL_OPS"


@pytest.mark.parametrize(
    ("given", "channel"),
    [
        ({"webhook": "https://a.example/x"}, {"kind": ChannelKind.WEBHOOK, "to": ("https://a.example/x",)}),
        (
            {"webhook": VARIABLE, "secret": VARIABLE},
            {"kind": ChannelKind.WEBHOOK, "to": (VARIABLE,), "secret": VARIABLE},
        ),
        ({"slack": VARIABLE}, {"kind": ChannelKind.SLACK, "to": (VARIABLE,)}),
        ({"email": "a@b.example"}, {"kind": ChannelKind.EMAIL, "to": ("a@b.example",)}),
        ({"email": ["a@b.example", "c@d.example"]}, {"kind": ChannelKind.EMAIL, "to": ("a@b.example", "c@d.example")}),
    ],
)
def test_channel_is_read_and_written_back(given: dict, channel: dict) -> None:
    (found,) = parse_channels({"ops": given})
    assert found == Channel(name="ops", **channel)
    assert parse_channels({"ops": channel_document(found)}) == (found,)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "channels.ops: must hold one of webhook, slack, email, got none"),
        ({"webhook": "https://a.example", "slack": VARIABLE}, "got webhook, slack"),
        ({"webhok": "https://a.example"}, "channels.ops.webhok: is not known here"),
        ({"webhook": "ftp://a.example"}, "channels.ops.webhook: must be https://… or the name of a variable"),
        ({"webhook": "https://me:pw@a.example"}, "channels.ops.webhook: must be https://"),
        ({"webhook": "LOOKSWRONG_SECRET_KEY"}, "channels.ops.webhook: must be https://"),
        ({"email": []}, "channels.ops.email: must be an address"),
        ({"email": "a@b.example\nBcc: c@d.example"}, "channels.ops.email: must be an address"),
        ({"email": "a@b.example", "secret": VARIABLE}, "channels.ops.secret: must be given to a webhook alone"),
        ("https://a.example", "channels.ops: must be a mapping"),
    ],
)
def test_fault_of_a_channel_says_what_must_hold(given: object, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_channels({"ops": given})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "given", [{"slack": "https://hooks.example/T0/B0/hush"}, {"webhook": VARIABLE, "secret": "hush"}]
)
def test_secret_in_the_file_is_refused_and_not_said_again(given: dict) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_channels({"ops": given})
    assert "must be the name of a variable LOOKSWRONG_CHANNEL_" in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "Ops", "a b", "x" * 51, 7])
def test_name_of_a_channel_is_plain(name: object) -> None:
    with pytest.raises(PolicyError, match="must be named by lower-case letters"):
        parse_channels({name: {"email": "a@b.example"}})
