"""How far regions overlap, outlines and masks alike: outlines are filled on a raster."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Mask, Polygon
from queue_server.core import rle
from queue_server.core.metrics.coverage import filled
from queue_server.core.shapes import XY

Region = Mask | Polygon

#: of the raster about outlines: an IoU is right to about a percent, however small they are
_SIDE = 256


def regions_iou(ones: Sequence[Region], others: Sequence[Region]) -> float:
    """Return the IoU of what two sets of regions cover; 0 where one of them is empty or masks have unequal sizes.

    >>> left = Polygon(label="a", points=[(0.0, 0.0), (2.0, 0.0), (2.0, 4.0), (0.0, 4.0)])
    >>> whole = Polygon(label="a", points=[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)])
    >>> regions_iou([left], [whole])
    0.5
    """
    regions = (*ones, *others)
    sizes = {(mask.rle.size[0], mask.rle.size[1]) for mask in regions if isinstance(mask, Mask)}
    if not ones or not others or len(sizes) > 1:
        return 0.0
    outlines = [[one for one in side if isinstance(one, Polygon)] for side in (ones, others)]
    if not sizes and _is_apart(*outlines):
        return 0.0
    grid = _Grid.of_image(sizes.pop()) if sizes else _Grid.about([*outlines[0], *outlines[1]])
    one, other = (np.logical_or.reduce([grid.covered(region) for region in side]) for side in (ones, others))
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 1.0


class _Grid:
    """A raster: of an image that masks are of, or about outlines."""

    def __init__(self, shape: tuple[int, int], corner: XY, scales: XY) -> None:
        self._shape, self._corner, self._scales = shape, corner, scales

    @classmethod
    def of_image(cls, size: tuple[int, int]) -> "_Grid":
        return cls(size, (0.0, 0.0), (1.0, 1.0))

    @classmethod
    def about(cls, outlines: Sequence[Polygon]) -> "_Grid":
        """Return a square raster: stretching all alike changes no share."""
        left, top, right, bottom = _extent(outlines)
        scales = (_SIDE / max(right - left, 1e-9), _SIDE / max(bottom - top, 1e-9))
        return cls((_SIDE, _SIDE), (left, top), scales)

    def covered(self, region: Region) -> NDArray[np.bool_]:
        if isinstance(region, Mask):
            return rle.decode(region.rle)
        (left, top), (wide, high) = self._corner, self._scales
        return filled([((x - left) * wide, (y - top) * high) for x, y in region.points], self._shape)


def _extent(outlines: Sequence[Polygon]) -> tuple[float, float, float, float]:
    xs = [x for outline in outlines for x, _ in outline.points]
    ys = [y for outline in outlines for _, y in outline.points]
    return min(xs), min(ys), max(xs), max(ys)


def _is_apart(ones: Sequence[Polygon], others: Sequence[Polygon]) -> bool:
    """Tell without a raster that outlines have nothing in common: most pairs have not."""
    one, other = _extent(ones), _extent(others)
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
