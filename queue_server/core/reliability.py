"""How far several people say the same of the same things, beyond chance."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """How far people agree; None where nothing was said twice, or all said one thing."""

    #: how many things at least two people spoke of
    units: int
    #: the share of pairs of voices on one thing that say the same
    agreement: float | None
    #: Krippendorff's α for categories; 1: always, 0: as chance would have it
    alpha: float | None
    #: Cohen's κ, where the same two people spoke of all
    kappa: float | None = None


def reliability(units: Sequence[Sequence[Hashable]]) -> Reliability:
    """Return how far the voices on each thing agree, whoever they are.

    >>> reliability([["a", "a"], ["a", "b"]]).agreement
    0.5
    """
    spoken = [list(unit) for unit in units if len(unit) > 1]
    same = [one == other for unit in spoken for one, other in combinations(unit, 2)]
    return Reliability(
        units=len(spoken),
        agreement=sum(same) / len(same) if same else None,
        alpha=krippendorff_alpha(spoken),
        kappa=cohens_kappa([(unit[0], unit[1]) for unit in spoken]) if all(len(unit) == 2 for unit in spoken) else None,
    )


def cohens_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Return κ of two people's words on the same things; None where chance alone makes them agree.

    Cohen 1960, "A coefficient of agreement for nominal scales".

    >>> words = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    >>> round(cohens_kappa(words), 6)
    0.4
    """
    if not pairs:
        return None
    ones, others = (Counter(words) for words in zip(*pairs, strict=True))
    by_chance = sum(ones[word] * others[word] for word in ones) / len(pairs) ** 2
    agreed = sum(one == other for one, other in pairs) / len(pairs)
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else None


def krippendorff_alpha(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Return α for categories, for any number of voices, some of them missing; None where all say one thing.

    Krippendorff 2011, "Computing Krippendorff's alpha-reliability".

    >>> krippendorff_alpha([["a", "a"], ["b", "b"]])
    1.0
    """
    spoken = [Counter(unit) for unit in units if len(unit) > 1]
    totals: Counter[Hashable] = sum(spoken, Counter())
    n = totals.total()
    different = sum(count * (unit.total() - count) / (unit.total() - 1) for unit in spoken for count in unit.values())
    by_chance = sum(count * (n - count) for count in totals.values()) / (n - 1) if n > 1 else 0.0
    return 1 - different / by_chance if by_chance else None
