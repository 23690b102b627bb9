"""Items, data sets and archives for the tests of data sets."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from feedback_sdk.types import Box, Mask, Polygon, Rle, Task
from queue_server.core import datasets
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import DataSet, ImageRef, Item, LabelSource

PILL = Box(label="pill", x_min=10.0, y_min=20.0, x_max=50.0, y_max=60.0)
TURNED = Box(label="capsule", x_min=40.0, y_min=30.0, x_max=60.0, y_max=50.0, rotation_degrees=45.0)
TRIANGLE = Polygon(label="capsule", points=[(0.0, 0.0), (40.0, 0.0), (0.0, 30.0)])
#: of an image 4 wide and 3 high: the right half of its lower two rows
MASK = Mask(label="pill", rle=Rle(size=(3, 4), counts=[7, 2, 1, 2]))
TINY = {"width": 4, "height": 3}
#: `test_share` that keeps every group in train
TRAIN_ONLY = {"test_share": 0.0, "validation_share": 0.0}

_ITEM = Item(
    sample_id="a",
    image_sha256="0" * 64,
    image_extension=".jpg",
    width=100,
    height=80,
    captured_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
    model_version="counter-7",
    reason="user_rejected",
    inclusion_probability=0.5,
    capture_probability=1.0,
    stands_for=1,
    label_source=LabelSource.ANNOTATOR,
    annotator="ann",
    subject=None,
    stream=None,
    is_audit=False,
    audit_probability=None,
    tags=(),
    annotation=Annotation(),
)


def make_item(sample_id="a", **changes):
    """Return an annotated negative, with an image of its own unless one is given."""
    sha256 = changes.pop("image_sha256", sample_id.encode().hex().rjust(64, "0")[-64:])
    return replace(_ITEM, sample_id=sample_id, image_sha256=sha256, **changes)


def make_audit(sample_id="a", **changes):
    return make_item(sample_id, is_audit=True, **{"audit_probability": 0.1} | changes)


def make_data_set(items: Iterable[Item], **changes) -> DataSet:
    defaults = {"project": "pills", "task": Task.DETECTION, "labels": ["pill", "capsule"], "include": []}
    return datasets.build(items, **defaults | {"frozen": {}, "salt": "salt"} | TRAIN_ONLY | changes)


def written(data_set, format_name):
    """Return path -> bytes, an image as its reference; a path that comes twice is a fault."""
    entries = list(datasets.render(data_set, format_name=format_name))
    files = {entry.path: entry.content for entry in entries}
    assert len(files) == len(entries)
    return files


def image_paths(files):
    return [path for path, content in files.items() if isinstance(content, ImageRef)]


def json_lines(content):
    return [json.loads(line) for line in content.decode().splitlines()]
