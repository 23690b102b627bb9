"""A share of all that came, from the few that were drawn, each with its own chance.

A `Cell` holds the sums of one stratum; they add up, so that strata can be merged and shards summed. A unit has the
size m (what it stands for), the chance π with which it was drawn, and the weight w = m/π.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from queue_server.core.estimate.intervals import LEVEL, Interval, wilson_near_ends, z_of

#: strata with fewer draws than that join a neighbour: they would add more width than they take away
FEWEST = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """The sums of a stratum. Where `squares` is 0 all of its units were drawn, and nothing was left to chance."""

    #: Σ m over all units, drawn or not
    size: float = 0.0
    #: Σ w over the drawn that were found right, wrong, and that nobody has finished
    right: float = 0.0
    wrong: float = 0.0
    open: float = 0.0
    #: Σ w²(1 − π) of each
    right_squares: float = 0.0
    wrong_squares: float = 0.0
    open_squares: float = 0.0
    #: how many units there are, how many were drawn, how many of these are finished
    units: int = 0
    drawn: int = 0
    annotated: int = 0
    #: Σ of the variances of the units' own sizes, where these are estimates themselves
    size_squares: float = 0.0

    @classmethod
    def sum_of(cls, cells: "Sequence[Cell]") -> "Cell":
        """Return several strata as one.

        >>> Cell.sum_of([Cell(size=1.0), Cell(size=2.0)]).size
        3.0
        """
        return cls(**{name: sum([getattr(cell, name) for cell in cells]) for name in _NAMES})

    @property
    def weight(self) -> float:
        """Return Σ w over all that were drawn.

        >>> Cell(right=2.0, wrong=1.0, open=1.0).weight
        4.0
        """
        return self.right + self.wrong + self.open

    @property
    def squares(self) -> float:
        """Return Σ w²(1 − π) over all that were drawn."""
        return self.right_squares + self.wrong_squares + self.open_squares

    @property
    def effective_n(self) -> float:
        """Return how many equally likely draws from an endless stratum would say as much.

        Kish 1965, n = (Σw)²/Σw², with the finite population's correction 1 − π in each term: endless where the whole
        stratum was drawn.

        >>> Cell(right=30.0, wrong=10.0, right_squares=270.0, wrong_squares=90.0).effective_n
        4.444444444444445
        """
        if not self.weight:
            return 0.0
        return self.weight**2 / self.squares if self.squares > 0 else math.inf


_NAMES = tuple(field.name for field in fields(Cell))


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """The share of all that came which is right."""

    #: of what could be seen; None: nobody has looked at anything
    value: float | None
    low: float
    high: float
    #: how many annotations it stands on
    annotated: int
    #: how many were drawn and nobody has finished: for the interval's ends they are all wrong, or all right
    unfinished: int
    #: the part of all that came which lies in strata where somebody looked
    seen: float

    @property
    def interval(self) -> Interval | None:
        """Return it as an interval; None without a value."""
        return Interval(value=self.value, low=self.low, high=self.high) if self.value is not None else None


def post_stratified(cells: Sequence[Cell], *, level: float = LEVEL) -> Share:
    """Return the share that is right, over strata whose sizes are known.

    1. Within a stratum Wilson's interval at its effective n: no width where it was drawn whole. What nobody finished is
       wrong for the lower end and right for the upper one (Horowitz and Manski 2000): it is missing, not at random.
    2. Over strata MOVER: the ends' distances from their centres, weighted by size, add up in quadrature (Donner and Zou
       2012, "Closed-form confidence intervals for functions of the normal mean and standard deviation"; Newcombe 1998).
       A plug-in variance would be 0 wherever a stratum showed no error.

    >>> whole, sampled = Cell(size=10.0, right=4.0, wrong=6.0), Cell(size=90.0, right=90.0, right_squares=300.0)
    >>> found = post_stratified([whole, sampled])
    >>> round(found.value, 2), round(found.low, 3), round(found.high, 3)
    (0.94, 0.828, 0.94)
    """
    total = sum(cell.size for cell in cells)
    used = [cell for cell in cells if cell.size > 0]
    seen = [cell for cell in used if cell.right + cell.wrong > 0]
    seen_size = sum(cell.size for cell in seen)
    value = sum(cell.size * _share(cell) for cell in seen) / seen_size if seen_size else None
    low, high = _ends(used, total, value, level) if total else (0.0, 1.0)
    if value is not None:
        # what is unseen may be anything: the value is that of the rest, and lies between the ends all the same
        low, high = min(low, value), max(high, value)
    return Share(
        value=value,
        low=low,
        high=high,
        annotated=sum(cell.annotated for cell in cells),
        unfinished=sum(cell.drawn - cell.annotated for cell in cells),
        seen=seen_size / total if total else 0.0,
    )


def _share(cell: Cell) -> float:
    return cell.right / (cell.right + cell.wrong)


def _ends(cells: Sequence[Cell], total: float, value: float | None, level: float) -> tuple[float, float]:
    lows, highs, below, above, sizes = 0.0, 0.0, 0.0, 0.0, 0.0
    for cell in cells:
        part = cell.size / total
        least, most = _bounds(cell)
        n = cell.effective_n
        lows += part * least
        highs += part * most
        below += (part * (least - wilson_near_ends(least, n, level=level)[0])) ** 2
        above += (part * (wilson_near_ends(most, n, level=level)[1] - most)) ** 2
        if value is not None and cell.right + cell.wrong > 0:
            sizes += cell.size_squares * (z_of(level) * (_share(cell) - value) / total) ** 2
    return max(0.0, lows - math.sqrt(below + sizes)), min(1.0, highs + math.sqrt(above + sizes))


def _bounds(cell: Cell) -> tuple[float, float]:
    """Return the share where all that is open is wrong, and where it is right."""
    if not cell.weight:
        return 0.0, 1.0
    return cell.right / cell.weight, (cell.right + cell.open) / cell.weight


def collapse(cells: Sequence[Cell], *, fewest: int = FEWEST) -> list[tuple[int, ...]]:
    """Return which of these neighbouring strata are to be one, as their indices: none with few draws stays alone.

    The sparsest joins the neighbour that was drawn at the most similar rate. What was found plays no part in it, else
    the interval would not hold. A stratum that was drawn whole is exact however small it is, and stays.

    >>> collapse([Cell(units=90, drawn=2, open_squares=1.0), Cell(units=900, drawn=30, open_squares=1.0)])
    [(0, 1)]
    """
    groups: list[tuple[tuple[int, ...], Cell]] = [((index,), cell) for index, cell in enumerate(cells)]
    while True:
        sparse = [place for place, (_, cell) in enumerate(groups) if cell.drawn < fewest and not _is_whole(cell)]
        joined = min(sparse, key=lambda place: groups[place][1].drawn, default=None)
        around = [] if joined is None else [at for at in (joined - 1, joined + 1) if 0 <= at < len(groups)]
        around = [at for at in around if not _is_whole(groups[at][1])]
        if joined is None or not around:
            return [indices for indices, _ in groups]
        rate = _rate(groups[joined][1])
        other = min(around, key=lambda at: abs(math.log(_rate(groups[at][1]) / rate)))
        first, last = sorted((joined, other))
        (ones, one), (others, two) = groups[first], groups[last]
        groups[first : last + 1] = [(ones + others, Cell.sum_of((one, two)))]


def _is_whole(cell: Cell) -> bool:
    return cell.drawn > 0 and cell.squares == 0


def _rate(cell: Cell) -> float:
    return (cell.drawn + 0.5) / (cell.units + 1)
