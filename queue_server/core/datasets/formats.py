"""The formats by name, each with what it holds, what it refuses and the files that it writes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from feedback_sdk.types import Task
from queue_server.core.datasets import coco, tables, yolo
from queue_server.core.datasets.contents import DataSet, Entry
from queue_server.errors import ExportError


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One way to write a data set; `check` raises ExportError for content that it cannot hold."""

    holds: frozenset[Task]
    check: Callable[[DataSet], None]
    files: Callable[[DataSet], Iterator[Entry]]


FORMATS = {
    "coco": Format(holds=coco.HOLDS, check=coco.check, files=coco.files),
    "yolo": Format(holds=yolo.HOLDS, check=yolo.check, files=yolo.files),
    "csv": Format(holds=tables.HOLDS, check=tables.check, files=tables.csv_files),
    "jsonl": Format(holds=tables.HOLDS, check=tables.check, files=tables.jsonl_files),
}


def check_format(format_name: str, *, task: Task) -> Format:
    """Return the format of this name. Raises ExportError if there is none, or if it cannot hold the task.

    >>> check_format("yolo", task=Task.CLASSIFICATION)
    Traceback (most recent call last):
        ...
    queue_server.errors.ExportError: yolo cannot hold classification; csv and jsonl can
    """
    chosen = FORMATS.get(format_name)
    if chosen is None:
        raise ExportError(f"format must be one of {', '.join(FORMATS)}, got {format_name!r}")
    if task not in chosen.holds:
        able = [name for name, other in FORMATS.items() if task in other.holds]
        raise ExportError(f"{format_name} cannot hold {task}; {' and '.join([', '.join(able[:-1]), able[-1]])} can")
    return chosen


def render(data_set: DataSet, *, format_name: str) -> Iterator[Entry]:
    """Return the files of an export, in the order to write them, each path once.

    Everything that can be refused is refused before this returns, so a stream never breaks off half-way; the
    files themselves are made one by one. Raises ExportError.

    >>> from queue_server.core.datasets import build
    >>> empty = build([], project="p", task=Task.DETECTION, labels=["pill"], include=[], frozen={}, salt="s")
    >>> [entry.path for entry in render(empty, format_name="yolo")]
    ['data.yaml', 'items.jsonl']
    """
    chosen = check_format(format_name, task=data_set.task)
    chosen.check(data_set)
    return chosen.files(data_set)
