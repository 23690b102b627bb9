"""What goes into a data set: one item per sample, with the truth that was chosen for it and where that came from."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from feedback_sdk.bounds import Number, Text
from feedback_sdk.errors import ValidationError
from feedback_sdk.shapes import SIDE, UNIT
from feedback_sdk.types import Prediction, Task
from queue_server.core.agreement import majority
from queue_server.core.annotation import Annotation
from queue_server.errors import ExportError

_SHARE = Number(above=0.0, at_most=1.0)


class LabelSource(StrEnum):
    """Who vouches for an item's labels; the order is that of their strength."""

    ANNOTATOR = "annotator"
    #: the user said that the prediction is right
    CONFIRMED = "confirmed"
    #: nobody objected within the window, and the model was confident
    AFFIRMED = "affirmed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One annotation of a sample, of which `choose_annotation` picks one."""

    id: int
    annotation: Annotation
    annotator: str | None
    updated_at: datetime
    is_ground_truth: bool = False
    is_skipped: bool = False
    #: of the labeling task that it was made in
    look: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A labelled sample; coordinates are pixels of the stored image, `width` by `height`."""

    sample_id: str
    #: of the stored bytes: the name of the image, in lower-case hex
    image_sha256: str
    #: with its dot, in lower case
    image_extension: str
    width: int
    height: int
    captured_at: datetime
    model_version: str | None
    reason: str
    #: π of the sample over all rules; 0 for one that no rule could have drawn
    inclusion_probability: float
    #: the chance with which the app's own sampling kept it
    capture_probability: float
    #: how many frames of a collapsed burst it represents
    stands_for: int
    label_source: LabelSource
    annotator: str | None
    subject: str | None
    stream: str | None
    #: whether the `random` rule drew it, and with which chance that rule draws (None: the policy has no such rule)
    is_audit: bool
    audit_probability: float | None
    tags: tuple[str, ...]
    annotation: Annotation

    def __post_init__(self) -> None:
        Text(at_least=1, at_most=200).check("sample_id", self.sample_id)
        # Both become the path of a file in an archive.
        _check_pattern("image_sha256", self.image_sha256, "[0-9a-f]{64}")
        _check_pattern("image_extension", self.image_extension, r"\.[a-z0-9]{1,8}")
        SIDE.check("width", self.width)
        SIDE.check("height", self.height)
        if self.captured_at.utcoffset() is None:
            raise ValidationError("captured_at", f"captured_at must carry a time zone, got {self.captured_at}")
        UNIT.check("inclusion_probability", self.inclusion_probability)
        _SHARE.check("capture_probability", self.capture_probability)
        Number(at_least=1).check("stands_for", self.stands_for)
        if self.is_audit or self.audit_probability is not None:
            _SHARE.check("audit_probability", self.audit_probability)


def choose_annotation(candidates: Iterable[Candidate], *, task: Task) -> Candidate | None:
    """Return the one that counts; None where nobody finished one, or where annotators disagree.

    1. The latest that was marked as ground truth. 2. Of the last look the majority's, else of the look before it.
    Skipped ones do not count; at equal times the highest id is the latest.

    >>> choose_annotation([], task=Task.DETECTION) is None
    True
    """
    finished = sorted((one for one in candidates if not one.is_skipped), key=lambda one: (one.updated_at, one.id))
    truths = [one for one in finished if one.is_ground_truth]
    if truths:
        return truths[-1]
    for look in sorted({one.look for one in finished}, reverse=True):
        chosen = majority(last_words([one for one in finished if one.look == look]), task=task)
        if chosen is not None:
            return chosen
    return None


def last_words(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the latest of each annotator, the earliest first; an unknown annotator is one of their own.

    >>> last_words([])
    []
    """
    ordered = sorted(candidates, key=lambda one: (one.updated_at, one.id))
    latest = {one.annotator: one for one in ordered if one.annotator is not None}
    return [one for one in ordered if one.annotator is None or latest[one.annotator] is one]


def parse_include(text: str) -> frozenset[LabelSource]:
    """Return the label sources that a list such as "confirmed,affirmed" adds to the annotators' own.

    Raises ExportError for a source that is not known.

    >>> sorted(parse_include("confirmed, affirmed"))
    [<LabelSource.AFFIRMED: 'affirmed'>, <LabelSource.CONFIRMED: 'confirmed'>]
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    optional = [source.value for source in LabelSource if source is not LabelSource.ANNOTATOR]
    for name in names:
        if name not in optional:
            raise ExportError(f"include must list {' or '.join(optional)}, got {name!r}")
    return frozenset(LabelSource(name) for name in names)


def select(items: Iterable[Item], include: Collection[LabelSource]) -> list[Item]:
    """Return what annotators labelled, and of the rest what `include` asks for, by sample id.

    Raises ExportError if a sample comes twice: it would count twice, and might land in two splits.

    >>> select([], include=[LabelSource.CONFIRMED])
    []
    """
    wanted = {LabelSource.ANNOTATOR, *include}
    chosen = sorted((item for item in items if item.label_source in wanted), key=lambda item: item.sample_id)
    for earlier, later in pairwise(chosen):
        if earlier.sample_id == later.sample_id:
            raise ExportError(f"each sample must come once, got {later.sample_id} twice")
    return chosen


def from_prediction(prediction: Prediction) -> Annotation:
    """Return what a prediction says as labels, for items that users confirmed or let stand.

    Confidences are dropped: a label is not a guess. A class is chosen as the most probable one, or, where several
    may hold, each of probability >= 0.5.

    >>> said = Prediction(model_version="1", task=Task.CLASSIFICATION, classes={"cat": 0.9, "dog": 0.1})
    >>> from_prediction(said).labels
    ('cat',)
    """
    return Annotation(
        boxes=tuple(replace(box, confidence=None, classes=None) for box in prediction.boxes or ()),
        polygons=tuple(replace(polygon, confidence=None) for polygon in prediction.polygons or ()),
        masks=tuple(replace(mask, confidence=None) for mask in prediction.masks or ()),
        keypoints=tuple(replace(keypoint, confidence=None) for keypoint in prediction.keypoints or ()),
        labels=_predicted_labels(prediction) if prediction.task is Task.CLASSIFICATION else (),
        count=prediction.count,
    )


def _predicted_labels(prediction: Prediction) -> tuple[str, ...]:
    classes = prediction.classes or {}
    if prediction.multi_label:
        return tuple(sorted(label for label, probability in classes.items() if probability >= 0.5))
    top = min(classes, key=lambda label: (-classes[label], label), default=None)
    return () if top is None else (top,)


def _check_pattern(field: str, value: str, pattern: str) -> None:
    if not re.fullmatch(pattern, value):
        raise ValidationError(field, f"{field} must match {pattern}, got {value!r}")
