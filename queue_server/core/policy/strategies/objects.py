"""Strategies that look at what was found: how many objects, of which labels."""

from datetime import datetime

from queue_server.core.policy.parameters import Amount, Choice, Flag, Limit, Names
from queue_server.core.policy.rules import Match, Rule, Strategy
from queue_server.core.policy.states import Candidate
from queue_server.core.policy.strategies.checks import one_of
from queue_server.core.policy.strategies.given import amount, is_set, optional_amount, word, words
from queue_server.core.policy.strategies.scores import MISSING, match_score
from queue_server.core.uncertainty import (
    expected_count_error,
    is_empty,
    object_count,
    object_labels,
    objects,
    predicted_labels,
)

#: how far a label that is hardly ever seen raises a task
_RARITY_POINTS = 9


def match_empty(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a prediction that found nothing; with labels, none of those."""
    prediction = candidate.prediction
    found_nothing = prediction is not None and is_empty(prediction)
    if prediction is not None and rule.labels and objects(prediction):
        found_nothing = not any(label in rule.labels for label in object_labels(prediction))
    return Match(matched=found_nothing, compared={"empty": found_nothing})


def count_error_score(rule: Rule, candidate: Candidate) -> float | None:
    """Return Σp(1−p)/n over the objects, in [0, 0.25]."""
    return expected_count_error(candidate.prediction, rule.labels) if candidate.prediction is not None else None


def match_count_outside(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a count above `more_than` or below `fewer_than`; zero counts as a count."""
    count = _count(rule, candidate)
    above, below = optional_amount(rule, "more_than"), optional_amount(rule, "fewer_than")
    is_outside = count is not None and ((above is not None and count > above) or (below is not None and count < below))
    return Match(matched=is_outside, compared={"count": count, "more_than": above, "fewer_than": below})


def _count(rule: Rule, candidate: Candidate) -> int | None:
    if candidate.prediction is None:
        return None
    if not rule.labels or not objects(candidate.prediction):
        # A bare count says nothing of labels.
        return object_count(candidate.prediction)
    return sum(label in rule.labels for label in object_labels(candidate.prediction))


def match_count_disagrees(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match where the objects are not as many as the model's own count says, or as a user says."""
    prediction = candidate.prediction
    if prediction is None:
        return Match(matched=False, compared={"prediction": None})
    found = objects(prediction)
    drawn = len(found) if found or is_empty(prediction) else None
    against, by = word(rule, "against"), amount(rule, "by")
    said = [item.count for item in candidate.corrections if item.count is not None]
    counts = {
        "model": prediction.count if against in ("model", "either") else None,
        "user": said[-1] if said and against in ("user", "either") else None,
    }
    own = object_count(prediction) if drawn is None else drawn
    is_off = own is not None and any(count is not None and abs(count - own) >= by for count in counts.values())
    return Match(matched=is_off, compared={"objects": own, "by": by, **counts})


def match_labels(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a prediction that names any of some labels, and all of some others."""
    if candidate.prediction is None:
        return Match(matched=False, compared={"prediction": None})
    named = predicted_labels(candidate.prediction)
    any_of, all_of = words(rule, "any"), words(rule, "all")
    matched = (not any_of or not named.isdisjoint(any_of)) and named.issuperset(all_of)
    wanted = sorted(named.intersection((*any_of, *all_of)) or named)
    compared: dict[str, object] = {"labels": wanted}
    shift = _rarity(rule, candidate, wanted) if matched and is_set(rule, "rare_first") else 0
    if shift:
        compared["priority_shift"] = shift
    return Match(matched=matched, compared=compared, priority_shift=shift)


def _rarity(rule: Rule, candidate: Candidate, labels: list[str]) -> int:
    """Return how far the rarest of these labels raises a task; 0 until their shares of the traffic are frozen."""
    shares = [candidate.figures.get((rule.name, f"label_share:{label}")) for label in labels]
    known = [share for share in shares if share is not None]
    return round(_RARITY_POINTS * (1.0 - min(known))) if known else 0


STRATEGIES: dict[str, Strategy] = {
    "empty": Strategy(
        about="the model found nothing (with `labels`: none of those)", match=match_empty, reads_labels=True
    ),
    "expected_count_error": Strategy(
        about="the count is expected to err: the sum of p(1 − p) over the objects, by their number, is high",
        match=match_score,
        score=count_error_score,
        parameters={
            "threshold": Limit(about="scores at or above it match", at_most=0.25),
            "missing": MISSING,
        },
    ),
    "count_outside": Strategy(
        about="there are more objects than one bound, or fewer than another",
        match=match_count_outside,
        reads_labels=True,
        check=one_of("more_than", "fewer_than"),
        parameters={
            "more_than": Amount(about="counts above it match", at_most=1e6, is_optional=True, is_whole=True),
            "fewer_than": Amount(about="counts below it match", at_most=1e6, is_optional=True, is_whole=True),
        },
    ),
    "count_disagrees": Strategy(
        about="the objects are not as many as the model's own count, or as a user, says",
        match=match_count_disagrees,
        priority=80,
        is_users=True,
        parameters={
            "against": Choice(
                about="whose number the objects are held against", values=("model", "user", "either"), default="either"
            ),
            "by": Amount(about="the least difference", at_least=1, at_most=1e6, default=1, is_whole=True),
        },
    ),
    "labels": Strategy(
        about="the prediction names some labels",
        match=match_labels,
        priority=40,
        check=one_of("any", "all"),
        parameters={
            "any": Names(about="one of these must be named"),
            "all": Names(about="all of these must be named"),
            "rare_first": Flag(about="raise the task the more, the rarer its label was in the last week"),
        },
    ),
}
