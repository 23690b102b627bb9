"""What becomes of the bytes that an app sends as an image."""

import io
import warnings

import pytest
from PIL import Image

from queue_server.errors import ImageError
from queue_server.images import FORMATS, CheckedImage, check_image
from tests.real_files import real_files
from tests.server.conftest import jpeg

LIMIT = 100_000_000
ORIENTATION = 0x0112


def encoded(image: Image.Image, kind: str = "JPEG", **more: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def turned(orientation: int) -> bytes:
    """Return a JPEG whose upper left quarter is red before it is turned."""
    image = Image.new("RGB", (64, 32), "white")
    image.paste("red", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(image, exif=exif, quality=95)


def check(content: bytes) -> CheckedImage:
    return check_image(content, max_pixels=LIMIT)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_stored_as_one_that_browsers_show(kind: str) -> None:
    checked = check(encoded(Image.new("RGB", (20, 10), "red"), kind))
    with Image.open(io.BytesIO(checked.content)) as stored:
        assert (stored.size, (checked.width, checked.height)) == ((20, 10), (20, 10))
        assert Image.MIME[str(stored.format)] == checked.media_type
        assert stored.format in ("JPEG", "PNG", "WEBP")


def test_upright_jpeg_keeps_its_bytes() -> None:
    content = jpeg()
    assert check(content).content == content


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(orientation: int) -> None:
    content = turned(orientation)
    checked = check(content)
    with Image.open(io.BytesIO(checked.content)) as stored:
        assert stored.getexif().get(ORIENTATION, 1) == 1
        expected = {1: (4, 4), 2: (60, 4), 3: (60, 28), 4: (4, 28), 5: (4, 4), 6: (28, 4), 7: (28, 60), 8: (4, 60)}
        red, green, _blue = stored.convert("RGB").getpixel(expected[orientation])
        assert red > 200
        assert green < 60
    assert (checked.width, checked.height) == ((64, 32) if orientation < 5 else (32, 64))


def test_turned_photo_loses_its_other_exif_too() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    content = encoded(Image.new("RGB", (20, 10)), exif=exif)
    with Image.open(io.BytesIO(check(content).content)) as stored:
        assert not stored.getexif()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must not be empty"),
        (b"not an image", "must decode as one of JPEG"),
        (jpeg()[:600], "must decode as one of JPEG"),
        (b"%PDF-1.4", "must decode as one of JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "must decode as one of JPEG"),
    ],
)
def test_bytes_that_are_no_image_are_refused_with_what_must_hold(content: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        check(content)


def test_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageError, match="at most 1000 pixels, got 64x48"):
        check_image(jpeg(), max_pixels=1000)


def test_hostile_and_odd_files_are_stored_or_refused_but_never_break_us() -> None:
    folder = real_files("corner_images")
    outcomes = {}
    for path in sorted(path for path in folder.glob("*/*") if path.is_file()):
        try:
            checked = check(path.read_bytes())
        except ImageError:
            outcomes[path.name] = "refused"
            continue
        with warnings.catch_warnings(action="ignore"):  # an odd file that is kept as it came is still odd
            Image.open(io.BytesIO(checked.content), formats=("JPEG", "PNG", "WEBP")).load()
        outcomes[path.name] = "stored"
    assert set(outcomes.values()) == {"stored", "refused"}


def test_valid_photos_of_every_orientation_are_stored() -> None:
    folder = real_files("corner_images") / "exif_orientation_photos"
    sizes = {check(path.read_bytes()).width > 0 for path in folder.glob("*.jpg")}
    assert sizes == {True}
