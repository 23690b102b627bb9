"""ultralytics' `Results`: boxes, masks, keypoints, oriented boxes or the probabilities of classes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from feedback_sdk.adapters import numbers, objects
from feedback_sdk.adapters.objects import Confidences, Labels, Size
from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Prediction, Task

if TYPE_CHECKING:

    class _Tensor(Protocol):
        shape: Sequence[int]

        def __iter__(self) -> Iterator[object]: ...

    class _Part(Protocol):
        data: _Tensor

    class _Boxes(Protocol):
        xyxy: _Tensor
        cls: _Tensor
        conf: _Tensor

    class _Masks(_Part, Protocol):
        xy: Sequence[object]

    class Results(Protocol):
        """What is read of ultralytics.engine.results.Results; `obb` is younger than the rest."""

        orig_shape: tuple[int, int]
        names: Mapping[int, str]
        boxes: _Boxes | None
        masks: _Masks | None
        keypoints: _Part | None
        probs: _Part | None


def prediction(
    result: "Results",
    *,
    model_version: str,
    labels: Labels | None = None,
    image_size: Size | None = None,
    task: Task | str | None = None,
) -> Prediction:
    """Return the prediction of one image's result, in the pixels of the image that the model was given.

    Without `task` it is what the model does: segmentation where there are masks, keypoints where there are some, and
    so on. A segmentation model that finds nothing returns no masks, so give `task` for it: else this is a detection.

    Masks at the image's own size (`retina_masks=True`) are sent as they are, with holes and parts; smaller ones as the
    outlines `masks.xy`, which the package itself scales. Keypoints are named by `labels`, else by their index; one at
    (0, 0) is the package's word for "not seen". Classes are named by `labels`, else by `names`.
    """
    height, width = result.orig_shape
    size = objects.agreed_size(image_size, (width, height))
    if result.probs is not None:
        objects.chosen(task, (Task.CLASSIFICATION,))
        return _classified(result.probs, model_version=model_version, labels=labels or result.names, size=size)
    oriented: _Boxes | None = getattr(result, "obb", None)
    boxes = result.boxes if oriented is None else oriented
    if boxes is None:
        raise ValidationError("value", "value must have boxes, masks, keypoints, obb or probs, got a Results without")
    classes = numbers.listed(boxes.cls)
    scores = numbers.confidences(boxes.conf, size=len(classes))
    asked = objects.chosen(task, _offered(result, has_found=bool(classes)))
    if asked is Task.KEYPOINTS:
        return _pointed(result, model_version=model_version, labels=labels, confidences=scores, size=size)
    called = objects.names(classes, labels or result.names)
    if asked is Task.SEGMENTATION:
        return _segmented(result, model_version=model_version, labels=called, confidences=scores, size=size)
    sides, rotations = _sides(boxes)
    return objects.boxed(
        sides,
        model_version=model_version,
        task=asked,
        labels=called,
        confidences=scores,
        image_size=size,
        rotations=rotations,
    )


def _offered(result: "Results", *, has_found: bool) -> Sequence[Task]:
    """Return what can be sent of the result, first what its model was made for."""
    if result.keypoints is not None:
        return (Task.KEYPOINTS, *objects.BOX_TASKS)
    if result.masks is not None:
        return (Task.SEGMENTATION, *objects.BOX_TASKS)
    # Without any object it does not show what was looked for.
    return objects.BOX_TASKS if has_found else (*objects.BOX_TASKS, Task.SEGMENTATION, Task.KEYPOINTS)


def _classified(probs: "_Part", *, model_version: str, labels: Labels, size: Size | None) -> Prediction:
    probabilities = numbers.plain("probs", numbers.listed(probs.data))
    called = objects.names(range(len(probabilities)), labels)
    return objects.classified(probabilities, model_version=model_version, labels=called, image_size=size)


def _segmented(
    result: "Results", *, model_version: str, labels: Sequence[str], confidences: Confidences, size: Size | None
) -> Prediction:
    found, task = result.masks, Task.SEGMENTATION
    if found is not None and tuple(found.data.shape[1:]) == tuple(result.orig_shape):
        masks = objects.masks(objects.mask_rles(found.data), labels=labels, confidences=confidences)
        return Prediction(model_version=model_version, task=task, image_size=size, masks=masks)
    polygons = objects.outlines([] if found is None else found.xy, labels=labels, confidences=confidences)
    return Prediction(model_version=model_version, task=task, image_size=size, polygons=polygons)


def _pointed(
    result: "Results", *, model_version: str, labels: Labels | None, confidences: Confidences, size: Size | None
) -> Prediction:
    instances = [] if result.keypoints is None else numbers.listed(result.keypoints.data)
    points = objects.keypoints(instances, labels=labels, confidences=confidences, image_size=size)
    return Prediction(model_version=model_version, task=Task.KEYPOINTS, image_size=size, keypoints=points)


def _sides(boxes: "_Boxes") -> tuple[list[list[float]], list[float] | None]:
    """Return the sides of the (unturned) boxes and their clockwise degrees; the package's radians turn so too."""
    turned = getattr(boxes, "xywhr", None)
    if turned is None:
        return numbers.rows("boxes", boxes.xyxy, width=4), None
    sides, rotations = [], []
    for x, y, width, height, radians in numbers.rows("obb", turned, width=5):
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        sides.append([round(side, 4) for side in corners])
        rotations.append(round(math.degrees(radians), 4))
    return sides, rotations
