"""How much of an image objects cover together: where they overlap counts once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Box, Mask, Polygon
from queue_server.core import rle
from queue_server.core.shapes import XY, corners

#: the longest side of the raster on which outlines are filled
_RASTER_SIDE = 512
#: so many straight boxes are added up exactly; more are filled like outlines
_MOST_EXACT = 100
_Bools = NDArray[np.bool_]


def covered_share(outlines: Sequence[Box | Polygon], masks: Sequence[Mask], *, size: tuple[int, int]) -> float:
    """Return the share in [0, 1] of an image of `size` (width, height) in pixels that objects cover together.

    Straight boxes are added up exactly. Outlines are filled on a raster of at most 512 pixels a side.

    >>> left = Box(label="a", x_min=0.0, y_min=0.0, x_max=5.0, y_max=10.0)
    >>> covered_share([left, left], [], size=(10, 10))
    0.5
    """
    boxes = [item for item in outlines if isinstance(item, Box) and item.rotation_degrees % 180 == 0]
    if len(boxes) == len(outlines) <= _MOST_EXACT and not masks:
        return _union_area(boxes, size) / (size[0] * size[1])
    return float(_filled(outlines, masks, size).mean())


def filled(points: Sequence[XY], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixel centres of an image of `shape` (height, width) lie in an outline (even-odd rule).

    >>> int(filled([(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)], (4, 4)).sum())
    4
    """
    canvas = np.zeros(shape, bool)
    _fill(canvas, points)
    return canvas


def _fill(canvas: _Bools, points: Sequence[XY]) -> None:
    """Set the pixels whose centres lie in an outline, all rows at once: where a row's line crosses it, sides change."""
    xy = np.asarray(points, np.float64)
    x0, y0 = np.roll(xy[:, 0], 1), np.roll(xy[:, 1], 1)
    x1, y1 = xy[:, 0], xy[:, 1]
    limits = (canvas.shape[1], canvas.shape[0])
    left, top = (max(0, int(np.floor(side))) for side in xy.min(axis=0))
    right, bottom = (min(limit, int(np.ceil(side))) for limit, side in zip(limits, xy.max(axis=0), strict=True))
    if left >= right or top >= bottom:
        return
    height, width = bottom - top, right - left
    centres = np.arange(top, bottom)[:, None] + 0.5
    rows, edges = np.nonzero((y0 <= centres) != (y1 <= centres))
    slopes = (x1[edges] - x0[edges]) / (y1[edges] - y0[edges])
    xs = x0[edges] + (rows + top + 0.5 - y0[edges]) * slopes
    columns = np.clip(np.ceil(xs - 0.5) - left, 0, width).astype(np.int64)
    turns = np.bincount(rows * (width + 1) + columns, minlength=height * (width + 1)).reshape(height, width + 1)
    canvas[top:bottom, left:right] |= np.cumsum(turns[:, :width], axis=1) % 2 == 1


def _union_area(boxes: Sequence[Box], size: tuple[int, int]) -> float:
    """Return the area of a union of straight boxes within the image: by the grid of all their sides."""
    if not boxes:
        return 0.0
    sides = np.array([(box.x_min, box.y_min, box.x_max, box.y_max) for box in boxes])
    sides = np.clip(sides, 0.0, (*size, *size))
    xs, ys = np.unique(sides[:, 0::2]), np.unique(sides[:, 1::2])
    is_covered = np.zeros((len(ys) - 1, len(xs) - 1), bool)
    starts = np.searchsorted(xs, sides[:, 0]), np.searchsorted(ys, sides[:, 1])
    ends = np.searchsorted(xs, sides[:, 2]), np.searchsorted(ys, sides[:, 3])
    for left, top, right, bottom in zip(*starts, *ends, strict=True):
        is_covered[top:bottom, left:right] = True
    return float(np.diff(ys) @ is_covered @ np.diff(xs))


def _filled(outlines: Sequence[Box | Polygon], masks: Sequence[Mask], size: tuple[int, int]) -> _Bools:
    scale = min(1.0, _RASTER_SIDE / max(size))
    width, height = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    x_scale, y_scale = width / size[0], height / size[1]
    is_covered = np.zeros((height, width), bool)
    for item in outlines:
        points = corners(item) if isinstance(item, Box) else item.points
        _fill(is_covered, [(x * x_scale, y * y_scale) for x, y in points])
    for mask in masks:
        is_covered |= rle.decode(rle.resized(mask.rle, width=width, height=height))
    return is_covered
