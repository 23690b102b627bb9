"""Production streams with the truth known: made up, or drawn from tables of real models' outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Random = np.random.Generator


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """What came: how sure the model was of each sample, and whether it was wrong."""

    confidence: Floats
    is_wrong: Bools


Source = Callable[[Random, int], Stream]


def sources(folder: Path | None) -> Mapping[str, Source]:
    """Return every source by name: three that are made up, and the `*.npz` tables below a folder."""
    found: dict[str, Source] = {
        "made up, 8% errors": made_up(0.6),
        "made up, 1% errors": made_up(0.075),
        "made up, 0.3% errors": made_up(0.0225),
    }
    for file in sorted(folder.rglob("*.npz")) if folder is not None else ():
        with np.load(file) as arrays:
            if {"probs", "label"} <= set(arrays.files):
                probabilities = arrays["probs"].astype(np.float64)
                name = file.stem.removesuffix("_test_set")
                found[name] = table(probabilities.max(axis=1), probabilities.argmax(axis=1) != arrays["label"])
    return found


def made_up(rate: float) -> Source:
    """Return a source whose model errs `rate` times as often as it is unsure."""

    def draw(random: Random, size: int) -> Stream:
        confidence = 1.0 - random.beta(1.2, 8.0, size)
        return Stream(confidence=confidence, is_wrong=random.random(size) < rate * (1.0 - confidence))

    return draw


def table(confidence: Floats, is_wrong: Bools) -> Source:
    """Return a source that draws rows of a table, each time anew."""

    def draw(random: Random, size: int) -> Stream:
        rows = random.integers(0, len(confidence), size)
        return Stream(confidence=confidence[rows], is_wrong=is_wrong[rows])

    return draw
