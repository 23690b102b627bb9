"""supervision's `Detections`: boxes or masks, upright or oriented, with names in `data["class_name"]`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from feedback_sdk.adapters import numbers, objects
from feedback_sdk.adapters.objects import Labels, Size
from feedback_sdk.types import Prediction, Task

if TYPE_CHECKING:

    class _Masks(Protocol):
        shape: tuple[int, ...]

        def __iter__(self) -> Iterator[object]: ...

    class Detections(Protocol):
        """What is read of supervision.Detections."""

        xyxy: object
        mask: _Masks | None
        confidence: object
        class_id: object
        data: Mapping[str, object]


def prediction(
    detections: "Detections",
    *,
    model_version: str,
    labels: Labels | None = None,
    image_size: Size | None = None,
    task: Task | str | None = None,
) -> Prediction:
    """Return the prediction of one image's detections: its masks where it has some, else its boxes.

    Oriented boxes (`data["xyxyxyxy"]`) keep their turn. Names: `labels` by class id, else `data["class_name"]`, else
    the ids; without any, `labels` must be one name.
    """
    corners = numbers.rows("xyxy", detections.xyxy, width=4)
    called = _called(detections, labels, size=len(corners))
    scores = numbers.confidences(detections.confidence, size=len(corners))
    masks = detections.mask
    asked = objects.chosen(task, _offered(masks, has_found=bool(corners)))
    if asked is Task.SEGMENTATION:
        size = objects.agreed_size(image_size, None if masks is None else (masks.shape[2], masks.shape[1]))
        kept = objects.masks(objects.mask_rles(() if masks is None else masks), labels=called, confidences=scores)
        return Prediction(model_version=model_version, task=asked, image_size=size, masks=kept)
    turned = detections.data.get("xyxyxyxy")
    sides, rotations = (corners, None) if turned is None else _upright(turned)
    return objects.boxed(
        sides,
        model_version=model_version,
        task=asked,
        labels=called,
        confidences=scores,
        image_size=image_size,
        rotations=rotations,
    )


def _offered(masks: object, *, has_found: bool) -> Sequence[Task]:
    if masks is not None:
        return (Task.SEGMENTATION, *objects.BOX_TASKS)
    # Without any object it does not show what was looked for, so masks may be asked for too.
    return objects.BOX_TASKS if has_found else (*objects.BOX_TASKS, Task.SEGMENTATION)


def _called(detections: "Detections", labels: Labels | None, *, size: int) -> list[str]:
    own = detections.data.get("class_name")
    return objects.called(detections.class_id if labels is not None or own is None else own, labels, size=size)


def _upright(turned: object) -> tuple[list[list[float]], list[float]]:
    """Return the sides of unturned boxes and their clockwise degrees, of four corners (n, 4, 2) in order."""
    sides, rotations = [], []
    for box in numbers.listed(turned):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = numbers.rows("xyxyxyxy", box, width=2)
        half_width, half_height = math.dist((ax, ay), (bx, by)) / 2, math.dist((bx, by), (cx, cy)) / 2
        x, y = (ax + bx + cx + dx) / 4, (ay + by + cy + dy) / 4
        sides.append([round(side, 4) for side in (x - half_width, y - half_height, x + half_width, y + half_height)])
        rotations.append(round(math.degrees(math.atan2(by - ay, bx - ax)), 4))
    return sides, rotations
