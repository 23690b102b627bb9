"""Candidates and policies, said in few words; each test names the fields that it is about."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from feedback_sdk.types import Box, Prediction, Verdict
from queue_server.core.policy import STRATEGIES, Candidate, Match, Opinion, Policy, Rule, State, parse_policy

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WINDOW_END = NOW + timedelta(hours=24)
AFTER = WINDOW_END + timedelta(seconds=1)

REJECTED = Opinion(verdict=Verdict.REJECTED)
CONFIRMED = Opinion(verdict=Verdict.CONFIRMED)
CORRECTED = Opinion(verdict=Verdict.CORRECTED)
DISPUTED = Opinion(verdict=Verdict.REJECTED, is_disputed=True)


def box(confidence: float | None = None, label: str = "pill", **more: object) -> Box:
    """Return a box of one pixel."""
    corners = {"x_min": 0.0, "y_min": 0.0, "x_max": 1.0, "y_max": 1.0}
    return Box(label=label, confidence=confidence, **(corners | more))


def said(*confidences: float | None, **more: object) -> Prediction:
    """Return what a detector said: one pill for each confidence."""
    values = {"model_version": "v1", "task": "detection", "boxes": [box(value) for value in confidences]}
    return Prediction(**(values | more))


def classes(**more: float) -> Prediction:
    """Return what a classifier said."""
    return Prediction(model_version="v1", task="classification", classes=more)


def counted(count: int | None, **more: object) -> Prediction:
    """Return what a counting model said."""
    return Prediction(**({"model_version": "v1", "task": "counting", "count": count} | more))


def candidate(**more: object) -> Candidate:
    """Return a sample within its window, on which a detector is sure."""
    values: dict[str, object] = {
        "sample_id": UUID(int=1),
        "state": State.AWAITING_FEEDBACK,
        "prediction": said(0.9),
        "opinion": Opinion(),
        "window_ends_at": WINDOW_END,
    }
    return Candidate(**(values | more))


def policy(*rules: Mapping[str, object], **more: object) -> Policy:
    """Return the policy of a project's file."""
    return parse_policy({"rules": list(rules), **more}, STRATEGIES).policy(version=1, salt=b"salt")


def rule(strategy: str, **more: object) -> Rule:
    """Return one rule."""
    return policy({"strategy": strategy, **more}).rules[0]


def match(strategy: str, found: Candidate, now: datetime = NOW, **more: object) -> Match:
    """Return what one rule makes of a sample."""
    one = rule(strategy, **more)
    return one.kind.match(one, found, now)
