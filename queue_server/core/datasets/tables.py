"""CSV and JSONL: they hold every task, with `images/` beside them.

`items.jsonl` has one line per item: its provenance, the path of its image and the whole annotation in the form of
the wire. `objects.csv` has one row per object, image-level label or count that stands alone, and one of kind
`negative` for an image where nothing is. Values are exact: a label such as "=1+1" stands as it is, and a spreadsheet
program would run it as a formula; open the file as text columns.
"""

import csv
import io
from collections.abc import Callable, Iterator

from feedback_sdk.types import Box, Mask, Polygon, Task
from feedback_sdk.wire import to_wire
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import contents
from queue_server.core.datasets.contents import DataSet, Entry
from queue_server.core.datasets.split import Example

HOLDS = frozenset(Task)

_PROVENANCE = (
    *("sample_id", "image_sha256", "width", "height", "split", "weight", "label_source", "annotator", "model_version"),
    *("reason", "inclusion_probability", "is_audit", "audit_probability", "capture_probability", "stands_for"),
    *("captured_at", "subject", "stream", "tags"),
)
_BOX = ("x_min", "y_min", "x_max", "y_max", "rotation_degrees")
_COLUMNS = (*_PROVENANCE, "image", "count", "kind", "label", *_BOX, "x", "y", "points", "rle")


def check(_data_set: DataSet) -> None:
    """Accept every data set."""


def jsonl_files(data_set: DataSet) -> Iterator[Entry]:
    """Yield the items, then the images."""
    yield items_file(data_set, _image_path)
    yield from contents.images(data_set, _image_path)


def csv_files(data_set: DataSet) -> Iterator[Entry]:
    """Yield the objects, then the images."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for example in data_set.examples:
        first = contents.provenance(example) | {"image": _image_path(example), "count": example.item.annotation.count}
        for row in _rows(example.item.annotation):
            writer.writerow({name: _cell(value) for name, value in (first | row).items()})
    yield Entry(path="objects.csv", content=text.getvalue().encode())
    yield from contents.images(data_set, _image_path)


def items_file(data_set: DataSet, image_path: Callable[[Example], str]) -> Entry:
    """Return `items.jsonl`; `image_path` says where the format puts an example's image."""
    lines = [
        contents.json_text(
            contents.provenance(example)
            | {"image": image_path(example), "annotation": to_wire(example.item.annotation)}
        )
        for example in data_set.examples
    ]
    return Entry(path="items.jsonl", content="".join(f"{line}\n" for line in lines).encode())


def _image_path(example: Example) -> str:
    return f"images/{contents.image_name(example.item)}"


def _rows(annotation: Annotation) -> Iterator[dict[str, object]]:
    """Yield what each row says beside the provenance; there is always one."""
    regions: tuple[Box | Polygon | Mask, ...] = (*annotation.boxes, *annotation.polygons, *annotation.masks)
    rows = [_region_row(region) for region in regions]
    rows += [{"kind": "keypoint", "label": point.label, "x": point.x, "y": point.y} for point in annotation.keypoints]
    rows += [{"kind": "label", "label": label} for label in annotation.labels]
    yield from rows or [{"kind": "count" if annotation.count else "negative"}]


def _region_row(region: Box | Polygon | Mask) -> dict[str, object]:
    if isinstance(region, Box):
        return {"kind": "box", "label": region.label} | {name: getattr(region, name) for name in _BOX}
    if isinstance(region, Polygon):
        return {"kind": "polygon", "label": region.label, "points": to_wire(region.points)}
    return {"kind": "mask", "label": region.label, "rle": to_wire(region.rle)}


def _cell(value: object) -> object:
    """Return the text of a cell: JSON for what is not one value, nothing for None."""
    if isinstance(value, list | dict | bool):
        return contents.json_text(value)
    return value
