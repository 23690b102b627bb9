"""What an image looks like, in numbers: its quality by metric, and a hash that survives re-encoding and scaling."""

import numpy as np
from numpy.typing import NDArray

#: the longest side at which sharpness is measured: it hangs on the size
WORKING_SIDE_PX = 256
#: the side of the grey image that is hashed
HASH_SIDE_PX = 32
_HASH_BITS = 8

Pixels = NDArray[np.uint8]


def quality(pixels: Pixels, *, width: int, height: int) -> dict[str, float]:
    """Return the metrics of an image of this size in pixels; `pixels` is a reduced copy, (h, w, 3) RGB.

    brightness and contrast: mean and standard deviation of luminance, in [0, 1]; sharpness: variance of the Laplacian
    of luminance in [0, 255] (Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy").

    >>> quality(np.full((4, 4, 3), 255, np.uint8), width=8, height=4)["brightness"]
    1.0
    """
    grey = _luminance(pixels)
    return {
        "brightness": round(float(grey.mean()) / 255, 6),
        "contrast": round(float(grey.std()) / 255, 6),
        "sharpness": round(_laplacian_variance(grey), 4),
        "width": float(width),
        "height": float(height),
        "area": float(width * height),
        "aspect_ratio": round(width / height, 6),
    }


def perceptual_hash(grey: Pixels) -> int:
    """Return 64 bits of a DCT hash of a grey image of (32, 32) pixels, as a signed number that databases hold.

    Zauner 2010, "Implementation and benchmarking of perceptual image hash functions": the signs of the 8×8 lowest
    frequencies about their median.

    >>> perceptual_hash(np.zeros((32, 32), np.uint8))
    0
    """
    if grey.shape != (HASH_SIDE_PX, HASH_SIDE_PX):
        raise ValueError(f"grey must be of shape ({HASH_SIDE_PX}, {HASH_SIDE_PX}), got {grey.shape}")
    spectrum = _COSINES @ grey.astype(np.float64) @ _COSINES.T
    bits = (spectrum > np.median(spectrum)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), signed=True)


def distance_bits(one: int, other: int) -> int:
    """Return in how many of 64 bits two hashes differ.

    >>> distance_bits(-1, 0)
    64
    """
    return ((one ^ other) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()


def _luminance(pixels: Pixels) -> NDArray[np.float64]:
    return np.asarray(pixels @ np.array([0.299, 0.587, 0.114]))


def _laplacian_variance(grey: NDArray[np.float64]) -> float:
    if min(grey.shape) < 3:
        return 0.0
    middle = grey[1:-1, 1:-1]
    edges = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((edges - 4 * middle).var())


def _cosines() -> NDArray[np.float64]:
    """Return the rows of the DCT-II for the lowest frequencies."""
    frequency = np.arange(_HASH_BITS)[:, None]
    place = np.arange(HASH_SIDE_PX)[None, :]
    return np.asarray(np.cos(np.pi * frequency * (2 * place + 1) / (2 * HASH_SIDE_PX)))


_COSINES = _cosines()
