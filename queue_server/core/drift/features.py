"""One feature in two windows: how far apart they are, and whether that is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from queue_server.core.drift import binned, ordered
from queue_server.core.drift.chi_squared import chi_squared_tail
from queue_server.core.drift.ordered import Floats, Ordered
from queue_server.core.drift.pace import Pace
from queue_server.core.drift.several import benjamini_hochberg, holm

#: a label that fewer rows are expected to have is tested together with other such labels: far out, where alarms
#: are decided, the usual 5 makes p-values several times too small
_FEWEST_EXPECTED = 10.0
#: so many labels are shown on their own
_MOST_LABELS = 20
OTHER = "(other)"


class Kind(StrEnum):
    """What a feature's values are."""

    NUMBER = "number"
    LABEL = "label"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """When a difference is called drift."""

    #: of the false alarms in a year: the chance that there is any
    chance: float = 0.05
    #: how often a year somebody looks
    looks: int = 365
    #: rows in each window
    fewest: int = 100
    #: the least effect: 0.1 is what a shift by a quarter of a standard deviation makes, or one row in ten that changed
    effect: float = 0.1

    @property
    def level(self) -> float:
        """Return what an adjusted p-value must not exceed at one look, so that the chance holds for all (Bonferroni).

        >>> Alarm(chance=0.05, looks=10).level
        0.005
        """
        return self.chance / self.looks


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureDrift:
    """One feature in the reference and in the current window."""

    name: str
    kind: Kind
    #: the Kolmogorov-Smirnov distance; of labels Pearson's χ²
    statistic: float | None
    p_value: float | None
    #: adjusted for all features (Holm): what an alarm stands on
    adjusted_p: float | None
    #: the false discovery rate (Benjamini and Hochberg): what is worth a look
    q_value: float | None
    #: the population stability index, and what it stays below 95 times in 100 where nothing drifts
    psi: float | None
    psi_critical: float | None
    #: the Jensen-Shannon distance, 0 to 1
    js: float | None
    #: the largest difference of the shares that fall into any set: of values up to any one, or of labels
    effect: float | None
    is_drifted: bool
    #: why there is no drift though the p-value is small, or no p-value; null: nothing is in the way
    held_back: str | None
    #: effective numbers of rows (Kish)
    reference_n: float
    current_n: float
    reference_mean: float | None
    current_mean: float | None
    #: shares, in the bins between the edges or of the labels; the outermost bins hold what lies beyond
    reference_histogram: list[float]
    current_histogram: list[float]
    bin_edges: list[float] | None
    labels: list[str] | None
    #: how it came; null: it did not, or that cannot be told
    pace: Pace | None = None


