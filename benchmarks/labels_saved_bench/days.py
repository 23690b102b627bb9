"""What a benchmark's day is made of: predictions of a real model, how wrong each is, and what a learner may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Prediction

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """Inputs (rows) with their true classes."""

    inputs: Floats
    labels: Ints


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What a retrained model learns from, and is tested on."""

    #: labelled before the day began, a random sample
    known: Examples
    #: the day's samples in order: a label is seen only where the policy had it annotated
    offered: Examples
    test: Examples


@dataclass(frozen=True, kw_only=True, slots=True)
class Company:
    """What comes with a prediction, where a table has it."""

    metadata: Mapping[str, object] = field(default_factory=dict)
    #: of its picture
    quality: Mapping[str, float] = field(default_factory=dict)
    perceptual_hash: int | None = None
    #: how many objects there are
    count: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """One day of production, and the day before it, of which the thresholds are taken."""

    yesterday: Sequence[Prediction]
    today: Sequence[Prediction]
    #: another model version's predictions on the same samples; empty: there is none
    shadows: Sequence[Prediction]
    #: how much is wrong with each of today's predictions: 0 or 1 for a class, the wrong objects of an image
    errors: Ints
    #: those that look wrong to a user who looks well
    is_wrong: Flags
    yesterday_errors: Ints
    #: of each of yesterday's and today's predictions
    yesterday_company: Sequence[Company]
    company: Sequence[Company]
    lesson: Lesson | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Rows of a table, disjoint: what each part of a day is drawn from."""

    known: Ints
    yesterday: Ints
    today: Ints
    test: Ints


#: at most so many rows in each part: what a day on one core can decide
_MOST = {"known": 500, "yesterday": 1000, "today": 2000, "test": 3000}
_SHARES = {"known": 0.1, "yesterday": 0.2, "today": 0.4, "test": 0.3}


def split(rows: int, *, seed: int, known: int | None = None) -> Parts:
    """Return the parts of a table in random order; `known`: how many rows were labelled before, else a tenth.

    >>> parts = split(100, seed=1)
    >>> [len(part) for part in (parts.known, parts.yesterday, parts.today, parts.test)]
    [10, 20, 40, 30]
    """
    order = np.random.default_rng(seed).permutation(rows)
    cut: dict[str, Ints] = {}
    for name, share in _SHARES.items():
        size = min(_MOST[name], int(rows * share))
        if name == "known" and known is not None:
            size = known
        cut[name], order = order[:size], order[size:]
    return Parts(known=cut["known"], yesterday=cut["yesterday"], today=cut["today"], test=cut["test"])
