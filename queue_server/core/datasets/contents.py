"""A data set as a value, and the pieces that every format writes: files, images, and the provenance of an item."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Box, Keypoint, Mask, Polygon, Task
from feedback_sdk.wire import to_wire
from queue_server.core import rle
from queue_server.core.datasets.items import Item, LabelSource, select
from queue_server.core.datasets.split import Example, Split, WhyLeftOut, divide
from queue_server.errors import ExportError


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRef:
    """The bytes of a stored image, which the shell reads when it gets there."""

    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file of an export; `path` is relative, with forward slashes, and comes once."""

    path: str
    content: bytes | ImageRef


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet:
    """What an export holds, in whatever format, and what was left out of it."""

    project: str
    task: Task
    #: in the project's order, which numbers the classes
    labels: tuple[str, ...]
    include: tuple[LabelSource, ...]
    test_share: float
    validation_share: float
    #: by sample id
    examples: tuple[Example, ...]
    #: sample id -> why
    left_out: Mapping[str, WhyLeftOut]
    #: group or image -> split of this export: to be added to what is kept, and all of that given to the next `build`
    frozen: Mapping[str, Split]


def build(
    items: Iterable[Item],
    *,
    project: str,
    task: Task,
    labels: Iterable[str],
    include: Collection[LabelSource],
    frozen: Mapping[str, Split],
    salt: str,
    test_share: float = 0.2,
    validation_share: float = 0.1,
) -> DataSet:
    """Return the data set of a project: what annotators labelled and `include` adds, divided into splits.

    The same items in any order give the same value. Raises ExportError if a sample comes twice or the shares are
    wrong.

    >>> build([], project="p", task=Task.DETECTION, labels=["pill"], include=[], frozen={}, salt="s").examples
    ()
    """
    chosen = select(items, include)
    division = divide(chosen, frozen=frozen, salt=salt, test_share=test_share, validation_share=validation_share)
    return DataSet(
        project=project,
        task=task,
        labels=tuple(labels),
        include=tuple(sorted({LabelSource.ANNOTATOR, *include})),
        test_share=test_share,
        validation_share=validation_share,
        examples=division.examples,
        left_out=division.left_out,
        frozen=division.frozen,
    )


def provenance(example: Example) -> dict[str, object]:
    """Return where an item comes from, in JSON's types, in the order that the formats write it."""
    item = example.item
    return {
        "sample_id": item.sample_id,
        "image_sha256": item.image_sha256,
        "width": item.width,
        "height": item.height,
        "split": example.split.value,
        "weight": example.weight,
        "label_source": item.label_source.value,
        "annotator": item.annotator,
        "model_version": item.model_version,
        "reason": item.reason,
        "inclusion_probability": item.inclusion_probability,
        "is_audit": item.is_audit,
        "audit_probability": item.audit_probability,
        "capture_probability": item.capture_probability,
        "stands_for": item.stands_for,
        "captured_at": to_wire(item.captured_at),
        "subject": item.subject,
        "stream": item.stream,
        "tags": list(item.tags),
    }


def image_name(item: Item) -> str:
    """Return the name of an item's image: its hash, so equal images are one file."""
    return item.image_sha256 + item.image_extension


def images(data_set: DataSet, path: Callable[[Example], str]) -> Iterator[Entry]:
    """Yield each image once, by sample id."""
    refs = {path(example): example.item.image_sha256 for example in data_set.examples}
    for image_path, sha256 in refs.items():
        yield Entry(path=image_path, content=ImageRef(sha256=sha256))


def json_text(value: object) -> str:
    """Return JSON without spaces; keys keep their order.

    >>> json_text({"b": [1.5, None], "a": "é"})
    '{"b":[1.5,null],"a":"é"}'
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def check_labels(data_set: DataSet, format_name: str) -> None:
    """Raise ExportError if an object has a label that the project does not list, so that it has no class number."""
    for item in (example.item for example in data_set.examples):
        annotation = item.annotation
        objects: tuple[Box | Polygon | Mask | Keypoint, ...] = (*annotation.boxes, *annotation.polygons)
        objects += (*annotation.masks, *annotation.keypoints)
        unknown = [region.label for region in objects if region.label not in data_set.labels]
        if unknown:
            raise ExportError(
                f"{format_name} needs every label to be in the project's list, got {unknown[0]!r} in sample "
                f"{item.sample_id}: add it to the project's labels, or export csv or jsonl"
            )


def check_counts(data_set: DataSet, format_name: str) -> None:
    """Raise ExportError if a count was entered that the drawn objects do not make up: a file of objects loses it."""
    for item in (example.item for example in data_set.examples):
        annotation = item.annotation
        drawn = sum(map(len, (annotation.boxes, annotation.polygons, annotation.masks, annotation.keypoints)))
        if annotation.count not in {None, drawn}:
            raise ExportError(
                f"{format_name} holds objects, not counts: the count must equal the number of objects, got "
                f"{annotation.count} and {drawn} in sample {item.sample_id}; csv and jsonl hold both"
            )


def check_masks(data_set: DataSet, format_name: str) -> None:
    """Raise ExportError if a mask has not the size of its image, or its run lengths are no mask."""
    for item in (example.item for example in data_set.examples):
        size = (item.height, item.width)
        for mask in item.annotation.masks:
            try:
                rle.runs(mask.rle)
            except ValidationError as error:
                raise ExportError(
                    f"{format_name} needs masks that can be read; sample {item.sample_id}: {error}"
                ) from error
            if tuple(mask.rle.size) != size:
                raise ExportError(
                    f"{format_name} needs masks of the image's size [height, width]: it must be {list(size)}, got "
                    f"{list(mask.rle.size)} in sample {item.sample_id}"
                )
