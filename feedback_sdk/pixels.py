"""Images as apps hold them: a path, the bytes of a file, a PIL image or a numpy array.

Neither PIL nor numpy is imported: a value can only be theirs if the app imported them. Pixels are copied on the
caller's thread and become a PNG in the background, by the standard library alone. An array's channels are RGB.
"""

import os
import stat
import struct
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, TypeGuard, runtime_checkable

from feedback_sdk.errors import ValidationError

#: A larger file is no photo; reading it would cost the app its memory.
MAX_IMAGE_BYTES = 128 << 20
#: PNG's colour type (ISO/IEC 15948, 11.2.2) for each number of 8-bit channels.
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_PIL_CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_PIL_CONVERTED = {"1": "L", "P": "RGBA", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "LAB": "RGB"}
_CHUNK_BYTES = 1 << 16


@runtime_checkable
class PilImage(Protocol):
    """What is used of PIL.Image.Image."""

    mode: str
    size: tuple[int, int]

    def tobytes(self) -> bytes: ...
    def convert(self, mode: str) -> "PilImage": ...


@runtime_checkable
class Array(Protocol):
    """What is used of numpy.ndarray."""

    shape: tuple[int, ...]

    def tobytes(self) -> bytes: ...


Image: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | PilImage | Array


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The form of raw pixels: rows from the top, 8 bits a channel."""

    width: int
    height: int
    channels: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What is spooled: the bytes of an image file, or raw pixels where `shape` is given."""

    payload: bytes | memoryview
    shape: Shape | None = None


def read(image: object) -> Picture:
    """Take an image as it is now, so that the caller may change or delete it.

    Raises ValidationError for what is no image to us and OSError for a file that cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        picture = Picture(payload=_read_file(Path(image)))
    elif isinstance(image, bytes | bytearray | memoryview):
        picture = Picture(payload=bytes(image))
    elif _is_pil(image):
        picture = _read_pil(image)
    elif _is_array(image):
        picture = _read_array(image)
    else:
        raise ValidationError(
            "image", f"image must be a path, bytes, a PIL image or a numpy array, got {type(image).__name__}"
        )
    if not 0 < len(picture.payload) <= MAX_IMAGE_BYTES:
        raise ValidationError("image", f"image must have 1 to {MAX_IMAGE_BYTES} bytes, got {len(picture.payload)}")
    return picture


def encode_png(pixels: bytes, shape: Shape) -> bytes:
    """Return a PNG of raw pixels, each row filtered as its difference from the row above ("Up").

    >>> encode_png(bytes([0, 255]), Shape(width=2, height=1, channels=1))[1:4]
    b'PNG'
    """
    stride = shape.width * shape.channels
    rows = max(1, _CHUNK_BYTES // stride)
    deflate = zlib.compressobj(1)
    parts, above = [], bytes(stride)
    for start in range(0, len(pixels), rows * stride):
        block = pixels[start : start + rows * stride]
        parts.append(deflate.compress(_filter_up(block, above)))
        above = block[-stride:]
    parts.append(deflate.flush())
    head = struct.pack(">IIBBBBB", shape.width, shape.height, 8, _COLOUR_TYPES[shape.channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", b"".join(parts)) + _chunk(b"IEND", b"")


def media_type(file: bytes) -> str:
    """Name the type of an image file by its first bytes.

    >>> media_type(bytes.fromhex("ffd8ffe0"))
    'image/jpeg'
    """
    if file.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if file.startswith(b"\x89PNG"):
        return "image/png"
    if file[:4] == b"RIFF" and file[8:12] == b"WEBP":
        return "image/webp"
    return "application/octet-stream"


def _read_file(path: Path) -> bytes:
    about = path.stat()
    # A pipe would block the caller, and a device never ends.
    if not stat.S_ISREG(about.st_mode):
        raise ValidationError("image", "image must be the path of a regular file, got another kind")
    if about.st_size > MAX_IMAGE_BYTES:
        raise ValidationError("image", f"image must have 1 to {MAX_IMAGE_BYTES} bytes, got {about.st_size}")
    return path.read_bytes()


def _is_pil(image: object) -> TypeGuard[PilImage]:
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def _is_array(image: object) -> TypeGuard[Array]:
    module = sys.modules.get("numpy")
    return module is not None and isinstance(image, module.ndarray)


def _read_pil(image: PilImage) -> Picture:
    mode = image.mode
    if mode in _PIL_CONVERTED:
        image = image.convert(_PIL_CONVERTED[mode])
    if image.mode not in _PIL_CHANNELS:
        known = ", ".join((*_PIL_CHANNELS, *_PIL_CONVERTED))
        raise ValidationError("image", f"image must have one of the modes {known}, got {mode}; convert it to 8 bits")
    width, height = image.size
    shape = Shape(width=width, height=height, channels=_PIL_CHANNELS[image.mode])
    return Picture(payload=image.tobytes(), shape=shape)


def _read_array(array: Array) -> Picture:
    kind = str(getattr(array, "dtype", None))
    if kind != "uint8" or len(array.shape) not in (2, 3) or 0 in array.shape:
        raise ValidationError(
            "image", f"image must be a uint8 array (height, width[, channels]), got {kind} {array.shape}"
        )
    height, width, *rest = array.shape
    channels = rest[0] if rest else 1
    if channels not in _COLOUR_TYPES:
        raise ValidationError("image", f"image must have 1 to 4 channels in its last axis, got shape {array.shape}")
    return Picture(payload=_array_bytes(array), shape=Shape(width=width, height=height, channels=channels))


def _array_bytes(array: Array) -> bytes | memoryview:
    """Return the array's own memory where it lies in order: the spool's write is then its one copy."""
    view = memoryview(array)  # type: ignore[arg-type]  # an ndarray has the buffer protocol
    return view.cast("B") if view.c_contiguous else array.tobytes()


def _filter_up(block: bytes, above: bytes) -> bytes:
    """Return the rows of `block`, each led by PNG's filter byte and less the row above it, byte by byte modulo 256.

    All bytes are subtracted at once as one big number: the high bits are kept apart, so no borrow crosses a byte
    (H. Warren, "Hacker's Delight", 2-18).
    """
    stride, size = len(above), len(block)
    high, low = int.from_bytes(b"\x80" * size), int.from_bytes(b"\x7f" * size)
    here, there = int.from_bytes(block), int.from_bytes((above + block)[:size])
    less = (((here | high) - (there & low)) ^ ((here ^ ~there) & high)).to_bytes(size)
    return b"".join(b"\x02" + less[start : start + stride] for start in range(0, size, stride))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
