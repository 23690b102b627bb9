"""The wire format: what an app says of its predictions and what users say of them.

These frozen dataclasses are the one schema of both sides: the SDK builds them, the server validates JSON into them
(strictly: unknown keys and wrong types are refused) and generates OpenAPI from them.

Coordinates are pixels of the EXIF-oriented image, `image_size` is (width, height), confidences are in [0, 1],
times are aware. An empty list says "looked, found none"; an absent one says "this model does not do that".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from feedback_sdk.bounds import (
    AwareTime,
    JsonObject,
    Length,
    Number,
    Text,
    check_corners,
    check_optional,
    check_time,
    freeze,
    member,
)
from feedback_sdk.errors import ValidationError
from feedback_sdk.shapes import (
    COUNT,
    NAME,
    ROTATION,
    SIDE,
    STRICT,
    UNIT,
    Box,
    Classes,
    Count,
    Keypoint,
    Mask,
    Name,
    Pixel,
    Point,
    Polygon,
    Rle,
    Size,
    Unit,
    check_classes,
)
from feedback_sdk.wire import object_writer, quoted, wire_text

__all__ = [
    "Box",
    "BoxAction",
    "BoxCorrection",
    "Classes",
    "Correction",
    "Count",
    "Feedback",
    "ImageNeed",
    "Keypoint",
    "Mask",
    "Name",
    "Pixel",
    "Point",
    "Polygon",
    "Prediction",
    "Rle",
    "Sample",
    "Size",
    "Task",
    "Unit",
    "Verdict",
]

OBJECTS = Length(at_most=10_000)
SHA256 = Text(at_least=64, at_most=64)
METADATA = JsonObject()
TAGS = Length(at_most=100)
EMBEDDING = Length(at_least=1, at_most=16_384)
CHANCE = Number(above=0.0, at_most=1.0)
FRAMES = Number(at_least=1, at_most=1_000_000)


class Task(StrEnum):
    """What a model does with an image."""

    CLASSIFICATION = "classification"
    DETECTION = "detection"
    SEGMENTATION = "segmentation"
    KEYPOINTS = "keypoints"
    COUNTING = "counting"


class Verdict(StrEnum):
    """What a reporter said of a prediction."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CORRECTED = "corrected"


class BoxAction(StrEnum):
    """What a user's correction does to a box."""

    ADD = "add"
    REMOVE = "remove"
    MOVE = "move"


