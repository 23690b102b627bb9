"""Pair the boxes of two lists that show the same object."""

from collections.abc import Sequence
from typing import Protocol


class Corners(Protocol):
    """Anything with corners in px."""

    @property
    def x_min(self) -> float: ...
    @property
    def y_min(self) -> float: ...
    @property
    def x_max(self) -> float: ...
    @property
    def y_max(self) -> float: ...


def overlap(first: Corners, second: Corners) -> float:
    """Return intersection over union, in 0..1."""
    width = min(first.x_max, second.x_max) - max(first.x_min, second.x_min)
    height = min(first.y_max, second.y_max) - max(first.y_min, second.y_min)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (_area(first) + _area(second) - shared) if shared else 0.0


def match(found: Sequence[Corners], truth: Sequence[Corners], *, at_least: float) -> dict[int, int]:
    """Return truth's index for each index of `found` that has a partner, the closest pairs first."""
    pairs = [
        (overlap(one, other), index, true_index)
        for index, one in enumerate(found)
        for true_index, other in enumerate(truth)
    ]
    partners: dict[int, int] = {}
    for score, index, true_index in sorted(pairs, key=lambda pair: -pair[0]):
        if score >= at_least and index not in partners and true_index not in partners.values():
            partners[index] = true_index
    return partners


def _area(box: Corners) -> float:
    return (box.x_max - box.x_min) * (box.y_max - box.y_min)
