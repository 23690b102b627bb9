"""What each adapter builds its prediction from: names and objects, with faults that say where."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from feedback_sdk.adapters import numbers, runs
from feedback_sdk.bounds import member
from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Box, Keypoint, Mask, Polygon, Prediction, Rle, Task

Labels: TypeAlias = Sequence[str] | Mapping[int, str]
Size: TypeAlias = tuple[int, int]
Confidences: TypeAlias = Sequence[float | None]
_O = TypeVar("_O")

#: what boxes can be sent as
BOX_TASKS = (Task.DETECTION, Task.COUNTING)


def chosen(task: Task | str | None, offered: Sequence[Task]) -> Task:
    """Return the task that is asked for, else the first of those that the value can be sent as.

    >>> chosen(None, BOX_TASKS).value, chosen("counting", BOX_TASKS).value
    ('detection', 'counting')
    """
    if task is None:
        return offered[0]
    asked = member(Task, "task", task)
    if asked not in offered:
        raise ValidationError("task", f"task must be {' or '.join(offered)} for what came, got {asked}")
    return asked


def agreed_size(given: Size | None, own: Sequence[int] | None) -> Size | None:
    """Return (width, height) as given or as the value itself says it; ValidationError where the two differ."""
    if own is None:
        return given
    said = (int(own[0]), int(own[1]))
    if given is not None and tuple(given) != said:
        raise ValidationError("image_size", f"image_size must be {said}, that of the result, got {tuple(given)}")
    return said


def called(class_ids: object, labels: Labels | None, *, size: int) -> list[str]:
    """Return the label of each of `size` objects by their class ids or names; without these, all have the one label."""
    if class_ids is None:
        if labels is None or len(labels) != 1:
            raise ValidationError("class_ids", f"class ids must be given unless labels is one name, got {labels!r:.80}")
        return names(list(labels) if isinstance(labels, Mapping) else [0], labels) * size
    given = numbers.listed(class_ids)
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != size:
        came = len(given) if isinstance(given, Sequence) else type(given).__name__
        raise ValidationError("class_ids", f"class ids must be one for each of {size} objects, got {came}")
    return names(given, labels)


def names(ids: Sequence[object], labels: Labels | None) -> list[str]:
    """Return the label of each class id; a name stays itself, and without labels an id is its own name.

    >>> names([1, 0.0], ["pill", "capsule"]), names([2, "cat"], None)
    (['capsule', 'pill'], ['2', 'cat'])
    """
    if isinstance(labels, str) or not isinstance(labels, Sequence | Mapping | None):
        raise ValidationError("labels", f"labels must be a list of names or map ids to them, got {labels!r:.80}")
    return [each if isinstance(each, str) else _name(index, each, labels) for index, each in enumerate(ids)]


def _name(index: int, class_id: object, labels: Labels | None) -> str:
    if not isinstance(class_id, int | float) or class_id != class_id // 1:
        raise ValidationError(
            f"labels.{index}", f"labels.{index} must be a name or a whole class id, got {class_id!r:.80}"
        )
    place = int(class_id)
    if labels is None:
        return str(place)
    if place not in labels if isinstance(labels, Mapping) else not 0 <= place < len(labels):
        raise ValidationError("labels", f"labels must name class {place}, got names for {len(labels)} classes")
    return labels[place]


def boxed(
    corners: Sequence[Sequence[float]],
    *,
    model_version: str,
    task: Task,
    labels: Sequence[str],
    confidences: Confidences,
    image_size: Size | None,
    rotations: Sequence[float] | None = None,
) -> Prediction:
    """Return a detection or, with as many as came, a count."""
    kept: list[Box] = []
    turns = rotations or [0.0] * len(corners)
    for index, (sides, label, score, turn) in enumerate(zip(corners, labels, confidences, turns, strict=True)):
        if _is_seen(sides, turn, image_size):
            kept.append(_box(index, sides, label=label, confidence=score, turn=turn))
    count = len(corners) if task is Task.COUNTING else None
    return Prediction(model_version=model_version, task=task, image_size=image_size, boxes=kept, count=count)


def classified(
    probabilities: Sequence[float], *, model_version: str, labels: Sequence[str], image_size: Size | None
) -> Prediction:
    """Return a classification; classes of one name are added up, as ImageNet's two cranes."""
    classes: dict[str, float] = {}
    for label, probability in zip(labels, probabilities, strict=True):
        classes[label] = numbers.within_unit(classes.get(label, 0.0) + probability)
    return Prediction(model_version=model_version, task=Task.CLASSIFICATION, image_size=image_size, classes=classes)


