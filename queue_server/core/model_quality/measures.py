"""The figures of each task, over samples that count for unequally many."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Task
from queue_server.core.estimate import jackknife, post_stratified
from queue_server.core.model_quality.average_precision import Ranking, Tally
from queue_server.core.model_quality.figures import Confused, Figure, figure_of_interval, figure_of_share
from queue_server.core.model_quality.observed import Judged, Observation
from queue_server.core.model_quality.strata import Stratum, strata

Floats = NDArray[np.float64]
Weighted = Sequence[tuple[Observation, float]]

#: With fewer, streams are no sample of streams: they are all that there are, and their samples are what varies.
FEWEST_STREAMS = 10
_UNIT = (0.0, 1.0)
_ANY = (-math.inf, math.inf)


def measures(observations: Sequence[Observation], found: Sequence[Stratum], task: Task) -> list[Figure]:
    """Return a task's figures; `found` are the strata of the observations.

    Shares are estimated like the accuracy, the rest by a jackknife clustered by subject, else by stream.

    >>> [figure.name for figure in measures([], [], Task.COUNTING)]
    ['exact_count', 'count_within_one', 'count_mean_absolute_error', 'count_bias']
    """
    weighted = [pair for stratum in found for pair in stratum.weights]
    figures: list[Figure] = []
    if task in (Task.COUNTING, Task.DETECTION):
        figures += _count_shares(observations) + _count_errors(weighted)
    if task is Task.DETECTION:
        figures += _boxes(weighted)
    if task is Task.SEGMENTATION:
        figures.append(_mean(weighted, "mask_iou", lambda judged: judged.mask_iou, bounds=_UNIT))
    return figures


def confusion(found: Sequence[Stratum]) -> list[Confused]:
    """Return which labels are taken for which, in all that came; empty where samples have no single label.

    >>> confusion([])
    []
    """
    cells: dict[tuple[str, str], list[float]] = {}
    for one, weight in (pair for stratum in found for pair in stratum.weights):
        judged = one.judged
        if judged is not None and judged.true_label is not None and judged.predicted_label is not None:
            cells.setdefault((judged.true_label, judged.predicted_label), []).append(weight)
    total = sum(map(sum, cells.values()))
    return [
        Confused(true=true, predicted=predicted, share=sum(weights) / total, n=len(weights))
        for (true, predicted), weights in sorted(cells.items())
    ]


def clusters(observations: Sequence[Observation]) -> list[Hashable]:
    """Return what each sample errs together with: its subject, else its stream, else itself.

    >>> clusters([])
    []
    """
    streams = {one.stream for one in observations if one.stream is not None}
    has_streams = len(streams) >= FEWEST_STREAMS
    return [
        ("subject", one.subject)
        if one.subject is not None
        else ("stream", one.stream)
        if has_streams and one.stream is not None
        else ("sample", one.sample_id)
        for one in observations
    ]


def _count_shares(observations: Sequence[Observation]) -> list[Figure]:
    return [
        figure_of_share(name, post_stratified([stratum.cell for stratum in strata(_within(observations, most))]))
        for name, most in (("exact_count", 0), ("count_within_one", 1))
    ]


def _within(observations: Sequence[Observation], most: int) -> list[Observation]:
    """Return the observations with right meaning that the count is not further off; without a count, not judged."""
    return [one if one.judged is None else replace(one, judged=_count_judged(one.judged, most)) for one in observations]


def _count_judged(judged: Judged | None, most: int) -> Judged | None:
    if judged is None or judged.count_error is None:
        return None
    return replace(judged, is_right=abs(judged.count_error) <= most)


def _count_errors(weighted: Weighted) -> list[Figure]:
    def error(judged: Judged) -> float | None:
        return judged.count_error

    def size(judged: Judged) -> float | None:
        return abs(judged.count_error) if judged.count_error is not None else None

    return [
        _mean(weighted, "count_mean_absolute_error", size, bounds=(0.0, math.inf)),
        _mean(weighted, "count_bias", error, bounds=_ANY),
    ]


def _mean(
    weighted: Weighted, name: str, value_of: Callable[[Judged], float | None], *, bounds: tuple[float, float]
) -> Figure:
    known = [(one, weight, value) for one, weight in weighted if (value := _value(one, value_of)) is not None]
    values = np.array([value for _, _, value in known], dtype=np.float64)

    def mean(weights: Floats) -> float | None:
        return float(weights @ values / weights.sum()) if weights.sum() > 0 else None

    return _jackknifed(name, mean, [(one, weight) for one, weight, _ in known], bounds)


def _value(one: Observation, value_of: Callable[[Judged], float | None]) -> float | None:
    return value_of(one.judged) if one.judged is not None else None


def _boxes(weighted: Weighted) -> list[Figure]:
    known = [(one, weight) for one, weight in weighted if one.judged is not None and one.judged.boxes is not None]
    images = [one.judged.boxes for one, _ in known if one.judged is not None and one.judged.boxes is not None]
    tally = Tally(images)
    statistics: dict[str, Callable[[Floats], float | None]] = {
        "precision": lambda weights: tally.found(weights).precision,
        "recall": lambda weights: tally.found(weights).recall,
        "f1": lambda weights: tally.found(weights).f1,
    }
    if all(image.scores is not None for image in images):
        ranking = Ranking(images)
        statistics["ap50"] = lambda weights: _average(ranking, weights, slice(0, 1))
        statistics["ap"] = lambda weights: _average(ranking, weights, slice(None))
    return [_jackknifed(name, statistic, known, _UNIT) for name, statistic in statistics.items()]


def _average(ranking: Ranking, weights: Floats, levels: slice) -> float | None:
    found = ranking.average_precision(weights, levels=levels)
    return float(found.mean()) if found is not None else None


def _jackknifed(
    name: str, statistic: Callable[[Floats], float | None], weighted: Weighted, bounds: tuple[float, float]
) -> Figure:
    weights = np.array([weight for _, weight in weighted], dtype=np.float64)
    value, interval = jackknife(statistic, weights, clusters([one for one, _ in weighted]))
    return figure_of_interval(name, value, interval, n=len(weighted), bounds=bounds)
