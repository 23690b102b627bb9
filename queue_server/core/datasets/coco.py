"""COCO: `annotations/{train,val,test}.json` and `images/`, as pycocotools reads them (cocodataset.org/#format-data).

Every image carries its provenance as further keys, and a negative is an image without annotations. Ids count
through all three files, so the files can be joined. A keypoint is an annotation of its own, with one point: nothing
says which points make up one object. A rotated box has its enclosing box as `bbox`, and itself as `box` (before it
is turned) and `rotation_degrees`.
"""

from collections.abc import Iterator

from feedback_sdk.types import Box, Keypoint, Mask, Task
from queue_server.core.datasets import contents
from queue_server.core.datasets.contents import DataSet, Entry
from queue_server.core.datasets.split import Example, Split
from queue_server.core.datasets.visible import Visible, visible_regions

HOLDS = frozenset({Task.DETECTION, Task.SEGMENTATION, Task.KEYPOINTS, Task.COUNTING})


def check(data_set: DataSet) -> None:
    """Raise ExportError if the data set holds what COCO cannot."""
    contents.check_labels(data_set, "coco")
    contents.check_counts(data_set, "coco")
    contents.check_masks(data_set, "coco")


def files(data_set: DataSet) -> Iterator[Entry]:
    """Yield the annotations of each split, then the images.

    >>> from queue_server.core.datasets import build
    >>> empty = build([], project="p", task=Task.DETECTION, labels=["pill"], include=[], frozen={}, salt="s")
    >>> [entry.path for entry in files(empty)]
    ['annotations/train.json', 'annotations/val.json', 'annotations/test.json']
    """
    numbered = list(enumerate(data_set.examples, start=1))
    annotation_id = 1
    for split in reversed(Split):
        here = [(image_id, example) for image_id, example in numbered if example.split is split]
        annotations = [
            {"id": number, **annotation}
            for number, annotation in enumerate(_annotations(here, data_set), start=annotation_id)
        ]
        annotation_id += len(annotations)
        document = {
            "info": {"description": data_set.project, "split": split.value},
            "licenses": [],
            "categories": _categories(data_set),
            "images": [_image(image_id, example) for image_id, example in here],
            "annotations": annotations,
        }
        yield Entry(path=f"annotations/{split}.json", content=contents.json_text(document).encode())
    yield from contents.images(data_set, lambda example: f"images/{contents.image_name(example.item)}")


def _categories(data_set: DataSet) -> list[dict[str, object]]:
    categories = []
    for number, label in enumerate(data_set.labels, start=1):
        category: dict[str, object] = {"id": number, "name": label, "supercategory": ""}
        is_point = data_set.task is Task.KEYPOINTS
        categories.append(category | {"keypoints": [label], "skeleton": []} if is_point else category)
    return categories


def _image(image_id: int, example: Example) -> dict[str, object]:
    file_name = contents.image_name(example.item)
    image = {"id": image_id, "file_name": file_name, **contents.provenance(example)}
    labels = example.item.annotation.labels
    return image | {"labels": list(labels)} if labels else image


def _annotations(numbered: list[tuple[int, Example]], data_set: DataSet) -> Iterator[dict[str, object]]:
    category_ids = {label: number for number, label in enumerate(data_set.labels, start=1)}
    for image_id, example in numbered:
        for visible in visible_regions(example.item):
            yield {"image_id": image_id, "category_id": category_ids[visible.region.label], **_object(visible)}
        for point in example.item.annotation.keypoints:
            yield {"image_id": image_id, "category_id": category_ids[point.label], **_point(point)}


def _object(visible: Visible) -> dict[str, object]:
    x_min, y_min, x_max, y_max = visible.bounds
    values: dict[str, object] = {
        "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
        "area": visible.area,
        "segmentation": _segmentation(visible),
        "iscrowd": 0,
    }
    region = visible.region
    if isinstance(region, Box) and region.rotation_degrees:
        box = [region.x_min, region.y_min, region.x_max - region.x_min, region.y_max - region.y_min]
        values |= {"rotation_degrees": region.rotation_degrees, "box": box}
    return values


def _segmentation(visible: Visible) -> object:
    region = visible.region
    if isinstance(region, Box):
        return []
    if isinstance(region, Mask):
        counts = region.rle.counts
        return {"size": list(region.rle.size), "counts": counts if isinstance(counts, str) else list(counts)}
    return [[coordinate for point in visible.outline for coordinate in point]]


def _point(point: Keypoint) -> dict[str, object]:
    return {
        "bbox": [point.x, point.y, 0.0, 0.0],
        "area": 0.0,
        "keypoints": [point.x, point.y, 2],
        "num_keypoints": 1,
        "iscrowd": 0,
    }
