"""A sample of the past, as a replay looks at it."""

from dataclasses import dataclass
from datetime import datetime

from queue_server.core.policy.states import Candidate


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What came, what users said of it in the end, and what the policy of its time made of it."""

    key: int
    #: with the opinion that counts in the end; its window and figures are those of the policy that is replayed
    candidate: Candidate
    received_at: datetime
    #: when users had said what counts in the end; None: nobody said anything
    answered_at: datetime | None = None
    image_sha256: str | None = None
    perceptual_hash: int | None = None
    #: it has, or had, a labeling task that was not taken back
    was_queued: bool = False
    #: π under the policy of its time
    inclusion_probability: float = 0.0
    #: the chance with which the app kept it
    capture_probability: float = 1.0
    #: whether it came to annotators hung on people's speed or will (asked for by hand, taken back): π says nothing then
    hangs_on_people: bool = False
    #: the audit's part in π
    audit_probability: float = 0.0
    #: what the annotation that counts says of the model; None: there is none
    is_model_right: bool | None = None

    @property
    def known_probability(self) -> float:
        """Return the chance with which an annotator came to see it, as far as chance decided."""
        drawn = self.audit_probability if self.hangs_on_people else self.inclusion_probability
        return drawn * self.capture_probability
