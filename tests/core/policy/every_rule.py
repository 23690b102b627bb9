"""A rule of each strategy: with what it must be given alone, and with all that it may be given."""

from collections.abc import Mapping

REQUIRED: Mapping[str, Mapping[str, object]] = {
    "user_rejected": {},
    "user_corrected": {},
    "disputed": {},
    "reporter_trust": {},
    "unconfirmed_low_confidence": {"threshold": 0.6},
    "confidence_below": {"threshold": 0.6},
    "confidence_band": {"low": 0.4, "high": 0.6},
    "close_to_threshold": {"threshold": 0.5},
    "entropy": {"threshold": 0.5},
    "margin": {"threshold": 0.5},
    "least_confidence": {"threshold": 0.5},
    "variance": {"threshold": 0.5},
    "empty": {},
    "expected_count_error": {"threshold": 0.1},
    "count_outside": {"more_than": 40},
    "count_disagrees": {},
    "labels": {"any": ["pill"]},
    "metadata": {"condition": "tags has 'night'"},
    "quality": {"metric": "brightness", "below": 0.1},
    "novelty": {},
    "model_disagreement": {},
    "random": {"rate": 0.1},
    "every_nth": {"n": 10},
    "requested": {},
}
_LOW = {"aggregate": "min", "missing": "ignore", "per_class": {"pill": 0.7, "capsule": 0.2}}
_OPTIONAL: Mapping[str, Mapping[str, object]] = {
    "reporter_trust": {"at_least": 0.6, "at_most": 0.9},
    "unconfirmed_low_confidence": {"threshold": {"quantile": 0.1}, **_LOW},
    "confidence_below": {"threshold": {"target_per_day": 20}, **_LOW},
    "confidence_band": {"aggregate": "product", "missing": "ignore"},
    "close_to_threshold": {"epsilon": 0.2, "minimum_objects": 2, "top_class_only": True, "missing": "ignore"},
    "entropy": {"aggregate": "sum", "missing": "ignore"},
    "margin": {"threshold": {"quantile": 0.9}, "aggregate": "max", "missing": "ignore"},
    "least_confidence": {"threshold": {"target_per_day": 0.5}, "aggregate": "min", "missing": "ignore"},
    "variance": {"threshold": 30, "aggregate": "sum", "missing": "ignore"},
    "expected_count_error": {"threshold": 0.25, "missing": "ignore"},
    "count_outside": {"more_than": 40, "fewer_than": 2},
    "count_disagrees": {"against": "user", "by": 3},
    "labels": {"any": ["pill"], "all": ["capsule", "tablet"], "rare_first": True},
    "quality": {"below": -5, "above": 240.5},
    "novelty": {"distance": 20, "span": "7d"},
    "model_disagreement": {"by": "iou", "threshold": 0.4},
    "random": {"blind": 0.1},
}
_COMMON: Mapping[str, object] = {
    "name": "mine",
    "priority": 77,
    "probability": 0.25,
    "labels": ["pill"],
    "where": "metadata.site == 'north' and not count > 3",
    "tags": ["a", "b"],
    "annotators": 3,
    "route": {"project": "Another project", "tab": "Odd ones"},
}
_BUDGET: Mapping[str, object] = {
    "per_minute": 1,
    "per_hour": 10,
    "minutes_per_day": 90.5,
    "per_stream": {"per_day": 2},
    "per_reporter": {"minutes_per_hour": 3},
    "audit_share": 0.1,
    "reporter_share": 0.9,
}


def least(strategy: str) -> dict[str, object]:
    """Return a rule as short as it may be."""
    return {"strategy": strategy, **REQUIRED[strategy]}


def fullest(strategy: str) -> dict[str, object]:
    """Return a rule that says all that it may."""
    budget = {} if strategy in ("random", "requested") else {"budget": _BUDGET}
    return {**least(strategy), **_OPTIONAL.get(strategy, {}), **_COMMON, **budget}
