"""Places what models and users said on the image as it is stored.

Coordinates are pixels with the origin at the left top corner of the EXIF-oriented image; they are continuous, so the
image spans 0..width and 0..height. Rotation is clockwise about the box's centre. A value's own `image_size` names
the frame of its coordinates; without one a correction's is that of its prediction, else they are those of the
stored image.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import (
    Box,
    BoxAction,
    BoxCorrection,
    Correction,
    Keypoint,
    Mask,
    Point,
    Polygon,
    Prediction,
)
from queue_server.core import rle
from queue_server.core.shapes import XY, area, centre, clip, corners
from queue_server.errors import FieldError

#: Sides that were rounded to pixels differ by about this much; a turned or cropped image by far more.
ASPECT_TOLERANCE = 0.02
#: Bound of the work on masks that must be scaled: a small request could else ask for hours.
MAX_SCALED_MASK_PIXELS = 1_000_000_000

_Object = Box | Polygon | Mask | Keypoint | Point | BoxCorrection
_P = TypeVar("_P", bound=Keypoint | Point)
_O = TypeVar("_O", Box, Polygon, Mask, Keypoint, Point, BoxCorrection)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The image that coordinates refer to, and the stored image that they go to, in pixels."""

    width: int
    height: int
    stored_width: int
    stored_height: int

    @property
    def scale(self) -> XY:
        """Return the factors of x and y.

        >>> Frame(width=100, height=50, stored_width=200, stored_height=100).scale
        (2.0, 2.0)
        """
        return self.stored_width / self.width, self.stored_height / self.height

    @property
    def is_stored(self) -> bool:
        """Say whether the coordinates are those of the stored image already.

        >>> Frame(width=4, height=3, stored_width=4, stored_height=3).is_stored
        True
        """
        return (self.width, self.height) == (self.stored_width, self.stored_height)


def faults(prediction: Prediction, *, width: int, height: int) -> tuple[FieldError, ...]:
    """Return what keeps a prediction from being placed on the stored image of this size, by field.

    >>> box = Box(label="pill", x_min=700.0, y_min=0.0, x_max=720.0, y_max=9.0)
    >>> said = Prediction(model_version="1", task="detection", boxes=[box])
    >>> [fault.field for fault in faults(said, width=640, height=480)]
    ['boxes.0']
    """
    frame = _frame(prediction.image_size, width, height)
    found = [*_aspect_faults(frame), *_mask_work_faults(prediction, frame)]
    for name in ("boxes", "polygons", "masks", "keypoints"):
        found += _object_faults(name, getattr(prediction, name), frame)
    return tuple(found)


def place_prediction(prediction: Prediction, *, width: int, height: int) -> Prediction:
    """Scale a prediction to the stored image of this size and clip the objects that cross its edge.

    Rotated boxes are kept whole. Raises ValidationError at the first object that `faults` would name.

    >>> box = Box(label="pill", x_min=-5.0, y_min=0.0, x_max=20.0, y_max=9.0)
    >>> said = Prediction(model_version="1", task="detection", image_size=(50, 40), boxes=[box])
    >>> place_prediction(said, width=100, height=80).boxes[0].x_max
    40.0
    """
    frame = _frame(prediction.image_size, width, height)
    return replace(
        prediction,
        image_size=(width, height),
        boxes=_placed("boxes", prediction.boxes, frame, place_box),
        polygons=_placed("polygons", prediction.polygons, frame, place_polygon),
        masks=_placed("masks", prediction.masks, frame, place_mask),
        keypoints=_placed("keypoints", prediction.keypoints, frame, place_point),
    )


def correction_faults(
    correction: Correction, prediction: Prediction | None, *, width: int, height: int
) -> tuple[FieldError, ...]:
    """Return what keeps a user's correction of this prediction from being placed on the stored image, by field.

    >>> gone = Correction(boxes=[BoxCorrection(action="remove", target=2)])
    >>> correction_faults(gone, None, width=640, height=480)[0].message
    "target must be the index of one of the prediction's 0 boxes, got 2"
    """
    frame = _frame(_frame_size(correction, prediction), width, height)
    found = [*_aspect_faults(frame), *_target_faults(correction, prediction)]
    found += _object_faults("boxes", correction.boxes, frame)
    found += _object_faults("points", correction.points, frame)
    return tuple(found)


def place_correction(correction: Correction, prediction: Prediction | None, *, width: int, height: int) -> Correction:
    """Scale a correction of this prediction to the stored image of this size and clip its boxes.

    Raises ValidationError at the first box or point that lies outside.

    >>> said = Correction(image_size=(50, 40), points=[Point(x=10.0, y=10.0)])
    >>> place_correction(said, None, width=100, height=80).points
    (Point(x=20.0, y=20.0),)
    """
    frame = _frame(_frame_size(correction, prediction), width, height)
    return replace(
        correction,
        image_size=(width, height),
        boxes=_placed("boxes", correction.boxes, frame, place_box_correction),
        points=_placed("points", correction.points, frame, place_point),
    )


