"""What a model's confidences are worth."""

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from feedback_sdk.types import Task
from queue_server.core.model_quality import version_quality
from queue_server.core.model_quality.calibration import calibration_curve, expected_accuracy, isotonic
from tests.core.test_model_quality import many
from tests.real_files import real_files


@pytest.mark.parametrize("seed", range(5))
def test_isotonic_curve_is_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    confidences = random.random(400).round(2)
    is_right = (random.random(400) < confidences).astype(float)
    weights = random.uniform(1, 100, 400)
    asked = random.random(50)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(confidences, is_right, sample_weight=weights)
    assert isotonic(confidences, is_right, weights).calibrated(asked) == pytest.approx(theirs.predict(asked))


def drawn(random: np.random.Generator, count: int, *, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return confidences of a model that is too sure of itself, and whether it is right."""
    confidences = np.clip(random.beta(8, 2, count) - shift, 0.0, 1.0)
    return confidences, (random.random(count) < confidences**2).astype(float)


def test_expected_accuracy_needs_no_label_of_what_came() -> None:
    random = np.random.default_rng(1)
    curve = isotonic(*drawn(random, 20_000), np.ones(20_000))
    confidences, is_right = drawn(random, 20_000, shift=0.1)
    assert expected_accuracy(curve, confidences, np.ones(20_000)) == pytest.approx(is_right.mean(), abs=0.01)


def test_biased_annotations_calibrate_by_their_weights() -> None:
    random = np.random.default_rng(1)
    confidences, is_right = drawn(random, 50_000)
    chance = np.where(is_right, 0.1, 0.5)
    seen = random.random(50_000) < chance
    curve = isotonic(confidences[seen], is_right[seen], 1 / chance[seen])
    assert expected_accuracy(curve, confidences, np.ones(50_000)) == pytest.approx(is_right.mean(), abs=0.02)


def test_curve_shows_a_model_that_is_too_sure() -> None:
    confidences, is_right = drawn(np.random.default_rng(1), 20_000)
    found = calibration_curve(confidences, is_right, np.ones(20_000))
    assert sum(one.n for one in found) == 20_000
    middle = [one for one in found if 0.5 <= one.confidence <= 0.9]
    assert all(one.low <= one.accuracy <= one.high < one.confidence for one in middle)


@pytest.mark.parametrize(("annotated", "is_known"), [(29, False), (30, True)])
def test_expected_accuracy_needs_some_annotations(annotated: int, is_known: bool) -> None:
    found = version_quality(many(annotated) + many(100, chance=0.1, drawn=False), task=Task.CLASSIFICATION)
    assert (found.expected_accuracy is not None) == is_known


def test_nothing_is_expected_of_a_version_whose_data_drifted() -> None:
    samples = many(50) + many(100, chance=0.1, drawn=False)
    calm, drifted = (version_quality(samples, task=Task.CLASSIFICATION, is_drifted=is_so) for is_so in (False, True))
    assert (drifted.expected_accuracy, drifted.is_expectation_suspended) == (None, True)
    assert not calm.is_expectation_suspended
    assert calm.expectation_error == pytest.approx(calm.expected_accuracy - calm.accuracy.value)


def test_expected_accuracy_is_for_classification() -> None:
    assert version_quality(many(50), task=Task.DETECTION).expected_accuracy is None


#: NannyML's published estimates for its car-loan set, by chunks of 5000
CAR_LOAN = [0.941792, 0.943321, 0.945492, 0.944816, 0.944645, 0.910714, 0.911149, 0.911193, 0.914389, 0.911731]


def columns(file: Path, *names: str) -> list[np.ndarray]:
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    return [np.array([float(row[name]) for row in rows]) for name in names]


def test_expected_accuracy_is_the_one_that_nannyml_publishes() -> None:
    folder = real_files("car_loan")
    names = ("y_pred_proba", "y_pred")
    chance, _, true = columns(folder / "synthetic_car_loan_reference.csv", *names, "repaid")
    curve = isotonic(chance, true, np.ones_like(true))
    asked, answered = columns(folder / "synthetic_car_loan_analysis.csv", *names)
    # its confidence is that of the positive class
    is_right = np.where(answered == 1, curve.calibrated(asked), 1 - curve.calibrated(asked))
    assert is_right.reshape(10, 5000).mean(axis=1) == pytest.approx(CAR_LOAN, abs=1e-5)
