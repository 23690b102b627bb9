"""Images as apps hold them: a path, the bytes of a file, a PIL image or a numpy array.

Neither PIL nor numpy is imported: a value can only be theirs if the app imported them. Pixels are copied on the
caller's thread and become a PNG in the background, by the standard library alone. An array's channels are RGB, or
BGR where the caller says so (OpenCV's order).
"""

import os
import stat
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, TypeGuard

from feedback_sdk.errors import ValidationError

#: A larger file is no photo; reading it would cost the app its memory.
MAX_IMAGE_BYTES = 128 << 20
#: PNG's colour type (ISO/IEC 15948, 11.2.2) for each number of 8-bit channels.
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_PIL_CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_PIL_CONVERTED = {"1": "L", "P": "RGBA", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "LAB": "RGB"}
#: What is filtered and packed at once: the other threads of the app run again after each.
_BLOCK_BYTES = 1 << 16
_CHANNEL_ORDERS = ("RGB", "BGR")
#: The formats whose files hold EXIF; of others it is not even looked for, as that would cost the caller.
_EXIF_FORMATS = frozenset({"JPEG", "MPO", "TIFF", "WEBP", "PNG", "AVIF", "HEIF"})
_ORIENTATION = 0x0112


class PilImage(Protocol):
    """What is used of PIL.Image.Image."""

    @property
    def mode(self) -> str: ...
    @property
    def size(self) -> tuple[int, int]: ...
    def tobytes(self) -> bytes: ...
    def convert(self, mode: str) -> "PilImage": ...
    def getexif(self) -> Mapping[int, object]: ...


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
    #: EXIF's: how the rows are to be turned to be seen upright (1: they are)
    orientation: int = 1
    #: of three channels or more; alpha is the last in either
    channel_order: str = "RGB"


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What is spooled: the bytes of an image file, or raw pixels where `shape` is given."""

    payload: bytes | memoryview
    shape: Shape | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Return (width, height) as a viewer shows it, where raw pixels tell."""
        if self.shape is None:
            return None
        width, height = self.shape.width, self.shape.height
        return (width, height) if self.shape.orientation <= 4 else (height, width)


def read(image: object, *, channel_order: str = "RGB") -> Picture:
    """Take an image as it is now, so that the caller may change or delete it.

    `channel_order` ("RGB" or "BGR", with alpha last) is that of an array; files and PIL images know their own.
    Raises ValidationError for what is no image to us and OSError for a file that cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        picture = Picture(payload=_read_file(Path(image)))
    elif isinstance(image, bytes | bytearray | memoryview):
        picture = Picture(payload=bytes(image))
    elif _is_pil(image):
        picture = _read_pil(image)
    elif _is_array(image):
        picture = _read_array(image, channel_order)
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
    head = struct.pack(">IIBBBBB", shape.width, shape.height, 8, _COLOUR_TYPES[shape.channels], 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", head)]
    if shape.orientation != 1:
        parts.append(_chunk(b"eXIf", _exif(shape.orientation)))
    parts += [_chunk(b"IDAT", packed) for packed in _packed(pixels, shape) if packed]
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


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
    mode, plain = image.mode, image
    if mode in _PIL_CONVERTED:
        plain = image.convert(_PIL_CONVERTED[mode])
    if plain.mode not in _PIL_CHANNELS:
        known = ", ".join((*_PIL_CHANNELS, *_PIL_CONVERTED))
        raise ValidationError("image", f"image must have one of the modes {known}, got {mode}; convert it to 8 bits")
    payload = plain.tobytes()  # before the rest: a TIFF turns itself upright as it loads
    width, height = plain.size
    shape = Shape(width=width, height=height, channels=_PIL_CHANNELS[plain.mode], orientation=orientation_of(image))
    return Picture(payload=payload, shape=shape)


def orientation_of(image: PilImage) -> int:
    """Return how the image is to be turned, as EXIF says it; 1 where it says nothing that can be read."""
    if not getattr(image, "info", {}).get("exif") and getattr(image, "format", None) not in _EXIF_FORMATS:
        return 1
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, struct.error):  # a broken tag: the pixels are good nevertheless
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _read_array(array: Array, channel_order: str) -> Picture:
    dtype = getattr(array, "dtype", None)
    # numpy's one-letter code, as the name costs several microseconds
    if getattr(dtype, "char", None) != "B" or len(array.shape) not in (2, 3) or 0 in array.shape:
        raise ValidationError(
            "image", f"image must be a uint8 array (height, width[, channels]), got {dtype} {array.shape}"
        )
    if channel_order not in _CHANNEL_ORDERS:
        raise ValidationError("channel_order", f"channel_order must be RGB or BGR, got {channel_order!r}")
    height, width, *rest = array.shape
    channels = rest[0] if rest else 1
    if channels not in _COLOUR_TYPES:
        raise ValidationError("image", f"image must have 1 to 4 channels in its last axis, got shape {array.shape}")
    shape = Shape(width=width, height=height, channels=channels, channel_order=channel_order if channels > 2 else "RGB")
    return Picture(payload=_array_bytes(array), shape=shape)


def _array_bytes(array: Array) -> bytes | memoryview:
    """Return the array's own memory where it lies in order: the spool's write is then its one copy."""
    view = memoryview(array)  # type: ignore[arg-type]  # an ndarray has the buffer protocol
    return view.cast("B") if view.c_contiguous else array.tobytes()


def _packed(pixels: bytes, shape: Shape) -> Iterator[bytes]:
    """Yield the content of a PNG's IDAT chunks.

    Filtered photos hardly repeat: looking for runs alone (Z_RLE) takes half the time and no more room.
    """
    stride = shape.width * shape.channels
    rows = max(1, _BLOCK_BYTES // stride)
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    above = bytes(stride)
    for start in range(0, len(pixels), rows * stride):
        block = pixels[start : start + rows * stride]
        if shape.channel_order == "BGR":
            block = _swapped(block, shape.channels)
        yield deflate.compress(_filter_up(block, above))
        above = block[-stride:]
    yield deflate.flush()


def _swapped(block: bytes, channels: int) -> bytes:
    """Return pixels with their first and third channel exchanged.

    >>> _swapped(b"bgrBGR", 3)
    b'rgbRGB'
    """
    swapped = bytearray(block)
    swapped[::channels], swapped[2::channels] = block[2::channels], block[::channels]
    return bytes(swapped)


def _exif(orientation: int) -> bytes:
    """Return EXIF of one entry (TIFF 6.0, section 2): the tag, type SHORT, one value, then no further directory."""
    return b"MM\x00*\x00\x00\x00\x08" + struct.pack(">HHHIHHI", 1, _ORIENTATION, 3, 1, orientation, 0, 0)


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
