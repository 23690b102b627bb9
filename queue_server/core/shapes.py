"""Plane figures: corners of rotated boxes, convex clipping, area, overlap.

Points are (x, y) pixels, y downwards; outlines run clockwise as seen on the screen.
"""

import math
from collections.abc import Sequence

from feedback_sdk.types import Box

XY = tuple[float, float]


def turned(point: XY, degrees: float) -> XY:
    """Rotate a point clockwise about the origin.

    >>> turned((1.0, 0.0), 90.0)[1]
    1.0
    """
    angle = math.radians(degrees)
    x, y = point
    return x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)


def corners(box: Box) -> tuple[XY, ...]:
    """Return the four corners of a box after its rotation; the first was the left top one.

    >>> corners(Box(label="a", x_min=0.0, y_min=0.0, x_max=4.0, y_max=2.0))
    ((0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (0.0, 2.0))
    """
    straight = (
        (box.x_min, box.y_min),
        (box.x_max, box.y_min),
        (box.x_max, box.y_max),
        (box.x_min, box.y_max),
    )
    if box.rotation_degrees == 0:
        return straight
    centre_x, centre_y = centre(box)
    spokes = (turned((x - centre_x, y - centre_y), box.rotation_degrees) for x, y in straight)
    return tuple((centre_x + x, centre_y + y) for x, y in spokes)


def centre(box: Box) -> XY:
    """Return the point that a box rotates about.

    >>> centre(Box(label="a", x_min=0.0, y_min=0.0, x_max=4.0, y_max=2.0))
    (2.0, 1.0)
    """
    return (box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2


def clip(points: Sequence[XY], window: Sequence[XY]) -> tuple[XY, ...]:
    """Return the part of an outline within a convex clockwise window; empty where they are apart.

    Sutherland and Hodgman, "Reentrant polygon clipping", 1974. A concave outline may come back with edges that
    run along the window's border.

    >>> clip([(-1.0, 0.0), (1.0, 0.0), (1.0, 1.0)], [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)])
    ((0.0, 0.5), (0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    """
    cut = tuple(points)
    for index, end in enumerate(window):
        cut = _cut(cut, window[index - 1], end)
    return cut


def area(points: Sequence[XY]) -> float:
    """Return the area of an outline in square pixels (the shoelace formula).

    >>> area([(0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (0.0, 2.0)])
    8.0
    """
    doubled = sum(points[i - 1][0] * y - x * points[i - 1][1] for i, (x, y) in enumerate(points))
    return abs(doubled) / 2


def iou(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes, rotated or not, in [0, 1].

    >>> a = Box(label="a", x_min=0.0, y_min=0.0, x_max=2.0, y_max=2.0)
    >>> iou(a, Box(label="a", x_min=1.0, y_min=0.0, x_max=3.0, y_max=2.0))
    0.3333333333333333
    """
    if one.rotation_degrees or other.rotation_degrees:
        common = area(clip(corners(one), corners(other)))
        union = area(corners(one)) + area(corners(other)) - common
        return common / union if union > 0 else 0.0
    width = min(one.x_max, other.x_max) - max(one.x_min, other.x_min)
    height = min(one.y_max, other.y_max) - max(one.y_min, other.y_min)
    common = max(0.0, width) * max(0.0, height)
    union = _upright_area(one) + _upright_area(other) - common
    return common / union if union > 0 else 0.0


def _upright_area(box: Box) -> float:
    return (box.x_max - box.x_min) * (box.y_max - box.y_min)


def overlap(ones: Sequence[Box], others: Sequence[Box], *, at_least: float = 0.5) -> list[float]:
    """Return the IoU of each pair of boxes of one label that belong together, the best pairs first (greedy).

    >>> a = Box(label="a", x_min=0.0, y_min=0.0, x_max=2.0, y_max=2.0)
    >>> overlap([a], [a, a])
    [1.0]
    """
    pairs = sorted(
        (
            (value, i, j)
            for i, one in enumerate(ones)
            for j, other in enumerate(others)
            if one.label == other.label and (value := iou(one, other)) >= at_least
        ),
        key=lambda pair: -pair[0],
    )
    left, right = set(range(len(ones))), set(range(len(others)))
    found = []
    for value, i, j in pairs:
        if i in left and j in right:
            found.append(value)
            left.discard(i)
            right.discard(j)
    return found


def _cut(points: Sequence[XY], start: XY, end: XY) -> tuple[XY, ...]:
    """Keep what lies to the right of the line from `start` to `end`."""
    kept: list[XY] = []
    sides = [_side(point, start, end) for point in points]
    for index, point in enumerate(points):
        before, side = sides[index - 1], sides[index]
        if (before >= 0) != (side >= 0):
            kept.append(_between(points[index - 1], point, before / (before - side)))
        if side >= 0:
            kept.append(point)
    return tuple(kept)


def _side(point: XY, start: XY, end: XY) -> float:
    """Return a number that is positive right of the line, as seen on the screen."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def _between(one: XY, other: XY, share: float) -> XY:
    return one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share
