"""torchvision's detectors: {"boxes", "labels", "scores"[, "masks", "keypoints"]}, for one image.

Hugging Face's `post_process_object_detection` returns the same three, and so do many others.
"""

from collections.abc import Mapping, Sequence

from feedback_sdk.adapters import numbers, objects
from feedback_sdk.adapters.objects import Labels, Size
from feedback_sdk.types import Prediction, Task


def prediction(
    result: Mapping[str, object],
    *,
    model_version: str,
    labels: Labels | None = None,
    image_size: Size | None = None,
    task: Task | str | None = None,
) -> Prediction:
    """Return the prediction of one image's mapping of tensors, arrays or lists.

    boxes (n, 4), labels (n,) ids or names, scores (n,); masks (n, 1, height, width), of which above 0.5 counts;
    keypoints (n, points, 3), whose third number torchvision always sets to 1: a point has its object's score.
    """
    corners = numbers.rows("boxes", result["boxes"], width=4)
    scores = numbers.confidences(result.get("scores"), size=len(corners))
    offered = _offered(result)
    asked = objects.chosen(task, offered)
    if asked is Task.KEYPOINTS:
        instances = [[point[:2] for point in points] for points in numbers.listed(result["keypoints"])]
        found = objects.keypoints(instances, labels=labels, confidences=scores, image_size=image_size)
        return Prediction(model_version=model_version, task=asked, image_size=image_size, keypoints=found)
    called = objects.called(result.get("labels"), labels, size=len(corners))
    if asked is Task.SEGMENTATION:
        masks = result["masks"]
        size = objects.agreed_size(image_size, _size(masks))
        kept = objects.masks(objects.mask_rles(masks), labels=called, confidences=scores)  # type: ignore[arg-type]  # tensors iterate
        return Prediction(model_version=model_version, task=asked, image_size=size, masks=kept)
    return objects.boxed(
        corners, model_version=model_version, task=asked, labels=called, confidences=scores, image_size=image_size
    )


def _offered(result: Mapping[str, object]) -> Sequence[Task]:
    shown = (("keypoints", Task.KEYPOINTS), ("masks", Task.SEGMENTATION))
    return [*(task for name, task in shown if result.get(name) is not None), *objects.BOX_TASKS]


def _size(masks: object) -> tuple[int, int] | None:
    """Return (width, height) of masks whose last two sides they are."""
    shape: Sequence[int] = getattr(masks, "shape", ())
    return (shape[-1], shape[-2]) if len(shape) >= 3 else None
