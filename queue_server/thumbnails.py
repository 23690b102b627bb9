"""Small copies of stored images, made when a page first asks and kept for a while in this process."""

import functools
import io
import warnings

from PIL import Image

from queue_server.blobs import Blobs
from queue_server.images import FORMATS

#: widths in pixels that copies are made in: a page gets the next larger one
WIDTHS = (240, 480, 960)
#: of some 20 kB each
_KEPT = 512


def thumbnail(blobs: Blobs, sha256: str, *, width: int) -> bytes | None:
    """Return a JPEG of about this width, or None where the image itself is as small; BlobError: it is not there.

    Its EXIF orientation was applied when it was stored.
    """
    return _thumbnail(blobs, sha256, next((one for one in WIDTHS if one >= width), WIDTHS[-1]))


@functools.lru_cache(maxsize=_KEPT)
def _thumbnail(blobs: Blobs, sha256: str, width: int) -> bytes | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it was accepted when it came
        with Image.open(io.BytesIO(blobs.get(sha256)), formats=FORMATS) as image:
            if image.width <= width:
                return None
            # Decodes a JPEG at a fraction of its size, which is most of the work.
            image.draft("RGB", (width, width))
            plain = image.convert("RGB")
    plain.thumbnail((width, 10 * width), Image.Resampling.BOX, reducing_gap=2.0)
    out = io.BytesIO()
    plain.save(out, "JPEG", quality=80)
    return out.getvalue()
