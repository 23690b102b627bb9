"""Plain arrays, tensors or lists: boxes (n, 4) with scores and class ids, or the probabilities of classes."""

from collections.abc import Sequence

from feedback_sdk.adapters import numbers, objects
from feedback_sdk.adapters.objects import Labels, Size
from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Prediction, Task


def prediction(
    value: object,
    *,
    model_version: str,
    labels: Labels | None = None,
    image_size: Size | None = None,
    task: Task | str | None = None,
) -> Prediction:
    """Return the prediction of (boxes, scores, class ids), of boxes alone, or of an array of probabilities.

    Boxes have the shape (n, 4): x_min, y_min, x_max, y_max in pixels; scores and class ids the shape (n,) or None.
    Without class ids `labels` must be the one name of them all. Probabilities have the shape (classes,).
    """
    if isinstance(value, tuple):
        if not 1 <= len(value) <= 3:
            raise ValidationError("value", f"value must be (boxes, scores, class ids), got {len(value)} values")
        boxes, scores, class_ids = (*value, None, None)[:3]
    elif len(getattr(value, "shape", ())) == 1 and len(numbers.listed(value)):
        return _classification(value, model_version=model_version, labels=labels, image_size=image_size, task=task)
    else:
        boxes, scores, class_ids = value, None, None
    corners = numbers.rows("boxes", boxes, width=4)
    return objects.boxed(
        corners,
        model_version=model_version,
        task=objects.chosen(task, objects.BOX_TASKS),
        labels=objects.called(class_ids, labels, size=len(corners)),
        confidences=numbers.confidences(scores, size=len(corners)),
        image_size=image_size,
    )


def _classification(
    value: object, *, model_version: str, labels: Labels | None, image_size: Size | None, task: Task | str | None
) -> Prediction:
    objects.chosen(task, (Task.CLASSIFICATION,))
    given: Sequence[float] = numbers.listed(value)
    probabilities = numbers.plain("probabilities", given)
    called = objects.names(range(len(probabilities)), labels)
    return objects.classified(probabilities, model_version=model_version, labels=called, image_size=image_size)
