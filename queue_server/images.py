"""Turn the bytes that an app sent into an image that we keep: checked, upright, named by its hash.

Pillow opens a fixed list of formats only: a lazily loaded plug-in would change what later files decode as.
"""

import hashlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from queue_server.core.metrics.hashing import HASH_SIDE_PX, perceptual_hash
from queue_server.core.metrics.images import COLOUR_SIDE_PX, SMALL_SIDE_PX, WORKING_SIDE_PX, image_values
from queue_server.errors import ImageError

_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
#: These are decoded and kept as PNG: browsers do not show them all, or not their first frame alone.
_CONVERTED = ("GIF", "AVIF", "TIFF", "BMP")
FORMATS = (*_MEDIA_TYPES, *_CONVERTED)
#: modes that a browser shows as they are
_PLAIN_MODES = ("L", "LA", "P", "RGB", "RGBA")
_ORIENTATION = 0x0112
#: a JPEG is decoded to this and more, where its scales (1, 1/2, 1/4, 1/8) allow
_DECODED_SIDE_PX = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedImage:
    """An image as it will be stored: EXIF orientation applied, `width` and `height` in pixels."""

    content: bytes
    width: int
    height: int
    media_type: str
    #: see `core.metrics`
    perceptual_hash: int
    quality: Mapping[str, float]

    @property
    def sha256(self) -> str:
        """Return the name of the content."""
        return hashlib.sha256(self.content).hexdigest()


def check_image(content: bytes, *, max_pixels: int) -> CheckedImage:
    """Decode an image and return what is to be stored, or raise ImageError.

    Upright JPEG, PNG and WebP keep their bytes. Others are turned upright, once, or become PNG.
    """
    if not content:
        raise ImageError("image must not be empty, got 0 bytes")
    try:
        with warnings.catch_warnings():
            # Pillow only warns up to twice its limit; ours is checked below, before a pixel is decoded.
            warnings.simplefilter("ignore")
            return _check(content, max_pixels)
    except ImageError:
        raise
    except Exception as error:  # decoders raise anything: SyntaxError, TypeError, struct.error, …
        raise ImageError(f"image must decode as one of {', '.join(FORMATS)}, got {_said(error)}") from error


def pixels_of(content: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a stored image, (height, width, 3) RGB, or raise ImageError."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # as above
        raise ImageError(f"a stored image must decode, got {_said(error)}") from error


def _check(content: bytes, max_pixels: int) -> CheckedImage:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height > max_pixels:
            raise ImageError(f"image must have at most {max_pixels} pixels, got {image.width}x{image.height}")
        is_kept = image.format in _MEDIA_TYPES and image.mode in _PLAIN_MODES and not _is_turned(image)
        is_still = getattr(image, "n_frames", 1) == 1 or image.format == "JPEG"
        if is_kept and is_still:
            size, media_type = image.size, _MEDIA_TYPES[str(image.format)]
            _decode_cheaply(image)
            return _described(image, content, size=size, media_type=media_type)
        return _converted(image)


def _is_turned(image: Image.Image) -> bool:
    return image.getexif().get(_ORIENTATION, 1) in range(2, 9)


def _decode_cheaply(image: Image.Image) -> None:
    """Find truncation: `verify` passes cut JPEGs, a decode at 1/8 size does not and costs a millisecond."""
    # From half of it and more the hash comes out the same as from the whole image, in 199 of 200.
    image.draft(None, _within(image.size, max(_DECODED_SIDE_PX, max(image.size) // 8)))
    image.load()


def _described(image: Image.Image, content: bytes, *, size: tuple[int, int], media_type: str) -> CheckedImage:
    """Return the image of these bytes with its metrics and hash, measured on a decode of any scale."""
    grey = image.convert("L")
    # In one step: another one between flips bits.
    hashed = grey.resize((HASH_SIDE_PX, HASH_SIDE_PX), Image.Resampling.LANCZOS)
    return CheckedImage(
        content=content,
        width=size[0],
        height=size[1],
        media_type=media_type,
        perceptual_hash=perceptual_hash(np.asarray(hashed)),
        quality=_measured(image, grey, size),
    )


def _measured(image: Image.Image, grey: Image.Image, size: tuple[int, int]) -> dict[str, float]:
    """Return the metrics of an image of this size; `image` is a decode of it of any scale, `grey` the same in grey."""
    coloured = image.convert("RGB").reduce(max(1, max(image.size) // COLOUR_SIDE_PX))
    working = grey.resize(_within(image.size, WORKING_SIDE_PX), Image.Resampling.BOX)
    small = working.resize(_within(size, SMALL_SIDE_PX), Image.Resampling.BICUBIC)
    return image_values(
        np.asarray(coloured),
        np.asarray(working),
        np.asarray(small),
        width=size[0],
        height=size[1],
        is_grey=image.mode in ("L", "LA"),
    )


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return a size with the longer side cut down to that many pixels; one that is smaller stays."""
    scale = min(1.0, side / max(size))
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def _converted(image: Image.Image) -> CheckedImage:
    """Return the first frame upright: a photograph as JPEG again, all else as PNG."""
    is_jpeg = image.format == "JPEG"
    image.load()
    upright = ImageOps.exif_transpose(image)
    assert upright is not None
    plain = upright if upright.mode in _PLAIN_MODES else upright.convert("RGB")
    out = io.BytesIO()
    # No EXIF goes along: the orientation is applied, the rest (place, owner) is nobody's business here.
    plain.info = {}
    if is_jpeg:
        plain.save(out, "JPEG", quality=95)
    else:
        plain.save(out, "PNG")
    media_type = "image/jpeg" if is_jpeg else "image/png"
    return _described(plain, out.getvalue(), size=plain.size, media_type=media_type)


def _said(error: Exception) -> str:
    """Return what a decoder said, without the address of the buffer in it."""
    text = str(error)
    if "cannot identify image file" in text:
        return "bytes that are no such image"
    return f"{type(error).__name__}: {text[:200]}"
