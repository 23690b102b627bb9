"""One simulated project: what users say, what is drawn for annotators, and what each estimator makes of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.estimator_bench.streams import Bools, Floats, Random, Stream
from feedback_sdk.types import Verdict
from queue_server.core.estimate import Cell, hajek, post_stratified, wilson
from queue_server.core.model_quality.strata import BANDS, Place, Through, merged

Interval = tuple[float, float]

_LOW = 0.6
#: what users do: object to an error, object to what is right, confirm what is right
_OBJECTS, _OBJECTS_WRONGLY, _CONFIRMS = 0.6, 0.02, 0.1
_VOICES: tuple[Verdict | None, ...] = (None, Verdict.CONFIRMED, Verdict.REJECTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """What was drawn, each with its chance, and what annotators found."""

    stream: Stream
    #: index into `_VOICES`
    voice: NDArray[np.int64]
    chance: Floats
    is_drawn: Bools

    @property
    def truth(self) -> float:
        """Return the accuracy over all that came."""
        return 1.0 - float(self.stream.is_wrong.mean())


Design = Callable[[NDArray[np.int64], Floats, float], Floats]


def sampled(voice: NDArray[np.int64], confidence: Floats, audit: float) -> Floats:
    """Return the chances where rejections are sampled ×8 and low confidence ×4, beside the audit."""
    of_voice = np.where(voice == 2, 7 * audit, 0.0)
    of_confidence = np.where((confidence < _LOW) & (voice == 0), 3 * audit, 0.0)
    return 1.0 - (1.0 - audit) * (1.0 - of_voice) * (1.0 - of_confidence)


def rejections_whole(voice: NDArray[np.int64], confidence: Floats, audit: float) -> Floats:
    """Return the chances where all rejections and all silent low confidence are annotated, beside the audit."""
    return np.where((voice == 2) | ((confidence < _LOW) & (voice == 0)), 1.0, audit)


def simulate(random: Random, stream: Stream, design: Design, *, audit: float) -> Project:
    """Return a project on that stream, of which the draws are independent, as the server's are."""
    number = random.random(len(stream.confidence))
    objects = number < np.where(stream.is_wrong, _OBJECTS, _OBJECTS_WRONGLY)
    confirms = ~objects & ~stream.is_wrong & (random.random(len(number)) < _CONFIRMS)
    voice = np.where(objects, 2, np.where(confirms, 1, 0))
    chance = design(voice, stream.confidence, audit)
    return Project(stream=stream, voice=voice, chance=chance, is_drawn=random.random(len(number)) < chance)


def ours(project: Project) -> Interval:
    """Return the server's interval: its own strata and its own estimator."""
    cells = _cells(project)
    found = post_stratified([Cell.sum_of([cells[place] for place in group]) for group in merged(cells)])
    return found.low, found.high


def hajek_wald(project: Project) -> Interval:
    """Return the weighted mean with its linearised error."""
    found = hajek(Cell.sum_of(list(_cells(project).values())))
    return (found.low, found.high) if found is not None else (0.0, 1.0)


def post_stratified_wald(project: Project) -> Interval:
    """Return the post-stratified mean with a plug-in error: Σ W² p(1 − p)/n."""
    strata = _merged_cells(project)
    total = sum(cell.size for cell in strata)
    value, variance = 0.0, 0.0
    for cell in strata:
        share = cell.right / cell.weight if cell.weight else 0.5
        value += cell.size / total * share
        variance += (cell.size / total) ** 2 * share * (1 - share) / max(cell.effective_n, 1.0)
    return value - 1.96 * math.sqrt(variance), value + 1.96 * math.sqrt(variance)


def one_effective_n(project: Project) -> Interval:
    """Return Wilson's interval at the n that the plug-in error of all strata together stands for."""
    low, high = post_stratified_wald(project)
    value, variance = (low + high) / 2, ((high - low) / 2 / 1.96) ** 2
    return wilson(value, value * (1 - value) / variance) if variance > 0 else (value, value)


def users(project: Project) -> Interval:
    """Return what one believes who counts confirmations among all that users said."""
    confirmed = np.count_nonzero(project.voice == 1)
    said = np.count_nonzero(project.voice)
    return wilson(confirmed / said, said) if said else (0.0, 1.0)


def queue(project: Project) -> Interval:
    """Return what one believes who takes what annotators saw for all."""
    right = ~project.stream.is_wrong[project.is_drawn]
    return wilson(float(right.mean()), right.size) if right.size else (0.0, 1.0)


ESTIMATORS: Mapping[str, Callable[[Project], Interval]] = {
    "ours": ours,
    "hajek, Wald": hajek_wald,
    "post-stratified, Wald": post_stratified_wald,
    "post-stratified, one effective n": one_effective_n,
    "users' feedback": users,
    "queue as it is": queue,
}


def _merged_cells(project: Project) -> list[Cell]:
    cells = _cells(project)
    return [Cell.sum_of([cells[place] for place in group]) for group in merged(cells)]


def _cells(project: Project) -> dict[Place, Cell]:
    bands = len(BANDS) + 1
    band = np.digitize(project.stream.confidence, BANDS)
    is_whole = project.chance >= 1.0
    keys = (project.voice * bands + band) * 2 + is_whole
    count = len(_VOICES) * bands * 2
    weight = np.where(project.is_drawn, 1.0 / project.chance, 0.0)
    square = weight**2 * (1.0 - project.chance)
    right = ~project.stream.is_wrong

    def sums(values: Floats) -> list[float]:
        return np.bincount(keys, weights=values, minlength=count).tolist()  # type: ignore[no-any-return]  # numpy's own

    columns = zip(
        np.bincount(keys, minlength=count).tolist(),
        sums(project.is_drawn.astype(float)),
        *(sums(values) for values in (weight * right, weight * ~right, square * right, square * ~right)),
        strict=True,
    )
    found = {}
    for key, (units, drawn, of_right, of_wrong, right_squares, wrong_squares) in enumerate(columns):
        if units:
            through = Through.WHOLE if key % 2 else Through.RULES
            found[Place(_VOICES[key // 2 // bands], key // 2 % bands, through)] = Cell(
                size=float(units),
                right=of_right,
                wrong=of_wrong,
                right_squares=right_squares,
                wrong_squares=wrong_squares,
                units=units,
                drawn=int(drawn),
                annotated=int(drawn),
            )
    return found
