"""Strategies that hang on chance, on order, or on a person's asking."""

import hashlib
from datetime import datetime

from queue_server.core.policy.parameters import Amount
from queue_server.core.policy.rules import Match, Rule, Strategy
from queue_server.core.policy.states import Candidate
from queue_server.core.policy.strategies.given import amount


def match_random(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match every sample: the audit. After a surge its rate is lower for an hour."""
    rate = min(amount(rule, "rate"), candidate.figures.get((rule.name, "rate"), 1.0))
    return Match(matched=True, rate=rate, compared={"rate": rate})


def match_every_nth(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match one sample in n of each stream, from a random first one: each has the chance 1/n."""
    nth = int(amount(rule, "n"))
    position = candidate.stream_position
    if position is None:
        return Match(matched=False, compared={"position": None, "n": nth})
    first = int.from_bytes(hashlib.sha256(f"{rule.name}/{candidate.stream}".encode()).digest()[:8]) % nth
    cell = (position - first) % nth
    return Match(matched=True, rate=1.0 / nth, cell=(cell, nth), compared={"position": position, "n": nth})


def match_requested(_rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a sample that a person asked for."""
    return Match(matched=candidate.is_requested, compared={"requested": candidate.is_requested})


STRATEGIES: dict[str, Strategy] = {
    "random": Strategy(
        about="the audit: a random share of all samples, whatever anybody says",
        match=match_random,
        priority=10,
        is_audit=True,
        parameters={
            "rate": Amount(about="the share of all samples"),
            "blind": Amount(about="the share of its tasks that are shown without the prediction", default=0.0),
        },
    ),
    "every_nth": Strategy(
        about="one sample in n of each stream",
        match=match_every_nth,
        priority=20,
        needs=frozenset({"stream_position"}),
        parameters={"n": Amount(about="one in so many", at_least=1, at_most=1e9, is_whole=True)},
    ),
    "requested": Strategy(
        about="a person asked for it; without this rule such tasks have priority 90",
        match=match_requested,
        priority=90,
        is_by_hand=True,
    ),
}
