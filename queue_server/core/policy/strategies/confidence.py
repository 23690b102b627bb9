"""Strategies that look at how sure the model says it is."""

from collections.abc import Mapping
from datetime import datetime

from feedback_sdk.types import Prediction, Verdict
from queue_server.core.policy.parameters import Amount, Choice, Flag, Limit, Parameter, Table
from queue_server.core.policy.rules import Match, Rule, Strategy
from queue_server.core.policy.states import Candidate
from queue_server.core.policy.strategies.checks import in_order
from queue_server.core.policy.strategies.given import amount, is_set, table, threshold, word
from queue_server.core.policy.strategies.scores import MISSING, is_beyond, match_score
from queue_server.core.uncertainty import Aggregate, confidence, is_empty, object_confidences, objects


def confidence_score(rule: Rule, candidate: Candidate) -> float | None:
    """Return the image-level confidence, with the rule's aggregate over the objects of its labels."""
    aggregate = rule.parameters.get("aggregate")
    return confidence(candidate.prediction, Aggregate(str(aggregate)) if aggregate else None, rule.labels)


def match_confidence_below(rule: Rule, candidate: Candidate, now: datetime) -> Match:
    """Match a confidence below the threshold, or an object below that of its class."""
    match = match_score(rule, candidate, now)
    low = _low_classes(rule, candidate)
    if candidate.prediction is None or not table(rule, "per_class"):
        return match
    return Match(matched=match.matched or bool(low), score=match.score, compared={**match.compared, "low_classes": low})


def match_unconfirmed_low_confidence(rule: Rule, candidate: Candidate, now: datetime) -> Match:
    """Match a prediction of low or no confidence that nobody confirmed before the window's end.

    A sample without any prediction has nothing to confirm, and does not match.
    """
    value, limit = confidence_score(rule, candidate), threshold(rule, candidate)
    low = _low_classes(rule, candidate)
    is_open = now < candidate.window_ends_at
    is_confirmed = candidate.opinion.verdict is Verdict.CONFIRMED
    compared: dict[str, object] = {
        "confidence": value,
        "threshold": limit,
        "confirmed": is_confirmed,
        "window_open": is_open,
    }
    if low:
        compared["low_classes"] = low
    is_low = candidate.prediction is not None and (bool(low) or is_beyond(rule, value, limit))
    return Match(matched=is_low and not is_open and not is_confirmed, score=value, compared=compared)


def match_confidence_band(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a confidence from `low` to `high`."""
    value = confidence_score(rule, candidate)
    low, high = amount(rule, "low"), amount(rule, "high")
    compared = {"score": value, "low": low, "high": high}
    if value is None:
        is_within = candidate.prediction is not None and word(rule, "missing") == "match"
    else:
        is_within = low <= value <= high
    return Match(matched=is_within, score=value, compared=compared)


def match_close_to_threshold(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match where enough confidences lie within `epsilon` of the threshold at which the app acts."""
    limit, epsilon = amount(rule, "threshold"), amount(rule, "epsilon")
    wanted = int(amount(rule, "minimum_objects"))
    compared: dict[str, object] = {"threshold": limit, "epsilon": epsilon, "minimum_objects": wanted}
    prediction = candidate.prediction
    if prediction is None:
        return Match(matched=False, compared=compared)
    values = _confidences(prediction, rule)
    if is_empty(prediction) or not (values or prediction.classes):
        compared["close_objects"] = None
        return Match(matched=word(rule, "missing") == "match", compared=compared)
    # An epsilon of 0.1 about 0.5 means 0.4 too, which 0.5 − 0.4 in floats is a hair beyond.
    close = len([value for value in values if abs(value - limit) <= epsilon + 1e-9])
    compared["close_objects"] = close
    return Match(matched=close >= wanted, score=float(close), compared=compared)


def _confidences(prediction: Prediction, rule: Rule) -> list[float]:
    """Return the confidences that a rule looks at: of its objects, else of the classes, or of the top one alone."""
    classes: Mapping[str, float] = prediction.classes or {}
    if not classes:
        values = object_confidences(prediction, rule.labels)
        return [max(values)] if values and is_set(rule, "top_class_only") else values
    if is_set(rule, "top_class_only"):
        top = max(classes, key=lambda label: classes[label])
        classes = {top: classes[top]}
    return [value for label, value in classes.items() if not rule.labels or label in rule.labels]


def _low_classes(rule: Rule, candidate: Candidate) -> list[str]:
    """Return the labels of which an object, or the class that was chosen, is below its own threshold."""
    limits = table(rule, "per_class")
    if not limits or candidate.prediction is None:
        return []
    return sorted({label for label, value in _labelled(candidate.prediction) if value < limits.get(label, 0.0)})


def _labelled(prediction: Prediction) -> list[tuple[str, float]]:
    found = [(item.label, item.confidence) for item in objects(prediction) if item.confidence is not None]
    classes: Mapping[str, float] = prediction.classes or {}
    if classes and not prediction.multi_label:
        top = max(classes, key=lambda label: classes[label])
        classes = {top: classes[top]}
    elif classes:
        classes = {label: value for label, value in classes.items() if value >= 0.5}
    return found + list(classes.items())


_AGGREGATE = Choice(
    about="how objects' confidences become one; without it the given confidence, the top class, or their mean"
    " (expected_count_error for counting)",
    values=tuple(Aggregate),
    default=None,
)
_THRESHOLD = Limit(about="confidences below it match")
_PER_CLASS = Table(about="a threshold for each label: an object below its own matches, whatever the others are")

#: of both rules that look for low confidence
_LOW: Mapping[str, Parameter] = {
    "threshold": _THRESHOLD,
    "aggregate": _AGGREGATE,
    "missing": MISSING,
    "per_class": _PER_CLASS,
}

STRATEGIES: dict[str, Strategy] = {
    "unconfirmed_low_confidence": Strategy(
        about="the model was not sure, and nobody confirmed it before the window's end",
        match=match_unconfirmed_low_confidence,
        priority=60,
        score=confidence_score,
        is_low=True,
        parameters=_LOW,
    ),
    "confidence_below": Strategy(
        about="the model is not sure, whatever users say",
        match=match_confidence_below,
        priority=50,
        score=confidence_score,
        is_low=True,
        parameters=_LOW,
    ),
    "confidence_band": Strategy(
        about="the confidence lies between two bounds",
        match=match_confidence_band,
        priority=40,
        check=in_order("low", "high"),
        parameters={
            "low": Amount(about="the lowest confidence that matches"),
            "high": Amount(about="the highest confidence that matches"),
            "aggregate": _AGGREGATE,
            "missing": MISSING,
        },
    ),
    "close_to_threshold": Strategy(
        about="confidences lie close to the threshold at which the app acts",
        match=match_close_to_threshold,
        priority=50,
        parameters={
            "threshold": Amount(about="where the app decides"),
            "epsilon": Amount(about="how close is close", default=0.1),
            "minimum_objects": Amount(
                about="how many must be close", at_least=1, at_most=10_000, default=1, is_whole=True
            ),
            "top_class_only": Flag(about="look at the top class, or the surest object, alone"),
            "missing": MISSING,
        },
    ),
}
