"""How well boxes are found, over many images of unequal weight."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from queue_server.core.model_quality.observed import BoxMatches

Floats = NDArray[np.float64]

_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Precision, recall and F1 over all boxes as the app shows them; None where there is nothing to divide by."""

    precision: float | None
    recall: float | None
    f1: float | None


class Tally:
    """How many boxes of each image found an object, how many found none, and how many objects were missed."""

    def __init__(self, images: Sequence[BoxMatches]) -> None:
        """Count each image's, at an IoU of 0.5."""
        self._hits = np.array([np.count_nonzero(image.hits[0]) for image in images], dtype=np.float64)
        self._boxes = np.array([image.hits.shape[1] for image in images], dtype=np.float64)
        self._truths = np.array([sum(count for _, count in image.truths) for image in images], dtype=np.float64)

    def found(self, weights: Floats) -> Found:
        """Return the figures with a weight for each image.

        >>> Tally([]).found(np.zeros(0))
        Found(precision=None, recall=None, f1=None)
        """
        hits, boxes, truths = (float(weights @ counts) for counts in (self._hits, self._boxes, self._truths))
        return Found(
            precision=hits / boxes if boxes else None,
            recall=hits / truths if truths else None,
            f1=2 * hits / (boxes + truths) if boxes + truths else None,
        )


class Ranking:
    """All images' boxes, the surest first, so that average precision costs little for each new set of weights."""

    def __init__(self, images: Sequence[BoxMatches]) -> None:
        """Sort the boxes of each label that an object has; at equal confidence the earlier image comes first."""
        labels = sorted({label for image in images for label, _ in image.truths})
        self._classes = [_ranked(images, label) for label in labels]

    def average_precision(self, weights: Floats, *, levels: slice = slice(None)) -> Floats | None:
        """Return the mean over labels at each of these IoU thresholds; None: there is no object.

        Interpolated at 101 recalls, as COCO does (Lin et al. 2014).

        >>> Ranking([]).average_precision(np.zeros(0)) is None
        True
        """
        found = [one.at_thresholds(weights, levels) for one in self._classes]
        known = [one for one in found if one is not None]
        return np.mean(known, axis=0) if known else None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Ranked:
    #: the image of each box
    images: NDArray[np.int64]
    hits: NDArray[np.bool_]
    truths: Floats

    def at_thresholds(self, weights: Floats, levels: slice) -> Floats | None:
        objects = float(weights @ self.truths)
        if not objects:
            return None
        each = weights[self.images]
        hits = np.cumsum(self.hits[levels] * each, axis=1)
        precision = hits / (np.cumsum(each) + np.finfo(float).eps)
        # what is reached at a recall may be had at every lower one
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        # Sums of weights miss a whole number by a rounding, where COCO's own are whole and compared as they are.
        slack = 0.0 if np.array_equal(weights, np.floor(weights)) else 1e-12
        found = [_interpolated(hits[level] / objects, envelope[level], slack) for level in range(len(hits))]
        return np.array(found)


def _interpolated(recall: Floats, precision: Floats, slack: float) -> float:
    places = np.searchsorted(recall, _RECALLS - slack, side="left")
    return float(np.append(precision, 0.0)[np.minimum(places, len(precision))].mean())


def _ranked(images: Sequence[BoxMatches], label: str) -> _Ranked:
    places, scores, hits = [], [], []
    for index, image in enumerate(images):
        own = [at for at, name in enumerate(image.labels) if name == label]
        places += [index] * len(own)
        scores += [image.scores[at] if image.scores is not None else 1.0 for at in own]
        hits.append(image.hits[:, own])
    order = np.argsort(-np.array(scores, dtype=np.float64), kind="stable")
    return _Ranked(
        images=np.array(places, dtype=np.int64)[order],
        hits=np.concatenate(hits, axis=1)[:, order],
        truths=np.array([dict(image.truths).get(label, 0) for image in images], dtype=np.float64),
    )