def place_box(box: Box, frame: Frame) -> Box:
    """Scale a box; clip it where its sides are parallel to the image's.

    >>> frame = Frame(width=10, height=10, stored_width=10, stored_height=10)
    >>> place_box(Box(label="a", x_min=8.0, y_min=2.0, x_max=12.0, y_max=4.0), frame).x_max
    10.0
    """
    if area(clip(corners(box), _outline(frame))) <= 0:
        raise _apart(corners(box), frame)
    scaled = _scaled_box(box, frame)
    if box.rotation_degrees % 180 != 0:
        return scaled
    return replace(
        scaled,
        x_min=_within(scaled.x_min, frame.stored_width),
        y_min=_within(scaled.y_min, frame.stored_height),
        x_max=_within(scaled.x_max, frame.stored_width),
        y_max=_within(scaled.y_max, frame.stored_height),
    )


def place_box_correction(change: BoxCorrection, frame: Frame) -> BoxCorrection:
    """Scale and clip the place that a user gave a box; a removal has none.

    >>> frame = Frame(width=10, height=10, stored_width=20, stored_height=20)
    >>> moved = BoxCorrection(action="move", target=0, x_min=1.0, y_min=1.0, x_max=2.0, y_max=3.0)
    >>> place_box_correction(moved, frame).y_max
    6.0
    """
    if change.action is BoxAction.REMOVE:
        return replace(change, x_min=None, y_min=None, x_max=None, y_max=None)
    box = place_box(corrected_box(change, label="moved"), frame)
    return replace(change, x_min=box.x_min, y_min=box.y_min, x_max=box.x_max, y_max=box.y_max)


def corrected_box(change: BoxCorrection, *, label: str) -> Box:
    """Return the box that an `add` or `move` describes; `label` stands in where it names none.

    >>> moved = BoxCorrection(action="move", target=0, x_min=1.0, y_min=1.0, x_max=2.0, y_max=3.0)
    >>> corrected_box(moved, label="pill").label
    'pill'
    """
    sides = [side for side in (change.x_min, change.y_min, change.x_max, change.y_max) if side is not None]
    if len(sides) != 4:
        raise ValidationError("x_min", f"x_min to y_max must be given to {change.action} a box, got {len(sides)} of 4")
    return Box(
        label=change.label or label,
        x_min=sides[0],
        y_min=sides[1],
        x_max=sides[2],
        y_max=sides[3],
        confidence=change.confidence,
        rotation_degrees=change.rotation_degrees,
        classes=change.classes,
    )


def place_polygon(polygon: Polygon, frame: Frame) -> Polygon:
    """Scale an outline and cut off what lies outside the image.

    >>> frame = Frame(width=10, height=10, stored_width=10, stored_height=10)
    >>> place_polygon(Polygon(label="a", points=[(8.0, 2.0), (12.0, 2.0), (8.0, 6.0)]), frame).points
    ((8.0, 2.0), (10.0, 2.0), (10.0, 4.0), (8.0, 6.0))
    """
    is_inside = all(0 <= x <= frame.width and 0 <= y <= frame.height for x, y in polygon.points)
    cut = tuple(polygon.points) if is_inside else clip(polygon.points, _outline(frame))
    if len(cut) < 3:
        raise _apart(polygon.points, frame)
    # Cutting adds points. Past the wire's bound the nearest point of the border stands for what lies outside.
    points = cut if len(cut) <= 10_000 else polygon.points
    return replace(polygon, points=tuple(_scaled(point, frame) for point in points))


def place_mask(mask: Mask, frame: Frame) -> Mask:
    """Scale a mask to the stored image; each pixel takes the value of the nearest one.

    >>> from feedback_sdk.types import Rle
    >>> frame = Frame(width=2, height=1, stored_width=4, stored_height=2)
    >>> rle.runs(place_mask(Mask(label="a", rle=Rle(size=(1, 2), counts=[1, 1])), frame).rle).tolist()
    [4, 4]
    """
    _check_mask(mask, frame)
    if frame.is_stored:
        return mask
    return replace(mask, rle=rle.resized(mask.rle, width=frame.stored_width, height=frame.stored_height))


def place_point(point: _P, frame: Frame) -> _P:
    """Scale a point, which must lie in the image or on its edge.

    >>> place_point(Point(x=1.0, y=2.0), Frame(width=4, height=4, stored_width=8, stored_height=8))
    Point(x=2.0, y=4.0)
    """
    if not (0 <= point.x <= frame.width and 0 <= point.y <= frame.height):
        size = f"{frame.width}x{frame.height} px"
        raise ValidationError("", f"must lie in the image of {size}, got ({point.x:g}, {point.y:g})")
    x, y = _scaled((point.x, point.y), frame)
    return replace(point, x=x, y=y)


def _frame_size(correction: Correction, prediction: Prediction | None) -> tuple[int, int] | None:
    """Return the frame of a correction: users correct what they see drawn, so without its own the prediction's."""
    return correction.image_size or (prediction.image_size if prediction else None)


def _frame(image_size: tuple[int, int] | None, width: int, height: int) -> Frame:
    own_width, own_height = image_size or (width, height)
    return Frame(width=own_width, height=own_height, stored_width=width, stored_height=height)


