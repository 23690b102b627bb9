"""What an annotator makes of a pre-annotation: Label Studio's result list, corrected to the truth."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from xml.etree import ElementTree as ET

from examples.pill_counter.label_studio_api import Json
from examples.pill_counter.matching import match
from feedback_sdk import Box

_REMOVED = "user_removed"


class LabelConfigError(Exception):
    """A labelling interface without a control for boxes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """What is really on a photo of `image_size` (width, height)."""

    boxes: tuple[Box, ...]
    image_size: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxControl:
    """The names of the control that holds boxes, and of the image that it marks."""

    from_name: str
    to_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A pre-annotated box in px."""

    region: Json
    x_min: float
    y_min: float
    x_max: float
    y_max: float


def box_control(label_config: str) -> BoxControl:
    """Return the control for boxes of a labelling interface."""
    for tag in ET.fromstring(label_config).iter():
        if tag.tag.lower() == "rectanglelabels":
            return BoxControl(from_name=tag.get("name", ""), to_name=tag.get("toName", ""))
    raise LabelConfigError("the labelling interface must have RectangleLabels, got none")


def corrected(result: Sequence[Json], truth: Truth, *, control: BoxControl) -> list[Json]:
    """Return the regions that an exact annotator submits.

    A box that shows a true object keeps its id and is put right with what is said of it; other marks go, except a
    statement about the whole image; what was missed is drawn.
    """
    found = [_found(region, truth.image_size) for region in result if region["type"] == "rectanglelabels"]
    partners = match(found, truth.boxes, at_least=0.3)
    places = {str(found[index].region["id"]): truth.boxes[true_index] for index, true_index in partners.items()}
    marks = {str(region["id"]) for region in result if str(region["type"]).endswith("labels")}
    kept = [
        _put_right(region, places.get(str(region["id"])), truth.image_size)
        for region in result
        if _stays(region, places=places, marks=marks)
    ]
    seen = set(partners.values())
    missed = [box for index, box in enumerate(truth.boxes) if index not in seen]
    return kept + [_drawn(box, truth.image_size, control=control) for box in missed]


def _stays(region: Json, *, places: dict[str, Box], marks: set[str]) -> bool:
    """Return whether a region, or what is said of one, is still right."""
    region_id = str(region["id"])
    if region_id in marks and region_id not in places:
        return False
    # the user removed what is really there: the box stays, his word does not
    return _REMOVED not in cast("list[str]", cast("Json", region["value"]).get("choices", []))


def _put_right(region: Json, box: Box | None, size: tuple[int, int]) -> Json:
    if box is None:
        return region
    value = cast("Json", region["value"]) | _place(box, size)
    if region["type"] != "rectanglelabels":
        return region | {"value": value}
    return region | {"value": value | {"rectanglelabels": [box.label]}, "origin": "prediction-changed"}


def _drawn(box: Box, size: tuple[int, int], *, control: BoxControl) -> Json:
    place = f"{box.label}:{box.x_min}:{box.y_min}:{box.x_max}:{box.y_max}"
    return {
        "id": hashlib.sha256(place.encode()).hexdigest()[:10],
        "from_name": control.from_name,
        "to_name": control.to_name,
        "type": "rectanglelabels",
        "origin": "manual",
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "value": _place(box, size) | {"rectanglelabels": [box.label]},
    }


def _found(region: Json, size: tuple[int, int]) -> _Found:
    value = cast("dict[str, float]", region["value"])
    x_min, y_min = value["x"] / 100 * size[0], value["y"] / 100 * size[1]
    return _Found(
        region=region,
        x_min=x_min,
        y_min=y_min,
        x_max=x_min + value["width"] / 100 * size[0],
        y_max=y_min + value["height"] / 100 * size[1],
    )


def _place(box: Box, size: tuple[int, int]) -> Json:
    """Return Label Studio's coordinates: percent of the image."""
    return {
        "x": box.x_min / size[0] * 100,
        "y": box.y_min / size[1] * 100,
        "width": (box.x_max - box.x_min) / size[0] * 100,
        "height": (box.y_max - box.y_min) / size[1] * 100,
        "rotation": 0,
    }
