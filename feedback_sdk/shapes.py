"""What a model finds in an image, and a user marks there: boxes, polygons, masks, keypoints, points.

They belong to the wire format, see `types`, which hands them on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from feedback_sdk.bounds import PIXEL, Length, Number, Text, check_corners, check_optional, freeze, settle
from feedback_sdk.wire import quoted, wire_text

#: Read by pydantic on the server; harmless in the app.
STRICT: dict[str, object] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

UNIT = Number(at_least=0.0, at_most=1.0)
SIDE = Number(at_least=1, at_most=100_000)
ROTATION = Number(at_least=-360.0, at_most=360.0)
COUNT = Number(at_least=0, at_most=1_000_000_000)
RUNS = Length(at_most=5_000_000)
NAME = Text(at_least=1, at_most=200)

Unit = Annotated[float, UNIT]
Pixel = Annotated[float, PIXEL]
Count = Annotated[int, COUNT]
Name = Annotated[str, NAME]
Size = tuple[Annotated[int, SIDE], Annotated[int, SIDE]]
Classes = Annotated[Mapping[Name, Unit], Length(at_most=10_000)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A rectangle that the model found; rotation is clockwise about its centre."""

    label: Name
    x_min: Pixel
    y_min: Pixel
    x_max: Pixel
    y_max: Pixel
    confidence: Unit | None = None
    rotation_degrees: Annotated[float, ROTATION] = 0.0
    #: the probability of each class for this object
    classes: Classes | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    def __post_init__(self) -> None:
        if _is_plain_box(self):
            return
        NAME.check("label", self.label)
        check_corners(self.x_min, self.y_min, self.x_max, self.y_max)
        check_optional(UNIT, "confidence", self.confidence)
        ROTATION.check("rotation_degrees", self.rotation_degrees)
        check_classes(self.classes)
        settle(self, "x_min", "y_min", "x_max", "y_max", "confidence", "rotation_degrees")

    def wire_text(self) -> str:
        """Return the canonical JSON, written out by hand: an app captures boxes by the hundred."""
        more = f'"classes":{wire_text(self.classes)},' if self.classes is not None else ""
        if self.confidence is not None:
            more += f'"confidence":{self.confidence!r},'
        turned = f'"rotation_degrees":{self.rotation_degrees!r},' if self.rotation_degrees else ""
        return (
            f'{{{more}"label":{quoted(self.label)},{turned}"x_max":{self.x_max!r},"x_min":{self.x_min!r},'
            f'"y_max":{self.y_max!r},"y_min":{self.y_min!r}}}'
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Polygon:
    """A closed outline of at least three points (x, y)."""

    label: Name
    points: Annotated[Sequence[tuple[Pixel, Pixel]], Length(at_least=3, at_most=10_000)]
    confidence: Unit | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

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
    counts: Annotated[str, Text(at_most=5_000_000)] | Annotated[Sequence[Count], RUNS]

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    def __post_init__(self) -> None:
        freeze(self, "size")
        if not isinstance(self.counts, str):
            RUNS.check("counts", len(self.counts))
            freeze(self, "counts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mask:
    """The pixels of one object."""

    label: Name
    rle: Rle
    confidence: Unit | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

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

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    def __post_init__(self) -> None:
        NAME.check("label", self.label)
        PIXEL.check("x", self.x)
        PIXEL.check("y", self.y)
        check_optional(UNIT, "confidence", self.confidence)


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A spot that a user marked."""

    x: Pixel
    y: Pixel

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    def __post_init__(self) -> None:
        PIXEL.check("x", self.x)
        PIXEL.check("y", self.y)


def check_classes(classes: Mapping[str, float] | None) -> None:
    for label, probability in (classes or {}).items():
        NAME.check("classes", label)
        UNIT.check(f"classes.{label}", probability)


def _is_plain_box(box: Box) -> bool:
    """Tell in one go that all is well with a box as nearly every one is; the checks one by one cost ten times that."""
    kinds = {type(box.x_min), type(box.y_min), type(box.x_max), type(box.y_max), type(box.confidence)}
    return (
        kinds == _FLOAT
        and box.classes is None
        and box.rotation_degrees == 0.0
        and -1e6 <= box.x_min < box.x_max <= 1e6
        and -1e6 <= box.y_min < box.y_max <= 1e6
        and 0.0 <= box.confidence <= 1.0  # type: ignore[operator]  # it was told to be a float
        and type(box.label) is str
        and 0 < len(box.label) <= 200
        and "\x00" not in box.label
    )


_FLOAT = {float}
