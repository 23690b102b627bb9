"""The worst slices: single conditions and pairs of them under which a model errs more than elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from queue_server.core.drift.several import holm
from queue_server.core.slices.features import Floats, Members, Predicate

#: of a slice and of the rest: with fewer nothing can be told, and each condition more costs power
FEWEST_ANNOTATED = 20
#: how often a search may find anything that is chance
FAMILYWISE_ERROR_RATE = 0.05
#: as many are shown
_MOST_FOUND = 20
#: slices that share more of their annotated samples are one
_OVERLAP = 0.5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Found:
    """A slice in which the model errs more than elsewhere."""

    condition: str
    members: Members
    #: annotated samples in it
    annotated: int
    #: the weighted share of errors in it, and elsewhere
    error_rate: float
    rest_error_rate: float
    p_value: float
    #: by Holm, over all that were tested
    adjusted_p: float
    #: conditions that say nearly the same
    also: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """What a search found, the surest first."""

    #: how many conditions and pairs were tested
    tested: int
    annotated: int
    found: list[Found]


def search(
    predicates: Sequence[Predicate],
    is_wrong: Members,
    weights: Floats,
    *,
    fewest: int = FEWEST_ANNOTATED,
    rate: float = FAMILYWISE_ERROR_RATE,
) -> Searched:
    """Return the slices in which a model errs more than elsewhere, of annotated samples of these weights.

    1. Score z = w(wrong − overall rate); a slice's score is its sum, 0 on average if belonging to it says nothing.
    2. p-value: how often a random set of as many samples scores so high, by a Pearson type III distribution with the
       permutation's first three moments (Mielke and Berry 2007, "Permutation Methods", 2.3). The variance is at least
       what samples of the slice's weights have, and half of the least step is taken off: few errors make coarse sums.
    3. Holm 1979 over all that were tested, singles and pairs. A rate of false discoveries would not outlive step 4:
       many true ones become one there, and the few false ones stay.
    4. Slices that share most of their samples become one, named by the surest.

    >>> search([], np.zeros(0, np.bool_), np.zeros(0)).found
    []
    """
    annotated = int(is_wrong.size)
    if not predicates or annotated < 2 * fewest or not is_wrong.any():
        return Searched(tested=0, annotated=annotated, found=[])
    members = np.array([one.members for one in predicates], dtype=np.float64)
    tests = _tests(members, is_wrong, weights)
    is_tested = (tests.sizes >= fewest) & (annotated - tests.sizes >= fewest)
    is_tested &= _is_apart(predicates)
    firsts, seconds = np.nonzero(np.triu(is_tested))
    p_values = tests.p_values[firsts, seconds]
    adjusted = np.array(holm(p_values.tolist()))
    order = np.lexsort((firsts != seconds, p_values))
    made = [
        _found(predicates, (int(firsts[at]), int(seconds[at])), is_wrong, weights, (p_values[at], adjusted[at]))
        for at in order[: 20 * _MOST_FOUND]
        if adjusted[at] <= rate
    ]
    return Searched(tested=int(p_values.size), annotated=annotated, found=_merged(made)[:_MOST_FOUND])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Tests:
    """Of every pair of predicates; the diagonal holds the single ones."""

    sizes: Floats
    p_values: Floats


def _tests(members: Floats, is_wrong: Members, weights: Floats) -> _Tests:
    wrong = is_wrong.astype(np.float64)
    scores = weights * (wrong - weights @ wrong / weights.sum())
    n = scores.size
    sizes = members @ members.T
    sums = (members * scores) @ members.T
    expected = (members * _expected_squares(scores, weights)) @ members.T
    share = sizes / n
    spread = share * (1 - share)
    variance = np.maximum(spread * (scores**2).sum() * n / (n - 1), expected * (1 - share))
    third = spread * (1 - 2 * share) * (scores**3).sum()
    step = np.abs(scores[is_wrong]).min()
    return _Tests(sizes=sizes, p_values=_upper_tail(sums - step / 2, variance, third))


def _expected_squares(scores: Floats, weights: Floats) -> Floats:
    """Return the mean square of the scores of samples of about the same weight."""
    places = np.rint(np.log2(weights)).astype(np.int64)
    _, groups = np.unique(places, return_inverse=True)
    return np.asarray((np.bincount(groups, scores**2) / np.bincount(groups))[groups])


def _upper_tail(sums: Floats, variance: Floats, third: Floats) -> Floats:
    """Return how often a Pearson type III variable with mean 0 and these moments is so large."""
    from scipy.special import gammaincc, ndtr  # for a search alone: it takes a quarter of a second

    deviation = np.sqrt(np.maximum(variance, 1e-12))
    standard = sums / deviation
    skew = third / deviation**3
    is_skew = np.abs(skew) > 1e-3
    safe = np.where(is_skew, skew, 1.0)
    shape = 4 / safe**2
    place = np.maximum(0.0, shape + 2 * standard / safe)
    tail = gammaincc(shape, place)
    # A skew to the left turns the axis round.
    tail = np.where(safe > 0, tail, 1 - tail)
    return np.asarray(np.where(is_skew, tail, ndtr(-standard)))


def _is_apart(predicates: Sequence[Predicate]) -> NDArray[np.bool_]:
    """Tell which two may stand together: of two features, or one alone."""
    names = np.array([one.feature for one in predicates])
    return np.asarray((names[:, None] != names[None, :]) | np.eye(len(names), dtype=np.bool_))


def _found(
    predicates: Sequence[Predicate],
    pair: tuple[int, int],
    is_wrong: Members,
    weights: Floats,
    p_values: tuple[float, float],
) -> Found:
    chosen = [predicates[index] for index in sorted(set(pair))]
    members = np.logical_and.reduce([one.members for one in chosen])
    return Found(
        condition=" and ".join(one.condition for one in chosen),
        members=members,
        annotated=int(members.sum()),
        error_rate=_rate(is_wrong, weights, members),
        rest_error_rate=_rate(is_wrong, weights, ~members),
        p_value=float(p_values[0]),
        adjusted_p=float(p_values[1]),
    )


def _rate(is_wrong: Members, weights: Floats, members: Members) -> float:
    return float(weights[members] @ is_wrong[members] / weights[members].sum())


def _merged(found: Sequence[Found]) -> list[Found]:
    """Return the slices without those that are mostly another, surer one."""
    kept: list[tuple[Found, list[str]]] = []
    for one in found:
        twin = next((pair for pair in kept if _overlap(pair[0].members, one.members) > _OVERLAP), None)
        if twin is None:
            kept.append((one, []))
        else:
            twin[1].append(one.condition)
    return [_with_also(one, also) for one, also in kept]


def _with_also(one: Found, also: Sequence[str]) -> Found:
    values = {name: getattr(one, name) for name in Found.__slots__}
    return Found(**(values | {"also": tuple(also[:_MOST_FOUND])}))


def _overlap(one: Members, other: Members) -> float:
    """Return the part of the smaller that lies in the other."""
    return float((one & other).sum() / max(1, min(one.sum(), other.sum())))
