"""Two windows, feature by feature."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from queue_server.core.drift.features import (
    Alarm,
    FeatureDrift,
    Kind,
    LabelShares,
    compare_labels,
    compare_numbers,
    judge,
)
from queue_server.core.drift.ordered import Floats, order
from queue_server.core.drift.pace import Pace, pace
from queue_server.core.drift.rows import Rows

#: the name of the feature that labels are
LABELS = "labels"


def compare(reference: Rows, current: Rows, alarm: Alarm | None = None) -> list[FeatureDrift]:
    """Compare all features that both windows know, and judge them together.

    >>> rows = Rows(captured_at=np.zeros(2), weights=np.ones(2), numbers={"brightness": np.array([0.1, 0.2])})
    >>> [(found.name, found.held_back) for found in compare(rows, rows)]
    [('brightness', 'each window must hold 100 rows or more, one holds 2')]
    """
    found = [
        compare_numbers(
            name, order(reference.numbers[name], reference.weights), order(current.numbers[name], current.weights)
        )
        for name in reference.numbers
        if name in current.numbers
    ]
    if reference.labels.rows.size or current.labels.rows.size:
        found.append(compare_labels(LABELS, label_shares(reference), label_shares(current)))
    return judge(found, alarm)


def label_shares(rows: Rows) -> LabelShares:
    """Return how often each label came: each row that has labels counts as its weight, spread over them.

    >>> from queue_server.core.drift.rows import Labels
    >>> labels = Labels(names=("cat", "dog"), rows=np.array([0, 0]), codes=np.array([0, 1]), parts=np.array([0.5, 0.5]))
    >>> rows = Rows(captured_at=np.zeros(1), weights=np.ones(1), numbers={}, labels=labels)
    >>> label_shares(rows).shares
    {'cat': 0.5, 'dog': 0.5}
    """
    labels = rows.labels
    if not labels.rows.size:
        return LabelShares(shares={}, n=0.0)
    weights = rows.weights[np.unique(labels.rows)]
    sums = np.bincount(labels.codes, weights=labels.parts * rows.weights[labels.rows], minlength=len(labels.names))
    total = float(sums.sum())
    shares = {name: float(size) / total for name, size in zip(labels.names, sums, strict=True) if size > 0}
    return LabelShares(shares=shares, n=float(weights.sum()) ** 2 / float(weights @ weights))


def with_pace(found: FeatureDrift, reference: Rows, since: Rows) -> FeatureDrift:
    """Add how a drift came, from the rows that came since the reference.

    >>> empty = Rows(captured_at=np.zeros(0), weights=np.zeros(0), numbers={})
    >>> (found,) = judge([compare_numbers("brightness", order(np.arange(200.0)), order(np.arange(200.0) + 99))])
    >>> with_pace(found, empty, empty).pace is None
    True
    """
    if not found.is_drifted:
        return found
    return replace(found, pace=_pace(found, reference, since))


def _pace(found: FeatureDrift, reference: Rows, since: Rows) -> Pace | None:
    if found.kind is Kind.LABEL:
        return pace(since.captured_at, _towards(found, since))
    if found.name not in since.numbers or found.name not in reference.numbers:
        return None
    values = since.numbers[found.name]
    ranks = order(reference.numbers[found.name], reference.weights).middle_ranks(values)
    return pace(since.captured_at, np.where(np.isnan(values), np.nan, ranks))


def _towards(found: FeatureDrift, since: Rows) -> Floats:
    """Return how far each row's labels are those that became more frequent."""
    labels, scores = since.labels, np.full(since.captured_at.size, np.nan)
    differences = _differences(found)
    gain = np.array([differences.get(name, 0.0) for name in labels.names])
    sums = np.bincount(labels.rows, weights=labels.parts * gain[labels.codes], minlength=scores.size)
    has_labels = np.unique(labels.rows)
    scores[has_labels] = sums[has_labels]
    return scores


def _differences(found: FeatureDrift) -> dict[str, float]:
    shown: Sequence[str] = found.labels or ()
    both = zip(found.reference_histogram, found.current_histogram, strict=True)
    return {name: now - then for name, (then, now) in zip(shown, both, strict=True)}
