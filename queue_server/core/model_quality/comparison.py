"""Whether one model version is better than another, and what it would take to know."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from queue_server.core.estimate import Interval, Pairs, difference, more_to_settle, paired_difference, post_stratified
from queue_server.core.model_quality.observed import Judged, Observation
from queue_server.core.model_quality.strata import Stratum, strata

#: with fewer samples that both predicted and somebody annotated, each version is estimated from its own
FEWEST_PAIRS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """How far a version's accuracy lies above an earlier one's."""

    version: str
    against: str
    #: the difference of the accuracies, with its interval of 95%; None: one of them is not known
    value: float | None
    low: float | None
    high: float | None
    #: both predicted the same samples
    is_paired: bool
    #: annotations that it stands on: of the version, of the earlier one
    n: tuple[int, int]
    #: 0: it is settled; None: no number of them would do
    more_annotations: int | None
    sentence: str


def compare(newer: Sequence[Observation], older: Sequence[Observation]) -> Comparison:
    """Compare a version with an earlier one; each has at least one sample.

    Where both predicted the same samples (one of them as a shadow) and enough of these were annotated, the same samples
    are compared, which needs far fewer. Else each stands on its own stream, which may have changed between them.
    """
    version, against = newer[0].model_version, older[0].model_version
    paired = _paired(newer, older)
    if paired is not None:
        found, n = paired
        reach = found.half_width
        more = more_to_settle(found, reach_of_first=reach, n_of_first=n, reach_of_second=0.0, is_both=True)
        return _comparison(version, against, found, is_paired=True, n=(n, n), more=more)
    ours, theirs = (post_stratified([stratum.cell for stratum in strata(each)]) for each in (newer, older))
    n_of_each = (ours.annotated, theirs.annotated)
    if ours.interval is None or theirs.interval is None:
        return _comparison(version, against, None, is_paired=False, n=n_of_each, more=None)
    apart = difference(ours.interval, theirs.interval)
    more = more_to_settle(
        apart,
        reach_of_first=_reach(ours.interval, is_down=apart.value > 0),
        n_of_first=ours.annotated,
        reach_of_second=_reach(theirs.interval, is_down=apart.value <= 0),
    )
    return _comparison(version, against, apart, is_paired=False, n=n_of_each, more=more)


def _reach(interval: Interval, *, is_down: bool) -> float:
    """Return how far the interval reaches towards the other version."""
    return interval.value - interval.low if is_down else interval.high - interval.value


def _paired(newer: Sequence[Observation], older: Sequence[Observation]) -> tuple[Interval, int] | None:
    version, against = newer[0].model_version, older[0].model_version
    pairs = [one for one in newer if against in one.shadows] + [one for one in older if version in one.shadows]
    # A stratum counts what both versions say of it: one that only one of them could be judged on is not finished.
    whole = [one if _both(one, version, against) is not None else replace(one, judged=None) for one in pairs]
    found = strata(whole)
    n = sum(len(stratum.weights) for stratum in found)
    if n < FEWEST_PAIRS:
        return None
    interval = paired_difference([_pairs(stratum, version, against) for stratum in found])
    return (interval, n) if interval is not None else None


def _both(one: Observation, version: str, against: str) -> tuple[bool, bool] | None:
    """Return whether each version is right on a sample."""
    said: dict[str, Judged | None] = {**one.shadows, one.model_version: one.judged}
    first, second = said.get(version), said.get(against)
    return (first.is_right, second.is_right) if first is not None and second is not None else None


def _pairs(stratum: Stratum, version: str, against: str) -> Pairs:
    sums = {(True, True): 0.0, (True, False): 0.0, (False, True): 0.0, (False, False): 0.0}
    squares = 0.0
    for one, weight in stratum.weights:
        answers = _both(one, version, against)
        assert answers is not None
        sums[answers] += weight
        squares += weight**2
    is_exact = stratum.cell.squares == 0 and not stratum.cell.open
    return Pairs(
        size=stratum.cell.size,
        both=sums[True, True],
        first=sums[True, False],
        second=sums[False, True],
        neither=sums[False, False],
        effective_n=math.inf if is_exact or not squares else sum(sums.values()) ** 2 / squares,
    )


def _comparison(
    version: str, against: str, found: Interval | None, *, is_paired: bool, n: tuple[int, int], more: int | None
) -> Comparison:
    return Comparison(
        version=version,
        against=against,
        value=found.value if found is not None else None,
        low=found.low if found is not None else None,
        high=found.high if found is not None else None,
        is_paired=is_paired,
        n=n,
        more_annotations=more,
        sentence=_sentence(version, against, found, more),
    )


def _sentence(version: str, against: str, found: Interval | None, more: int | None) -> str:
    if found is None:
        return f"{version} and {against} cannot be compared yet: one of them has no annotation"
    points = f"{abs(found.value) * 100:.1f} ± {found.half_width * 100:.1f} points"
    better, worse = (version, against) if found.value >= 0 else (against, version)
    if found.low > 0 or found.high < 0:
        return f"{better} beats {worse} by {points}"
    if more is None:
        why = "no number of annotations would settle it" if found.value else "they look alike"
        return f"{better} may beat {worse}, by {points}: {why}" if found.value else f"{points} apart: {why}"
    return f"{better} may beat {worse}, by {points}; {more} more audits would settle it"
