"""What Hugging Face's image pipelines return: object detection (zero-shot too), image segmentation and classification.

Each is a list of mappings: {"score", "label", "box"}, {"score", "label", "mask"} or {"score", "label"}.
"""

from collections.abc import Mapping, Sequence

from feedback_sdk.adapters import numbers, objects, runs
from feedback_sdk.adapters.objects import Labels, Size
from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Prediction, Rle, Task

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_UNNAMED = "LABEL_"

#: the key that says where an object is -> what can be sent of it
_TASKS: dict[str | None, Sequence[Task]] = {
    "box": objects.BOX_TASKS,
    "mask": (Task.SEGMENTATION,),
    "score": (Task.CLASSIFICATION,),
    None: (*objects.BOX_TASKS, Task.SEGMENTATION),
}

Found = Mapping[str, object]


def prediction(
    result: Sequence[Found],
    *,
    model_version: str,
    labels: Labels | None = None,
    image_size: Size | None = None,
    task: Task | str | None = None,
) -> Prediction:
    """Return the prediction of one image's list.

    An empty list is a detection that found nothing, unless `task` says segmentation. `labels` names the classes of a
    model that has no names of its own ("LABEL_3"). Masks are PIL images (not black: in) or arrays of their size.
    """
    kind = _kind(result)
    asked = objects.chosen(task, _TASKS[kind])
    called = objects.names([_class_of(item["label"], labels) for item in result], labels)
    given = [item.get("score") for item in result]
    if asked is Task.CLASSIFICATION:
        scores = numbers.column("scores", given, size=len(given))
        return objects.classified(scores, model_version=model_version, labels=called, image_size=image_size)
    # A semantic segmentation has no scores.
    confidences = numbers.confidences(None if None in given else given, size=len(given))
    if asked is Task.SEGMENTATION:
        values = [item["mask"] for item in result]
        size = objects.agreed_size(image_size, _size(values))
        masks = objects.masks(map(_rle, values), labels=called, confidences=confidences)
        return Prediction(model_version=model_version, task=asked, image_size=size, masks=masks)
    return objects.boxed(
        numbers.rows("boxes", [_sides(index, item["box"]) for index, item in enumerate(result)], width=4),
        model_version=model_version,
        task=asked,
        labels=called,
        confidences=confidences,
        image_size=image_size,
    )


def _kind(result: Sequence[Found]) -> str | None:
    """Return which key says where the objects are; "score" where there is none, None for no objects."""
    if not result:
        return None
    kind = next((name for name in ("box", "mask") if name in result[0]), "score")
    for index, item in enumerate(result):
        for name in ("label", kind):
            if name not in item:
                raise ValidationError(f"{index}.{name}", f"each item must have a {name}, got {item!r:.80} at {index}")
    return kind


def _class_of(label: object, labels: Labels | None) -> object:
    """Return the class id of a model without names, where `labels` can name it; else the label."""
    if labels is None or not isinstance(label, str) or not label.startswith(_UNNAMED):
        return label
    number = label.removeprefix(_UNNAMED)
    return int(number) if number.isdecimal() else label


def _sides(index: int, box: object) -> list[object]:
    if not isinstance(box, Mapping) or not box.keys() >= set(_SIDES):
        raise ValidationError(
            f"boxes.{index}", f"boxes.{index} must be a mapping of {', '.join(_SIDES)}, got {box!r:.80}"
        )
    return [box[side] for side in _SIDES]


def _size(masks: Sequence[object]) -> Sequence[int] | None:
    """Return (width, height) of a PIL image or an array."""
    if not masks:
        return None
    shape: Sequence[int] | None = getattr(masks[0], "shape", None)
    size: Sequence[int] | None = getattr(masks[0], "size", None)
    return shape[::-1] if shape is not None else size


def _rle(mask: object) -> Rle | None:
    if hasattr(mask, "getbbox"):
        return runs.of_pil(mask)
    return next(objects.mask_rles([mask]))
