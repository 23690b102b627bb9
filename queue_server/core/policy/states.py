"""The states of a sample, and the values that a decision is made of and results in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from feedback_sdk.types import Prediction
from queue_server.core.policy.verdicts import Opinion


class State(StrEnum):
    """Where a sample is on its way to a human, or why it is not."""

    AWAITING_FEEDBACK = "awaiting_feedback"
    HELD = "held"
    QUEUED = "queued"
    PUSHED = "pushed"
    ANNOTATED = "annotated"
    ARCHIVED = "archived"


class ArchiveReason(StrEnum):
    """Why an archived sample needs no human."""

    CONFIRMED = "confirmed"
    AFFIRMED = "affirmed"
    NOT_SAMPLED = "not_sampled"
    DUPLICATE = "duplicate"
    OVER_BUDGET = "over_budget"
    WITHDRAWN = "withdrawn"
    SKIPPED = "skipped"
    ERASED = "erased"


class Trigger(StrEnum):
    """What made us decide."""

    ARRIVAL = "arrival"
    VERDICT = "verdict"
    WINDOW_END = "window_end"
    LATE_FEEDBACK = "late_feedback"
    REQUEST = "request"


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """All that a decision may look at."""

    sample_id: UUID
    state: State
    prediction: Prediction | None
    opinion: Opinion
    #: when silence becomes an answer, on the server's clock
    window_ends_at: datetime
    #: a person asked for it by hand
    is_requested: bool = False
    #: why it is archived; None in every other state
    archive_reason: ArchiveReason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleOutcome:
    """What one rule made of a sample."""

    rule: str
    strategy: str
    priority: int
    matched: bool
    #: the chance with which a match is taken; None: no draw, a person asked
    probability: float | None
    #: the rule's own number in [0, 1) for this sample; taken when below `probability`
    draw: float | None
    selected: bool
    #: what was compared, for people
    compared: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What becomes of a sample. `state` is the one it is in from now on, which may be the one it was in."""

    state: State
    #: the highest rule that took it, or the archive's reason; None while nothing is decided
    reason: str | None
    priority: int
    #: every rule that took it, the highest priority first
    reasons: tuple[str, ...]
    #: the task that is there is to be taken back if nobody touched it
    is_withdrawal: bool
    inclusion_probability: float
    rules: tuple[RuleOutcome, ...]
