"""A counting model of the classical kind: real, quick and not always right.

A forest marks the pixels of objects, a watershed splits what touches (`pixels`), and a second forest looks at each
piece: is it a pill, a capsule, or none? It learns that from pieces of photos which the first forest had not seen, so
its probability is an honest confidence.
"""

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import joblib
import numpy as np
from PIL import Image
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression

from examples.pill_counter import pixels
from examples.pill_counter.matching import match
from examples.pill_counter.photos import Photo, open_image
from feedback_sdk import Box, Prediction, Task

#: what a piece can be beside a label: background, or objects that the watershed did not part
_NOTHING, _SEVERAL = "nothing", "several"
_FOLDS = 2
_OF_ANOTHER_VERSION = (AttributeError, ImportError, pickle.UnpicklingError)
_TREES = 60
#: the second look learns from this many photos at most: cutting out takes longest
_MOST_LESSONS = 80


class ModelError(Exception):
    """A model file that cannot be read, or photos that nothing can be learned from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lesson:
    """One photo to learn from, its features worked out once."""

    planes: pixels.Floats
    size: tuple[int, int]
    truth: tuple[Box, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verdict:
    """What a piece was taken for, and the chance that this is right."""

    box: Box | None
    right: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CountingModel:
    """Finds, names and counts the objects on a photo."""

    model_version: str
    labels: tuple[str, ...]
    pixel_forest: ExtraTreesClassifier
    piece_forest: ExtraTreesClassifier
    #: (slope, offset) of the chance that a count is right over how sure the pieces were
    calibration: tuple[float, float]

    @classmethod
    def train(cls, photos: Sequence[Photo], *, model_version: str, seed: int = 0) -> Self:
        """Learn from photos with truth; ModelError when no photo shows an object or none has known truth."""
        lessons = [_lesson(photo) for photo in photos if photo.truth is not None]
        labels = tuple(sorted({box.label for lesson in lessons for box in lesson.truth}))
        if not labels:
            raise ModelError(f"the photos must show at least one labeled object, got {len(lessons)} photos with truth")
        piece_forest, calibration = _second_look(lessons, labels=labels, seed=seed)
        return cls(
            model_version=model_version,
            labels=labels,
            pixel_forest=_pixel_forest(lessons, seed=seed),
            piece_forest=piece_forest,
            calibration=calibration,
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a model that `save` wrote. The file is a pickle: load only what you wrote yourself."""
        try:
            model = joblib.load(path)
        except (OSError, LookupError, EOFError, ValueError, TypeError, *_OF_ANOTHER_VERSION) as error:
            raise ModelError(f"the model file must be one that train wrote, got {path}: {error!r}") from None
        if not isinstance(model, cls):
            raise ModelError(f"the model file must hold a CountingModel, got {type(model).__name__} in {path}")
        return model

    def save(self, path: Path) -> None:
        """Write it to a file."""
        joblib.dump(self, path, compress=3)

    def predict(self, image: Image.Image | bytes) -> Prediction:
        """Return the boxes and their count on an oriented image, or on an image file."""
        opened = open_image(image) if isinstance(image, bytes) else image
        planes = pixels.pixel_features(opened)
        regions = pixels.cut_out(pixels.probability(self.pixel_forest, planes), planes, size=opened.size)
        verdicts = self._judge(regions)
        boxes = tuple(verdict.box for verdict in verdicts if verdict.box is not None)
        return Prediction(
            model_version=self.model_version,
            task=Task.DETECTION,
            image_size=opened.size,
            confidence=self._confidence(verdicts) if boxes else None,
            count=len(boxes),
            boxes=boxes,
        )

    def _judge(self, regions: Sequence[pixels.Region]) -> list[_Verdict]:
        if not regions:
            return []
        chances = self.piece_forest.predict_proba(np.array([region.features for region in regions]))
        kinds = [str(kind) for kind in self.piece_forest.classes_]
        return [
            _verdict(region, dict(zip(kinds, map(float, row), strict=True)), labels=self.labels)
            for region, row in zip(regions, chances, strict=True)
        ]

    def _confidence(self, verdicts: Sequence[_Verdict]) -> float:
        """Return the chance that the count is right: it ranks wrong counts better than the boxes' mean does."""
        slope, offset = self.calibration
        return round(1 / (1 + math.exp(-slope * _doubt(verdicts) - offset)), 4)


