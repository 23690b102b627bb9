"""Read the queue server's COCO export: `annotations/{train,val,test}.json` and `images/`."""

import json
from collections import defaultdict
from pathlib import Path
from typing import TypedDict

from examples.pill_counter.photos import Photo
from feedback_sdk import Box

#: what a model may learn from; test is for the final judgement
_SPLITS = ("train", "val")


class ExportError(Exception):
    """A folder that is no COCO export."""


class _Image(TypedDict):
    id: int
    file_name: str


class _Category(TypedDict):
    id: int
    name: str


class _Annotation(TypedDict):
    image_id: int
    category_id: int
    bbox: list[float]


class _Document(TypedDict):
    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation]


def read_export(path: Path) -> list[Photo]:
    """Return the photos of train and val; one without annotations was looked at and is empty.

    ExportError when no split is there, or a file of it is not what COCO says.
    """
    files = [path / "annotations" / f"{split}.json" for split in _SPLITS]
    present = [file for file in files if file.is_file()]
    if not present:
        raise ExportError(f"the export must hold annotations/train.json, got none in {path}")
    return [photo for file in present for photo in _read_split(file, path / "images")]


def _read_split(file: Path, images: Path) -> list[Photo]:
    try:
        document: _Document = json.loads(file.read_text(encoding="utf-8"))
        names = {category["id"]: category["name"] for category in document["categories"]}
        boxes: dict[int, list[Box]] = defaultdict(list)
        for annotation in document["annotations"]:
            boxes[annotation["image_id"]] += _boxes(annotation, names)
        return [
            Photo(
                name=image["file_name"],
                image_bytes=(images / image["file_name"]).read_bytes(),
                truth=tuple(boxes[image["id"]]),
            )
            for image in document["images"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"{file} must be COCO, got {type(error).__name__}: {error}") from None
    except FileNotFoundError as error:
        raise ExportError(f"every image of the export must be there, got none at {error.filename}") from None


def _boxes(annotation: _Annotation, names: dict[int, str]) -> list[Box]:
    """Return the annotation's box; none for a point, whose box has no area."""
    x, y, width, height = annotation["bbox"]
    if width <= 0 or height <= 0:
        return []
    return [Box(label=names[annotation["category_id"]], x_min=x, y_min=y, x_max=x + width, y_max=y + height)]
