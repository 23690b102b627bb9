"""Strategies that look at the picture, at what came with it, and at what another model says of it."""

from collections.abc import Callable
from datetime import datetime

from feedback_sdk.types import Prediction
from queue_server.core.policy.conditions import Condition
from queue_server.core.policy.facts import Facts
from queue_server.core.policy.parameters import Amount, Choice, Clause, Name, Span
from queue_server.core.policy.rules import Match, Rule, Strategy
from queue_server.core.policy.states import Candidate
from queue_server.core.policy.strategies.checks import one_of
from queue_server.core.policy.strategies.given import amount, optional_amount, word
from queue_server.core.shapes import overlap
from queue_server.core.uncertainty import object_count, predicted_labels


def match_metadata(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match what a condition holds of."""
    condition = rule.parameters["condition"]
    assert isinstance(condition, Condition)
    return Match(matched=condition.holds(Facts(candidate)), compared={"condition": condition.text})


def match_quality(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match an image whose metric is below or above a bound; without its image a sample waits."""
    metric = word(rule, "metric")
    value = candidate.quality.get(metric)
    below, above = optional_amount(rule, "below"), optional_amount(rule, "above")
    is_odd = value is not None and ((below is not None and value < below) or (above is not None and value > above))
    return Match(matched=is_odd, score=value, compared={metric: value, "below": below, "above": above})


def match_novelty(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match an image that looks like none that was queued lately."""
    bits, wanted = candidate.novelty_bits, amount(rule, "distance")
    score = None if bits is None else float(bits)
    return Match(matched=bits is not None and bits >= wanted, score=score, compared={"bits": bits, "distance": wanted})


def match_model_disagreement(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a sample of which another model version says something else."""
    if candidate.prediction is None or not candidate.shadows:
        return Match(matched=False, compared={"versions": len(candidate.shadows)})
    by = word(rule, "by")
    score = max(_DIFFERENCES[by](candidate.prediction, other) for other in candidate.shadows)
    limit = optional_amount(rule, "threshold")
    limit = limit if limit is not None else _USUAL_DISAGREEMENT[by]
    return Match(matched=score >= limit, score=score, compared={"by": by, "score": score, "threshold": limit})


def _class_difference(one: Prediction, other: Prediction) -> float:
    return float(predicted_labels(one) != predicted_labels(other))


def _count_difference(one: Prediction, other: Prediction) -> float:
    mine, theirs = object_count(one), object_count(other)
    return abs(mine - theirs) if mine is not None and theirs is not None else 0.0


def _object_difference(one: Prediction, other: Prediction) -> float:
    """Return 1 − the share of boxes that both models drew, each counted by its IoU; 0 where neither drew any."""
    mine, theirs = one.boxes or (), other.boxes or ()
    if not mine and not theirs:
        return 0.0
    return 1.0 - 2.0 * sum(overlap(mine, theirs)) / (len(mine) + len(theirs))


_DIFFERENCES: dict[str, Callable[[Prediction, Prediction], float]] = {
    "class": _class_difference,
    "count": _count_difference,
    "iou": _object_difference,
}
_USUAL_DISAGREEMENT = {"class": 1.0, "count": 1.0, "iou": 0.3}

STRATEGIES: dict[str, Strategy] = {
    "metadata": Strategy(
        about="a condition holds of tags, metadata, model version, …",
        match=match_metadata,
        priority=40,
        parameters={"condition": Clause(about="see the condition language; `where` narrows any other strategy so")},
    ),
    "quality": Strategy(
        about="the image is dark, blurred, small, … by one of its metrics",
        match=match_quality,
        priority=30,
        check=one_of("below", "above"),
        parameters={
            "metric": Name(about="width, height, or one of an image, such as brightness (docs/metrics.md)"),
            "below": Amount(about="values below it match", at_least=-1e12, at_most=1e12, is_optional=True),
            "above": Amount(about="values above it match", at_least=-1e12, at_most=1e12, is_optional=True),
        },
    ),
    "novelty": Strategy(
        about="the image looks like none that was queued lately",
        match=match_novelty,
        priority=30,
        needs=frozenset({"novelty_bits"}),
        parameters={
            "distance": Amount(
                about="of 64 bits of its perceptual hash, how many must differ from the nearest",
                at_least=1,
                at_most=64,
                default=16,
                is_whole=True,
            ),
            "span": Span(about="how far back is lately", default="30d"),
        },
    ),
    "model_disagreement": Strategy(
        about="another model version on the same sample says something else",
        match=match_model_disagreement,
        priority=70,
        needs=frozenset({"shadows"}),
        parameters={
            "by": Choice(about="what is compared", values=("class", "count", "iou"), default="class"),
            "threshold": Amount(
                about="the least difference: 1 class, 1 object, or 0.3 of the boxes' overlap where it is not given",
                at_most=1e6,
                is_optional=True,
            ),
        },
    ),
}
