"""How many more annotations an answer needs."""

import math
from collections.abc import Sequence
from dataclasses import replace

from queue_server.core.estimate.intervals import LEVEL, Interval
from queue_server.core.estimate.proportion import Cell, post_stratified

#: no project annotates so many times more than it did
_MOST_TIMES = 1e6


def more_for(cells: Sequence[Cell], *, half_width: float, level: float = LEVEL) -> int | None:
    """Return how many more annotations, drawn as those before, would make the interval as narrow as ± that.

    Each stratum's effective n grows alike and shows what it showed, by bisection; what was annotated whole costs
    nothing more. None: no number would, since tasks stay unfinished, or strata can never be drawn.

    >>> more_for([Cell(size=5000.0, right=4500.0, wrong=500.0, right_squares=450000.0, annotated=50)], half_width=0.03)
    299
    """

    def is_enough(times: float) -> bool:
        found = post_stratified([_grown(cell, times) for cell in cells], level=level)
        return found.high - found.low <= 2 * half_width

    if is_enough(1.0):
        return 0
    if not is_enough(_MOST_TIMES):
        return None
    fewest, most = 1.0, _MOST_TIMES
    for _ in range(60):
        middle = math.sqrt(fewest * most)
        fewest, most = (fewest, middle) if is_enough(middle) else (middle, most)
    return math.ceil((most - 1) * sum(cell.annotated for cell in cells if cell.squares > 0))


def _grown(cell: Cell, times: float) -> Cell:
    return replace(
        cell,
        right_squares=cell.right_squares / times,
        wrong_squares=cell.wrong_squares / times,
        open_squares=cell.open_squares / times,
    )


def more_to_settle(
    found: Interval, *, reach_of_first: float, n_of_first: int, reach_of_second: float, is_both: bool = False
) -> int | None:
    """Return how many more annotations would settle whether a difference is one, if it is as large as it looks.

    Only the first (the version that is in use) can get more, unless `is_both`; reaches are how far the interval of each
    goes towards the other. None: no number of them would.

    >>> found = Interval(value=0.02, low=-0.01, high=0.05)
    >>> more_to_settle(found, reach_of_first=0.025, n_of_first=100, reach_of_second=0.015)
    258
    """
    if found.low > 0 or found.high < 0:
        return 0
    towards = found.value - found.low if found.value > 0 else found.high - found.value
    if not found.value or not n_of_first:
        return None
    if is_both:
        return math.ceil(n_of_first * ((towards / found.value) ** 2 - 1))
    room = found.value**2 - reach_of_second**2
    return math.ceil(n_of_first * (reach_of_first**2 / room - 1)) if room > 0 else None
