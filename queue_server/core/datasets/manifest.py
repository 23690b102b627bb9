"""What an export holds, as one canonical text: its hash is the export's id, so an id can never mean something else."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from uuid import UUID, uuid5

from feedback_sdk.wire import canonical_json
from queue_server.core.datasets.contents import DataSet, image_name, provenance
from queue_server.core.datasets.split import Example

#: Raise it when the same items would give other files, for the id stands for the files.
FORMAT_VERSION = 1

_NAMESPACE = UUID("6f1c1d2e-8a53-4c0b-9a3e-2f4f7d0c5b19")


def manifest(data_set: DataSet, *, format_name: str) -> bytes:
    """Return canonical JSON: the policy of the split, counts, and every item with the hash of all that it says.

    It holds no time and no salt: the same content gives the same bytes, whenever it is exported.

    >>> from queue_server.core.datasets import build
    >>> from feedback_sdk.types import Task
    >>> empty = build([], project="p", task=Task.DETECTION, labels=["pill"], include=[], frozen={}, salt="s")
    >>> b'"items":0' in manifest(empty, format_name="coco")
    True
    """
    examples = data_set.examples
    return canonical_json(
        {
            "version": FORMAT_VERSION,
            "format": format_name,
            "project": data_set.project,
            "task": data_set.task.value,
            "labels": data_set.labels,
            "include": data_set.include,
            "split": {
                "group": "subject, else stream, else sample",
                "test": "annotated audit draws only",
                "weight": "stands_for / (audit_probability * capture_probability)",
                "test_share": data_set.test_share,
                "validation_share": data_set.validation_share,
            },
            "counts": {
                "items": len(examples),
                "negatives": sum(_is_negative(example) for example in examples),
                "split": _counted(example.split for example in examples),
                "label_source": _counted(example.item.label_source for example in examples),
                "reason": _counted(example.item.reason for example in examples),
            },
            "items": [_item(example) for example in examples],
        }
    )


def export_id(manifest_json: bytes) -> str:
    """Return the id of the export that has this manifest.

    >>> export_id(b"{}") == export_id(b"{}")
    True
    """
    return str(uuid5(_NAMESPACE, hashlib.sha256(manifest_json).hexdigest()))


def _is_negative(example: Example) -> bool:
    return example.item.annotation.object_count == 0 and not example.item.annotation.labels


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(str(value) for value in values))


def _item(example: Example) -> dict[str, object]:
    annotation = canonical_json(example.item.annotation)
    whence = provenance(example) | {"image": image_name(example.item)}
    return {
        "sample_id": example.item.sample_id,
        "image_sha256": example.item.image_sha256,
        "split": example.split.value,
        "weight": example.weight,
        "label_source": example.item.label_source.value,
        "annotation_sha256": hashlib.sha256(annotation).hexdigest(),
        "provenance_sha256": hashlib.sha256(canonical_json(whence)).hexdigest(),
    }
