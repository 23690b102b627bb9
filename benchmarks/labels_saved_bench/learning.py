"""Retrain a model on what was annotated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.labels_saved_bench.days import Examples, Floats, Ints, Lesson

#: how sure one is beforehand that the stored outputs are read as they stand: the prior's precision
_PRIOR = 1.0
#: of the digits' learner: larger trusts the labels more
_DIGITS_C = 10.0


class Model(Protocol):
    """What was learnt."""

    def score(self, inputs: Floats, labels: Ints, /) -> float:
        """Return the accuracy."""


#: (examples, their weights) -> what is learnt of them
Learner = Callable[[Examples, Floats], Model]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """Log-probabilities times a scale, plus a bias, for each class."""

    scales: Floats
    biases: Floats

    def score(self, inputs: Floats, labels: Ints, /) -> float:
        """Return the accuracy."""
        return float(((inputs * self.scales + self.biases).argmax(axis=1) == labels).mean())


def fit_scaling(examples: Examples, weights: Floats) -> Scaling:
    """Learn how to read a model's outputs: vector scaling.

    It begins at the outputs as they stand, and a normal prior keeps it near them. Guo et al. 2017, "On calibration of
    modern neural networks".

    >>> nothing = Examples(inputs=np.zeros((0, 2)), labels=np.zeros(0, dtype=np.int64))
    >>> fit_scaling(nothing, np.zeros(0)).scales.tolist()
    [1.0, 1.0]
    """
    from scipy.optimize import minimize

    classes = examples.inputs.shape[1]
    truth = np.eye(classes)[examples.labels]

    def loss(theta: Floats) -> tuple[float, Floats]:
        scales, biases = theta[:classes], theta[classes:]
        logits = examples.inputs * scales + biases
        logits = logits - logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        off = (np.exp(logs) - truth) * weights[:, None]
        prior = np.concatenate([scales - 1.0, biases])
        slope = np.concatenate([(off * examples.inputs).sum(axis=0), off.sum(axis=0)])
        value = -float((logs * truth).sum(axis=1) @ weights) + 0.5 * _PRIOR * float(prior @ prior)
        return value, slope + _PRIOR * prior

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    theta = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return Scaling(scales=theta[:classes], biases=theta[classes:])


class Classifier(Model, Protocol):
    """A fitted scikit-learn classifier."""

    classes_: Ints

    def predict_proba(self, inputs: Floats, /) -> Floats:
        """Return the classes' probabilities, a row for each input."""


def fit_pixels(examples: Examples, weights: Floats) -> Classifier:
    """Learn digits from their pixels: a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model: Classifier = LogisticRegression(C=_DIGITS_C, max_iter=2000).fit(
        examples.inputs, examples.labels, sample_weight=weights
    )
    return model


def accuracy(lesson: Lesson, learner: Learner, rows: Ints, *, weights: Floats | None = None) -> float:
    """Return the accuracy on the test part of what is learnt from what was known and these rows of the day.

    With `weights` (1/π) the rows count by these, scaled to a mean of 1: a row counts as much as one that was known.
    """
    examples = Examples(
        inputs=np.concatenate([lesson.known.inputs, lesson.offered.inputs[rows]]),
        labels=np.concatenate([lesson.known.labels, lesson.offered.labels[rows]]),
    )
    new = np.ones(len(rows)) if weights is None or len(rows) == 0 else weights / weights.mean()
    model = learner(examples, np.concatenate([np.ones(len(lesson.known.labels)), new]))
    return float(model.score(lesson.test.inputs, lesson.test.labels))
