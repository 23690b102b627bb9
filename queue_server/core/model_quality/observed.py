"""One sample as an estimate looks at it: how it could have been drawn, and what an annotator found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Box, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """The chance with which a sample was to be annotated, and whether it was drawn."""

    probability: float
    is_drawn: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BoxMatches:
    """What became of an image's predicted boxes, by COCO's rules."""

    #: of each predicted box, the surest first
    labels: tuple[str, ...]
    #: None: this model gives none
    scores: tuple[float, ...] | None
    #: (IoU thresholds, predicted boxes): it found an object
    hits: NDArray[np.bool_]
    #: how many objects of each label there are
    truths: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Judged:
    """What an annotation says of a prediction; None where the task has no such thing."""

    #: the annotator left all as the model said it
    is_right: bool
    #: both are the same by overlap, whatever the annotator was shown
    agrees: bool = False
    #: the annotator saw neither the prediction nor what users said
    is_blind: bool = False
    #: the model's count minus the annotator's
    count_error: int | None = None
    predicted_label: str | None = None
    true_label: str | None = None
    boxes: BoxMatches | None = None
    #: the predicted boxes and the true ones, of which `boxes` tells
    compared: tuple[Sequence[Box], Sequence[Box]] | None = None
    #: the mean over the labels that either names
    mask_iou: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """A sample of one model version whose confirmation window has ended, as it stood then.

    Samples that chance passed over may be one observation; its confidence then tells the band alone.
    """

    sample_id: str
    model_version: str
    #: at the window's end; None: silence
    verdict: Verdict | None = None
    confidence: float | None = None
    #: by all rules together, at the window's end
    drawn: Draw
    #: by the audit alone
    audit: Draw = field(default_factory=lambda: Draw(probability=0.0, is_drawn=False))
    #: whether it came to annotators hung on people's speed or will (asked for by hand, taken back): the audit counts
    hangs_on_people: bool = False
    #: the chance with which the app kept it
    capture_probability: float = 1.0
    #: how many frames of a burst it represents
    stands_for: int = 1
    subject: str | None = None
    stream: str | None = None
    #: what its annotation says; None: nobody has finished one
    judged: Judged | None = None
    #: that many samples, alike in all that is said here
    count: int = 1
    #: of the other model versions that predicted on it too
    shadows: Mapping[str, Judged | None] = field(default_factory=dict)

    @property
    def size(self) -> float:
        """Return how many frames of production it stands for."""
        return self.stands_for / self.capture_probability

    @property
    def counting(self) -> Draw:
        """Return the draw by which it counts."""
        return self.audit if self.hangs_on_people else self.drawn
