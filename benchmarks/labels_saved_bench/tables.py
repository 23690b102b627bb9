"""Tables of real models' outputs: softmax tables in a folder, and the digits that come with scikit-learn."""

import functools
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.labels_saved_bench.days import Company, Day, Examples, Floats, Ints, Lesson, Parts, split
from benchmarks.labels_saved_bench.detections import find_detections
from benchmarks.labels_saved_bench.learning import fit_pixels, fit_scaling
from benchmarks.labels_saved_bench.metadata_tables import find_metadata_tables
from benchmarks.labels_saved_bench.source import Source
from feedback_sdk.types import Prediction, Task
from queue_server.images import check_image

DIGITS = "digits"
#: labelled digits that the deployed model was trained on: few enough for it to err on one in ten
_SEED_DIGITS = 100
#: below it a softmax rounded to 16 bits says nothing
_LEAST_PROBABILITY = 1e-4


def find_sources(folder: Path | None) -> Mapping[str, Source]:
    """Return every source by name: `*.npz` and `*.csv` tables and detections below the folder, and the digits."""
    found: dict[str, Source] = {}
    if folder is not None:
        for file in sorted(folder.rglob("*.npz")):
            with np.load(file) as arrays:
                if {"probs", "label"} <= set(arrays.files):
                    name = file.stem.removesuffix("_test_set")
                    found[name] = _softmax(arrays["probs"].astype(np.float64), arrays["label"].astype(np.int64))
        found |= {**find_metadata_tables(folder), **find_detections(folder)}
    return found | {DIGITS: _digits()}


def _softmax(probabilities: Floats, labels: Ints) -> Source:
    names = _class_names(probabilities)
    errors = (probabilities.argmax(axis=1) != labels).astype(np.int64)
    alone = Company()
    inputs = np.log(np.clip(probabilities, _LEAST_PROBABILITY, 1.0))

    @functools.cache  # a row comes again on other days
    def predicted(row: int) -> Prediction:
        return _prediction(probabilities[row], names, "table")

    def draw(seed: int) -> Day:
        parts = split(len(labels), seed=seed)
        return Day(
            yesterday=[predicted(row) for row in parts.yesterday.tolist()],
            today=[predicted(row) for row in parts.today.tolist()],
            shadows=(),
            errors=errors[parts.today],
            is_wrong=errors[parts.today] > 0,
            yesterday_errors=errors[parts.yesterday],
            yesterday_company=[alone] * len(parts.yesterday),
            company=[alone] * len(parts.today),
            lesson=_lesson(inputs, labels, parts),
        )

    return Source(
        rows=len(labels),
        about=f"{len(labels)} stored softmax outputs over {probabilities.shape[1]} classes, with labels",
        is_classification=True,
        budget_share=0.05,
        draw=draw,
        learner_about="a scale and a bias for each class of the stored outputs: it can mend how these are read, not "
        "what the model saw, so little is to be gained, whatever is annotated",
        learner=fit_scaling,
    )


def _digits() -> Source:
    from sklearn.datasets import load_digits

    inputs, labels = load_digits(return_X_y=True)
    inputs = inputs / 16.0
    company = [_looks(row) for row in inputs]

    def draw(seed: int) -> Day:
        parts = split(len(labels), seed=seed, known=_SEED_DIGITS)
        known, today = Examples(inputs=inputs[parts.known], labels=labels[parts.known]), parts.today
        model = fit_pixels(known, np.ones(len(known.labels)))
        past, probabilities = (model.predict_proba(inputs[rows]) for rows in (parts.yesterday, today))
        past_errors, errors = (
            (model.classes_[found.argmax(axis=1)] != labels[rows]).astype(np.int64)
            for found, rows in ((past, parts.yesterday), (probabilities, today))
        )
        return Day(
            yesterday=_predictions(past, "v1"),
            today=_predictions(probabilities, "v1"),
            shadows=_shadow_predictions(known, inputs[today]),
            errors=errors,
            is_wrong=errors > 0,
            yesterday_errors=past_errors,
            yesterday_company=[company[row] for row in parts.yesterday],
            company=[company[row] for row in today],
            lesson=_lesson(inputs, labels, parts),
        )

    return Source(
        rows=len(labels),
        about=f"{len(labels)} images of scikit-learn's digits; the model learnt from {_SEED_DIGITS} of them",
        is_classification=True,
        budget_share=0.05,
        draw=draw,
        learner_about="logistic regression on the pixels, fitted again with the new labels: a real retraining",
        learner=fit_pixels,
        has_shadows=True,
    )


def _looks(pixels: Floats) -> Company:
    """Return what the server would measure on a digit of 8×8 grey pixels in [0, 1]."""
    file = io.BytesIO()
    Image.fromarray((pixels.reshape(8, 8) * 255).astype(np.uint8)).save(file, "PNG")
    image = check_image(file.getvalue(), max_pixels=64)
    return Company(quality=image.quality, perceptual_hash=image.perceptual_hash)


def _shadow_predictions(known: Examples, inputs: Floats) -> list[Prediction]:
    """Return what another kind of model, trained on the same images, says."""
    from sklearn.neighbors import KNeighborsClassifier

    shadow = KNeighborsClassifier(n_neighbors=3).fit(known.inputs, known.labels)
    return _predictions(shadow.predict_proba(inputs), "shadow")


def _predictions(probabilities: Floats, model_version: str) -> list[Prediction]:
    names = _class_names(probabilities)
    return [_prediction(row, names, model_version) for row in probabilities]


def _class_names(probabilities: Floats) -> list[str]:
    return [str(index) for index in range(probabilities.shape[1])]


def _prediction(row: Floats, names: list[str], model_version: str) -> Prediction:
    classes = dict(zip(names, np.clip(row, 0.0, 1.0).tolist(), strict=True))
    return Prediction(model_version=model_version, task=Task.CLASSIFICATION, classes=classes)


def _lesson(inputs: Floats, labels: Ints, parts: Parts) -> Lesson:
    known, offered, test = (
        Examples(inputs=inputs[rows], labels=labels[rows]) for rows in (parts.known, parts.today, parts.test)
    )
    return Lesson(known=known, offered=offered, test=test)
