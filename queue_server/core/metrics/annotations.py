"""What an annotation looks like, in numbers: Encord Active's figures of labels, over the objects of an image."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Box, Mask, Polygon
from queue_server.core import rle
from queue_server.core.annotation import Annotation
from queue_server.core.metrics.coverage import covered_share
from queue_server.core.shapes import area, corners, iou

#: with more objects than these, pairs are not compared
_MOST_PAIRED = 300

#: x_min, y_min, x_max, y_max, in pixels
Bounds = tuple[float, float, float, float]
Shape = Box | Polygon | Mask


def annotation_values(annotation: Annotation | None, *, size: tuple[int, int] | None) -> dict[str, float]:
    """Return the metrics of an annotation by name, without those that cannot be told.

    `size` is that of the stored image, (width, height) in pixels.

    >>> annotation_values(Annotation(), size=(10, 10))["annotated_count"]
    0.0
    """
    if annotation is None:
        return {}
    found: list[Shape] = [*annotation.boxes, *annotation.polygons, *annotation.masks]
    names = {item.label for item in found} | {point.label for point in annotation.keypoints} | set(annotation.labels)
    values = {
        "annotated_count": float(annotation.object_count),
        "annotated_labels": float(len(names)),
        "duplicate_overlap": duplicate_overlap(found),
    }
    if found:
        areas = np.array([object_area(item) for item in found])
        values |= _of_objects(found, areas) | (_in_frame(found, areas, size) if size else {})
    if size:
        outlines: list[Box | Polygon] = [*annotation.boxes, *annotation.polygons]
        values["annotated_density"] = 100.0 * covered_share(outlines, annotation.masks, size=size)
    return {name: round(float(value), 6) for name, value in values.items()}


def _of_objects(found: Sequence[Shape], areas: NDArray[np.float64]) -> dict[str, float]:
    ratios = [(x_max - x_min) / (y_max - y_min) for x_min, y_min, x_max, y_max in map(bounds, found) if y_max > y_min]
    values = {"annotated_area_px": float(areas.mean())}
    return values | ({"annotated_aspect_ratio": sum(ratios) / len(ratios)} if ratios else {})


def _in_frame(found: Sequence[Shape], areas: NDArray[np.float64], size: tuple[int, int]) -> dict[str, float]:
    width, height = size
    shares = 100.0 * areas / (width * height)
    return {
        "annotated_area_percent": float(shares.mean()),
        "smallest_area_percent": float(shares.min()),
        "largest_area_percent": float(shares.max()),
        "border_closeness": max(border_closeness(bounds(item), size) for item in found),
    }


def border_closeness(place: Bounds, size: tuple[int, int]) -> float:
    """Return how near an object comes to the border of an image of `size` (width, height), in [0, 1]; 1: touches it.

    >>> border_closeness((2.0, 2.0, 5.0, 9.0), (10, 10))
    0.9
    """
    x_min, y_min, x_max, y_max = place
    width, height = size
    return min(1.0, max(1 - x_min / width, 1 - y_min / height, x_max / width, y_max / height))


def duplicate_overlap(found: Sequence[Shape]) -> float:
    """Return the highest IoU of two objects of one label and kind; 0 where there are no two.

    >>> box = Box(label="a", x_min=0.0, y_min=0.0, x_max=2.0, y_max=2.0)
    >>> duplicate_overlap([box, box])
    1.0
    """
    if len(found) > _MOST_PAIRED:
        return 0.0
    placed = [(item, bounds(item)) for item in found]
    return max(
        (
            _overlap(one, other)
            for (one, left), (other, right) in combinations(placed, 2)
            if one.label == other.label and _touch(left, right)
        ),
        default=0.0,
    )


def _touch(one: Bounds, other: Bounds) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _overlap(one: Shape, other: Shape) -> float:
    if isinstance(one, Box) and isinstance(other, Box):
        return iou(one, other)
    if isinstance(one, Mask) and isinstance(other, Mask):
        return _mask_iou(one, other)
    if isinstance(one, Polygon) and isinstance(other, Polygon):
        joint = _joint_area(one, other)
        both = object_area(one) + object_area(other)
        # From |A ∪ B|: what the two have in common is counted twice in the sum of their areas.
        return min(1.0, max(0.0, (both - joint) / joint)) if joint > 0 else 0.0
    return 0.0


def _joint_area(one: Polygon, other: Polygon) -> float:
    """Return the area of the union of two outlines, on a raster that holds just them."""
    places = [bounds(one), bounds(other)]
    left, top = min(place[0] for place in places), min(place[1] for place in places)
    size = (
        max(1, int(np.ceil(max(place[2] for place in places) - left))),
        max(1, int(np.ceil(max(place[3] for place in places) - top))),
    )
    moved = [Polygon(label=item.label, points=[(x - left, y - top) for x, y in item.points]) for item in (one, other)]
    return covered_share(moved, (), size=size) * size[0] * size[1]


def _mask_iou(one: Mask, other: Mask) -> float:
    """Return the IoU of two masks of one size by their runs: neither is decoded."""
    if tuple(one.rle.size) != tuple(other.rle.size):
        return 0.0
    edges = [np.cumsum(rle.runs(mask.rle)) for mask in (one, other)]
    ends = np.union1d(*edges)
    lengths = np.diff(ends, prepend=0)
    # A stretch lies in a run of ones where an odd number of edges comes before its end.
    inside = [np.searchsorted(edge, ends, side="left") % 2 == 1 for edge in edges]
    union = int(lengths[inside[0] | inside[1]].sum())
    return int(lengths[inside[0] & inside[1]].sum()) / union if union else 0.0


def object_area(item: Shape) -> float:
    """Return the area of an object in square pixels.

    >>> object_area(Box(label="a", x_min=0.0, y_min=0.0, x_max=2.0, y_max=3.0))
    6.0
    """
    if isinstance(item, Mask):
        return float(rle.runs(item.rle)[1::2].sum())
    return area(corners(item) if isinstance(item, Box) else item.points)


def bounds(item: Shape) -> Bounds:
    """Return the sides of the smallest straight box around an object, in pixels.

    >>> bounds(Polygon(label="a", points=[(0.0, 1.0), (4.0, 1.0), (2.0, 3.0)]))
    (0.0, 1.0, 4.0, 3.0)
    """
    if isinstance(item, Mask):
        return _mask_bounds(item)
    points = corners(item) if isinstance(item, Box) else item.points
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _mask_bounds(mask: Mask) -> Bounds:
    """Return a mask's bounds by its runs, which go down the columns: it is not decoded."""
    height = mask.rle.size[0]
    ends = np.cumsum(rle.runs(mask.rle))
    starts, stops = ends[0::2][: len(ends) // 2], ends[1::2]
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not starts.size:
        return 0.0, 0.0, 0.0, 0.0
    left, right = starts // height, (stops - 1) // height
    is_within_column = left == right
    top = np.where(is_within_column, starts % height, 0)
    bottom = np.where(is_within_column, (stops - 1) % height + 1, height)
    return float(left.min()), float(top.min()), float(right.max() + 1), float(bottom.max())