class ImageNeed(StrEnum):
    """What the server says of a sample's image."""

    STORED = "stored"
    WANTED = "wanted"
    NOT_YET = "not_yet"
    NOT_WANTED = "not_wanted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """What one model version said of one sample."""

    model_version: Name
    task: Task
    #: (width, height) of the oriented image that the coordinates refer to; None: the image as sent
    image_size: Size | None = None
    confidence: Unit | None = None
    count: Count | None = None
    classes: Classes | None = None
    multi_label: bool = False
    boxes: Annotated[Sequence[Box], OBJECTS] | None = None
    polygons: Annotated[Sequence[Polygon], OBJECTS] | None = None
    masks: Annotated[Sequence[Mask], OBJECTS] | None = None
    keypoints: Annotated[Sequence[Keypoint], OBJECTS] | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    def __post_init__(self) -> None:
        NAME.check("model_version", self.model_version)
        object.__setattr__(self, "task", member(Task, "task", self.task))
        _check_size(self)
        check_optional(UNIT, "confidence", self.confidence)
        check_optional(COUNT, "count", self.count)
        check_classes(self.classes)
        for name, kind in _OBJECT_KINDS.items():
            objects = getattr(self, name)
            if objects is not None:
                OBJECTS.check(name, len(objects))
                freeze(self, name)
                _check_kinds(name, objects, kind)

    def wire_text(self) -> str:
        """Return the canonical JSON, by hand where nothing but boxes, a count or a confidence is given."""
        if self.multi_label or self.polygons is not None or self.masks is not None or self.keypoints is not None:
            return _general_text(self)
        more = f'"boxes":[{",".join([box.wire_text() for box in self.boxes])}],' if self.boxes is not None else ""
        if self.classes is not None:
            more += f'"classes":{wire_text(self.classes)},'
        if self.confidence is not None:
            more += f'"confidence":{wire_text(self.confidence)},'
        if self.count is not None:
            more += f'"count":{wire_text(self.count)},'
        if self.image_size is not None:
            more += f'"image_size":{wire_text(self.image_size)},'
        return f'{{{more}"model_version":{quoted(self.model_version)},"task":"{self.task.value}"}}'


_general_text = object_writer(Prediction)
_OBJECT_KINDS: Mapping[str, type] = {"boxes": Box, "polygons": Polygon, "masks": Mask, "keypoints": Keypoint}


def _check_kinds(name: str, objects: Sequence[object], kind: type) -> None:
    if {*map(type, objects)} <= {kind}:
        return
    for index, item in enumerate(objects):
        if not isinstance(item, kind):
            field_name = f"{name}.{index}"
            raise ValidationError(field_name, f"{field_name} must be a {kind.__name__}, got {type(item).__name__}")


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxCorrection:
    """One change to the boxes: `add` and `move` say where it is now, `remove` and `move` which one (`target`)."""

    action: BoxAction
    #: index into the prediction's boxes
    target: Annotated[int, Number(at_least=0, at_most=10_000)] | None = None
    label: Name | None = None
    x_min: Pixel | None = None
    y_min: Pixel | None = None
    x_max: Pixel | None = None
    y_max: Pixel | None = None
    confidence: Unit | None = None
    rotation_degrees: Annotated[float, ROTATION] = 0.0
    classes: Classes | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", member(BoxAction, "action", self.action))
        if self.action is BoxAction.ADD and self.label is None:
            raise ValidationError("label", "label must be given for an added box")
        if self.action is not BoxAction.ADD and self.target is None:
            raise ValidationError("target", f"target must be the index of the box to {self.action}, got none")
        if self.action is not BoxAction.REMOVE:
            for name in ("x_min", "y_min", "x_max", "y_max"):
                if getattr(self, name) is None:
                    raise ValidationError(name, f"{name} must be given to {self.action} a box")
        corners = (self.x_min, self.y_min, self.x_max, self.y_max)
        if None not in corners:
            check_corners(*corners)


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """What a user says is right instead."""

    #: (width, height) of its coordinates; None: the prediction's `image_size`, else the image as stored
    image_size: Size | None = None
    count: Count | None = None
    label: Name | None = None
    boxes: Annotated[Sequence[BoxCorrection], Length(at_most=1000)] | None = None
    #: spots where something was missed
    points: Annotated[Sequence[Point], Length(at_most=1000)] | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    def __post_init__(self) -> None:
        _check_size(self)
        check_optional(COUNT, "count", self.count)
        check_optional(NAME, "label", self.label)
        for name in ("boxes", "points"):
            if getattr(self, name) is not None:
                Length(at_most=1000).check(name, len(getattr(self, name)))
                freeze(self, name)
        if self.count is None and self.label is None and not self.boxes and not self.points:
            raise ValidationError("correction", "correction must hold a count, a label, boxes or points, got none")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """An input that a model saw in production, with what the model said of it."""

    id: UUID
    captured_at: Annotated[datetime, AwareTime()]
    image_sha256: Annotated[str, SHA256] | None = None
    prediction: Prediction | None = None
    tags: Annotated[Sequence[Name], TAGS] = ()
    metadata: Annotated[Mapping[str, object], METADATA] = field(default_factory=dict)
    #: whom it is about, a pseudonym: the key of erasure and of data-set splits
    subject: Name | None = None
    #: the camera or device
    stream: Name | None = None
    #: the chance with which the app's own sampling kept it
    capture_probability: Annotated[float, CHANCE] = 1.0
    #: how many frames of a collapsed burst it represents
    stands_for: Annotated[int, FRAMES] = 1
    embedding: Annotated[Sequence[float], EMBEDDING] | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    def __post_init__(self) -> None:
        check_time("captured_at", self.captured_at)
        check_optional(SHA256, "image_sha256", self.image_sha256)
        TAGS.check("tags", len(self.tags))
        for index, tag in enumerate(self.tags):
            NAME.check(f"tags.{index}", tag)
        METADATA.check("metadata", self.metadata)
        check_optional(NAME, "subject", self.subject)
        check_optional(NAME, "stream", self.stream)
        CHANCE.check("capture_probability", self.capture_probability)
        FRAMES.check("stands_for", self.stands_for)
        freeze(self, "tags")
        if self.embedding is not None:
            EMBEDDING.check("embedding", len(self.embedding))
            freeze(self, "embedding")


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """One verdict of one reporter on one sample."""

    id: UUID
    sample_id: UUID
    verdict: Verdict
    correction: Correction | None = None
    comment: Annotated[str, Text(at_most=4000)] | None = None
    #: who gave it, a pseudonym; None: one unnamed reporter
    reporter: Name | None = None
    #: how long ago the user gave it, for an answer that waited offline
    age_ms: Annotated[int, Number(at_least=0, at_most=10**12)] = 0

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdict", member(Verdict, "verdict", self.verdict))
        if (self.verdict is Verdict.CORRECTED) != (self.correction is not None):
            raise ValidationError("correction", f"correction must be given with verdict corrected, got {self.verdict}")
        check_optional(Text(at_most=4000), "comment", self.comment)
        check_optional(NAME, "reporter", self.reporter)
        Number(at_least=0, at_most=10**12).check("age_ms", self.age_ms)


def _check_size(value: Prediction | Correction) -> None:
    if value.image_size is None:
        return
    if len(value.image_size) != 2:
        raise ValidationError("image_size", f"image_size must be [width, height], got {len(value.image_size)} numbers")
    for side in value.image_size:
        SIDE.check("image_size", side)
    object.__setattr__(value, "image_size", tuple(value.image_size))
