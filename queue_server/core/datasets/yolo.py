"""YOLO: `data.yaml`, `images/{split}/`, `labels/{split}/`, as Ultralytics reads them (docs.ultralytics.com/datasets).

A line of a label file is `class x_center y_center width height` (detection, counting) or `class x1 y1 x2 y2 …`
(segmentation), in shares of the image's sides; classes count from 0 in the project's order. A negative is an empty
label file. The format has one label file per image and no place for provenance or rotation, so `items.jsonl` holds
every item whole, and: a rotated box is written as the box around it; of two items with the same image the one of the
stronger label source is written, then the one with the lower sample id.
"""

from collections.abc import Iterable, Iterator

from feedback_sdk.types import Task
from queue_server.core.datasets import contents, tables
from queue_server.core.datasets.contents import DataSet, Entry
from queue_server.core.datasets.items import LabelSource
from queue_server.core.datasets.split import Example, Split
from queue_server.core.datasets.visible import Visible, visible_regions
from queue_server.errors import ExportError

HOLDS = frozenset({Task.DETECTION, Task.SEGMENTATION, Task.COUNTING})


def check(data_set: DataSet) -> None:
    """Raise ExportError if the data set holds what YOLO's label files cannot."""
    contents.check_labels(data_set, "yolo")
    contents.check_counts(data_set, "yolo")
    contents.check_masks(data_set, "yolo")
    for item in (example.item for example in data_set.examples):
        if item.annotation.keypoints:
            raise ExportError(
                f"yolo needs every keypoint to belong to a box, got loose ones in sample {item.sample_id}; "
                "coco, csv and jsonl hold them"
            )
        if item.annotation.masks and data_set.task is Task.SEGMENTATION:
            raise ExportError(
                f"yolo needs outlines as polygons, got a mask in sample {item.sample_id}; "
                "coco, csv and jsonl hold masks"
            )


def files(data_set: DataSet) -> Iterator[Entry]:
    """Yield the description, the items, the label files, then the images."""
    yield Entry(path="data.yaml", content=_description(data_set.labels).encode())
    yield tables.items_file(data_set, _image_path)
    for path, example in sorted(_one_per_image(data_set.examples).items()):
        yield Entry(path=path, content=_label_file(example, data_set).encode())
    yield from contents.images(data_set, _image_path)


def _image_path(example: Example) -> str:
    return f"images/{example.split}/{contents.image_name(example.item)}"


def _description(labels: Iterable[str]) -> str:
    # No `path`: the trainer then starts from the file's own folder, wherever it was unpacked.
    folders = "".join(f"{split}: images/{split}\n" for split in reversed(Split))
    names = "".join(f"  {number}: {_quoted(label)}\n" for number, label in enumerate(labels))
    return f"{folders}names:\n{names}" if names else f"{folders}names: {{}}\n"


def _quoted(text: str) -> str:
    r"""Return a YAML string in double quotes: what may not stand in it is escaped.

    >>> print(_quoted('a "b"\n'))
    "a \U00000022b\U00000022\U0000000a"
    """
    plain = (char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in text)
    return f'"{"".join(plain)}"'


def _one_per_image(examples: Iterable[Example]) -> dict[str, Example]:
    """Return label path -> the example that is written there."""
    strength = list(LabelSource)
    chosen: dict[str, Example] = {}
    for example in examples:
        path = f"labels/{example.split}/{example.item.image_sha256}.txt"
        rival = chosen.get(path, example)
        chosen[path] = min(rival, example, key=lambda one: (strength.index(one.item.label_source), one.item.sample_id))
    return chosen


def _label_file(example: Example, data_set: DataSet) -> str:
    size = (example.item.width, example.item.height)
    lines = []
    for visible in visible_regions(example.item):
        numbers = _outline(visible, size) if data_set.task is Task.SEGMENTATION else _box(visible, size)
        label = data_set.labels.index(visible.region.label)
        # Ten digits: below a thousandth of a pixel in the largest image.
        lines.append(" ".join([str(label), *(f"{number:.10g}" for number in numbers)]) + "\n")
    return "".join(lines)


def _box(visible: Visible, size: tuple[int, int]) -> list[float]:
    width, height = size
    x_min, y_min, x_max, y_max = visible.bounds
    return [
        (x_min + x_max) / 2 / width,
        (y_min + y_max) / 2 / height,
        (x_max - x_min) / width,
        (y_max - y_min) / height,
    ]


def _outline(visible: Visible, size: tuple[int, int]) -> list[float]:
    # Cutting at the edge may round to just beyond it, for which the trainer refuses the whole image.
    return [
        min(max(value / side, 0.0), 1.0) for point in visible.outline for value, side in zip(point, size, strict=True)
    ]
