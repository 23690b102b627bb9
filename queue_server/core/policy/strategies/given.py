"""What a file gave a rule, by the type that its parameter promises."""

from collections.abc import Mapping

from queue_server.core.policy.parameters import Threshold
from queue_server.core.policy.rules import Rule
from queue_server.core.policy.states import Candidate


def amount(rule: Rule, name: str) -> float:
    """Return a number that must be there."""
    value = rule.parameters[name]
    assert isinstance(value, float)
    return value


def optional_amount(rule: Rule, name: str) -> float | None:
    """Return a number, or None where the file gave none."""
    value = rule.parameters.get(name)
    assert value is None or isinstance(value, float)
    return value


def word(rule: Rule, name: str) -> str:
    """Return a choice or a text."""
    return str(rule.parameters[name])


def words(rule: Rule, name: str) -> tuple[str, ...]:
    """Return a list of texts."""
    value = rule.parameters[name]
    assert isinstance(value, tuple)
    return value


def table(rule: Rule, name: str) -> Mapping[str, float]:
    """Return numbers by label; empty where the file gave none."""
    value = rule.parameters.get(name)
    return value if isinstance(value, Mapping) else {}


def is_set(rule: Rule, name: str) -> bool:
    """Tell whether a flag is set."""
    return rule.parameters.get(name) is True


def threshold(rule: Rule, candidate: Candidate) -> float | None:
    """Return the rule's threshold for this sample; None: it is taken from the traffic, and was not frozen yet."""
    limit = rule.parameters["threshold"]
    assert isinstance(limit, Threshold)
    return limit.value if limit.kind == "number" else candidate.figures.get((rule.name, "threshold"))