def compare_numbers(name: str, reference: Ordered, current: Ordered) -> FeatureDrift:
    """Compare a number's distribution in two windows; both are only described where one is empty.

    Two-sample Kolmogorov-Smirnov (Smirnov 1939), effective sizes for unequal weights; PSI and Jensen-Shannon on the
    reference's tenths.

    >>> from queue_server.core.drift.ordered import order
    >>> compare_numbers("brightness", order(np.arange(200.0)), order(np.arange(100.0, 300.0))).statistic
    0.5
    """
    if not reference.values.size or not current.values.size:
        return _nothing(name, Kind.NUMBER, reference.n, current.n)
    n, m = reference.n, current.n
    gap = ordered.largest_gap(reference, current)
    edges = binned.quantile_edges(reference)
    p, q = (binned.shares_between(window, edges) for window in (reference, current))
    shown = binned.shown_edges(reference, current)
    return FeatureDrift(
        name=name,
        kind=Kind.NUMBER,
        statistic=gap,
        p_value=ordered.kolmogorov_tail(gap, n, m),
        adjusted_p=None,
        q_value=None,
        psi=binned.stability_index(p, q, n=n, m=m),
        psi_critical=binned.stability_critical(p.size, n=n, m=m),
        js=binned.jensen_shannon(p, q),
        effect=gap,
        is_drifted=False,
        held_back=None,
        reference_n=n,
        current_n=m,
        reference_mean=reference.mean,
        current_mean=current.mean,
        reference_histogram=binned.shares_between(reference, shown[1:-1]).tolist(),
        current_histogram=binned.shares_between(current, shown[1:-1]).tolist(),
        bin_edges=shown.tolist(),
        labels=None,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelShares:
    """How often each label came in a window."""

    #: label -> its share of all rows
    shares: dict[str, float]
    #: effective number of rows
    n: float


def compare_labels(name: str, reference: LabelShares, current: LabelShares) -> FeatureDrift:
    """Compare how often labels came in two windows.

    Pearson's χ² of homogeneity (1900) at effective sizes, rare labels pooled; the effect is the total variation, the
    share of rows that would have to change their label.

    >>> one = LabelShares(shares={"pill": 0.5, "capsule": 0.5}, n=200.0)
    >>> other = LabelShares(shares={"pill": 0.75, "capsule": 0.25}, n=200.0)
    >>> found = compare_labels("labels", one, other)
    >>> round(found.statistic, 2), found.effect
    (26.67, 0.25)
    """
    if not reference.shares or not current.shares:
        return _nothing(name, Kind.LABEL, reference.n, current.n)
    n, m = reference.n, current.n
    names = sorted(reference.shares.keys() | current.shares.keys())
    p, q = (np.array([window.shares.get(label, 0.0) for label in names]) for window in (reference, current))
    statistic, freedom = _homogeneity(p, q, n, m)
    shown = _shown_labels(names, p + q)
    return FeatureDrift(
        name=name,
        kind=Kind.LABEL,
        statistic=statistic,
        p_value=chi_squared_tail(statistic, freedom) if freedom else 1.0,
        adjusted_p=None,
        q_value=None,
        psi=binned.stability_index(p, q, n=n, m=m),
        psi_critical=binned.stability_critical(p.size, n=n, m=m),
        js=binned.jensen_shannon(p, q),
        effect=float(np.abs(p - q).sum()) / 2,
        is_drifted=False,
        held_back=None,
        reference_n=n,
        current_n=m,
        reference_mean=None,
        current_mean=None,
        reference_histogram=_shown_shares(names, p, shown),
        current_histogram=_shown_shares(names, q, shown),
        bin_edges=None,
        labels=shown,
    )


def _homogeneity(p: Floats, q: Floats, n: float, m: float) -> tuple[float, int]:
    """Return Pearson's statistic and its degrees of freedom."""
    both = (n * p + m * q) / (n + m)
    is_rare = both * min(n, m) < _FEWEST_EXPECTED
    if is_rare.any():
        p, q, both = (np.append(shares[~is_rare], shares[is_rare].sum()) for shares in (p, q, both))
    is_there = both > 0
    statistic = float(((p - q)[is_there] ** 2 / both[is_there]).sum()) / (1 / n + 1 / m)
    return statistic, int(is_there.sum()) - 1


def _shown_labels(names: Sequence[str], sizes: Floats) -> list[str]:
    if len(names) <= _MOST_LABELS:
        return list(names)
    return [*(names[place] for place in sorted(np.argsort(-sizes)[: _MOST_LABELS - 1])), OTHER]


def _shown_shares(names: Sequence[str], shares: Floats, shown: Sequence[str]) -> list[float]:
    found = dict(zip(names, shares.tolist(), strict=True))
    known = [found[label] for label in shown if label in found]
    return known if len(known) == len(shown) else [*known, max(0.0, 1.0 - sum(known))]


def _nothing(name: str, kind: Kind, n: float, m: float) -> FeatureDrift:
    return FeatureDrift(
        name=name,
        kind=kind,
        statistic=None,
        p_value=None,
        adjusted_p=None,
        q_value=None,
        psi=None,
        psi_critical=None,
        js=None,
        effect=None,
        is_drifted=False,
        held_back=None,
        reference_n=n,
        current_n=m,
        reference_mean=None,
        current_mean=None,
        reference_histogram=[],
        current_histogram=[],
        bin_edges=None,
        labels=None,
    )


def judge(compared: Sequence[FeatureDrift], alarm: Alarm | None = None) -> list[FeatureDrift]:
    """Tell which features drifted: enough rows, an effect that matters, and more than chance over all features.

    >>> from queue_server.core.drift.ordered import order
    >>> one, far = order(np.arange(400.0)), order(np.arange(400.0) + 200.0)
    >>> [found.is_drifted for found in judge([compare_numbers("a", one, one), compare_numbers("b", one, far)])]
    [False, True]
    """
    limits = alarm or Alarm()
    tested = [found for found in compared if found.p_value is not None and _has_enough(found, limits)]
    p_values = [found.p_value for found in tested if found.p_value is not None]
    adjusted = {
        found.name: (p, q) for found, p, q in zip(tested, holm(p_values), benjamini_hochberg(p_values), strict=True)
    }
    return [_judged(found, adjusted.get(found.name), limits) for found in compared]


def _has_enough(found: FeatureDrift, alarm: Alarm) -> bool:
    return min(found.reference_n, found.current_n) >= alarm.fewest


def _judged(found: FeatureDrift, adjusted: tuple[float, float] | None, alarm: Alarm) -> FeatureDrift:
    if adjusted is None:
        fewest = min(found.reference_n, found.current_n)
        reason = f"each window must hold {alarm.fewest} rows or more, one holds {int(fewest)}"
        return replace(found, p_value=None, held_back=reason)
    p, q = adjusted
    is_more_than_chance = p <= alarm.level
    is_large = (found.effect or 0.0) >= alarm.effect
    small = f"the effect must be {alarm.effect} or more to matter" if is_more_than_chance and not is_large else None
    return replace(found, adjusted_p=p, q_value=q, is_drifted=is_more_than_chance and is_large, held_back=small)
