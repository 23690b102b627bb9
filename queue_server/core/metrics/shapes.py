"""Hu's moments: what an outline's shape is, wherever it lies, however large and however turned."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Box, Mask, Polygon
from queue_server.core import rle
from queue_server.core.metrics.coverage import filled
from queue_server.core.shapes import corners

Moments = NDArray[np.float64]

#: the longest side of the raster on which a shape is measured
_RASTER_SIDE = 64
#: how much of what was seen before stays, at each outline
_DECAY = 0.5
#: with fewer of a label, no shape is told from the others
_LEAST_SHAPES = 3


def hu_moments(mask: NDArray[np.bool_]) -> Moments:
    """Return the seven invariants of a shape, as −sign(h)·log₁₀|h|; 0 where one vanishes.

    Hu 1962, "Visual pattern recognition by moment invariants".

    >>> hu_moments(np.ones((8, 8), bool)).round(3).tolist()[:2]
    [0.778, 0.0]
    """
    y, x = np.nonzero(mask)
    if not x.size:
        return np.zeros(7)
    # Each pixel is a square: its own spread is that of a uniform one.
    dx, dy = x - x.mean(), y - y.mean()

    def eta(p: int, q: int) -> float:
        own = x.size / 12.0 if (p, q) in ((2, 0), (0, 2)) else 0.0
        return (float((dx**p * dy**q).sum()) + own) / math.pow(x.size, 1 + (p + q) / 2)

    invariants = _invariants(eta(2, 0), eta(0, 2), eta(1, 1), (eta(3, 0), eta(2, 1), eta(1, 2), eta(0, 3)))
    is_there = np.abs(invariants) > 1e-12
    logs = np.log10(np.abs(invariants), out=np.zeros(7), where=is_there)
    return np.asarray(0.0 - np.sign(invariants) * logs * is_there)


def _invariants(n20: float, n02: float, n11: float, third: tuple[float, float, float, float]) -> Moments:
    n30, n21, n12, n03 = third
    a, b, c, d = n30 + n12, n21 + n03, n30 - 3 * n12, 3 * n21 - n03
    return np.array(
        [
            n20 + n02,
            (n20 - n02) ** 2 + 4 * n11**2,
            c**2 + d**2,
            a**2 + b**2,
            c * a * (a**2 - 3 * b**2) + d * b * (3 * a**2 - b**2),
            (n20 - n02) * (a**2 - b**2) + 4 * n11 * a * b,
            d * a * (a**2 - 3 * b**2) - c * b * (3 * a**2 - b**2),
        ]
    )


def moments_of(item: Box | Polygon | Mask) -> Moments:
    """Return the moments of an object, filled on a raster of its own of 64 pixels a side.

    >>> moments_of(Box(label="a", x_min=0.0, y_min=0.0, x_max=9.0, y_max=9.0)).round(2).tolist()[0]
    0.78
    """
    if isinstance(item, Mask):
        height, width = item.rle.size
        scale = min(1.0, 8 * _RASTER_SIDE / max(width, height))
        reduced = rle.resized(item.rle, width=max(1, round(width * scale)), height=max(1, round(height * scale)))
        return hu_moments(rle.decode(reduced))
    points = np.asarray(corners(item) if isinstance(item, Box) else item.points, np.float64)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    scale = _RASTER_SIDE / max(float(extent.max()), 1e-9)
    width, height = (max(1, round(float(side) * scale)) for side in extent)
    return hu_moments(filled([(float(x), float(y)) for x, y in (points - low) * scale], (height, width)))


def shape_closeness(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each of a label's shapes (n, 7) the 1 ÷ distance of its standardised moments to their mean.

    An odd shape is near 0 (Encord Active). NaN where there are fewer than three.

    >>> shape_closeness(np.zeros((1, 7))).tolist()
    [nan]
    """
    if len(moments) < _LEAST_SHAPES:
        return np.full(len(moments), np.nan)
    spread = moments.std(axis=0)
    standard = (moments - moments.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    # One that is the mean itself is as close as can be told.
    return np.asarray(1.0 / np.maximum(np.linalg.norm(standard, axis=1), 1e-3))


def polygon_similarities(moments: Sequence[Moments]) -> list[float]:
    """Return for each outline of a label, in the order in which they came, how like those before it is.

    The cosine of its moments to a mean of which half stays at each step (Encord Active); 1 for the first.

    >>> polygon_similarities([np.arange(7.0), np.arange(7.0)])
    [1.0, 1.0]
    """
    found: list[float] = []
    mean: Moments | None = None
    for one in moments:
        if mean is None:
            found.append(1.0)
            mean = one
            continue
        norms = float(np.linalg.norm(mean) * np.linalg.norm(one))
        found.append(round(float(mean @ one) / norms, 6) if norms > 0 else 0.0)
        mean = _DECAY * mean + (1 - _DECAY) * one
    return found
