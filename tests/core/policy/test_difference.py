"""What one policy says otherwise than another."""

import pytest

from queue_server.core.policy import STRATEGIES, parse_policy
from queue_server.core.policy.difference import PolicyDifference, difference
from queue_server.core.policy.reading import PolicyText

LOW = {"strategy": "confidence_below", "threshold": 0.5}
AUDIT = {"strategy": "random", "rate": 0.01}


def text(*rules: dict[str, object], **more: object) -> PolicyText:
    return parse_policy({"rules": list(rules), **more}, STRATEGIES)


def test_policies_without_rules_do_not_differ() -> None:
    assert difference(text(), text()).is_empty
    assert difference(text(), text()).lines() == []


def test_default_that_is_written_out_is_no_difference() -> None:
    assert difference(text(AUDIT), text(AUDIT | {"priority": 10, "probability": 1.0})).is_empty


@pytest.mark.parametrize(
    ("new", "lines"),
    [
        (text(LOW, AUDIT), ["+ rule random"]),
        (text(), ["- rule confidence_below"]),
        (text(LOW | {"threshold": 0.7}), ["~ rule confidence_below: threshold 0.5 → 0.7"]),
        (text(LOW | {"threshold": {"quantile": 0.1}}), ["~ rule confidence_below: threshold 0.5 → {'quantile': 0.1}"]),
        (text(LOW | {"where": "count > 3"}), ["~ rule confidence_below: where none → count > 3"]),
        (text(LOW, silence_affirms="shown"), ["~ silence_affirms always → shown"]),
        (text(LOW, near_duplicates={"span": "60s"}), [
            "~ near_duplicates: distance none → 4",
            "~ near_duplicates: span none → 60",
            "~ near_duplicates: same_stream none → False",
        ]),
    ],
)  # fmt: skip
def test_each_change_is_a_line(new: PolicyText, lines: list[str]) -> None:
    assert difference(text(LOW), new).lines() == lines


def test_change_of_the_budget_names_its_keys() -> None:
    old, new = text(budget={"per_day": 5}), text(budget={"per_day": 9, "mode": "held"})
    assert difference(old, new).budget == {"per_day": (5, 9), "mode": ("first_come", "held")}


def test_rule_of_another_name_is_another_rule() -> None:
    renamed = text(LOW | {"name": "unsure"})
    expected = PolicyDifference(added=("unsure",), removed=("confidence_below",))
    assert difference(text(LOW), renamed) == expected


def test_other_order_of_the_rules_is_said() -> None:
    assert difference(text(LOW, AUDIT), text(AUDIT, LOW)).lines() == ["~ the rules' order"]
