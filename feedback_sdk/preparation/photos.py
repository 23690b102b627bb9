"""What needs Pillow (the extra `[images]`): smaller images, and hashes of how an image looks.

Pillow is imported by `load`, on the thread that makes the client: an import that a fork interrupts would stay locked
in the child. What Pillow cannot read raises PhotoError; nothing here changes a setting of Pillow's, which is the app's.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from feedback_sdk import pixels
from feedback_sdk.errors import FeedbackError
from feedback_sdk.pixels import Shape

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_FORMATS = ("JPEG", "PNG", "WEBP")
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PLAIN_MODES = (*_MODES.values(), "CMYK")
#: Decoded pixels take up to 4 bytes each of the app's memory; more than these it must not have to bear.
_MAX_PIXELS = 36_000_000
#: A shorter side would be rounded by more than 1%, and boxes would no longer fit.
_MIN_SIDE = 50
_QUALITY = 90
#: Cells of the difference hash: 8 differences in each of 8 rows.
_HASH_SIZE = (9, 8)
_HASH_ROWS = 128
#: Pillow's numbers, which it takes in place of its enum
_LANCZOS, _BOX = 1, 4
_SAMPLING_420 = 2
#: Grey levels that neighbours must differ by: else the noise of a camera decides on every even surface.
_HASH_STEP = 1


class PhotoError(FeedbackError):
    """An image that cannot be made smaller or hashed; it can be sent as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reduced:
    """A smaller image file, upright and without metadata, and the size (width, height) of what it was made from."""

    content: bytes
    original_size: tuple[int, int]


def load() -> bool:
    """Import Pillow with all that is used later; return whether it is there."""
    try:
        from PIL import Image, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401
    except ImportError:
        return False
    Image.preinit()
    return True


def reduce(content: bytes, shape: Shape | None = None, *, max_side: int) -> Reduced | None:
    """Make the longer side of an image file, or of raw pixels, at most `max_side`; None: it is not longer.

    A JPEG stays a JPEG (quality 90, colours sampled as before), a PNG or WebP what it is; raw pixels become a PNG.
    EXIF's orientation is applied and the ICC profile kept; all other metadata goes, the place (GPS) too.
    Raises PhotoError for what Pillow cannot read.
    """
    with _reading(content, shape) as image:
        orientation = pixels.orientation_of(image) if shape is None else shape.orientation
        target = _target_size(image.size, max_side)
        if target is None:
            return None
        options = _save_options(image, content)
        original_size = image.size if orientation < 5 else (image.height, image.width)
        upright = _upright(_resized(image, target), orientation)
        upright.info = {}  # Pillow would write a comment from here
        file = io.BytesIO()
        upright.save(file, **options)
        return Reduced(content=file.getvalue(), original_size=original_size)


def difference_hash(content: bytes, shape: Shape | None = None) -> int:
    """Return 64 bits that change little where an image does: whether it gets darker from one cell to its neighbour.

    After N. Krawetz, "Kind of Like That" (2013), with a least step. Raises PhotoError for what Pillow cannot read.
    """
    if shape is not None:
        content, shape = _thinned(content, shape)
    with _reading(content, shape) as image:
        _draft(image, "L", (_HASH_SIZE[0] * 8, _HASH_SIZE[1] * 8))
        cells = image.convert("L").resize(_HASH_SIZE, resample=_BOX).tobytes()
    width, height = _HASH_SIZE
    starts = (row * width + column for row in range(height) for column in range(width - 1))
    return sum((cells[at] > cells[at + 1] + _HASH_STEP) << bit for bit, at in enumerate(starts))


@contextmanager
def _reading(content: bytes, shape: Shape | None) -> "Iterator[PilImage]":
    """Open a file or raw pixels; what decoding raises becomes a PhotoError."""
    try:
        with _opened(content, shape) as image:
            yield image
    except PhotoError:
        raise
    except Exception as error:  # decoders raise anything: SyntaxError, struct.error, MemoryError, …
        raise PhotoError(f"an image must be one that Pillow can read, got {type(error).__name__}") from error


def _thinned(content: bytes, shape: Shape) -> tuple[bytes, Shape]:
    """Return some rows of raw pixels, enough for a hash: as Pillow takes pixels in, the app's threads wait.

    >>> _thinned(bytes(512), Shape(width=1, height=512, channels=1))[1].height
    128
    """
    step, stride = max(1, shape.height // _HASH_ROWS), shape.width * shape.channels
    rows = [content[at : at + stride] for at in range(0, len(content), stride * step)]
    return b"".join(rows), replace(shape, height=len(rows))


def _opened(content: bytes, shape: Shape | None) -> "PilImage":
    from PIL import Image

    if shape is None:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    mode = _MODES[shape.channels]
    raw_mode = mode.replace("RGB", shape.channel_order)
    return Image.frombuffer(mode, (shape.width, shape.height), content, "raw", raw_mode, 0, 1)


def _target_size(size: tuple[int, int], max_side: int) -> tuple[int, int] | None:
    """Return the size to reduce to, None where the image is no larger.

    >>> _target_size((4000, 3000), 1000), _target_size((800, 600), 1000), _target_size((20_000, 200), 1000)
    ((1000, 750), None, (5000, 50))
    """
    factor = max(max_side / max(size), _MIN_SIDE / min(size))
    if factor >= 1.0:
        return None
    return round(size[0] * factor), round(size[1] * factor)


def _resized(image: "PilImage", target: tuple[int, int]) -> "PilImage":
    """Return the image in plain colours and smaller; a JPEG is decoded at no more than twice its new size."""
    box = _draft(image, None, (target[0] * 2, target[1] * 2))
    if image.mode in {"P", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode not in _PLAIN_MODES:
        raise PhotoError(f"an image must have one of the modes {', '.join(_PLAIN_MODES)}, got {image.mode}")
    return image.resize(target, resample=_LANCZOS, box=box, reducing_gap=2.0)


def _draft(image: "PilImage", mode: str | None, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Have a JPEG decoded at the least scale that is no smaller than `size`; return what of it is the image."""
    if image.info.get("progressive"):  # held whole in memory, whatever the scale
        _check_pixels(image.size)
    drafted = image.draft(mode, size)
    _check_pixels(image.size)
    return drafted[1] if drafted else (0, 0, *image.size)


def _check_pixels(size: tuple[int, int]) -> None:
    if math.prod(size) > _MAX_PIXELS:
        raise PhotoError(f"an image must have at most {_MAX_PIXELS} pixels to decode, got {size[0]}x{size[1]}")


def _upright(image: "PilImage", orientation: int) -> "PilImage":
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)


def _save_options(image: "PilImage", content: bytes) -> dict[str, Any]:
    """Return what `save` is told, from the image as it was opened."""
    options: dict[str, Any] = {"icc_profile": image.info.get("icc_profile")}
    if image.format in {"JPEG", "MPO"}:
        from PIL.JpegImagePlugin import get_sampling

        is_halved = get_sampling(image) == _SAMPLING_420
        return options | {"format": "JPEG", "quality": _QUALITY, "subsampling": _SAMPLING_420 if is_halved else 0}
    if image.format == "WEBP":
        return options | {"format": "WEBP", "quality": _QUALITY, "lossless": content[12:16] == b"VP8L"}
    return options | {"format": "PNG"}
