"""Figures over many simulated days, with their intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.labels_saved_bench.days import Floats

T = TypeVar("T")
Figure = Mapping[str, float | None]

#: how many times days are drawn again, with replacement, for an interval
_RESAMPLES = 2000
_NONE: Figure = {"mean": None, "low": None, "high": None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What one policy found in one day."""

    samples: int
    #: how much was wrong that day
    wrong: int
    annotations: int
    found: int
    #: Σ errors/π over the annotations: what the policy's own probabilities say is wrong; None: it has no audit
    estimate: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Learnt:
    """What a model learnt from one day's annotations."""

    labels: int
    accuracy: float
    #: from as many labels, drawn at random
    random_accuracy: float
    #: with importance weights 1/π; None: it has no π to weigh by
    weighted_accuracy: float | None = None


def found_figures(days: Sequence[Tally], disjoint: int) -> Mapping[str, object]:
    """Return what a policy found, with 95 % intervals over the days.

    >>> found_figures([Tally(samples=100, wrong=10, annotations=5, found=4)] * 3, 2)["times_random"]
    {'mean': 8.0, 'low': 8.0, 'high': 8.0}
    """
    samples, wrong, annotations, found = (
        _column(days, read)
        for read in (
            lambda day: day.samples,
            lambda day: day.wrong,
            lambda day: day.annotations,
            lambda day: day.found,
        )
    )
    figures: dict[str, object] = {
        "annotations_per_day": round(float(annotations.mean()), 1),
        "errors_per_100_annotations": ratio(found * 100, annotations, disjoint=disjoint),
        # What random finds on average is the day's own share of errors: no luck of a second draw in the ratio.
        "times_random": ratio(found * samples.sum(), annotations * wrong.sum(), disjoint=disjoint),
        "share_of_errors_found": ratio(found, wrong, disjoint=disjoint),
    }
    if all(day.estimate is not None for day in days):
        figures["estimated_over_true_errors"] = ratio(
            _column(days, lambda day: day.estimate or 0.0), wrong, disjoint=disjoint
        )
    return figures


def learnt_figures(days: Sequence[Learnt], disjoint: int) -> Mapping[str, object]:
    """Return the accuracy after retraining, and how much better it is than with as many random labels.

    >>> learnt_figures([Learnt(labels=5, accuracy=0.75, random_accuracy=0.5)] * 2, 2)["points_over_random"]
    {'mean': 25.0, 'low': 25.0, 'high': 25.0}
    """
    accuracy, random = _column(days, lambda day: day.accuracy), _column(days, lambda day: day.random_accuracy)
    figures: dict[str, object] = {
        "labels": round(float(np.mean([day.labels for day in days])), 1),
        "accuracy": mean(accuracy, disjoint=disjoint),
        "accuracy_of_as_many_random": mean(random, disjoint=disjoint),
        "points_over_random": mean((accuracy - random) * 100, disjoint=disjoint),
        "share_of_days_better": round(float(np.mean(np.sign(accuracy - random) / 2 + 0.5)), 3),
    }
    if all(day.weighted_accuracy is not None for day in days):
        weighted = _column(days, lambda day: day.weighted_accuracy or 0.0)
        figures["weighted_accuracy"] = mean(weighted, disjoint=disjoint)
        figures["weighted_points_over_random"] = mean((weighted - random) * 100, disjoint=disjoint)
    return figures


def _column(days: Sequence[T], read: Callable[[T], float]) -> Floats:
    return np.array([read(day) for day in days], dtype=float)


def mean(values: Floats, *, disjoint: int) -> Figure:
    """Return the mean over the days, with its interval as `ratio` has it.

    >>> mean(np.array([1.0, 1.0]), disjoint=2)["mean"]
    1.0
    """
    return ratio(values, np.ones(len(values)), disjoint=disjoint)


def ratio(over: Floats, under: Floats, *, disjoint: int) -> Figure:
    """Return Σover/Σunder over the days, with a 95 % percentile interval.

    Days share the rows of their table, so many days tell no more than the `disjoint` ones that it has rows for: the
    bootstrap draws that many at a time (m out of n; Bickel, Götze, van Zwet 1997). Else more days would mean a
    narrower interval without end.

    >>> ratio(np.array([1.0]), np.array([0.0]), disjoint=1)["mean"] is None
    True
    """
    if under.sum() == 0:
        return _NONE
    picks = np.random.default_rng(0).integers(len(over), size=(_RESAMPLES, min(disjoint, len(over))))
    unders = under[picks].sum(axis=1)
    again = over[picks].sum(axis=1)[unders > 0] / unders[unders > 0]
    low, high = np.quantile(again, [0.025, 0.975])
    return {"mean": _rounded(over.sum() / under.sum()), "low": _rounded(low), "high": _rounded(high)}


def _rounded(value: float) -> float:
    return round(float(value), 4)
