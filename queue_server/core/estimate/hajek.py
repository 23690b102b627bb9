"""The weighted mean, as it is taught: simple, unbiased, and too sure of itself where few errors were found."""

import math

from queue_server.core.estimate.intervals import LEVEL, Interval, z_of
from queue_server.core.estimate.proportion import Cell


def hajek(cell: Cell, *, level: float = LEVEL) -> Interval | None:
    """Return Σwy/Σw over what was annotated, with Wald's interval from its linearised error; None: nothing was.

    Hájek 1971; Var = Σ w²(1 − π)(y − ȳ)²/(Σw)², Särndal, Swensson and Wretman 1992, 5.7.

    >>> found = hajek(Cell(right=30.0, wrong=10.0, right_squares=270.0, wrong_squares=90.0))
    >>> found.value, round(found.low, 3)
    (0.75, 0.347)
    """
    weight = cell.right + cell.wrong
    if not weight:
        return None
    share = cell.right / weight
    variance = (cell.right_squares * (1 - share) ** 2 + cell.wrong_squares * share**2) / weight**2
    reach = z_of(level) * math.sqrt(variance)
    return Interval(value=share, low=max(0.0, share - reach), high=min(1.0, share + reach))
