"""What each sampling strategy looks at.

A strategy is a function of (rule, candidate, now) that returns a Match, listed in STRATEGIES with its parameters.
Those that need no feedback decide at arrival, so that the audit never depends on what users say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from feedback_sdk.types import Verdict
from queue_server.core.policy.rules import Choice, Parameter, Rule
from queue_server.core.policy.states import Candidate
from queue_server.core.uncertainty import Aggregate, confidence, is_empty


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """Whether a rule matches, and what it compared."""

    matched: bool
    compared: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Strategy:
    """One way to pick samples, with the parameters that a rule may give it."""

    match: Callable[[Rule, Candidate, datetime], Match]
    parameters: Mapping[str, Parameter | Choice] = field(default_factory=dict)
    priority: int = 50
    #: the audit: its draws are never withdrawn and never mean "not sampled"
    is_audit: bool = False


def match_user_rejected(_rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a sample that a user rejected or corrected."""
    opinion = candidate.opinion
    compared: dict[str, object] = {"verdict": opinion.verdict}
    if opinion.is_disputed:
        compared["disputed"] = True
    return Match(matched=opinion.is_objection, compared=compared)


def match_unconfirmed_low_confidence(rule: Rule, candidate: Candidate, now: datetime) -> Match:
    """Match a prediction of low or no confidence that nobody confirmed before the window's end.

    A sample without any prediction has nothing to confirm, and does not match.
    """
    aggregate = rule.parameters["aggregate"]
    value = confidence(candidate.prediction, Aggregate(str(aggregate)) if aggregate else None)
    threshold = rule.parameters["threshold"]
    assert isinstance(threshold, float)
    is_low = rule.parameters["missing"] == "match" if value is None else value < threshold
    is_open = now < candidate.window_ends_at
    is_confirmed = candidate.opinion.verdict is Verdict.CONFIRMED
    compared = {"confidence": value, "threshold": threshold, "confirmed": is_confirmed, "window_open": is_open}
    matched = candidate.prediction is not None and is_low and not is_open and not is_confirmed
    return Match(matched=matched, compared=compared)


def match_empty(_rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a prediction that found nothing."""
    found_nothing = candidate.prediction is not None and is_empty(candidate.prediction)
    return Match(matched=found_nothing, compared={"empty": found_nothing})


def match_random(_rule: Rule, _candidate: Candidate, _now: datetime) -> Match:
    """Match every sample: the audit."""
    return Match(matched=True)


STRATEGIES: dict[str, Strategy] = {
    "user_rejected": Strategy(match=match_user_rejected, priority=100),
    "unconfirmed_low_confidence": Strategy(
        match=match_unconfirmed_low_confidence,
        priority=60,
        parameters={
            "threshold": Parameter(at_least=0.0, at_most=1.0),
            "aggregate": Choice(values=tuple(Aggregate), default=None),
            "missing": Choice(values=("match", "ignore"), default="match"),
        },
    ),
    "empty": Strategy(match=match_empty, priority=50),
    "random": Strategy(
        match=match_random,
        priority=10,
        parameters={"rate": Parameter(at_least=0.0, at_most=1.0)},
        is_audit=True,
    ),
}
