"""The part of each region that lies inside its image: what a file of objects says of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from feedback_sdk.types import Box, Mask, Polygon
from queue_server.core import rle
from queue_server.core.datasets.items import Item
from queue_server.core.shapes import XY, area, clip, corners

#: x_min, y_min, x_max, y_max
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Visible:
    """A box, polygon or mask as it lies in its image."""

    region: Box | Polygon | Mask
    #: in order; none for a mask
    outline: tuple[XY, ...]
    bounds: Bounds
    #: in square pixels; a rotated box counts with its bounds, as a detector's answer does
    area: float


def visible_regions(item: Item) -> Iterator[Visible]:
    """Yield the boxes, polygons and masks of an item that have a part inside the image.

    What has none (a mask without pixels, a box beyond the edge) shows nothing, and trainers stop at it.
    """
    width, height = float(item.width), float(item.height)
    window = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    outlined: tuple[Box | Polygon, ...] = (*item.annotation.boxes, *item.annotation.polygons)
    for region in outlined:
        points = corners(region) if isinstance(region, Box) else region.points
        outline = clip(points, window)
        bounds = _bounds(outline)
        if _size(bounds) > 0:
            region_area = _size(bounds) if isinstance(region, Box) else area(outline)
            yield Visible(region=region, outline=outline, bounds=bounds, area=region_area)
    for mask in item.annotation.masks:
        pixels = rle.decode(mask.rle)
        if pixels.any():
            yield Visible(region=mask, outline=(), bounds=_pixel_bounds(pixels), area=float(pixels.sum()))


def _bounds(points: Sequence[XY]) -> Bounds:
    xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
    return min(xs), min(ys), max(xs), max(ys)


def _size(bounds: Bounds) -> float:
    x_min, y_min, x_max, y_max = bounds
    return (x_max - x_min) * (y_max - y_min)


def _pixel_bounds(pixels: rle.Bools) -> Bounds:
    """Return the bounds of what is set; a pixel reaches from its index to the next."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1]) + 1, float(rows[-1]) + 1
