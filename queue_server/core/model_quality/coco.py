"""COCO's twelve numbers: how well boxes are found at all, when they are small, and when few may be named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Box
from queue_server.core.model_quality.matching import MOST_BOXES, THRESHOLDS, box_overlaps

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: areas in square pixels, both ends among them
SIZES: Mapping[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
_RECALLS = np.linspace(0.0, 1.0, 101)
_EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True, kw_only=True, slots=True)
class CocoFigures:
    """Average precision and recall as COCO's evaluation prints them, in its order; None: no such object is there."""

    #: over IoU 0.50 to 0.95, at 0.5 and at 0.75
    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    #: recall with at most 1, 10 and 100 boxes of a label in an image
    ar_1: float | None
    ar_10: float | None
    ar_100: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Matched:
    """One label's boxes in one image: the surest first; (thresholds, boxes)."""

    scores: Floats
    hits: Bools
    #: neither right nor wrong: of another size
    ignored: Bools
    truths: int
    #: of the image
    weight: float


def coco_figures(
    images: Sequence[tuple[Sequence[Box], Sequence[Box]]], *, weights: Sequence[float] | None = None
) -> CocoFigures:
    """Return the twelve numbers of images, each (predicted boxes with confidences, true boxes).

    Lin et al. 2014, "Microsoft COCO", as its reference evaluation computes them, without crowds. An image of weight 2
    counts like two; without weights all count alike.

    >>> box = Box(label="pill", x_min=0.0, y_min=0.0, x_max=10.0, y_max=10.0, confidence=0.9)
    >>> found = coco_figures([([box], [box]), ([], [box])])
    >>> round(found.ap, 3), found.ar_1, found.ap_large
    (0.505, 0.5, None)
    """
    counts = [1.0] * len(images) if len(set(weights or ())) < 2 else list(weights or ())
    labels = sorted({box.label for _, true in images for box in true})
    precision: dict[str, list[Floats]] = {size: [] for size in SIZES}
    recall: dict[str, list[Floats]] = {name: [] for name in ("1", "10", *SIZES)}
    for label in labels:
        for size, area in SIZES.items():
            found = [
                _matched(*_of_label(image, label), area, weight) for image, weight in zip(images, counts, strict=True)
            ]
            if not _objects(found):
                continue
            precision[size].append(_precision(found))
            recall[size].append(_recall(found, MOST_BOXES))
            if size == "all":
                recall["1"].append(_recall(found, 1))
                recall["10"].append(_recall(found, 10))
    return CocoFigures(**dict(zip(_NAMES, _means(precision, recall), strict=True)))


_NAMES = tuple(field.name for field in fields(CocoFigures))


def _means(precision: Mapping[str, Sequence[Floats]], recall: Mapping[str, Sequence[Floats]]) -> list[float | None]:
    whole = precision["all"]
    at = [[one[level : level + 1] for one in whole] for level in (THRESHOLDS.index(0.5), 5)]
    ranked = [whole, *at, *(precision[size] for size in ("small", "medium", "large"))]
    ranked += [recall[name] for name in ("1", "10", "all", "small", "medium", "large")]
    return [float(np.mean(found)) if found else None for found in ranked]


def _of_label(image: tuple[Sequence[Box], Sequence[Box]], label: str) -> tuple[list[Box], list[Box]]:
    predicted, true = ([box for box in boxes if box.label == label] for boxes in image)
    return sorted(predicted, key=lambda box: -(box.confidence or 0.0))[:MOST_BOXES], true


def _matched(predicted: Sequence[Box], true: Sequence[Box], area: tuple[float, float], weight: float) -> _Matched:
    outside = np.array([not area[0] <= _area(box) <= area[1] for box in true], dtype=np.bool_)
    found = _found(box_overlaps(predicted, true), outside)
    is_other_size = np.array([not area[0] <= _area(box) <= area[1] for box in predicted], dtype=np.bool_)
    is_found = found >= 0
    is_of_outside = outside[found] & is_found if outside.size else np.zeros(found.shape, dtype=np.bool_)
    return _Matched(
        scores=np.array([box.confidence or 0.0 for box in predicted], dtype=np.float64),
        hits=is_found & ~is_of_outside,
        ignored=is_of_outside | (~is_found & is_other_size),
        truths=int(np.count_nonzero(~outside)),
        weight=weight,
    )


def _area(box: Box) -> float:
    return (box.x_max - box.x_min) * (box.y_max - box.y_min)


def _found(overlaps: Floats, outside: Bools) -> NDArray[np.int64]:
    """Return which object each box found at each threshold, -1 for none; one of another size only where it must be."""
    found = np.full((len(THRESHOLDS), len(overlaps)), -1, dtype=np.int64)
    for level, threshold in enumerate(THRESHOLDS):
        taken: set[int] = set()
        for index, row in enumerate(overlaps):
            free = [(not outside[at], row[at], at) for at in np.flatnonzero(row >= threshold).tolist()]
            free = [one for one in free if one[2] not in taken]
            if free:
                # of equal overlaps COCO's reference takes the last
                found[level, index] = max(free)[2]
                taken.add(int(found[level, index]))
    return found


def _precision(found: Sequence[_Matched]) -> Floats:
    """Return the average precision at each threshold, interpolated at 101 recalls."""
    order = np.argsort(-np.concatenate([one.scores for one in found]), kind="stable")
    hits, ignored = (
        np.concatenate([getattr(one, name) for one in found], axis=1)[:, order] for name in ("hits", "ignored")
    )
    each = np.repeat([one.weight for one in found], [one.scores.size for one in found])[order]
    right = np.cumsum(hits * each, axis=1)
    wrong = np.cumsum((~hits & ~ignored) * each, axis=1)
    recall = right / _objects(found)
    envelope = np.maximum.accumulate((right / (right + wrong + _EPSILON))[:, ::-1], axis=1)[:, ::-1]
    # Sums of weights miss a whole number by a rounding, where COCO's own are whole and compared as they are.
    slack = 0.0 if all(one.weight.is_integer() for one in found) else 1e-12
    places = [np.searchsorted(level, _RECALLS - slack, side="left") for level in recall]
    steps = np.append(envelope, np.zeros((len(envelope), 1)), axis=1)
    return np.array([step[at].mean() for step, at in zip(steps, places, strict=True)])


def _recall(found: Sequence[_Matched], most: int) -> Floats:
    """Return the recall at each threshold where so many boxes of an image count."""
    right = np.sum([one.weight * np.count_nonzero(one.hits[:, :most], axis=1) for one in found], axis=0)
    return np.asarray(right / _objects(found), dtype=np.float64)


def _objects(found: Sequence[_Matched]) -> float:
    return sum(one.weight * one.truths for one in found)