def _verdict(region: pixels.Region, chances: dict[str, float], *, labels: Sequence[str]) -> _Verdict:
    """Keep a piece as a box where it is more likely one object than not."""
    real = sum(chances.get(label, 0.0) for label in labels)
    if real < 0.5:
        return _Verdict(box=None, right=chances.get(_NOTHING, 0.0))
    box = Box(
        label=max(labels, key=lambda label: chances.get(label, 0.0)),
        confidence=round(min(real, 1.0), 4),
        x_min=round(region.x_min, 1),
        y_min=round(region.y_min, 1),
        x_max=round(region.x_max, 1),
        y_max=round(region.y_max, 1),
    )
    return _Verdict(box=box, right=real)


def _doubt(verdicts: Sequence[_Verdict]) -> float:
    """Return the logarithm of the chance that no piece was judged wrong, at most 0."""
    return sum(math.log(max(verdict.right, 0.01)) for verdict in verdicts)


def _lesson(photo: Photo) -> _Lesson:
    image = open_image(photo.image_bytes)
    return _Lesson(planes=pixels.pixel_features(image), size=image.size, truth=photo.truth or ())


def _pixel_forest(lessons: Sequence[_Lesson], *, seed: int) -> ExtraTreesClassifier:
    return pixels.train_forest(
        [lesson.planes for lesson in lessons],
        [lesson.truth for lesson in lessons],
        sizes=[lesson.size for lesson in lessons],
        seed=seed,
    )


def _second_look(
    lessons: Sequence[_Lesson], *, labels: Sequence[str], seed: int
) -> tuple[ExtraTreesClassifier, tuple[float, float]]:
    """Learn what pieces are, and how often a count is right.

    1. A pixel forest of each half of the photos cuts out the pieces of the other half, as unseen as in production.
    2. A forest learns what those pieces are; each is judged by the trees that did not see it (out of bag).
    3. A logistic curve sets how sure these verdicts are against how often their counts are right (J. Platt, 1999).
    """
    lessons = lessons[:_MOST_LESSONS]
    pieces = _pieces(lessons, seed=seed)
    kinds = [kind for regions, lesson in zip(pieces, lessons, strict=True) for kind in _kinds(regions, lesson.truth)]
    if not kinds:
        raise ModelError("the photos must show objects that stand out from their background, got none")
    features = np.array([region.features for regions in pieces for region in regions])
    forest = ExtraTreesClassifier(
        _TREES, min_samples_leaf=2, max_features=5, bootstrap=True, oob_score=True, random_state=seed, n_jobs=1
    ).fit(features, np.array(kinds))
    chances = iter(np.nan_to_num(forest.oob_decision_function_))
    doubts, is_right = [], []
    for regions, lesson in zip(pieces, lessons, strict=True):
        rows = [dict(zip(map(str, forest.classes_), map(float, next(chances)), strict=True)) for _ in regions]
        verdicts = [_verdict(region, row, labels=labels) for region, row in zip(regions, rows, strict=True)]
        doubts.append(_doubt(verdicts))
        is_right.append(sum(verdict.box is not None for verdict in verdicts) == len(lesson.truth))
    return forest, _calibrated(doubts, is_right)


def _pieces(lessons: Sequence[_Lesson], *, seed: int) -> list[list[pixels.Region]]:
    """Return the pieces of each photo, cut out by a forest that has not seen it."""
    forests = [
        _pixel_forest([lesson for index, lesson in enumerate(lessons) if index % _FOLDS != fold] or lessons, seed=seed)
        for fold in range(_FOLDS)
    ]
    return [
        pixels.cut_out(pixels.probability(forests[index % _FOLDS], lesson.planes), lesson.planes, size=lesson.size)
        for index, lesson in enumerate(lessons)
    ]


def _calibrated(doubts: Sequence[float], is_right: Sequence[bool]) -> tuple[float, float]:
    if len(set(is_right)) < 2:
        share = (sum(is_right) + 1) / (len(is_right) + 2)
        return 0.0, math.log(share / (1 - share))
    curve = LogisticRegression().fit(np.array(doubts)[:, None], np.array(is_right))
    return max(float(curve.coef_[0, 0]), 0.0), float(curve.intercept_[0])


def _kinds(regions: Sequence[pixels.Region], truth: Sequence[Box]) -> list[str]:
    """Return what each piece truly is."""
    partners = match(regions, truth, at_least=0.5)
    return [
        truth[partners[index]].label if index in partners else _SEVERAL if _holds(region, truth) else _NOTHING
        for index, region in enumerate(regions)
    ]


def _holds(region: pixels.Region, truth: Sequence[Box]) -> bool:
    """Return whether the middle of an object lies in a piece."""
    return any(
        region.x_min < (box.x_min + box.x_max) / 2 < region.x_max
        and region.y_min < (box.y_min + box.y_max) / 2 < region.y_max
        for box in truth
    )
