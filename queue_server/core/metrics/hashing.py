"""A hash of what an image looks like, that survives re-encoding and scaling."""

import numpy as np
from numpy.typing import NDArray

#: the side of the grey image that is hashed
HASH_SIDE_PX = 32
_HASH_BITS = 8


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
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


def _cosines() -> NDArray[np.float64]:
    """Return the rows of the DCT-II for the lowest frequencies."""
    frequency = np.arange(_HASH_BITS)[:, None]
    place = np.arange(HASH_SIDE_PX)[None, :]
    return np.asarray(np.cos(np.pi * frequency * (2 * place + 1) / (2 * HASH_SIDE_PX)))


_COSINES = _cosines()
