"""Weights for labels that were chosen one after another by a score, each from those that were left."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def lure_weights(chances: Sequence[float], *, size: int) -> NDArray[np.float64]:
    """Return the weight of each chosen sample, in the order of choosing; their weighted mean is unbiased.

    `chances` holds q_m, the chance with which the m-th was taken among the N − m + 1 that were left of `size`; v_m =
    1 + (N − M)/(N − m) · (1/((N − m + 1) q_m) − 1), and 1 for the last of all. Farquhar, Gal and Rainforth 2021, "On
    statistical bias in active learning: how and when to fix it", equation 11.

    Where choices are uniform, every weight is 1:

    >>> lure_weights([1 / 4, 1 / 3], size=4).tolist()
    [1.0, 1.0]
    >>> lure_weights([0.5, 1 / 3], size=4).round(3).tolist()
    [0.667, 1.0]
    """
    q = np.array(chances, dtype=np.float64)
    m = np.arange(1, q.size + 1, dtype=np.float64)
    left = np.maximum(size - m, 1.0)  # after the last none is left, and (N − M) is 0
    found: NDArray[np.float64] = 1.0 + (size - q.size) / left * (1.0 / ((size - m + 1.0) * q) - 1.0)
    return found
