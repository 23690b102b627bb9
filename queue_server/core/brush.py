"""Label Studio's brush masks: rle-pack runs over RGBA bytes, both ways.

The stream (thi.ng/rle-pack): 32 bits number of values, 5 bits word size - 1, four 4-bit run-size widths - 1, then
tokens: 1 bit "is a run", 2 bits which width, that many bits of length - 1, and one word for a run or `length` words
for a literal. Values are the RGBA bytes of the image row by row, of which the alpha channel is the mask.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.errors import ValidationError
from queue_server.core.rle import MAX_PIXELS, Bools, Ints

_WORD_BITS = 8
_LENGTH_BITS = np.array([3, 4, 8, 16])
_LONGEST_RUN = 2**16
#: Bits are spread to one byte each while they are packed; so many tokens at a time bound the memory.
_PACKED_TOKENS = 1_000_000


def encode_brush(mask: Bools) -> list[int]:
    """Return a mask of shape (height, width) as the bytes of Label Studio's `rle`.

    >>> decode_brush(encode_brush(np.array([[True, False]])), width=2, height=1).tolist()
    [[True, False]]
    """
    flat = mask.astype(bool).reshape(-1)
    edges = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]))
    lengths, owners = _split(np.diff(edges) * 4)
    words = np.where(flat[edges[:-1]], 255, 0)[owners]
    sizes = np.searchsorted([8, 16, 256], lengths)
    bits = _LENGTH_BITS[sizes]
    tokens = (4 | sizes) << (bits + _WORD_BITS) | (lengths - 1) << _WORD_BITS | words
    header = np.array([flat.size * 4, _WORD_BITS - 1, *(_LENGTH_BITS - 1)])
    values = np.concatenate((header, tokens))
    widths = np.concatenate(([32, 5, 4, 4, 4, 4], 3 + bits + _WORD_BITS))
    return list(_packed(values, widths).tobytes())


def decode_brush(values: Sequence[int], *, width: int, height: int) -> Bools:
    """Return the mask of shape (height, width) of a brush region: where its alpha is above 0.

    Raises ValidationError for bytes that are no such stream, or hold another number of pixels.

    >>> decode_brush(encode_brush(np.zeros((2, 3), dtype=bool)), width=3, height=2).any()
    np.False_
    """
    if height * width > MAX_PIXELS:
        raise ValidationError("rle", f"rle must have at most {MAX_PIXELS} pixels, got {height} x {width}")
    bits = _Bits(_bytes(values))
    count = bits.read(32)
    if count != height * width * 4:
        raise ValidationError("rle", f"rle must hold {height} x {width} x 4 values, got {count}")
    word_bits = bits.read(5) + 1
    length_bits = [bits.read(4) + 1 for _ in range(4)]
    if word_bits != _WORD_BITS:
        raise ValidationError("rle", f"rle must hold words of {_WORD_BITS} bits, got {word_bits}")
    return _alpha(bits, count, length_bits).reshape(height, width)


class _Bits:
    """Reads numbers from a stream of bits."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._position = 0

    def read(self, size: int) -> int:
        start, end = self._position, self._position + size
        if end > len(self._octets) * 8:
            raise ValidationError("rle", f"rle must not end within a token, got {len(self._octets)} bytes")
        self._position = end
        number = int.from_bytes(self._octets[start // 8 : (end + 7) // 8])
        return number >> (-end % 8) & ((1 << size) - 1)


def _alpha(bits: _Bits, count: int, length_bits: Sequence[int]) -> Bools:
    """Return the flat mask: of each 4 bytes the last one, without spreading the other three."""
    ends, words = [0], []
    while ends[-1] < count:
        is_run = bits.read(1)
        length = min(1 + bits.read(length_bits[bits.read(2)]), count - ends[-1])
        if is_run:
            ends.append(ends[-1] + length)
            words.append(bits.read(_WORD_BITS))
        else:
            ends.extend(range(ends[-1] + 1, ends[-1] + length + 1))
            words.extend(bits.read(_WORD_BITS * length).to_bytes(length))
    return np.repeat(np.array(words) > 0, np.diff(np.array(ends) // 4))


def _split(lengths: Ints) -> tuple[Ints, Ints]:
    """Split runs that are longer than a token can say; return the pieces and the index of each one's run."""
    pieces = -(-lengths // _LONGEST_RUN)
    owners = np.repeat(np.arange(lengths.size), pieces)
    split = np.full(owners.size, _LONGEST_RUN)
    split[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * _LONGEST_RUN
    return split, owners


def _packed(values: Ints, widths: Ints) -> NDArray[np.uint8]:
    """Write each value in its number of bits, the highest first; zeros fill the last byte."""
    parts = range(0, values.size, _PACKED_TOKENS)
    bits = [_spread(values[at : at + _PACKED_TOKENS], widths[at : at + _PACKED_TOKENS]) for at in parts]
    return np.packbits(np.concatenate(bits))


def _spread(values: Ints, widths: Ints) -> NDArray[np.uint8]:
    ends = np.repeat(np.cumsum(widths), widths)
    shifts = ends - 1 - np.arange(ends.size)
    return (np.repeat(values, widths) >> shifts & 1).astype(np.uint8)


def _bytes(values: Sequence[int]) -> bytes:
    try:
        return bytes(values)
    except (TypeError, ValueError):
        raise ValidationError("rle", "rle must be a list of bytes, each 0 to 255, got others") from None
