"""What an annotation says of a prediction."""

from collections.abc import Sequence

from feedback_sdk.types import Prediction, Task
from queue_server.core.agreement import agree
from queue_server.core.annotation import Annotation, Difference
from queue_server.core.datasets import from_prediction
from queue_server.core.model_quality.matching import match_boxes
from queue_server.core.model_quality.observed import Judged
from queue_server.core.outcome import is_model_right
from queue_server.core.outlines import Region, regions_iou
from queue_server.core.proposals import model_count


def judge(
    prediction: Prediction,
    annotation: Annotation,
    *,
    task: Task,
    difference: Difference | None = None,
    is_blind: bool = False,
) -> Judged:
    """Return how a prediction, placed on the image as it is stored, stands against an annotation of it.

    `difference` is what the annotator changed in this very prediction; without one (it was not shown, or it is another
    model version's) the prediction is right where `core.agreement` says that both are the same.

    >>> said = Prediction(model_version="1", task="counting", count=29)
    >>> judge(said, Annotation(count=30), task=Task.COUNTING).count_error
    -1
    """
    agrees = agree(from_prediction(prediction), annotation, task=task)
    by_edits = is_model_right(difference, task=task) if difference is not None else None
    counted = model_count(prediction)
    compared = (prediction.boxes or (), annotation.boxes) if _has_boxes(prediction, annotation) else None
    is_single = task is Task.CLASSIFICATION and not prediction.multi_label
    return Judged(
        is_right=by_edits if by_edits is not None else agrees,
        agrees=agrees,
        is_blind=is_blind,
        count_error=counted - annotation.object_count if counted is not None and _has_count(task) else None,
        predicted_label=_only(from_prediction(prediction).labels) if is_single else None,
        true_label=_only(annotation.labels) if is_single else None,
        boxes=match_boxes(*compared) if compared is not None else None,
        compared=compared,
        mask_iou=_mask_iou(_regions(prediction), _regions(annotation)) if task is Task.SEGMENTATION else None,
    )


def _regions(said: Prediction | Annotation) -> Sequence[Region]:
    return (*(said.masks or ()), *(said.polygons or ()))


def _has_count(task: Task) -> bool:
    return task in (Task.COUNTING, Task.DETECTION)


def _has_boxes(prediction: Prediction, annotation: Annotation) -> bool:
    return prediction.boxes is not None and (prediction.task is Task.DETECTION or bool(annotation.boxes))


def _only(labels: Sequence[str]) -> str | None:
    return labels[0] if len(labels) == 1 else None


def _mask_iou(ones: Sequence[Region], others: Sequence[Region]) -> float | None:
    """Return the mean IoU over labels, all regions of a label as one; None where nobody drew any."""
    labels = sorted({region.label for region in (*ones, *others)})
    found = [
        regions_iou([one for one in ones if one.label == label], [other for other in others if other.label == label])
        for label in labels
    ]
    return sum(found) / len(found) if found else None
