# mypy: allow-untyped-calls
# scikit-image says that it is typed, but most of its functions are not.
"""A real photograph with a truth that is easily found: scikit-image's `coins`."""

import io

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import data, filters, measure, segmentation

from feedback_sdk import Box

_COINS = 24
_SMALLEST_PX = 100


def coins_png() -> bytes:
    """Return the photo as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(data.coins()).save(file, "PNG")
    return file.getvalue()


def coin_boxes() -> tuple[Box, ...]:
    """Find the coins: flood the edge strength from what is surely dark and surely bright, then drop specks.

    It is the way scikit-image's own example takes; it must find the 24 coins that a person counts.
    """
    grey = data.coins()
    markers = np.where(grey < 30, 1, np.where(grey > 150, 2, 0))
    flooded = segmentation.watershed(filters.sobel(grey), markers)
    regions = measure.regionprops(measure.label(ndimage.binary_fill_holes(flooded == 2)))
    boxes = [region.bbox for region in regions if region.area >= _SMALLEST_PX]
    assert len(boxes) == _COINS, f"the segmentation must find {_COINS} coins, got {len(boxes)}"
    return tuple(
        Box(label="pill", x_min=float(x_min), y_min=float(y_min), x_max=float(x_max), y_max=float(y_max))
        for y_min, x_min, y_max, x_max in boxes
    )