def _placed(
    name: str, objects: Sequence[_O] | None, frame: Frame, place: Callable[[_O, Frame], _O]
) -> tuple[_O, ...] | None:
    if objects is None:
        return None
    placed = []
    for index, item in enumerate(objects):
        try:
            placed.append(place(item, frame))
        except ValidationError as error:
            raise ValidationError(f"{name}.{index}", f"{name}.{index} {error.message}") from error
    return tuple(placed)


def _object_faults(name: str, objects: Sequence[_Object] | None, frame: Frame) -> Iterator[FieldError]:
    for index, item in enumerate(objects or ()):
        try:
            _check(item, frame)
        except ValidationError as error:
            yield FieldError(field=f"{name}.{index}", message=error.message)


def _check(item: _Object, frame: Frame) -> None:
    """Raise ValidationError unless the object can be placed, without the work of scaling masks."""
    if isinstance(item, Mask):
        _check_mask(item, frame)
    elif isinstance(item, Box):
        place_box(item, frame)
    elif isinstance(item, Polygon):
        place_polygon(item, frame)
    elif isinstance(item, BoxCorrection):
        place_box_correction(item, frame)
    else:
        place_point(item, frame)


def _check_mask(mask: Mask, frame: Frame) -> None:
    if tuple(mask.rle.size) != (frame.height, frame.width):
        got = f"[{', '.join(str(side) for side in mask.rle.size)}]"
        raise ValidationError("", f"must have the size [height, width] = [{frame.height}, {frame.width}], got {got}")
    rle.runs(mask.rle)


def _aspect_faults(frame: Frame) -> Iterator[FieldError]:
    expected_width = frame.height * frame.stored_width / frame.stored_height
    # One pixel is what rounding a small thumbnail's side may cost.
    if abs(frame.width - expected_width) > max(ASPECT_TOLERANCE * expected_width, 1.0):
        stored = f"{frame.stored_width}x{frame.stored_height} px"
        came = f"{frame.width}x{frame.height} (is it the size before the EXIF rotation, or of a crop?)"
        yield FieldError(field="image_size", message=f"must have the aspect ratio of the image, {stored}, got {came}")


def _mask_work_faults(prediction: Prediction, frame: Frame) -> Iterator[FieldError]:
    pixels = len(prediction.masks or ()) * frame.stored_width * frame.stored_height
    if not frame.is_stored and pixels > MAX_SCALED_MASK_PIXELS:
        limit = f"{MAX_SCALED_MASK_PIXELS // 1_000_000} Mpx once scaled to the image"
        yield FieldError(field="masks", message=f"must hold at most {limit}, got {pixels // 1_000_000} Mpx")


def _target_faults(correction: Correction, prediction: Prediction | None) -> Iterator[FieldError]:
    count = len(prediction.boxes or ()) if prediction else 0
    named: set[int] = set()
    for index, change in enumerate(correction.boxes or ()):
        if change.action is BoxAction.ADD or change.target is None:
            continue
        field = f"boxes.{index}.target"
        if change.target >= count:
            message = f"target must be the index of one of the prediction's {count} boxes, got {change.target}"
            yield FieldError(field=field, message=message)
        elif change.target in named:
            yield FieldError(
                field=field, message=f"target must be named once in a correction, got {change.target} again"
            )
        named.add(change.target)


def _scaled_box(box: Box, frame: Frame) -> Box:
    """Scale the centre, and each side along its own direction, so that a rotated box stays a rectangle."""
    if frame.is_stored:
        return box
    x_scale, y_scale = frame.scale
    angle = math.radians(box.rotation_degrees)
    width = (box.x_max - box.x_min) * math.hypot(x_scale * math.cos(angle), y_scale * math.sin(angle))
    height = (box.y_max - box.y_min) * math.hypot(x_scale * math.sin(angle), y_scale * math.cos(angle))
    x, y = centre(box)
    x, y = x * x_scale, y * y_scale
    return replace(box, x_min=x - width / 2, y_min=y - height / 2, x_max=x + width / 2, y_max=y + height / 2)


def _scaled(point: XY, frame: Frame) -> XY:
    x_scale, y_scale = frame.scale
    return _within(point[0] * x_scale, frame.stored_width), _within(point[1] * y_scale, frame.stored_height)


def _within(value: float, limit: float) -> float:
    return min(max(float(value), 0.0), float(limit))


def _outline(frame: Frame) -> tuple[XY, ...]:
    width, height = float(frame.width), float(frame.height)
    return (0.0, 0.0), (width, 0.0), (width, height), (0.0, height)


def _apart(points: Sequence[XY], frame: Frame) -> ValidationError:
    x_min, x_max = min(x for x, _ in points), max(x for x, _ in points)
    y_min, y_max = min(y for _, y in points), max(y for _, y in points)
    came = f"x {x_min:g} to {x_max:g}, y {y_min:g} to {y_max:g}"
    return ValidationError("", f"must touch the image of {frame.width}x{frame.height} px, got {came}")
