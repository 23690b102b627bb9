"""What samples have in common: single conditions that many of them meet, worked out for all at once."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Members = NDArray[np.bool_]

#: values of one feature that are looked at, the most frequent first
_MOST_VALUES = 30
#: of all features together: pairs of them are looked at too
MOST_PREDICATES = 400
#: parts of equal size into which numbers are cut
_QUANTILES = 4
#: numbers with fewer different values are taken as they are
_FEW_VALUES = 10
#: what a condition can name
_KEY = re.compile(r"[\w\-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """What is known of one sample when it comes, beside its prediction's confidence."""

    stream: str | None = None
    tags: Sequence[str] = ()
    labels: Sequence[str] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    #: by the field that a condition names: `metric.brightness`, `quality.sharpness`, `confidence`
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Predicate:
    """A condition on one feature, and which samples meet it."""

    #: two of one feature are never put together
    feature: str
    condition: str
    members: Members


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Features:
    """What samples are told apart by."""

    predicates: list[Predicate]
    #: by field; NaN where a sample has none
    numbers: Mapping[str, Floats]


def features(samples: Sequence[Described], *, fewest: int) -> Features:
    """Return the conditions that at least `fewest` samples meet and `fewest` do not, and all numbers.

    Texts give a condition for each frequent value, numbers with many values one for each quarter.

    >>> night, day = Described(tags=["night"]), Described()
    >>> [predicate.condition for predicate in features([night, day, day], fewest=1).predicates]
    ["tags has 'night'"]
    """
    numbers = _numbers(samples)
    found = [*_of_lists(samples), *_of_texts(samples)]
    for name, values in numbers.items():
        found += _of_numbers(name, values)
    kept = [one for one in found if fewest <= int(one.members.sum()) <= len(samples) - fewest]
    kept.sort(key=lambda one: -min(int(one.members.sum()), len(samples) - int(one.members.sum())))
    return Features(predicates=kept[:MOST_PREDICATES], numbers=numbers)


def _of_lists(samples: Sequence[Described]) -> Iterable[Predicate]:
    for name, values in (("tags", [one.tags for one in samples]), ("labels", [one.labels for one in samples])):
        for value in _frequent(item for found in values for item in sorted(set(found))):
            members = np.array([value in found for found in values], dtype=np.bool_)
            if (quoted := _quoted(value)) is not None:
                yield Predicate(feature=f"{name} {value}", condition=f"{name} has {quoted}", members=members)


def _of_texts(samples: Sequence[Described]) -> Iterable[Predicate]:
    columns: dict[str, list[object]] = {"stream": [one.stream for one in samples]}
    leaves = [_leaves(one.metadata) for one in samples]
    for name in sorted({name for found in leaves for name in found}):
        columns[name] = [found.get(name) for found in leaves]
    for name, values in columns.items():
        for value in _frequent(each for each in values if isinstance(each, str | bool)):
            if (said := _quoted(value)) is not None:
                members = np.array([type(each) is type(value) and each == value for each in values], dtype=np.bool_)
                yield Predicate(feature=name, condition=f"{name} == {said}", members=members)


def _of_numbers(name: str, values: Floats) -> Iterable[Predicate]:
    known = values[~np.isnan(values)]
    different = np.unique(known)
    if different.size < 2:
        return
    if different.size < _FEW_VALUES:
        for value in different:
            yield Predicate(feature=name, condition=f"{name} == {_written(value)}", members=values == value)
        return
    inner = np.unique(np.quantile(known, np.arange(1, _QUANTILES) / _QUANTILES, method="higher"))
    edges = [None, *(float(edge) for edge in inner), None]
    for low, high in itertools.pairwise(edges):
        members = ~np.isnan(values)
        parts = []
        if low is not None:
            members, parts = members & (values >= low), [f"{name} >= {_written(low)}"]
        if high is not None:
            members, parts = members & (values < high), [*parts, f"{name} < {_written(high)}"]
        yield Predicate(feature=name, condition=" and ".join(parts), members=members)


def _numbers(samples: Sequence[Described]) -> dict[str, Floats]:
    rows = [{**_numbers_of(one.metadata), **one.numbers} for one in samples]
    names = sorted({name for row in rows for name in row})
    return {name: np.array([row.get(name, np.nan) for row in rows], dtype=np.float64) for name in names}


def _numbers_of(metadata: Mapping[str, object]) -> dict[str, float]:
    leaves = _leaves(metadata).items()
    return {name: float(each) for name, each in leaves if isinstance(each, int | float) and not isinstance(each, bool)}


def _leaves(tree: Mapping[str, object], above: str = "metadata") -> dict[str, object]:
    """Return what lies at the ends of a tree, by the names that a condition gives them."""
    found: dict[str, object] = {}
    for key, value in tree.items():
        if not _KEY.fullmatch(key):
            continue
        if isinstance(value, Mapping):
            found |= _leaves(value, f"{above}.{key}")
        else:
            found[f"{above}.{key}"] = value
    return found


def _frequent(values: Iterable[str | bool]) -> list[str | bool]:
    return [value for value, _ in Counter(values).most_common(_MOST_VALUES)]


def _quoted(value: object) -> str | None:
    """Return a value as a condition writes it; None: it cannot."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if "'" not in text:
        return f"'{text}'"
    return f'"{text}"' if '"' not in text else None


def _written(value: float) -> str:
    """Return a number that reads back the same."""
    return repr(float(value)).removesuffix(".0")
