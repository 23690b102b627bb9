"""Whether two people say the same of a sample, and what most of several say."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeVar

from feedback_sdk.types import Keypoint, Task
from queue_server.core.annotation import Annotation
from queue_server.core.outlines import Region, regions_iou
from queue_server.core.shapes import overlap

#: Objects that overlap so much are the same one.
SAME_OBJECT_IOU = 0.5


class Said(Protocol):
    """What `majority` looks at: one annotator's finished label."""

    @property
    def annotation(self) -> Annotation:
        """Return the label."""


S = TypeVar("S", bound=Said)


def agree(one: Annotation, other: Annotation, *, task: Task) -> bool:
    """Tell whether two annotations say the same: the same classes, the same count, or the same objects.

    Boxes, masks and outlines are the same where they have one label and overlap by half (greedy, the best pairs first);
    points are counted by label.

    >>> agree(Annotation(labels=("cat",)), Annotation(labels=("dog",)), task=Task.CLASSIFICATION)
    False
    """
    if task is Task.CLASSIFICATION:
        return set(one.labels) == set(other.labels)
    if task is Task.COUNTING:
        return one.object_count == other.object_count
    return common_objects(one, other) == _objects(one) == _objects(other)


def common_objects(one: Annotation, other: Annotation) -> int:
    """Return how many objects two annotations have in common, as `agree` sees it.

    >>> common_objects(Annotation(), Annotation())
    0
    """
    return (
        len(overlap(one.boxes, other.boxes, at_least=SAME_OBJECT_IOU))
        + _common_regions(one.masks, other.masks)
        + _common_regions(one.polygons, other.polygons)
        + _common_labels(one.keypoints, other.keypoints)
    )


def majority(said: Sequence[S], *, task: Task) -> S | None:
    """Return the last of those that most agree with; None where no more than half say the same.

    Each annotator is there once, the earliest first. One alone is a majority.

    >>> majority([], task=Task.DETECTION) is None
    True
    """
    if len(said) == 1:
        return said[0]
    backers = [sum(agree(one.annotation, other.annotation, task=task) for other in said) for one in said]
    most = max(backers, default=0)
    if 2 * most <= len(said):
        return None
    return next(one for one, backed in zip(reversed(said), reversed(backers), strict=True) if backed == most)


def _objects(annotation: Annotation) -> int:
    return sum(map(len, (annotation.boxes, annotation.masks, annotation.polygons, annotation.keypoints)))


def _common_labels(ones: Sequence[Keypoint], others: Sequence[Keypoint]) -> int:
    """Return how many of each label both have, summed."""
    return (Counter(one.label for one in ones) & Counter(other.label for other in others)).total()


def _common_regions(ones: Sequence[Region], others: Sequence[Region]) -> int:
    """Match regions of one label greedily, the best pairs first."""
    pairs = sorted(
        (-regions_iou([one], [other]), i, j)
        for i, one in enumerate(ones)
        for j, other in enumerate(others)
        if one.label == other.label
    )
    left, right = set(range(len(ones))), set(range(len(others)))
    for negative, i, j in pairs:
        if -negative >= SAME_OBJECT_IOU and i in left and j in right:
            left.discard(i)
            right.discard(j)
    return len(ones) - len(left)
