"""Images as apps hold them, and the PNG that raw pixels become."""

import io
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from feedback_sdk import pixels
from feedback_sdk.errors import ValidationError
from feedback_sdk.pixels import Shape

JPEG = b"\xff\xd8\xff\xe0 and more"


def decoded(picture: pixels.Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(pixels.encode_png(bytes(picture.payload), picture.shape))))


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_bytes_stay_as_they_are(wrap):
    assert pixels.read(wrap(JPEG)) == pixels.Picture(payload=JPEG)


@pytest.mark.parametrize("as_text", [True, False])
def test_a_path_is_read_at_once(tmp_path, as_text):
    path = tmp_path / "photo.jpg"
    path.write_bytes(JPEG)
    picture = pixels.read(str(path) if as_text else path)
    path.unlink()
    assert picture.payload == JPEG


def test_a_mutable_buffer_is_copied():
    buffer = bytearray(JPEG)
    picture = pixels.read(buffer)
    buffer[0] = 0
    assert picture.payload == JPEG


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4)])
def test_an_array_comes_back_from_its_png(shape):
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert (decoded(pixels.read(array)) == array.reshape(shape[:2] if shape[-1] == 1 else shape)).all()


def test_an_array_that_is_not_in_order_comes_back_too():
    array = np.random.default_rng(1).integers(0, 256, (8, 6, 3), dtype=np.uint8)[::2, ::-1]
    assert (decoded(pixels.read(array)) == array).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_pil_image_comes_back_from_its_png(mode):
    image = Image.effect_noise((9, 4), 60).convert(mode)
    assert (decoded(pixels.read(image)) == np.asarray(image)).all()


@pytest.mark.parametrize(("mode", "as_mode"), [("1", "L"), ("P", "RGBA"), ("CMYK", "RGB"), ("YCbCr", "RGB")])
def test_other_pil_modes_are_converted(mode, as_mode):
    image = Image.effect_noise((9, 4), 60).convert("RGB").convert(mode)
    assert (decoded(pixels.read(image)) == np.asarray(image.convert(as_mode))).all()


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4)])
def test_an_array_in_opencvs_order_comes_back_in_its_colours(shape):
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    expected = array[..., [2, 1, 0, 3][: shape[2]]] if len(shape) == 3 and shape[2] > 2 else array
    seen = decoded(pixels.read(array, channel_order="BGR"))
    assert (seen == expected.reshape(seen.shape)).all()


def test_a_channel_order_that_is_none_is_refused():
    with pytest.raises(ValidationError, match="channel_order must be RGB or BGR, got 'GBR'"):
        pixels.read(np.zeros((4, 4, 3), np.uint8), channel_order="GBR")


def test_the_channel_order_is_of_arrays_alone():
    image = Image.effect_noise((9, 4), 60).convert("RGB")
    assert (decoded(pixels.read(image, channel_order="BGR")) == np.asarray(image)).all()
    assert pixels.read(JPEG, channel_order="BGR").payload == JPEG


def photo(orientation: object, form: str = "JPEG") -> Image.Image:
    """Return a photo as an app opens it, with an EXIF orientation."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.effect_noise((9, 4), 60).convert("RGB").save(file, form, exif=exif)
    return Image.open(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_pil_image_is_seen_upright(orientation, form):
    image = photo(orientation, form)
    picture = pixels.read(image)
    png = Image.open(io.BytesIO(pixels.encode_png(bytes(picture.payload), picture.shape)))
    upright = ImageOps.exif_transpose(image)
    assert (np.asarray(ImageOps.exif_transpose(png)) == np.asarray(upright)).all()


def test_a_pil_image_that_was_turned_upright_is_not_turned_again():
    assert pixels.read(ImageOps.exif_transpose(photo(6))).shape.orientation == 1


def test_a_turned_pil_image_stays_turned_when_it_is_converted():
    assert pixels.read(photo(6).convert("L")).shape.orientation == 6


@pytest.mark.parametrize("orientation", [0, 9])
def test_an_orientation_that_is_none_is_left_out(orientation):
    assert pixels.read(photo(orientation)).shape.orientation == 1


def test_a_pil_image_without_a_file_is_not_asked_for_exif(monkeypatch):
    monkeypatch.setattr(Image.Image, "getexif", None)
    assert pixels.read(Image.new("RGB", (9, 4))).shape.orientation == 1


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 3, 4]), st.randoms(use_true_random=False))
def test_every_png_is_read_by_pillow_as_the_same_pixels(width, height, channels, random):
    raw = random.randbytes(width * height * channels)
    png = pixels.encode_png(raw, Shape(width=width, height=height, channels=channels))
    with Image.open(io.BytesIO(png)) as image:
        assert (image.size, image.tobytes()) == ((width, height), raw)


def test_an_image_of_many_blocks_comes_back():
    array = np.random.default_rng(1).integers(0, 256, (700, 333, 3), dtype=np.uint8)
    assert (decoded(pixels.read(array)) == array).all()


def test_an_image_of_many_blocks_in_opencvs_order_comes_back():
    array = np.random.default_rng(1).integers(0, 256, (700, 333, 3), dtype=np.uint8)
    assert (decoded(pixels.read(array, channel_order="BGR")) == array[..., ::-1]).all()


def test_a_row_longer_than_a_block_comes_back():
    array = np.random.default_rng(1).integers(0, 256, (3, 90_000), dtype=np.uint8)
    assert (decoded(pixels.read(array)) == array).all()


def test_a_photo_is_not_larger_than_pillows_fast_png():
    x, y = np.meshgrid(np.arange(640), np.arange(480))
    smooth = ((np.sin(x / 40) + np.cos(y / 30)) * 60 + 128).astype(np.uint8)
    expected = io.BytesIO()
    Image.fromarray(smooth).save(expected, "PNG", compress_level=1)
    picture = pixels.read(smooth)
    assert len(pixels.encode_png(bytes(picture.payload), picture.shape)) < 2 * len(expected.getvalue())


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "1 to .* bytes, got 0"),
        (7, "a path, bytes, a PIL image or a numpy array, got int"),
        ([[1, 2]], "got list"),
        (np.zeros((0, 4), np.uint8), r"uint8 array .*, got uint8 \(0, 4\)"),
        (np.zeros((4, 4), np.float32), "got float32"),
        (np.zeros(4, np.uint8), r"\(height, width\[, channels\]\), got uint8 \(4,\)"),
        (np.zeros((4, 4, 5), np.uint8), "1 to 4 channels"),
        (Image.new("I;16", (2, 2)), "got I;16; convert it to 8 bits"),
        (Image.new("F", (2, 2)), "got F"),
        (Image.new("RGB", (0, 0)), "1 to .* bytes, got 0"),
    ],
)
def test_what_is_no_image_is_refused_with_its_reason(image, message):
    with pytest.raises(ValidationError, match=message):
        pixels.read(image)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValidationError, match="regular file"):
        pixels.read(tmp_path / "pipe")


def test_a_huge_file_is_refused_and_not_read(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(pixels.MAX_IMAGE_BYTES + 1)
    with pytest.raises(ValidationError, match="image must have 1 to"):
        pixels.read(tmp_path / "huge")


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (b"", "application/octet-stream"),
        (JPEG, "image/jpeg"),
        (b"\x89PNG\r\n", "image/png"),
        (b"RIFF1234WEBPVP8 ", "image/webp"),
        (b"GIF89a", "application/octet-stream"),
    ],
)
def test_a_file_is_named_by_its_first_bytes(file, kind):
    assert pixels.media_type(file) == kind
