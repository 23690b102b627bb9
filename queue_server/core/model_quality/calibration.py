"""Whether a model that says 0.9 is right nine times in ten, and what its confidences say where nobody looked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from queue_server.core.estimate import wilson
from queue_server.core.model_quality.figures import CalibrationBin

Floats = NDArray[np.float64]

_BINS = 10
#: with fewer annotations a calibration says nothing
FEWEST_ANNOTATED = 30


def calibration_curve(confidences: Floats, is_right: Floats, weights: Floats) -> list[CalibrationBin]:
    """Return how often a model is right, by how sure it is, in ten bins of equal width; empty ones are left out.

    Each bin's interval is Wilson's at Kish's effective n.

    >>> calibration_curve(np.zeros(0), np.zeros(0), np.zeros(0))
    []
    """
    places = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    found = []
    for place in np.unique(places).tolist():
        own = places == place
        total = float(weights[own].sum())
        accuracy = float(weights[own] @ is_right[own] / total)
        low, high = wilson(accuracy, total**2 / float((weights[own] ** 2).sum()))
        found.append(
            CalibrationBin(
                confidence_from=place / _BINS,
                confidence_to=(place + 1) / _BINS,
                confidence=float(weights[own] @ confidences[own] / total),
                accuracy=accuracy,
                low=low,
                high=high,
                n=int(own.sum()),
            )
        )
    return found


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Calibrator:
    """What a confidence is worth: a rising curve through what annotators found."""

    confidences: Floats
    shares: Floats

    def calibrated(self, confidences: Floats) -> Floats:
        """Return the chance of being right for each confidence, in a straight line between those that were seen.

        >>> isotonic(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.ones(2)).calibrated(np.array([0.5])).tolist()
        [0.5]
        """
        found: Floats = np.interp(confidences, self.confidences, self.shares)
        return found


def isotonic(confidences: Floats, is_right: Floats, weights: Floats) -> Calibrator:
    """Return the rising curve that lies nearest to weighted observations, at least one.

    Pool adjacent violators: Ayer et al. 1955; for calibration Zadrozny and Elkan 2002.

    >>> isotonic(np.array([0.1, 0.2, 0.3]), np.array([1.0, 0.0, 1.0]), np.ones(3)).shares.tolist()
    [0.5, 0.5, 1.0]
    """
    places, inverse = np.unique(confidences, return_inverse=True)
    totals = np.bincount(inverse, weights=weights)
    means = np.bincount(inverse, weights=weights * is_right) / totals
    blocks: list[tuple[float, float, int]] = []
    for mean, total in zip(means.tolist(), totals.tolist(), strict=True):
        block = (mean, total, 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            both = before[1] + block[1]
            block = ((before[0] * before[1] + block[0] * block[1]) / both, both, before[2] + block[2])
        blocks.append(block)
    shares = np.repeat([mean for mean, _, _ in blocks], [length for _, _, length in blocks])
    return Calibrator(confidences=places, shares=shares)


def expected_accuracy(calibrator: Calibrator, confidences: Floats, sizes: Floats) -> float:
    """Return how often the model is right in what came, by its calibrated confidences alone.

    CBPE: NannyML, "Confidence-based performance estimation". It holds while what comes is like what was annotated: it
    does not see a model that errs more at the same confidence.

    >>> curve = isotonic(np.array([0.5, 1.0]), np.array([0.5, 1.0]), np.ones(2))
    >>> expected_accuracy(curve, np.array([0.5, 1.0, 1.0]), np.array([2.0, 1.0, 1.0]))
    0.75
    """
    return float(calibrator.calibrated(confidences) @ sizes / sizes.sum())


def known_arrays(pairs: Sequence[tuple[float, bool, float]]) -> tuple[Floats, Floats, Floats]:
    """Return (confidence, is right, weight) of each as arrays.

    >>> [array.tolist() for array in known_arrays([(0.5, True, 2.0)])]
    [[0.5], [1.0], [2.0]]
    """
    found = np.array(pairs, dtype=np.float64).reshape(-1, 3)
    return found[:, 0], found[:, 1], found[:, 2]
