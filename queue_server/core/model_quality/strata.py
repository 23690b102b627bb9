"""Which samples count together: by what users said, by the model's confidence, and by how they could be drawn."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from feedback_sdk.types import Verdict
from queue_server.core.estimate import Cell, collapse
from queue_server.core.model_quality.observed import Draw, Observation

#: upper ends of the bands of confidence, below 1; few, for each stratum costs width where its draws show no error
BANDS = (0.6, 0.8)
#: a chance that rounding alone keeps from being certain
ALMOST_SURE = 1 - 1e-9


class Through(StrEnum):
    """By which draws a stratum is estimated."""

    #: all of its samples were to be annotated
    WHOLE = "whole"
    #: by every rule that could have drawn them
    RULES = "rules"
    #: by the audit alone: more of it is finished
    AUDIT = "audit"
    #: no rule could have drawn these, and somebody looked all the same: each stands for itself
    ALONE = "alone"
    #: no rule could have drawn these, and nobody looked: they may all be wrong, or all right
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stratum:
    """Samples that count together."""

    #: such as "silent, confidence below 0.6"; several that were merged are joined by " + "
    name: str
    through: Through
    cell: Cell
    #: what each annotated sample counts for, in frames of production
    weights: tuple[tuple[Observation, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    name: str
    through: Through
    cell: Cell
    drawn: tuple[tuple[Observation, float], ...]


def strata(observations: Sequence[Observation]) -> list[Stratum]:
    """Return the strata of one model version's samples: verdict × confidence, sparse ones merged with a neighbour.

    Those that were to be annotated with certainty stand apart, as do those that no rule could draw. Objections are
    never merged with the rest: they err far more often. Which draws count is chosen for each stratum by how many of
    them are finished, never by what was found.

    >>> strata([])
    []
    """
    cells: dict[Place, list[Observation]] = {}
    for one in observations:
        cells.setdefault(Place(_voice(one), band(one.confidence), _reach(one)), []).append(one)
    parts = {place: _part(place, found) for place, found in cells.items()}
    groups = merged({place: part.cell for place, part in parts.items()})
    return sorted((_stratum([parts[place] for place in group]) for group in groups), key=lambda stratum: stratum.name)


class Place(NamedTuple):
    """What samples of one stratum have in common before any are merged."""

    #: rejected stands for every objection
    voice: Verdict | None
    #: 0: below the first end of `BANDS`; -1: without a confidence
    band: int
    through: Through


def merged(cells: Mapping[Place, Cell]) -> list[list[Place]]:
    """Return which of these are to be one stratum; what chance had no part in stays as it is.

    >>> merged({Place(None, 0, Through.WHOLE): Cell(units=1, drawn=1, right=1.0)})
    [[Place(voice=None, band=0, through=<Through.WHOLE: 'whole'>)]]
    """
    sampled = [place for place, cell in cells.items() if cell.squares > 0 or (not cell.drawn and not cell.open)]
    made = [[place] for place in cells if place not in sampled]
    for chain in _CHAINS:
        line = [place for pair in chain for kind in _SAMPLED if (place := Place(*pair, kind)) in sampled]
        made += [[line[index] for index in group] for group in collapse([cells[place] for place in line])]
    return made


_VOICES = {Verdict.REJECTED: "objected", Verdict.CONFIRMED: "confirmed", None: "silent"}
#: bands as they lie: without a confidence, then the low ones
_PLACES = range(-1, len(BANDS) + 1)
#: neighbours in a line; who confirms stands beside the silent whom the model is sure of
_CHAINS = (
    [(Verdict.REJECTED, place) for place in _PLACES],
    [*((None, place) for place in _PLACES), *((Verdict.CONFIRMED, place) for place in reversed(_PLACES))],
)
#: what was to be annotated with certainty and hangs on unfinished work may count through the audit too
_SAMPLED = (Through.WHOLE, Through.RULES)


def _voice(one: Observation) -> Verdict | None:
    return Verdict.REJECTED if one.verdict is Verdict.CORRECTED else one.verdict


def band(confidence: float | None) -> int:
    """Return in which band a confidence lies.

    >>> band(None), band(0.1), band(0.99)
    (-1, 0, 2)
    """
    return -1 if confidence is None else sum(confidence >= end for end in BANDS)


def _reach(one: Observation) -> Through:
    chance = one.counting.probability
    if chance <= 0:
        return Through.UNREACHABLE if one.judged is None else Through.ALONE
    return Through.WHOLE if chance * one.capture_probability >= ALMOST_SURE else Through.RULES


def _part(place: Place, found: Sequence[Observation]) -> _Part:
    reach = place.through
    name = f"{_VOICES[place.voice]}, {_band_name(place.band)}"
    if reach in (Through.ALONE, Through.UNREACHABLE):
        drawn = tuple((one, one.size) for one in found) if reach is Through.ALONE else ()
        return _Part(name=f"{name}, {reach}", through=reach, cell=_add(map(_unreached, found)), drawn=drawn)
    if reach is Through.WHOLE:
        name += ", all"
    own = _view(name, reach, found, [one.counting for one in found])
    if not own.cell.open:
        return own
    audit = _view(f"{name}, audit", Through.AUDIT, found, [one.audit for one in found])
    return audit if _expected_width(audit.cell) < _expected_width(own.cell) else own


def _band_name(place: int) -> str:
    if place < 0:
        return "no confidence"
    if place == 0:
        return f"confidence below {BANDS[0]}"
    return f"confidence from {BANDS[place - 1]}" + (f" to {BANDS[place]}" if place < len(BANDS) else "")


def _view(name: str, through: Through, found: Sequence[Observation], draws: Sequence[Draw]) -> _Part:
    pairs = list(zip(found, draws, strict=True))
    drawn = tuple((one, one.size / draw.probability) for one, draw in pairs if draw.is_drawn and one.judged is not None)
    left = [one for one, draw in pairs if _is_left(one, draw)]
    taken = [(one, draw) for one, draw in pairs if not _is_left(one, draw)]
    return _Part(name=name, through=through, cell=Cell.sum_of([_taken(taken), _left(left)]), drawn=drawn)


def _is_left(one: Observation, draw: Draw) -> bool:
    """Tell whether chance passed over a sample."""
    return not draw.is_drawn and draw.probability * one.capture_probability < ALMOST_SURE


def _left(found: Sequence[Observation]) -> Cell:
    """Return what nobody looked at: most of a stream, so it is summed without a cell for each."""
    return Cell(
        size=sum([one.count * one.size for one in found]),
        units=sum([one.count for one in found]),
        size_squares=sum([one.count * one.size**2 * (1 - one.capture_probability) for one in found]),
    )


def _add(cells: Iterable[Cell]) -> Cell:
    return Cell.sum_of(tuple(cells))


def _taken(pairs: Iterable[tuple[Observation, Draw]]) -> Cell:
    """Return samples that were drawn; one that was to be drawn for certain and was not is an unfinished one.

    Summed without a cell for each: a report looks at every one of them several times.
    """
    weights = {"right": 0.0, "wrong": 0.0, "open": 0.0}
    squares = dict(weights)
    size = size_squares = 0.0
    units = annotated = 0
    for one, draw in pairs:
        count, own = one.count, one.size
        what = "open" if one.judged is None or not draw.is_drawn else "right" if one.judged.is_right else "wrong"
        chance = draw.probability * one.capture_probability
        weight = own / draw.probability
        weights[what] += count * weight
        squares[what] += count * weight**2 * (1 - chance) if chance < ALMOST_SURE else 0.0
        size += count * own
        size_squares += count * own**2 * (1 - one.capture_probability)
        units += count
        annotated += count if what != "open" else 0
    return Cell(
        size=size,
        units=units,
        drawn=units,
        annotated=annotated,
        size_squares=size_squares,
        **weights,
        **{f"{what}_squares": found for what, found in squares.items()},
    )


def _unreached(one: Observation) -> Cell:
    if one.judged is None:
        return Cell(size=one.count * one.size, units=one.count, open=one.count * one.size)
    what = "right" if one.judged.is_right else "wrong"
    return Cell(size=one.size, units=1, drawn=1, annotated=1, **{what: one.size})


def _expected_width(cell: Cell) -> float:
    """Return about how wide an interval will be, before anybody knows what was found."""
    n = cell.effective_n
    return min(1.0, (cell.open / cell.weight if cell.weight else 1.0) + math.sqrt(2 / max(n, 1e-9)))


def _stratum(parts: Sequence[_Part]) -> Stratum:
    cell = _add(part.cell for part in parts)
    found = [pair for part in parts for pair in part.drawn]
    total = sum(weight for _, weight in found)
    through = parts[0].through
    scale = cell.size / total if total else 1.0
    return Stratum(
        name=" + ".join(part.name for part in parts),
        through=through if len({part.through for part in parts}) == 1 else Through.RULES,
        cell=cell,
        weights=tuple((one, weight * scale) for one, weight in found),
    )
