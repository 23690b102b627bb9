"""Predictions out of what a model's package returns: nothing of that package is imported, its values are only read.

Each kind has a module of its own, loaded when a value of it comes: `ultralytics`, `supervision`, `torchvision`
(also the detectors' post-processing in Hugging Face), `huggingface` (pipelines) and `arrays`.

A prediction holds what its task marks and nothing beside it, else each object would count twice: masks without their
boxes, keypoints without theirs. Left out are objects that mark nothing: a box without width or height, a mask
without a pixel, a point that the model did not find, and what lies wholly outside an image whose size is known.
A float32 keeps the seven digits that it holds (0.9, not 0.8999999761581421). Confidences are pulled into [0, 1] over
0.00001 at most; anything beyond a bound is a ValidationError. Zero objects are a finding: an empty list.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Prediction, Task

#: (package, class) -> the module that reads it
_CLASSES = {
    ("ultralytics", "Results"): "ultralytics",
    ("supervision", "Detections"): "supervision",
    ("numpy", "ndarray"): "arrays",
    ("torch", "Tensor"): "arrays",
}


def prediction_of(
    value: object,
    *,
    model_version: str,
    labels: Sequence[str] | Mapping[int, str] | None = None,
    image_size: tuple[int, int] | None = None,
    task: Task | str | None = None,
) -> Prediction:
    """Return the prediction that a model's package gave for one image; raise ValidationError for what is not known.

    `value` is an ultralytics `Results`, a supervision `Detections`, a mapping with `boxes`, `labels` and `scores`
    [, `masks`, `keypoints`], the list of a Hugging Face pipeline, a tuple (boxes, scores, class ids) of arrays or
    lists with boxes as (x_min, y_min, x_max, y_max), or an array of class probabilities. A list of one of these is
    taken as that one.

    `labels` names what is marked, by class id (for the task "keypoints": by the point's place); without it the
    package's own names hold, else the ids. `image_size` is (width, height), where the value does not say it.
    `task` is needed where the value's form does not tell: for "counting", and for segmentation and keypoint models
    that return no masks or points when they find nothing (then an empty result reads as "detection").
    """
    single = _single(value)
    adapter = import_module(f"{__name__}.{_kind(single)}")
    made: Prediction = adapter.prediction(
        single, model_version=model_version, labels=labels, image_size=image_size, task=task
    )
    return made


def _single(value: object) -> object:
    """Return the result of one image out of a batch of one."""
    if not isinstance(value, list) or not value or _is_pipeline_list(value):
        return value
    if len(value) != 1:
        kind = type(value[0]).__name__
        raise ValidationError("value", f"value must be the result of one image, got a list of {len(value)} {kind}")
    return value[0]


def _kind(value: object) -> str:
    for cls in type(value).__mro__:
        if name := _CLASSES.get((cls.__module__.partition(".")[0], cls.__name__)):
            return name
    if isinstance(value, Mapping) and "boxes" in value:
        return "torchvision"
    if isinstance(value, tuple):
        return "arrays"
    if isinstance(value, list) and (not value or _is_pipeline_list(value)):
        return "huggingface"
    raise ValidationError(
        "value",
        "value must be an ultralytics Results, a supervision Detections, a mapping with boxes, labels and scores, "
        "a Hugging Face pipeline's list, a tuple (boxes, scores, class ids) or an array of probabilities, "
        f"got {_described(value)}",
    )


def _is_pipeline_list(value: list[object]) -> bool:
    first = value[0]
    return isinstance(first, Mapping) and "label" in first


def _described(value: object) -> str:
    name = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    if isinstance(value, Mapping):
        return f"{name} with the keys {', '.join(str(key) for key in list(value)[:10]) or '(none)'}"
    return name
