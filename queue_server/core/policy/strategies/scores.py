"""Strategies that hold one number of a prediction against a threshold."""

from datetime import datetime

from queue_server.core.policy.parameters import Choice
from queue_server.core.policy.rules import Match, Rule
from queue_server.core.policy.states import Candidate
from queue_server.core.policy.strategies.given import threshold, word

MISSING = Choice(
    about="what a prediction without such a number does, one that found nothing among them: it never counts as sure",
    values=("match", "ignore"),
    default="match",
)


def match_score(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match by the strategy's score: at or above the threshold, or below it where low scores are the unsure ones.

    A sample without any prediction has nothing to be unsure of, and does not match.
    """
    if candidate.prediction is None:
        return Match(matched=False, compared={"prediction": None})
    assert rule.kind.score is not None
    score = rule.kind.score(rule, candidate)
    limit = threshold(rule, candidate)
    return Match(matched=is_beyond(rule, score, limit), score=score, compared={"score": score, "threshold": limit})


def is_beyond(rule: Rule, score: float | None, limit: float | None) -> bool:
    """Tell whether a score matches; a threshold that was not frozen yet matches none."""
    if score is None:
        return word(rule, "missing") == "match"
    if limit is None:
        return False
    return score < limit if rule.kind.is_low else score >= limit
