"""All that is known of one model version in production."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Task, Verdict
from queue_server.core.estimate import Cell, Share, hajek, more_for, post_stratified
from queue_server.core.model_quality.calibration import (
    FEWEST_ANNOTATED,
    calibration_curve,
    expected_accuracy,
    isotonic,
    known_arrays,
)
from queue_server.core.model_quality.figures import CalibrationBin, Confused, Figure, UserFigure, figure_of_share
from queue_server.core.model_quality.measures import confusion, measures
from queue_server.core.model_quality.observed import Observation
from queue_server.core.model_quality.strata import Stratum, Through, strata

#: half-widths for which a report says how many more annotations they need
HALF_WIDTHS = (0.05, 0.02, 0.01)


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    """How many more annotations, drawn as those before, make the accuracy known so well."""

    half_width: float
    #: None: more of the same would not do, since some strata can never be drawn, or tasks stay unfinished
    annotations: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionQuality:
    """How good a model version is, over all that came in production."""

    model_version: str
    samples: int
    #: frames of production that the samples stand for
    stands_for: float
    annotated: int
    #: drawn, and nobody has finished them: the interval allows them to be all wrong, or all right
    unfinished: int
    #: the part of production of which no rule could have drawn any, and nobody looked
    unreachable: float
    #: the share of predictions that an annotator leaves as they are
    accuracy: Figure
    #: the same by the weighted mean alone, whose interval is too short where few errors were found
    hajek: Figure
    #: of what annotators happened to see, unweighted
    queue: Figure
    users: UserFigure
    #: how often the model is wrong where users object, and right where they confirm
    objections_right: Figure
    confirmations_right: Figure
    #: of the task
    figures: list[Figure]
    confusion: list[Confused]
    calibration: list[CalibrationBin]
    #: by calibrated confidences alone, for classification: an estimate that stands on no label of what came
    expected_accuracy: float | None
    #: what came is not like what was annotated any more: no such estimate is made until it is
    is_expectation_suspended: bool
    #: how far the estimate lies above the accuracy that annotators found
    expectation_error: float | None
    needed: list[Needed]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Came:
    """How sure the model was of each sample with a confidence, and how many frames that stands for."""

    confidences: NDArray[np.float64]
    sizes: NDArray[np.float64]


def version_quality(
    observations: Sequence[Observation], *, task: Task, came: Came | None = None, is_drifted: bool = False
) -> VersionQuality:
    """Return how good one model version is; there is at least one sample.

    The accuracy is post-stratified by verdict and confidence; see `core.estimate.post_stratified`. `came` is to be
    given where several samples are one observation: their confidences are lost in it. Nothing is
    expected of a version whose data `is_drifted`: calibrated confidences hold for data like what was annotated.
    """
    found = strata(observations)
    cells = [stratum.cell for stratum in found]
    share = post_stratified(cells)
    total = Cell.sum_of(cells)
    expects = task is Task.CLASSIFICATION and not is_drifted
    expected = _expected(came or _came(observations), found) if expects else None
    return VersionQuality(
        model_version=observations[0].model_version,
        samples=sum(one.count for one in observations),
        stands_for=total.size,
        annotated=share.annotated,
        unfinished=share.unfinished,
        unreachable=_unreachable(found) / total.size,
        accuracy=figure_of_share("accuracy", share),
        hajek=_hajek(found),
        queue=_queue(observations),
        users=_users(observations, share),
        objections_right=_opposite(_of_voices(observations, (Verdict.REJECTED, Verdict.CORRECTED))),
        confirmations_right=figure_of_share("confirmations_right", _of_voices(observations, (Verdict.CONFIRMED,))),
        figures=measures(observations, found, task),
        confusion=confusion(found) if task is Task.CLASSIFICATION else [],
        calibration=calibration_curve(*known_arrays(_known(found))),
        expected_accuracy=expected,
        is_expectation_suspended=task is Task.CLASSIFICATION and is_drifted,
        expectation_error=expected - share.value if expected is not None and share.value is not None else None,
        needed=[Needed(half_width=one, annotations=more_for(cells, half_width=one)) for one in HALF_WIDTHS],
    )


def _unreachable(found: Sequence[Stratum]) -> float:
    return sum(stratum.cell.size for stratum in found if stratum.through is Through.UNREACHABLE)


def _hajek(found: Sequence[Stratum]) -> Figure:
    cell = Cell.sum_of([stratum.cell for stratum in found])
    interval = hajek(cell)
    if interval is None:
        return Figure(name="hajek", value=None, low=None, high=None, n=0)
    return Figure(name="hajek", value=interval.value, low=interval.low, high=interval.high, n=cell.annotated)


def _queue(observations: Sequence[Observation]) -> Figure:
    seen = [one.judged.is_right for one in observations if one.judged is not None]
    return Figure(name="queue", value=sum(seen) / len(seen) if seen else None, low=None, high=None, n=len(seen))


def _users(observations: Sequence[Observation], share: Share) -> UserFigure:
    said = sum(one.count for one in observations if one.verdict is not None)
    confirmed = sum(one.count for one in observations if one.verdict is Verdict.CONFIRMED)
    value = confirmed / said if said else None
    is_known = value is not None and share.value is not None
    return UserFigure(
        value=value,
        n=said,
        response_rate=said / sum(one.count for one in observations),
        bias=value - share.value if is_known and value is not None and share.value is not None else None,
        bias_low=value - share.high if is_known and value is not None else None,
        bias_high=value - share.low if is_known and value is not None else None,
    )


def _of_voices(observations: Sequence[Observation], verdicts: Sequence[Verdict]) -> Share:
    return post_stratified(
        [stratum.cell for stratum in strata([one for one in observations if one.verdict in verdicts])]
    )


def _opposite(share: Share) -> Figure:
    """Return how often the model was wrong: then who objected was right."""
    return Figure(
        name="objections_right",
        value=1 - share.value if share.value is not None else None,
        low=1 - share.high,
        high=1 - share.low,
        n=share.annotated,
    )


def _known(found: Sequence[Stratum]) -> list[tuple[float, bool, float]]:
    return [
        (one.confidence, one.judged.is_right, weight)
        for stratum in found
        for one, weight in stratum.weights
        if one.confidence is not None and one.judged is not None
    ]


def _came(observations: Sequence[Observation]) -> Came:
    pairs = [(one.confidence, one.size) for one in observations if one.confidence is not None]
    confidences, sizes = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return Came(confidences=confidences, sizes=sizes)


def _expected(came: Came, found: Sequence[Stratum]) -> float | None:
    known = _known(found)
    if len(known) < FEWEST_ANNOTATED or not came.sizes.size:
        return None
    return expected_accuracy(isotonic(*known_arrays(known)), came.confidences, came.sizes)
