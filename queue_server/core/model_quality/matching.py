"""Which predicted box found which object: COCO's greedy matching at each IoU threshold."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Box
from queue_server.core.model_quality.observed import BoxMatches
from queue_server.core.shapes import iou

#: 0.50, 0.55, … 0.95
THRESHOLDS: tuple[float, ...] = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))
#: of one label in one image; what is less sure is left out, as COCO does
MOST_BOXES = 100


def match_boxes(predicted: Sequence[Box], true: Sequence[Box]) -> BoxMatches:
    """Match an image's predicted boxes with its objects: of one label, the surest box first, each object once.

    Lin et al. 2014, "Microsoft COCO", as its reference evaluation does it (all areas, no crowds).

    >>> box = Box(label="pill", x_min=0.0, y_min=0.0, x_max=10.0, y_max=10.0, confidence=0.9)
    >>> match_boxes([box, box], [box]).hits[0].tolist()
    [True, False]
    """
    labels: list[str] = []
    scores: list[float | None] = []
    hits: list[NDArray[np.bool_]] = []
    for label in sorted({box.label for box in predicted}):
        surest = sorted((box for box in predicted if box.label == label), key=lambda box: -_score(box))[:MOST_BOXES]
        labels += [label] * len(surest)
        scores += [box.confidence for box in surest]
        hits.append(_hits(surest, [box for box in true if box.label == label]))
    return BoxMatches(
        labels=tuple(labels),
        scores=tuple(map(_known, scores)) if None not in scores else None,
        hits=np.concatenate(hits, axis=1) if hits else np.zeros((len(THRESHOLDS), 0), dtype=np.bool_),
        truths=tuple(sorted(Counter(box.label for box in true).items())),
    )


def _known(score: float | None) -> float:
    assert score is not None
    return score


def _score(box: Box) -> float:
    return box.confidence if box.confidence is not None else 1.0


def _hits(predicted: Sequence[Box], true: Sequence[Box]) -> NDArray[np.bool_]:
    found = np.zeros((len(THRESHOLDS), len(predicted)), dtype=np.bool_)
    overlaps = box_overlaps(predicted, true)
    # Few boxes overlap by half: looking at these alone makes ten thresholds cheap.
    near = [[(at, row[at]) for at in np.flatnonzero(row >= THRESHOLDS[0]).tolist()] for row in overlaps]
    if not _is_contested(near):
        best = np.array([candidates[0][1] if candidates else 0.0 for candidates in near])
        return np.array(best >= np.array(THRESHOLDS)[:, None])
    for level, threshold in enumerate(THRESHOLDS):
        taken: set[int] = set()
        for index, candidates in enumerate(near):
            # of equal overlaps COCO's reference takes the last
            free = [(value, at) for at, value in candidates if value >= threshold and at not in taken]
            if free:
                taken.add(max(free)[1])
                found[level, index] = True
    return found


def _is_contested(near: Sequence[Sequence[tuple[int, float]]]) -> bool:
    """Tell whether a box could find two objects, or an object be found twice: then their order decides."""
    found = [at for candidates in near for at, _ in candidates]
    return len(set(found)) < len(found) or any(len(candidates) > 1 for candidates in near)


def box_overlaps(predicted: Sequence[Box], true: Sequence[Box]) -> NDArray[np.float64]:
    """Return the IoU of each pair, of shape (predicted, true).

    >>> box_overlaps([], []).shape
    (0, 0)
    """
    if not predicted or not true:
        return np.zeros((len(predicted), len(true)))
    if any(box.rotation_degrees for box in (*predicted, *true)):
        return np.array([[iou(one, other) for other in true] for one in predicted])
    ones, others = _corners(predicted)[:, None, :], _corners(true)[None, :, :]
    sides = np.minimum(ones[..., 2:], others[..., 2:]) - np.maximum(ones[..., :2], others[..., :2])
    common = np.clip(sides, 0.0, None).prod(axis=-1)
    areas = [(both[..., 2:] - both[..., :2]).prod(axis=-1) for both in (ones, others)]
    found: NDArray[np.float64] = common / np.maximum(areas[0] + areas[1] - common, np.finfo(float).tiny)
    return found


def _corners(boxes: Sequence[Box]) -> NDArray[np.float64]:
    return np.array([(box.x_min, box.y_min, box.x_max, box.y_max) for box in boxes], dtype=np.float64)
