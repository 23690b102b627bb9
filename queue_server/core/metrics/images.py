"""What an image looks like, in numbers, from reduced copies of it.

The definitions are those of Encord Active 0.1.83 (brightness to blue) and cleanvision 0.3.7 (the scores); both measure
the whole image. Sharpness hangs on the size, so it is measured at a fixed one.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: the longest side of the grey copy on which sharpness is measured
WORKING_SIDE_PX = 192
#: the least longest side of the copy on which light and colour are
COLOUR_SIDE_PX = 128
#: the longest side of the copy on which cleanvision looks for blur
SMALL_SIDE_PX = 64

Pixels = NDArray[np.uint8]
_Floats = NDArray[np.float32]
_Counts = NDArray[np.int64]
#: red, green and blue, each (h, w)
Planes = Sequence[_Floats]

#: OpenCV's hues, of 180, from and to: Encord Active's red, green and blue
_HUES = {"red": (-10, 10), "green": (35, 75), "blue": (90, 130)}
_LEAST_SATURATION, _LEAST_VALUE = 50, 40
#: http://alienryderflex.com/hsp.html
_PERCEIVED = (0.241, 0.691, 0.068)
_STEPS = 16


def image_values(
    pixels: Pixels, grey: Pixels, small_grey: Pixels, *, width: int, height: int, is_grey: bool
) -> dict[str, float]:
    """Return the metrics of an image of this size in pixels, by name, and its `width` and `height`.

    `pixels` is a reduced copy, (h, w, 3) RGB, `grey` one of at most 192 px, (h, w), `small_grey` one of at most 64;
    `is_grey` says that the image has no colour channels.

    >>> white = np.full((4, 4, 3), 255, np.uint8)
    >>> image_values(white, white[:, :, 0], white[:, :, 0], width=8, height=4, is_grey=False)["brightness"]
    1.0
    """
    planes = [np.ascontiguousarray(pixels[:, :, channel]) for channel in range(3)]
    counts = np.array([np.bincount(plane.ravel(), minlength=256) for plane in planes])
    floats = [plane.astype(np.float32) for plane in planes]
    sharpness = laplacian_variance(grey.astype(np.float32))
    mean, deviation = _moments(counts.sum(axis=0))
    found = {
        "width": float(width),
        "height": float(height),
        "area": float(width * height),
        "aspect_ratio": width / height,
        "brightness": mean / 255,
        "contrast": deviation / 255,
        "sharpness": sharpness,
        "blur": 1.0 - sharpness,
        **hue_shares(floats),
        **_light(floats),
        "odd_aspect_score": min(width / height, height / width),
        "low_information_score": min(1.0, 0.1 * entropy_bits(counts[:1] if is_grey else counts)),
        "blurry_score": blurry_score(small_grey),
        "grayscale": float(is_grey),
    }
    return {name: round(value, 6) for name, value in found.items()}


def _weighted(planes: Planes, weights: tuple[float, float, float]) -> _Floats:
    """Return the weighted sum of the channels; a matrix product would start the threads of the linear algebra."""
    red, green, blue = (plane * np.float32(weight) for plane, weight in zip(planes, weights, strict=True))
    return np.asarray(red + green + blue)


def _moments(counts: _Counts) -> tuple[float, float]:
    """Return mean and standard deviation of values of which there are so many of each, from 0."""
    levels = np.arange(counts.size)
    mean = float((counts * levels).sum() / counts.sum())
    return mean, math.sqrt(float((counts * (levels - mean) ** 2).sum() / counts.sum()))


def laplacian_variance(grey: _Floats) -> float:
    """Return the variance of the Laplacian of a grey image of values up to 255; 0 where it has fewer than 3 pixels.

    Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy: a comparative study".

    >>> laplacian_variance(np.zeros((5, 5), np.float32))
    0.0
    """
    if min(grey.shape) < 3:
        return 0.0
    edges = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(edges.var(dtype=np.float64))


def hue_shares(planes: Planes) -> dict[str, float]:
    """Return the shares of pixels that are red, green and blue: by their hue, if they are neither pale nor dark.

    `planes` are red, green and blue, of values up to 255.

    >>> hue_shares([np.full((2, 2), value, np.float32) for value in (200, 0, 0)])
    {'red': 1.0, 'green': 0.0, 'blue': 0.0}
    """
    red, green, blue = planes
    highest = np.maximum(np.maximum(red, green), blue)
    spread = highest - np.minimum(np.minimum(red, green), blue)
    sixths = 4 * spread + red - green
    np.copyto(sixths, 2 * spread + blue - red, where=highest == green)
    np.copyto(sixths, green - blue, where=highest == red)
    # OpenCV's hue is half the degrees, rounded: reds are those from -10 to 10.
    hue = sixths * (30 / np.maximum(spread, 1))
    # Its saturation is 255 × spread ÷ value, rounded.
    is_coloured = (highest >= _LEAST_VALUE) & (spread * 255 >= highest * (_LEAST_SATURATION - 0.5))
    return {
        name: np.count_nonzero(is_coloured & (hue >= start - 0.5) & (hue <= end + 0.5)) / red.size
        for name, (start, end) in _HUES.items()
    }


def _light(planes: Planes) -> dict[str, float]:
    """Return cleanvision's scores of dark and light images: the percentiles that the extremes of light leave.

    Perceived light is counted in 16 steps of each of the 255 levels: to sort it would take four times as long.
    """
    perceived = np.sqrt(_weighted([plane * plane for plane in planes], _PERCEIVED))
    counts = np.bincount(np.rint(perceived * _STEPS).astype(np.int64).ravel())
    dark, bright = (_percentile(counts, share) / (255 * _STEPS) for share in (0.05, 0.99))
    return {"dark_score": min(1.0, bright), "light_score": max(0.0, 1.0 - dark)}


def _percentile(counts: _Counts, share: float) -> float:
    """Return the value below which this share of all lies, between two as numpy has it."""
    upto = np.cumsum(counts)
    place = share * float(upto[-1] - 1)
    low, high = (float(np.searchsorted(upto, index, side="right")) for index in (math.floor(place), math.ceil(place)))
    return low + (high - low) * (place - math.floor(place))


def entropy_bits(counts: _Counts) -> float:
    """Return the entropy of the histograms of all channels (channels, 256) together, in bits, as Pillow has it.

    >>> entropy_bits(np.array([[2, 2, 0, 4]]))
    1.5
    """
    shares = counts[counts > 0] / counts.sum()
    return abs(float((shares * np.log2(shares)).sum()))


def blurry_score(grey: Pixels) -> float:
    """Return cleanvision's score of a grey copy of at most 64 px: blurred below 0.29.

    From the standard deviation of its edges, and that of its histogram where it is much.

    >>> blurry_score(np.zeros((1, 1), np.uint8)) < 1
    True
    """
    edges = 1.0 - math.exp(-0.01 * float(_edges(grey).std()))
    spread = 1.0 - math.exp(-0.01 * float(np.bincount(grey.ravel(), minlength=256).std()))
    return min(1.0, edges + (spread if spread > 0.18 else 0.0))


def _edges(grey: Pixels) -> NDArray[np.float64]:
    """Return what Pillow's FIND_EDGES makes of an image: the border is left as it is."""
    found = grey.astype(np.float64)
    if min(grey.shape) < 3:
        return found
    height, width = grey.shape
    around = sum(found[i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3))
    found[1:-1, 1:-1] = np.clip(9.0 * found[1:-1, 1:-1] - around, 0, 255)
    return found