def masks(values: Iterable[Rle | None], *, labels: Sequence[str], confidences: Confidences) -> list[Mask]:
    """Return the masks that hold a pixel."""
    kept: list[Mask] = []
    each = zip(_all("masks", values, size=len(labels)), labels, confidences, strict=True)
    for index, (rle, label, score) in enumerate(each):
        if rle is not None:
            kept.append(_made(Mask, f"masks.{index}", label=label, rle=rle, confidence=score))
    return kept


def outlines(values: Iterable[object], *, labels: Sequence[str], confidences: Confidences) -> list[Polygon]:
    """Return the outlines (n, 2) that enclose something: three points or more."""
    kept: list[Polygon] = []
    each = zip(_all("polygons", values, size=len(labels)), labels, confidences, strict=True)
    for index, (value, label, score) in enumerate(each):
        points = [(x, y) for x, y in numbers.rows("polygons", value, width=2)]
        if len(points) >= 3:
            kept.append(_made(Polygon, f"polygons.{index}", label=label, points=points, confidence=score))
    return kept


def keypoints(
    instances: Sequence[Sequence[Sequence[float]]],
    *,
    labels: Labels | None,
    confidences: Confidences,
    image_size: Size | None,
) -> list[Keypoint]:
    """Return the points (x, y[, confidence]) of all objects, one after the other.

    A point without a confidence has its object's. One at (0, 0), or outside the image, was not found.
    """
    kept: list[Keypoint] = []
    each = zip(_all("keypoints", instances, size=len(confidences)), confidences, strict=True)
    for points, score in each:
        width = len(points[0]) if points else 2
        called = names(range(len(points)), labels)
        for label, (x, y, *own) in zip(called, numbers.rows("keypoints", points, width=width), strict=True):
            if _is_found(x, y, image_size):
                confidence = numbers.within_unit(own[0]) if own else score
                kept.append(_made(Keypoint, f"keypoints.{len(kept)}", label=label, x=x, y=y, confidence=confidence))
    return kept


def mask_rles(values: Iterable[object]) -> Iterator[Rle | None]:
    """Yield the runs of masks (height, width) or (1, height, width): arrays or tensors, boolean or in [0, 1]."""
    for value in values:
        shape = tuple(getattr(value, "shape", ()))
        plane = value[0] if len(shape) == 3 and shape[0] == 1 else value  # type: ignore[index]  # it has a shape
        if len(getattr(plane, "shape", ())) != 2:
            raise ValidationError("masks", f"masks must have the shape (n, height, width), got one of {shape}")
        yield runs.of_array(plane)


def _box(index: int, sides: Sequence[float], *, label: str, confidence: float | None, turn: float) -> Box:
    x_min, y_min, x_max, y_max = sides
    try:
        return Box(
            label=label,
            x_min=x_min,
            y_min=y_min,
            x_max=x_max,
            y_max=y_max,
            confidence=confidence,
            rotation_degrees=turn,
        )
    except ValidationError as error:
        raise _placed(f"boxes.{index}", error) from None


def _all(name: str, values: Iterable[_O], *, size: int) -> list[_O]:
    given = list(values)
    if len(given) != size:
        raise ValidationError(name, f"{name} must be one for each of {size} objects, got {len(given)}")
    return given


def _is_seen(sides: Sequence[float], turn: float, image_size: Size | None) -> bool:
    """Tell whether a box has an area and, where the image's size is known, may have some of it in the image."""
    x_min, y_min, x_max, y_max = sides
    if x_min == x_max or y_min == y_max:
        return False
    if image_size is None:
        return True
    width, height = image_size
    if turn:
        x_min, y_min, x_max, y_max = _around(sides, turn)
    return not (x_max <= 0 or y_max <= 0 or x_min >= width or y_min >= height)


def _around(sides: Sequence[float], turn: float) -> tuple[float, float, float, float]:
    """Return the upright rectangle around a turned one."""
    x_min, y_min, x_max, y_max = sides
    cosine, sine = abs(math.cos(math.radians(turn))) / 2, abs(math.sin(math.radians(turn))) / 2
    width, height = x_max - x_min, y_max - y_min
    half_width, half_height = width * cosine + height * sine, width * sine + height * cosine
    x, y = (x_min + x_max) / 2, (y_min + y_max) / 2
    return x - half_width, y - half_height, x + half_width, y + half_height


def _is_found(x: float, y: float, image_size: Size | None) -> bool:
    if x == y == 0.0:
        return False
    # Written so that a NaN counts as found, and is then refused by name.
    return image_size is None or not (x < 0 or y < 0 or x > image_size[0] or y > image_size[1])


def _made(cls: Callable[..., _O], place: str, **fields: object) -> _O:
    """Build one object; a fault names its place."""
    try:
        return cls(**fields)
    except ValidationError as error:
        raise _placed(place, error) from None


def _placed(place: str, error: ValidationError) -> ValidationError:
    return ValidationError(f"{place}.{error.field}", f"{place}.{error.message}")
