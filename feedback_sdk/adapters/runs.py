"""Masks as COCO's run lengths, from what holds a byte for each pixel.

The runs go down the columns, the first is of zeros; as text each is a little-endian number in 6-bit characters, from
the fourth on as the difference to the run two before (cocoapi, `maskApi.c`). Searching bytes for the next change is
quick enough for a photo's mask on the caller's thread, and needs no package.
"""

from functools import lru_cache
from itertools import pairwise
from operator import sub
from typing import Any

from feedback_sdk.types import Rle

_TRANSPOSE = 5  # PIL.Image.Transpose.TRANSPOSE
_ONES = b"\0" + b"\1" * 255


def of_array(mask: Any) -> Rle | None:  # noqa: ANN401  # arrays and tensors have no type in common
    """Return the runs of an array or a tensor (height, width): True, or more than 0.5; None for no such pixel."""
    is_true = mask if str(mask.dtype).endswith("bool") else mask > 0.5
    pixels = is_true.cpu().numpy() if hasattr(is_true, "cpu") else is_true
    height, width = pixels.shape
    used = pixels.any(0).tobytes()
    left, right = used.find(1), used.rfind(1) + 1
    if left < 0:
        return None
    return _rle(pixels[:, left:right].T.tobytes(), height=height, width=width, left=left)


def of_pil(mask: Any) -> Rle | None:  # noqa: ANN401  # a PIL image, whose package is not imported
    """Return the runs of a PIL image: what is not black; None for all black."""
    grey = mask if mask.mode == "L" else mask.convert("L")
    bounds = grey.getbbox()
    if bounds is None:
        return None
    width, height = grey.size
    left, _, right, _ = bounds
    columns = grey.crop((left, 0, right, height)).transpose(_TRANSPOSE).tobytes().translate(_ONES)
    return _rle(columns, height=height, width=width, left=left)


def _rle(columns: bytes, *, height: int, width: int, left: int) -> Rle:
    """Encode the bytes 0 and 1 of the columns from `left` on, of which the first and the last hold a 1."""
    before, total = left * height, height * width
    ends, at, wanted = [], 0, 1
    while (at := columns.find(wanted, at)) >= 0:
        ends.append(before + at)
        wanted ^= 1
    if wanted == 0:
        ends.append(before + len(columns))
    if ends[-1] != total:
        ends.append(total)
    runs = [ends[0], *(end - start for start, end in pairwise(ends))]
    counts = "".join(map(_number, [*runs[:3], *map(sub, runs[3:], runs[1:])]))
    return Rle(size=(height, width), counts=counts)


@lru_cache(maxsize=4096)
def _number(value: int) -> str:
    """Write one run, or the difference of two.

    >>> _number(5), _number(-1), _number(1000)
    ('5', 'O', 'Xo0')
    """
    text = ""
    while True:
        digit, value = value & 0x1F, value >> 5
        has_more = value != -(digit >> 4)
        text += chr(48 + digit + 32 * has_more)
        if not has_more:
            return text
