"""What the frames of one stream say of each other: objects that one frame lacks, and labels that change."""

from collections.abc import Sequence

from queue_server.core.metrics.annotations import Bounds

#: so much overlap is the same object, in the next frame but one
MISSING_IOU = 0.5
#: and this much the same object at the same place
SAME_PLACE_IOU = 0.8

#: an object of a frame: its label and its bounds
Placed = tuple[str, Bounds]


def missing_objects(before: Sequence[Placed], frame: Sequence[Placed], after: Sequence[Placed]) -> int:
    """Return how many objects the frames before and after have in common that the one between lacks (Encord Active).

    >>> pill = ("pill", (0.0, 0.0, 2.0, 2.0))
    >>> missing_objects([pill], [], [pill])
    1
    """
    stays = [one for one in before if _has(after, one)]
    return sum(not _has(frame, one) for one in stays)


def inconsistent_labels(before: Sequence[Placed], frame: Sequence[Placed]) -> int:
    """Return how many objects lie where the frame before has one of another label, and none of theirs (Encord Active).

    >>> place = (0.0, 0.0, 2.0, 2.0)
    >>> inconsistent_labels([("pill", place)], [("capsule", place)])
    1
    """
    return sum(_is_renamed(before, one) for one in frame)


def _is_renamed(before: Sequence[Placed], one: Placed) -> bool:
    there = {label for label, place in before if bounds_iou(place, one[1]) >= SAME_PLACE_IOU}
    return bool(there) and one[0] not in there


def _has(frame: Sequence[Placed], one: Placed) -> bool:
    return any(label == one[0] and bounds_iou(place, one[1]) >= MISSING_IOU for label, place in frame)


def bounds_iou(one: Bounds, other: Bounds) -> float:
    """Return the intersection over union of two straight boxes.

    >>> bounds_iou((0.0, 0.0, 2.0, 2.0), (1.0, 0.0, 3.0, 2.0))
    0.3333333333333333
    """
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    both = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return common / (both - common)
