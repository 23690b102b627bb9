"""Numbers as arrays, tensors and lists hold them, made Python's own."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from feedback_sdk.errors import ValidationError

#: What float arithmetic may add to a probability; more is no noise.
_NOISE = 1e-5


def listed(value: object) -> Any:  # noqa: ANN401  # what it holds is checked where it is used
    """Return an array's or a tensor's values as (nested) lists, wherever it lies; other values as they are."""
    tolist = getattr(value, "tolist", None)
    return value if tolist is None else tolist()


def rows(field: str, value: object, *, width: int) -> list[list[float]]:
    """Return n rows of `width` numbers.

    >>> rows("boxes", [(0, 0, 2, 1.5)], width=4)
    [[0.0, 0.0, 2.0, 1.5]]
    """
    given = listed(value)
    try:
        widths = {len(row) for row in given}
        if widths - {width}:
            raise ValidationError(field, f"{field} must have the shape (n, {width}), got a row of {max(widths)}")
        flat = plain(field, chain.from_iterable(given))
    except TypeError:
        raise ValidationError(
            field, f"{field} must be rows of {width} numbers, got {type(value).__name__} {value!r:.80}"
        ) from None
    return [flat[start : start + width] for start in range(0, len(flat), width)]


def column(field: str, value: object, *, size: int) -> list[float]:
    """Return `size` numbers, one for each object."""
    given = listed(value)
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValidationError(field, f"{field} must be a list of numbers, got {type(given).__name__}")
    if len(given) != size:
        raise ValidationError(field, f"{field} must have one value for each of {size} objects, got {len(given)}")
    return plain(field, given)


def confidences(value: object, *, size: int) -> Sequence[float | None]:
    """Return `size` confidences; None for each where there are none."""
    if value is None:
        return [None] * size
    return [within_unit(score) for score in column("scores", value, size=size)]


def within_unit(value: float) -> float:
    """Take float noise beyond [0, 1] away.

    >>> within_unit(1.0000001), within_unit(1.1)
    (1.0, 1.1)
    """
    if -_NOISE <= value < 0.0:
        return 0.0
    return 1.0 if 1.0 < value <= 1.0 + _NOISE else value


def plain(field: str, values: Iterable[Any]) -> list[float]:
    """Return floats; if all of them are float32, with the seven digits that a float32 holds.

    >>> plain("x", [0.8999999761581421, 2])
    [0.9, 2.0]
    >>> plain("x", [0.123456789])
    [0.123456789]
    """
    try:
        exact = array("d", values)
    except TypeError as error:
        raise ValidationError(field, f"{field} must be numbers, got others: {error}") from None
    return [float(f"{value:.7g}") for value in exact] if array("f", exact) == exact else exact.tolist()
