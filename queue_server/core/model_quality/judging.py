"""What an annotation says of a prediction."""

from collections.abc import Sequence

import numpy as np

from feedback_sdk.types import Mask, Prediction, Task
from queue_server.core import rle
from queue_server.core.agreement import agree
from queue_server.core.annotation import Annotation, Difference
from queue_server.core.datasets import from_prediction
from queue_server.core.model_quality.matching import match_boxes
from queue_server.core.model_quality.observed import Judged
from queue_server.core.outcome import is_model_right
from queue_server.core.proposals import model_count


def judge(
    prediction: Prediction, annotation: Annotation, *, task: Task, difference: Difference | None = None
) -> Judged:
    """Return how a prediction, placed on the image as it is stored, stands against an annotation of it.

    `difference` is what the annotator changed in this very prediction; without one (it was not shown, or it is another
    model version's) the prediction is right where `core.agreement` says that both are the same.

    >>> said = Prediction(model_version="1", task="counting", count=29)
    >>> judge(said, Annotation(count=30), task=Task.COUNTING).count_error
    -1
    """
    own = from_prediction(prediction)
    is_right = is_model_right(difference, task=task) if difference is not None else None
    if is_right is None:
        is_right = agree(own, annotation, task=task)
    counted = model_count(prediction)
    is_single = task is Task.CLASSIFICATION and not prediction.multi_label
    return Judged(
        is_right=is_right,
        count_error=counted - annotation.object_count if counted is not None and _has_count(task) else None,
        predicted_label=_only(own.labels) if is_single else None,
        true_label=_only(annotation.labels) if is_single else None,
        boxes=match_boxes(prediction.boxes or (), annotation.boxes) if _has_boxes(prediction, annotation) else None,
        mask_iou=_mask_iou(own.masks, annotation.masks) if task is Task.SEGMENTATION else None,
    )


def _has_count(task: Task) -> bool:
    return task in (Task.COUNTING, Task.DETECTION)


def _has_boxes(prediction: Prediction, annotation: Annotation) -> bool:
    return prediction.boxes is not None and (prediction.task is Task.DETECTION or bool(annotation.boxes))


def _only(labels: Sequence[str]) -> str | None:
    return labels[0] if len(labels) == 1 else None


def _mask_iou(ones: Sequence[Mask], others: Sequence[Mask]) -> float | None:
    """Return the mean IoU over labels, all masks of a label as one; None where nobody drew a mask."""
    labels = sorted({mask.label for mask in (*ones, *others)})
    found = [
        _iou_of_all([mask for mask in ones if mask.label == label], [mask for mask in others if mask.label == label])
        for label in labels
    ]
    return sum(found) / len(found) if found else None


def _iou_of_all(ones: Sequence[Mask], others: Sequence[Mask]) -> float:
    if not ones or not others or len({tuple(mask.rle.size) for mask in (*ones, *others)}) > 1:
        return 0.0
    one, other = (np.logical_or.reduce([rle.decode(mask.rle) for mask in masks]) for masks in (ones, others))
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 1.0
