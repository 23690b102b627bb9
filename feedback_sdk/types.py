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
    PIXEL,
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

#: Read by pydantic on the server; harmless in the app.
_STRICT: dict[str, object] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

UNIT = Number(at_least=0.0, at_most=1.0)
SIDE = Number(at_least=1, at_most=100_000)
COUNT = Number(at_least=0, at_most=1_000_000_000)
NAME = Text(at_least=1, at_most=200)
OBJECTS = Length(at_most=10_000)

Unit = Annotated[float, UNIT]
Pixel = Annotated[float, PIXEL]
Count = Annotated[int, COUNT]
Name = Annotated[str, NAME]
Size = tuple[Annotated[int, SIDE], Annotated[int, SIDE]]
Classes = Annotated[Mapping[Name, Unit], Length(at_most=10_000)]


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
class Box:
    """A rectangle that the model found; rotation is clockwise about its centre."""

    label: Name
    x_min: Pixel
    y_min: Pixel
    x_max: Pixel
    y_max: Pixel
    confidence: Unit | None = None
    rotation_degrees: Annotated[float, Number(at_least=-360.0, at_most=360.0)] = 0.0
    #: the probability of each class for this object
    classes: Classes | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    def __post_init__(self) -> None:
        NAME.check("label", self.label)
        check_corners(self.x_min, self.y_min, self.x_max, self.y_max)
        check_optional(UNIT, "confidence", self.confidence)
        Number(at_least=-360.0, at_most=360.0).check("rotation_degrees", self.rotation_degrees)
        _check_classes(self.classes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Polygon:
    """A closed outline of at least three points (x, y)."""

    label: Name
    points: Annotated[Sequence[tuple[Pixel, Pixel]], Length(at_least=3, at_most=10_000)]
    confidence: Unit | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    def __post_init__(self) -> None:
        NAME.check("label", self.label)
        Length(at_least=3, at_most=10_000).check("points", len(self.points))
        for index, (x, y) in enumerate(self.points):
            PIXEL.check(f"points.{index}.0", x)
            PIXEL.check(f"points.{index}.1", y)
        check_optional(UNIT, "confidence", self.confidence)
        object.__setattr__(self, "points", tuple((float(x), float(y)) for x, y in self.points))


@dataclass(frozen=True, kw_only=True, slots=True)
class Rle:
    """COCO's run-length encoding: `size` is [height, width], runs go down the columns, the first is of zeros."""

    size: Size
    counts: Annotated[str, Text(at_most=5_000_000)] | Annotated[Sequence[Count], Length(at_most=5_000_000)]

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    def __post_init__(self) -> None:
        freeze(self, "size")
        if not isinstance(self.counts, str):
            freeze(self, "counts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mask:
    """The pixels of one object."""

    label: Name
    rle: Rle
    confidence: Unit | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    def __post_init__(self) -> None:
        NAME.check("label", self.label)
        check_optional(UNIT, "confidence", self.confidence)


@dataclass(frozen=True, kw_only=True, slots=True)
class Keypoint:
    """A named point."""

    label: Name
    x: Pixel
    y: Pixel
    confidence: Unit | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    def __post_init__(self) -> None:
        NAME.check("label", self.label)
        PIXEL.check("x", self.x)
        PIXEL.check("y", self.y)
        check_optional(UNIT, "confidence", self.confidence)


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

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    def __post_init__(self) -> None:
        NAME.check("model_version", self.model_version)
        object.__setattr__(self, "task", member(Task, "task", self.task))
        _check_size(self)
        check_optional(UNIT, "confidence", self.confidence)
        check_optional(COUNT, "count", self.count)
        _check_classes(self.classes)
        for name in ("boxes", "polygons", "masks", "keypoints"):
            objects = getattr(self, name)
            if objects is not None:
                OBJECTS.check(name, len(objects))
                freeze(self, name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A spot that a user marked."""

    x: Pixel
    y: Pixel

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    def __post_init__(self) -> None:
        PIXEL.check("x", self.x)
        PIXEL.check("y", self.y)


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
    rotation_degrees: Annotated[float, Number(at_least=-360.0, at_most=360.0)] = 0.0
    classes: Classes | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

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

    image_size: Size | None = None
    count: Count | None = None
    label: Name | None = None
    boxes: Annotated[Sequence[BoxCorrection], Length(at_most=1000)] | None = None
    #: spots where something was missed
    points: Annotated[Sequence[Point], Length(at_most=1000)] | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

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
    image_sha256: Annotated[str, Text(at_least=64, at_most=64)] | None = None
    prediction: Prediction | None = None
    tags: Annotated[Sequence[Name], Length(at_most=100)] = ()
    metadata: Annotated[Mapping[str, object], JsonObject()] = field(default_factory=dict)
    #: whom it is about, a pseudonym: the key of erasure and of data-set splits
    subject: Name | None = None
    #: the camera or device
    stream: Name | None = None
    #: the chance with which the app's own sampling kept it
    capture_probability: Annotated[float, Number(above=0.0, at_most=1.0)] = 1.0
    #: how many frames of a collapsed burst it represents
    stands_for: Annotated[int, Number(at_least=1, at_most=1_000_000)] = 1
    embedding: Annotated[Sequence[float], Length(at_least=1, at_most=16_384)] | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    def __post_init__(self) -> None:
        check_time("captured_at", self.captured_at)
        check_optional(Text(at_least=64, at_most=64), "image_sha256", self.image_sha256)
        for index, tag in enumerate(self.tags):
            NAME.check(f"tags.{index}", tag)
        JsonObject().check("metadata", self.metadata)
        check_optional(NAME, "subject", self.subject)
        check_optional(NAME, "stream", self.stream)
        Number(above=0.0, at_most=1.0).check("capture_probability", self.capture_probability)
        Number(at_least=1, at_most=1_000_000).check("stands_for", self.stands_for)
        freeze(self, "tags")
        if self.embedding is not None:
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

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdict", member(Verdict, "verdict", self.verdict))
        if (self.verdict is Verdict.CORRECTED) != (self.correction is not None):
            raise ValidationError("correction", f"correction must be given with verdict corrected, got {self.verdict}")
        check_optional(Text(at_most=4000), "comment", self.comment)
        check_optional(NAME, "reporter", self.reporter)
        Number(at_least=0, at_most=10**12).check("age_ms", self.age_ms)


def _check_classes(classes: Mapping[str, float] | None) -> None:
    for label, probability in (classes or {}).items():
        NAME.check("classes", label)
        UNIT.check(f"classes.{label}", probability)


def _check_size(value: Prediction | Correction) -> None:
    if value.image_size is None:
        return
    if len(value.image_size) != 2:
        raise ValidationError("image_size", f"image_size must be [width, height], got {len(value.image_size)} numbers")
    for side in value.image_size:
        SIDE.check("image_size", side)
    object.__setattr__(value, "image_size", tuple(value.image_size))
