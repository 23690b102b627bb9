"""Whether a change came at once, as with a new camera, or bit by bit, as with the seasons."""

import math
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from queue_server.core.drift.ordered import Floats

_DAY = 86_400.0
#: into at most so many stretches of equal length the time is cut
_SLICES = 24
_FEWEST_SLICES = 8
_FEWEST_ROWS = 5
#: a change must explain so much more than none, in units of χ²; its three parameters alone explain 3 by chance
_LEAST_GAIN = 20.0


class Pace(StrEnum):
    """How a change came."""

    SUDDEN = "sudden"
    GRADUAL = "gradual"


def pace(captured_at: Floats, scores: Floats) -> Pace | None:
    """Tell a sudden change from a gradual one; None: there is too little to tell, or no change within that time.

    Times are in seconds; over 8 days or more stretches are whole days, for nights differ from days.

    Means over stretches of time are fitted, by least squares, with changes that begin and end anywhere. One that takes
    at most two stretches is sudden: it may have come within one. A longer one must fit better by ln K, Schwarz's
    criterion (1978, "Estimating the dimension of a model"), in units of what no change explains.

    >>> pace(np.arange(240.0), np.tile([0.0, 0.1], 120) + (np.arange(240) > 100))
    <Pace.SUDDEN: 'sudden'>
    """
    means, weights = _sliced(captured_at, scores)
    count = means.size
    if count < _FEWEST_SLICES:
        return None
    losses = {(begin, end): _loss(means, weights, begin, end) for end in range(1, count) for begin in range(end)}
    sudden = min(loss for (begin, end), loss in losses.items() if end - begin <= 2)
    gradual = min(loss for (begin, end), loss in losses.items() if end - begin > 2)
    # Days differ by more than chance: what is left by the best fit tells by how much.
    unit = max(1.0, min(sudden, gradual) / (count - 4))
    flat = float(weights @ (means - np.average(means, weights=weights)) ** 2)
    if (flat - min(sudden, gradual)) / unit < _LEAST_GAIN:
        return None
    return Pace.SUDDEN if (sudden - gradual) / unit <= math.log(count) else Pace.GRADUAL


def _sliced(captured_at: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Return the mean of each stretch of time that has enough rows, and 1 / its variance."""
    is_there = ~np.isnan(scores)
    at, score = captured_at[is_there], scores[is_there]
    if not at.size or at.min() == at.max():
        return np.zeros(0), np.zeros(0)
    span = float(at.max() - at.min())
    length = math.ceil(span / _DAY / _SLICES) * _DAY if span >= _FEWEST_SLICES * _DAY else span / _SLICES
    slices: NDArray[np.int64] = np.minimum((at - at.min()) // length, _SLICES - 1).astype(np.int64)
    counts = np.bincount(slices, minlength=_SLICES).astype(np.float64)
    is_used = counts >= _FEWEST_ROWS
    sums, squares = (np.bincount(slices, weights=score**power, minlength=_SLICES) for power in (1, 2))
    means = sums[is_used] / counts[is_used]
    # One variance for all: within a stretch it is as small as it gets, and some have few rows.
    spread = float((squares[is_used] - counts[is_used] * means**2).sum()) / max(1.0, counts[is_used].sum())
    return means, counts[is_used] / max(spread, 1e-12)


def _loss(means: Floats, weights: Floats, begin: int, end: int) -> float:
    """Return what a change leaves unexplained that is 0 up to the stretch `begin` and whole from `end` on."""
    shape = np.clip((np.arange(means.size) - begin) / (end - begin), 0.0, 1.0)
    off = shape - np.average(shape, weights=weights)
    rest = means - np.average(means, weights=weights)
    height = float(weights @ (off * rest)) / float(weights @ off**2)
    return float(weights @ (rest - height * off) ** 2)
