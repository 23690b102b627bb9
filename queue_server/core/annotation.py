"""An annotator's finished label, and how it differs from what was proposed.

Coordinates are pixels of the stored image, as everywhere.
"""

from dataclasses import dataclass

from feedback_sdk.types import Box, Keypoint, Mask, Polygon


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """What an annotator says is in the image; all empty: a negative, looked at and nothing found."""

    boxes: tuple[Box, ...] = ()
    polygons: tuple[Polygon, ...] = ()
    masks: tuple[Mask, ...] = ()
    keypoints: tuple[Keypoint, ...] = ()
    #: the chosen class, or classes where several may hold
    labels: tuple[str, ...] = ()
    #: the count that was entered; None where the task has no count of its own
    count: int | None = None

    @property
    def object_count(self) -> int:
        """Return the count that was entered, else the number of objects.

        >>> Annotation().object_count
        0
        """
        if self.count is not None:
            return self.count
        return len(self.boxes) + len(self.polygons) + len(self.masks) + len(self.keypoints)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How an annotation differs from one proposal (the model's prediction, or the user's view), in regions."""

    kept: int = 0
    changed: int = 0
    removed: int = 0
    added: int = 0
    #: the annotation's count minus the proposal's; None where the proposal has none
    count_difference: int | None = None
