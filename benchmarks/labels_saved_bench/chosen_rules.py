"""Rules whose values are chosen by hand: where yesterday's annotations show the most errors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.labels_saved_bench.days import Company, Day, Flags
from queue_server.core.metrics.hashing import distance_bits
from queue_server.core.uncertainty import predicted_labels

#: of fewer of yesterday's nobody would conclude anything
_FEWEST = 5
#: the tails of a number that are looked at
_TAILS = (0.1, 0.2)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choice:
    """A rule that could be chosen, and which of yesterday's predictions it matches."""

    rule: Mapping[str, object]
    matched: Flags


def chosen_rules(day: Day, *, share: float) -> Sequence[Mapping[str, object]]:
    """Return a rule for each strategy that looks at labels, metadata or pictures, where the table has these.

    `labels`, `metadata` and `quality` take the label, the value or the tail in which yesterday erred most often;
    `novelty` the distance that would have taken that share of yesterday.
    """
    found = [_best(day, choices) for choices in (_labels(day), _metadata(day), _quality(day))]
    return [rule for rule in (*found, _novelty(day, share)) if rule is not None]


def _best(day: Day, choices: Iterator[_Choice]) -> Mapping[str, object] | None:
    fitting = [choice for choice in choices if _FEWEST <= choice.matched.sum() < len(choice.matched)]
    if not fitting:
        return None
    return max(fitting, key=lambda choice: day.yesterday_errors[choice.matched].mean()).rule


def _labels(day: Day) -> Iterator[_Choice]:
    named = [predicted_labels(prediction) for prediction in day.yesterday]
    for label in sorted({label for labels in named for label in labels}):
        yield _Choice(
            rule={"strategy": "labels", "any": [label]}, matched=np.array([label in labels for labels in named])
        )


def _metadata(day: Day) -> Iterator[_Choice]:
    for key, values in _columns([one.metadata for one in day.yesterday_company]).items():
        for value in sorted(set(values), key=str):
            condition = f"metadata.{key} == {value!r}" if isinstance(value, float) else f"metadata.{key} == '{value}'"
            yield _Choice(
                rule={"strategy": "metadata", "condition": condition},
                matched=np.array([other == value for other in values]),
            )


def _quality(day: Day) -> Iterator[_Choice]:
    for metric, values in _columns([one.quality for one in day.yesterday_company]).items():
        measured = np.array(values, dtype=float)
        for tail in _TAILS:
            low, high = np.quantile(measured, (tail, 1 - tail)).tolist()
            rule = {"strategy": "quality", "metric": metric}
            yield _Choice(rule={**rule, "below": low}, matched=measured < low)
            yield _Choice(rule={**rule, "above": high}, matched=measured > high)


def _columns(rows: Sequence[Mapping[str, object]]) -> Mapping[str, list[object]]:
    """Return the values by key, of the keys that all rows have."""
    keys = [key for key in rows[0] if all(key in row for row in rows)] if rows else []
    return {key: [row[key] for row in rows] for key in keys}


def _novelty(day: Day, share: float) -> Mapping[str, object] | None:
    hashes = [one.perceptual_hash for one in day.yesterday_company]
    known = [one for one in hashes if one is not None]
    if len(known) < 2:
        return None
    nearest = [
        min(distance_bits(one, other) for at, other in enumerate(known) if at != place)
        for place, one in enumerate(known)
    ]
    return {"strategy": "novelty", "distance": max(1, int(np.quantile(nearest, 1 - share)))}


def novelty_bits(day: Day) -> Sequence[int | None]:
    """Return how far each of today's pictures is from the nearest of yesterday's, all of which were queued."""
    known = [one.perceptual_hash for one in day.yesterday_company if one.perceptual_hash is not None]
    return [_nearest(company, known) for company in day.company]


def _nearest(company: Company, known: Sequence[int]) -> int | None:
    if company.perceptual_hash is None or not known:
        return None
    return min(distance_bits(company.perceptual_hash, other) for other in known)
