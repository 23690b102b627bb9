"""What the calls answer, as frozen dataclasses: OpenAPI shows them, clients may rely on them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from feedback_sdk.types import Correction, ImageNeed, Prediction, Verdict
from queue_server.core.outcome import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemField:
    """One fault of a request."""

    field: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """RFC 9457: what went wrong."""

    type: str
    title: str
    status: int
    errors: list[ProblemField]


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleTaken:
    """What became of a sample."""

    id: UUID
    state: str
    image: ImageNeed


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchItem:
    """What became of one sample of a batch; `status` is what it would have been answered alone."""

    id: str | None
    status: int
    image: ImageNeed | None
    errors: list[ProblemField]


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchTaken:
    """What became of the samples of a batch, in their order."""

    results: list[BatchItem]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagesWanted:
    """Whose image is wanted, and whose is there or can never be taken; the others are unknown or not wanted yet."""

    wanted: list[UUID]
    stored: list[UUID]


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The same for every feedback that could be read."""

    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictionTaken:
    """A further prediction is kept."""

    sample_id: UUID
    model_version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionAnswer:
    """Why a sample is where it is, in words too; each rule says what it compared, drew and came to."""

    trigger: str
    state: str
    reason: str | None
    explanation: str
    policy_version: int
    inclusion_probability: float
    decided_at: datetime
    rules: list[dict[str, object]]
    #: what the budgets said: shares by rule, the accounts that paid, the account that holds it; null: none was asked
    budget: dict[str, object] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackAnswer:
    """One verdict; `fault` says why it does not count, where it does not."""

    id: UUID
    verdict: Verdict
    correction: Correction | None
    comment: str | None
    reporter: str | None
    source: str
    given_at: datetime
    received_at: datetime
    fault: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelingTaskAnswer:
    """The sample's task; Label Studio's ids are null until it is pushed."""

    state: str
    generation: int
    priority: int
    reasons: list[str]
    #: of the rules that matched
    tags: list[str]
    #: 1, or more where a finished annotation is looked at again
    look: int
    #: the title of another Label Studio project; null: the project's main one
    route: str | None
    #: null: the inbox
    tab: str | None
    is_blind: bool
    annotators: int
    label_studio_project_id: int | None
    label_studio_task_id: int | None
    url: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotationAnswer:
    """One annotation, and how it differs from what the model and the user said, in regions."""

    id: int
    annotator: str
    updated_at: datetime
    lead_time_seconds: float | None
    look: int
    is_blind: bool
    is_skipped: bool
    is_ground_truth: bool
    annotation: dict[str, object] | None
    model_difference: dict[str, object] | None
    user_difference: dict[str, object] | None
    fault: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryAnswer:
    """What a sample was from then on: a change of its state, of its verdict, or of what annotators made of it."""

    state: str
    reason: str | None
    verdict: Verdict | None
    outcome: Outcome | None
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeAnswer:
    """What a sample was from then on; `outcome` says whether the annotator agreed with the user."""

    id: UUID
    state: str
    reason: str | None
    verdict: Verdict | None
    outcome: Outcome | None
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangePage:
    """A page of changes in the order in which they became known; `cursor` asks for what comes after it, for ever."""

    changes: list[ChangeAnswer]
    cursor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleSummary:
    """A sample in a list."""

    id: UUID
    state: str
    reason: str | None
    model_version: str | None
    verdict: str | None
    confidence: float | None
    inclusion_probability: float
    tags: list[str]
    captured_at: datetime
    received_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplePage:
    """A page of samples, the newest first; `next_cursor` null: there are no more."""

    samples: list[SampleSummary]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleAnswer:
    """All that is known of a sample."""

    id: UUID
    state: str
    reason: str | None
    captured_at: datetime
    received_at: datetime
    tags: list[str]
    #: of every rule that matched
    rule_tags: list[str]
    metadata: dict[str, object]
    subject: str | None
    stream: str | None
    capture_probability: float
    stands_for: int
    image: ImageNeed
    image_url: str | None
    prediction: Prediction | None
    shadow_predictions: list[Prediction]
    decision: DecisionAnswer | None
    feedback: list[FeedbackAnswer]
    #: the sample of the same picture whose labeling task serves this one too
    duplicate_of: UUID | None
    #: how many more its task stands for, since near-duplicates were collapsed into it
    collapsed: int
    #: when its user first saw the result, as a page told; null: nobody told
    shown_at: datetime | None
    labeling_task: LabelingTaskAnswer | None
    annotations: list[AnnotationAnswer]
    history: list[HistoryAnswer]


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """The process is alive."""

    service: str
    version: str
    status: str
