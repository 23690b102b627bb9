"""Which labels a prediction or a correction uses, and which of them the project does not know."""

from collections.abc import Iterator, Sequence

from feedback_sdk.types import BoxAction, Correction, Prediction, Task
from queue_server.errors import FieldError


def prediction_faults(prediction: Prediction, *, task: Task, labels: Sequence[str]) -> tuple[FieldError, ...]:
    """Return what keeps a prediction from belonging to a project of this task and these labels, by field.

    >>> said = Prediction(model_version="1", task="detection", boxes=[])
    >>> prediction_faults(said, task=Task.COUNTING, labels=["pill"])[0].field
    'task'
    """
    found = [_unknown(field, label, labels) for field, label in _prediction_labels(prediction) if label not in labels]
    if prediction.task is not task:
        found.insert(0, FieldError(field="task", message=f"must be {task}, the project's, got {prediction.task}"))
    return tuple(found)


def correction_faults(correction: Correction, *, labels: Sequence[str]) -> tuple[FieldError, ...]:
    """Return the labels of a correction that the project does not know, by field.

    >>> correction_faults(Correction(label="cat"), labels=["dog"])[0].message
    "must be one of dog, got 'cat'"
    """
    return tuple(
        _unknown(field, label, labels) for field, label in _correction_labels(correction) if label not in labels
    )


def _unknown(field: str, label: str, labels: Sequence[str]) -> FieldError:
    return FieldError(field=field, message=f"must be one of {', '.join(labels)}, got {label!r}")


def _prediction_labels(prediction: Prediction) -> Iterator[tuple[str, str]]:
    for label in prediction.classes or {}:
        yield "classes", label
    for index, box in enumerate(prediction.boxes or ()):
        yield f"boxes.{index}.label", box.label
        for label in box.classes or {}:
            yield f"boxes.{index}.classes", label
    for index, polygon in enumerate(prediction.polygons or ()):
        yield f"polygons.{index}.label", polygon.label
    for index, mask in enumerate(prediction.masks or ()):
        yield f"masks.{index}.label", mask.label
    for index, keypoint in enumerate(prediction.keypoints or ()):
        yield f"keypoints.{index}.label", keypoint.label


def _correction_labels(correction: Correction) -> Iterator[tuple[str, str]]:
    if correction.label is not None:
        yield "label", correction.label
    for index, change in enumerate(correction.boxes or ()):
        if change.label is not None and change.action is not BoxAction.REMOVE:
            yield f"boxes.{index}.label", change.label
