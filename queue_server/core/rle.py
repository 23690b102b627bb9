"""Run lengths of masks: COCO's encoding and back, strict and bounded against hostile input.

COCO's runs go down the columns, the first is of zeros; as text each run is a little-endian number in 6-bit
characters, from the third on as the difference to the run two before (cocoapi, `maskApi.c`). Masks are bool arrays
of shape (height, width). Every fault is a ValidationError on `rle`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Rle

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

#: A mask has a byte per pixel once decoded.
MAX_PIXELS = 100_000_000

_FIRST_CHARACTER = 48
_MORE, _SIGN, _DIGIT_BITS = 0x20, 0x10, 5
#: Seven digits hold 35 bits, more than any run and its difference.
_MAX_DIGITS = 7


def decode(rle: Rle) -> Bools:
    """Return the mask of shape (height, width).

    >>> decode(Rle(size=(2, 2), counts=[1, 2, 1])).tolist()
    [[False, True], [True, False]]
    """
    height, width = rle.size
    lengths = runs(rle)
    return np.repeat(np.arange(lengths.size) % 2 == 1, lengths).reshape(width, height).T


def encode(mask: Bools) -> Rle:
    """Return a mask of shape (height, width) as compressed text.

    >>> encode(np.array([[False, True], [True, False]])).counts
    '121'
    """
    height, width = mask.shape
    flat = mask.T.reshape(-1).astype(bool)
    return Rle(size=(height, width), counts=_to_text(run_lengths(flat)))


def runs(rle: Rle) -> Ints:
    """Return the lengths of the runs, checked to fill the mask exactly.

    Raises ValidationError for text that is no run lengths, negative runs, a wrong sum, or over 100 million pixels.

    >>> runs(Rle(size=(2, 2), counts="121")).tolist()
    [1, 2, 1]
    """
    if min(rle.size) < 1:
        raise ValidationError("rle", f"rle.size must be [height, width], each >= 1, got {list(rle.size)}")
    height, width = rle.size
    if height * width > MAX_PIXELS:
        raise ValidationError("rle", f"rle must have at most {MAX_PIXELS} pixels, got {height} x {width}")
    lengths = _from_text(rle.counts) if isinstance(rle.counts, str) else _from_list(rle.counts)
    if lengths.size and lengths.min() < 0:
        raise ValidationError("rle", f"rle.counts must be >= 0, got {lengths.min()}")
    # Each run is bounded first, so the sum cannot overflow.
    total = int(lengths.sum()) if not lengths.size or lengths.max() <= height * width else int(lengths.max())
    if total != height * width:
        raise ValidationError("rle", f"rle.counts must add up to {height} x {width} = {height * width}, got {total}")
    return lengths


def resized(rle: Rle, *, width: int, height: int) -> Rle:
    """Return the mask at another size, each pixel taking the value of the nearest one.

    Works on the runs, so the source is never decoded.

    >>> decode(resized(Rle(size=(1, 2), counts=[1, 1]), width=4, height=1)).tolist()
    [[False, False, True, True]]
    """
    own_height, own_width = rle.size
    ends = np.cumsum(runs(rle))
    rows = _nearest(height, own_height)
    mask = np.empty((width, height), dtype=bool)
    for column, source in enumerate(_nearest(width, own_width)):
        mask[column] = np.searchsorted(ends, source * own_height + rows, side="right") % 2 == 1
    return encode(mask.T)


def run_lengths(flat: Bools) -> Ints:
    """Return the lengths of the runs of a flat mask; the first is of zeros and may be 0.

    >>> run_lengths(np.array([True, True, False])).tolist()
    [0, 2, 1]
    """
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    lengths = np.diff(edges).astype(np.int64)
    return np.concatenate(([0], lengths)) if flat.size and flat[0] else lengths


def _nearest(size: int, own_size: int) -> Ints:
    """Return for each of `size` pixels the index of the nearest of `own_size`, by their centres."""
    return ((np.arange(size) * 2 + 1) * own_size // (2 * size)).astype(np.int64)


def _from_list(counts: Sequence[int]) -> Ints:
    lengths = np.asarray(counts) if counts else np.zeros(0, dtype=np.int64)
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise ValidationError("rle", f"rle.counts must be a list of whole numbers, got {lengths.dtype.name} values")
    return lengths.astype(np.int64)


def _from_text(text: str) -> Ints:
    digits = _digits(text)
    if not digits.size:
        return digits
    is_last = (digits & _MORE) == 0
    ends = np.flatnonzero(is_last)
    if not is_last[-1]:
        raise ValidationError("rle", "rle.counts must end with a whole number, got a cut one")
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts + 1
    if sizes.max() > _MAX_DIGITS:
        raise ValidationError("rle", f"rle.counts must have at most {_MAX_DIGITS} digits a run, got {sizes.max()}")
    shifts = _DIGIT_BITS * (np.arange(digits.size) - np.repeat(starts, sizes))
    numbers = np.add.reduceat((digits & 0x1F) << shifts, starts)
    numbers -= np.where(digits[ends] & _SIGN, np.int64(1) << (_DIGIT_BITS * sizes), 0)
    # Run i > 2 is stored as the difference to run i - 2.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def _digits(text: str) -> Ints:
    try:
        digits = np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int64) - _FIRST_CHARACTER
    except UnicodeEncodeError:
        raise ValidationError("rle", "rle.counts must be COCO's compressed text, got characters beyond ASCII") from None
    if digits.size and (digits.min() < 0 or digits.max() > 0x3F):
        raise ValidationError("rle", "rle.counts must be COCO's compressed text of the characters 0 to o, got others")
    return digits


def _to_text(lengths: Ints) -> str:
    rest = lengths.copy()
    rest[3:] -= lengths[1:-2]
    columns, used = [], []
    is_open = np.ones(rest.size, dtype=bool)
    for _ in range(_MAX_DIGITS):
        digit = rest & 0x1F
        rest >>= _DIGIT_BITS
        has_more = np.where(digit & _SIGN, rest != -1, rest != 0)
        columns.append(digit + np.where(has_more, _MORE, 0) + _FIRST_CHARACTER)
        used.append(is_open)
        is_open = is_open & has_more
    characters = np.column_stack(columns)[np.column_stack(used)]
    return bytes(characters.tolist()).decode("ascii")
