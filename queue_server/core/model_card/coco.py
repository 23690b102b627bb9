"""Read the images of a COCO file: what is in each, for a reference (cocodataset.org/#format-data)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from queue_server.errors import PolicyError


@dataclass(frozen=True, kw_only=True, slots=True)
class CocoImage:
    """An image, and what was annotated in it."""

    file_name: str
    width: int
    height: int
    #: label -> how many objects; a class of the whole image counts 1
    labels: Mapping[str, int]
    object_count: int


def read_coco(document: object, *, source: str) -> list[CocoImage]:
    """Return the images of a file's document, or raise PolicyError with what is wrong in `source`.

    Crowds are no single objects and do not count.

    >>> read_coco({"images": [], "annotations": [], "categories": []}, source="train.json")
    []
    """
    if not isinstance(document, Mapping):
        raise PolicyError(source, "must hold an object with images, annotations and categories")
    names = {_of(row, "id", source): str(_of(row, "name", source)) for row in _rows(document, "categories", source)}
    objects: dict[object, Counter[str]] = {}
    for row in _rows(document, "annotations", source):
        category = _of(row, "category_id", source)
        if category not in names:
            raise PolicyError(source, f"must have every category_id among its categories, got {category!r}")
        if not row.get("iscrowd"):
            objects.setdefault(_of(row, "image_id", source), Counter())[names[category]] += 1
    images = _rows(document, "images", source)
    return [_image(row, objects.get(_of(row, "id", source), Counter()), source) for row in images]


def _image(row: Mapping[str, object], objects: Counter[str], source: str) -> CocoImage:
    name, width, height = (_of(row, key, source) for key in ("file_name", "width", "height"))
    if not isinstance(name, str) or not isinstance(width, int) or not isinstance(height, int):
        raise PolicyError(source, f"must have images with a file_name, width and height, got {str(row)[:100]!r}")
    whole = row.get("labels")
    labels = Counter({str(label): 1 for label in whole} if isinstance(whole, list) else {}) + objects
    return CocoImage(file_name=name, width=width, height=height, labels=dict(labels), object_count=objects.total())


def _rows(document: Mapping[str, object], key: str, source: str) -> Sequence[Mapping[str, object]]:
    found = document.get(key)
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        raise PolicyError(source, f"must hold a list of objects under {key!r}")
    return found


def _of(row: Mapping[str, object], key: str, source: str) -> object:
    found = row.get(key)
    if not isinstance(found, str | int):
        raise PolicyError(source, f"must have {key!r} in each object, got {str(row)[:100]!r}")
    return found
