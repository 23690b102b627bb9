"""One region in Label Studio's JSON, both ways: percent of the image there, pixels of the stored image here.

Label Studio turns a rectangle about its left top corner, we about the centre; a brush mask is a stream of runs there,
COCO's run lengths here. Reading is strict: a region that cannot be understood is a ValidationError with its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Box, Keypoint, Mask, Polygon
from queue_server.core import rle
from queue_server.core.brush import decode_brush, encode_brush
from queue_server.core.proposals import Region
from queue_server.core.shapes import XY, centre, clip, corners, turned

Json = Mapping[str, object]

#: The width of a drawn point, in percent of the image.
POINT_WIDTH = 0.6

_TYPES = {
    "boxes": "rectanglelabels",
    "polygons": "polygonlabels",
    "masks": "brushlabels",
    "keypoints": "keypointlabels",
    "spots": "keypointlabels",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """The stored image that percent refer to, in pixels."""

    width: int
    height: int

    def percent(self, point: XY) -> XY:
        """Return a place, or a size, in percent.

        >>> Canvas(width=200, height=50).percent((50.0, 25.0))
        (25.0, 50.0)
        """
        return point[0] / self.width * 100, point[1] / self.height * 100

    def pixels(self, percent: XY) -> XY:
        """Return a place, or a size, in pixels.

        >>> Canvas(width=200, height=50).pixels((25.0, 50.0))
        (50.0, 25.0)
        """
        return percent[0] / 100 * self.width, percent[1] / 100 * self.height


def write_region(region: Region, *, name: str, image: str, canvas: Canvas) -> dict[str, object]:
    """Return a region as Label Studio's JSON; `name` is its control's, `image` that of the image tag.

    >>> box = Box(label="pill", x_min=10.0, y_min=0.0, x_max=20.0, y_max=50.0)
    >>> region = Region(id="m0", control="boxes", item=box)
    >>> write_region(region, name="boxes", image="image", canvas=Canvas(width=100, height=100))["value"]["height"]
    50.0
    """
    kind = _TYPES[region.control]
    written = _place(region.id, name=name, image=image, canvas=canvas) | {
        "type": kind,
        "value": _value(region.item, canvas) | {kind: [region.item.label]},
    }
    confidence = region.item.confidence
    return written if confidence is None else written | {"score": confidence}


def write_source(region: Region, *, name: str, image: str, canvas: Canvas) -> dict[str, object]:
    """Return the per-region choice that says what a user did to a region.

    >>> moved = Region(id="m0", control="keypoints", item=Keypoint(label="a", x=1.0, y=1.0), source="user_moved")
    >>> write_source(moved, name="source", image="image", canvas=Canvas(width=9, height=9))["value"]["choices"]
    ['user_moved']
    """
    written = _place(region.id, name=name, image=image, canvas=canvas)
    return written | {"type": "choices", "value": _value(region.item, canvas) | {"choices": [region.source]}}


def read_region(written: Json, *, control: str, canvas: Canvas) -> Region | None:
    """Return the region of Label Studio's JSON; None for one without area (a click that drew nothing).

    Raises ValidationError with the field within the region.

    >>> value = {"x": 10.0, "y": 0.0, "width": 10.0, "height": 50.0, "rectanglelabels": ["pill"]}
    >>> read_region({"id": "m0", "value": value}, control="boxes", canvas=Canvas(width=100, height=100)).item.y_max
    50.0
    """
    if written.get("image_rotation"):
        message = f"image_rotation must be 0, got {written['image_rotation']}: turn the image back in Label Studio"
        raise ValidationError("image_rotation", message)
    value = _mapping(written.get("value"), "value")
    label = _label(value, _TYPES[control])
    item = _READERS[control](value, label, _own_canvas(written, canvas))
    if item is None:
        return None
    return Region(id=str(written.get("id", "")), control=control, item=_fitted(item, canvas))


def shown_box(box: Box, canvas: Canvas) -> Box:
    """Return the box as Label Studio can hold it: its left top corner and its sides at most 100 percent.

    A turned box beyond that is described from another corner; where none will do, by the upright box around its
    visible part.

    >>> box = Box(label="a", x_min=40.0, y_min=0.0, x_max=60.0, y_max=20.0, rotation_degrees=90.0)
    >>> shown_box(box, Canvas(width=100, height=20)) == box
    True
    """
    turns = (_turned_box(box, quarter) for quarter in range(4))
    return next((turn for turn in turns if _fits(turn, canvas)), None) or _upright(box, canvas)


def _place(region_id: str, *, name: str, image: str, canvas: Canvas) -> dict[str, object]:
    return {
        "id": region_id,
        "from_name": name,
        "to_name": image,
        "original_width": canvas.width,
        "original_height": canvas.height,
        "image_rotation": 0,
    }


def _value(item: Box | Polygon | Mask | Keypoint, canvas: Canvas) -> dict[str, object]:
    if isinstance(item, Box):
        return _rectangle(shown_box(item, canvas), canvas)
    if isinstance(item, Polygon):
        return {"points": [list(canvas.percent(point)) for point in item.points], "closed": True}
    if isinstance(item, Mask):
        return {"format": "rle", "rle": encode_brush(rle.decode(item.rle))}
    x, y = canvas.percent((item.x, item.y))
    return {"x": x, "y": y, "width": POINT_WIDTH}


def _rectangle(box: Box, canvas: Canvas) -> dict[str, object]:
    x, y = canvas.percent(corners(box)[0])
    width, height = canvas.percent((box.x_max - box.x_min, box.y_max - box.y_min))
    if box.rotation_degrees == 0:
        # Rounding must not push the right and the lower edge past the image.
        width, height = min(width, max(100 - x, 0.0)), min(height, max(100 - y, 0.0))
    return {"x": x, "y": y, "width": width, "height": height, "rotation": box.rotation_degrees}


def _turned_box(box: Box, quarter: int) -> Box:
    """Return the same rectangle, described after so many quarter turns."""
    if quarter == 0:
        return box
    x, y = centre(box)
    half_width, half_height = (box.x_max - box.x_min) / 2, (box.y_max - box.y_min) / 2
    if quarter % 2:
        half_width, half_height = half_height, half_width
    return replace(
        box,
        x_min=x - half_width,
        y_min=y - half_height,
        x_max=x + half_width,
        y_max=y + half_height,
        rotation_degrees=(box.rotation_degrees + 90 * quarter) % 360,
    )


def _fits(box: Box, canvas: Canvas) -> bool:
    sides = canvas.percent((box.x_max - box.x_min, box.y_max - box.y_min))
    return max(*canvas.percent(corners(box)[0]), *sides) <= 100


def _upright(box: Box, canvas: Canvas) -> Box:
    width, height = float(canvas.width), float(canvas.height)
    seen = clip(corners(box), ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height)))
    if not seen:
        raise ValidationError("boxes", f"boxes must touch the image of {canvas.width}x{canvas.height} px")
    # Rounding leaves a cut point a hair outside.
    x, y = [min(max(x, 0.0), width) for x, _ in seen], [min(max(y, 0.0), height) for _, y in seen]
    return replace(box, x_min=min(x), y_min=min(y), x_max=max(x), y_max=max(y), rotation_degrees=0.0)


def _own_canvas(written: Json, canvas: Canvas) -> Canvas:
    """Return the size that the annotator's image had; the stored one where the region does not say."""
    width, height = written.get("original_width"), written.get("original_height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return Canvas(width=width, height=height)
    return canvas


def _fitted(item: Box | Polygon | Mask | Keypoint, canvas: Canvas) -> Box | Polygon | Mask | Keypoint:
    if isinstance(item, Mask) and tuple(item.rle.size) != (canvas.height, canvas.width):
        return replace(item, rle=rle.resized(item.rle, width=canvas.width, height=canvas.height))
    return item


def _read_box(value: Json, label: str, canvas: Canvas) -> Box | None:
    x, y = canvas.pixels((_number(value, "x"), _number(value, "y")))
    width, height = canvas.pixels((_number(value, "width"), _number(value, "height")))
    rotation = _number(value, "rotation") if value.get("rotation") else 0.0
    if width <= 0 or height <= 0:
        return None
    to_x, to_y = turned((width / 2, height / 2), rotation)
    centre_x, centre_y = x + to_x, y + to_y
    return Box(
        label=label,
        x_min=centre_x - width / 2,
        y_min=centre_y - height / 2,
        x_max=centre_x + width / 2,
        y_max=centre_y + height / 2,
        rotation_degrees=rotation if abs(rotation) <= 360 else rotation % 360,
    )


def _read_polygon(value: Json, label: str, canvas: Canvas) -> Polygon | None:
    points = value.get("points")
    if not isinstance(points, Sequence):
        raise ValidationError("points", f"points must be a list, got {type(points).__name__}")
    if len(points) < 3:
        return None
    return Polygon(label=label, points=tuple(canvas.pixels(_pair(point)) for point in points))


def _read_mask(value: Json, label: str, canvas: Canvas) -> Mask | None:
    stream = value.get("rle")
    if not isinstance(stream, Sequence) or isinstance(stream, str):
        raise ValidationError("rle", f"rle must be a list of bytes, got {type(stream).__name__}")
    mask = decode_brush(stream, width=canvas.width, height=canvas.height)
    return Mask(label=label, rle=rle.encode(mask)) if mask.any() else None


def _read_keypoint(value: Json, label: str, canvas: Canvas) -> Keypoint:
    x, y = canvas.pixels((_number(value, "x"), _number(value, "y")))
    return Keypoint(label=label, x=x, y=y)


_READERS = {"boxes": _read_box, "polygons": _read_polygon, "masks": _read_mask, "keypoints": _read_keypoint}


def _label(value: Json, kind: str) -> str:
    labels = value.get(kind)
    if not isinstance(labels, Sequence) or not labels or not isinstance(labels[0], str):
        raise ValidationError(kind, f"{kind} must be a list with the region's label, got {labels!r}")
    return labels[0]


def _mapping(value: object, field: str) -> Json:
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"{field} must be an object, got {type(value).__name__}")
    return value


def _number(value: Json, field: str) -> float:
    number = value.get(field)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValidationError(field, f"{field} must be a number, got {type(number).__name__}")
    return float(number)


def _pair(point: object) -> XY:
    if not isinstance(point, Sequence) or len(point) != 2:
        raise ValidationError("points", f"points must be pairs [x, y], got {point!r}")
    numbers = {"x": point[0], "y": point[1]}
    return _number(numbers, "x"), _number(numbers, "y")
