"""The states of a sample, and the values that a decision is made of and results in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from feedback_sdk.types import Correction, Prediction
from queue_server.core.policy.budget import USUAL_SECONDS, Account, Ledger, Share
from queue_server.core.policy.rules import Route
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
    #: its image came after it
    IMAGE = "image"
    #: another model version predicted on it
    PREDICTION = "prediction"
    #: a held budget's period ended
    PERIOD_END = "period_end"
    #: an annotation of it came, and its users see it otherwise
    ANNOTATION = "annotation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What is known of a reporter: how often annotators agreed, and how much they object just now."""

    right: int = 0
    wrong: int = 0
    #: samples that they objected to in the last 24 hours, before this one
    recent: int = 0

    @property
    def trust(self) -> float:
        """Return the mean of their precision: a Beta posterior over what annotators saw, the prior Beta(2, 2).

        >>> Standing().trust
        0.5
        """
        return (self.right + 2) / (self.right + self.wrong + 4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Twin:
    """Another sample of the same picture that has a labeling task, which serves this one too."""

    key: int
    sample_id: UUID
    #: equal bytes, not only equal to the eye
    is_exact: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """All that a decision may look at. What a policy's rules do not need (`Policy.needs`) is left out."""

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
    tags: Sequence[str] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    stream: str | None = None
    subject: str | None = None
    #: the image's size and quality, by metric; empty while it has not come
    quality: Mapping[str, float] = field(default_factory=dict)
    #: what the users' last corrections say, the oldest first
    corrections: Sequence[Correction] = ()
    #: of who objects, by name
    standings: Mapping[str, Standing] = field(default_factory=dict)
    #: what other model versions said
    shadows: Sequence[Prediction] = ()
    #: bits between its perceptual hash and the nearest that was queued; None: no image, or nothing was queued
    novelty_bits: int | None = None
    #: how many samples of its stream came before it
    stream_position: int | None = None
    #: figures frozen before it came: (rule's name, figure's name) -> value
    figures: Mapping[tuple[str, str], float] = field(default_factory=dict)
    #: its annotation does not agree with a user who objected after it
    is_annotation_disputed: bool = False
    #: what the budget said before, by rule
    shares: Mapping[str, Share] = field(default_factory=dict)
    #: what the accounts spent; None: nobody has looked, all have room
    ledger: Ledger | None = None
    #: what a task is expected to cost, by reason
    lead_seconds: Mapping[str, float] = field(default_factory=dict)
    twin: Twin | None = None
    #: a page told that the result was shown to its user
    is_shown: bool = False


class RuleOutcome(NamedTuple):
    """What one rule made of a sample; a tuple, as a decision makes one of each rule: made in a third of the time."""

    rule: str
    strategy: str
    priority: int
    matched: bool
    #: the chance with which a match is taken, the budget's share in it; None: no draw, a person asked
    probability: float | None
    #: the rule's own number in [0, 1) for this sample; taken when below `probability`
    draw: float | None
    selected: bool
    is_audit: bool = False
    #: it hangs on what users say
    is_users: bool = False
    #: what was compared with the threshold
    score: float | None = None
    #: it waits for the end of its budget's period
    is_held: bool = False
    #: the account that had no room
    over_budget: str | None = None
    #: what was compared, for people
    compared: Mapping[str, object] = MappingProxyType({})
    #: `probability` before the budget's share in it
    chance: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """How the labeling task of a sample is to be made."""

    #: of the highest rule that routes
    route: Route = field(default_factory=Route)
    is_blind: bool = False
    annotators: int = 1
    #: where it stands in the inbox: its priority, or for the audit alone a random place among all priorities, so that
    #: annotators who never reach the inbox's end see a fair share of it
    rank: float = 0.0
    tags: tuple[str, ...] = ()


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
    #: of every rule that matched
    tags: tuple[str, ...] = ()
    order: Order = field(default_factory=Order)
    #: what the budget said, by rule, to be kept with the sample
    shares: Mapping[str, Share] = field(default_factory=dict)
    #: the accounts that this decision spends from
    spends: tuple[Account, ...] = ()
    #: what the task is expected to cost an annotator
    cost_seconds: float = USUAL_SECONDS
    #: the account at whose period's end the best of the held are kept
    held_in: Account | None = None
    #: a finished annotation is to be looked at again
    is_second_look: bool = False
