"""Smaller images and their hashes, as Pillow makes them."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin
from PIL.JpegImagePlugin import get_sampling

from feedback_sdk.pixels import Shape
from feedback_sdk.preparation import photos
from feedback_sdk.preparation.photos import PhotoError

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
assert photos.load()


def scene(width: int = 640, height: int = 480) -> Image.Image:
    """Return a picture in which each corner has a colour of its own."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


def saved(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "a phone"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.0)})
    return exif


def turned(image: Image.Image, orientation: int) -> bytes:
    """Return a JPEG that is seen as `image` once its orientation is applied."""
    turns = [None, None, 0, 3, 1, 5, 2, 6, 4]  # the inverses, as numbers of Image.Transpose
    turn = turns[orientation]
    return saved(image if turn is None else image.transpose(turn), exif=exif_of(orientation), quality=95)


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def reduced(content: bytes, shape: Shape | None = None, *, max_side: int = 320) -> Image.Image:
    made = photos.reduce(content, shape, max_side=max_side)
    assert made is not None
    return opened(made.content)


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one.convert("RGB"), float) - np.asarray(other.convert("RGB"), float)).max())


@pytest.mark.parametrize("size", [(1, 1), (320, 200), (200, 320)])
def test_an_image_that_is_small_enough_is_left_as_it_is(size):
    assert photos.reduce(saved(scene(*size)), max_side=320) is None


@pytest.mark.parametrize(
    ("size", "small"), [((640, 480), (320, 240)), ((480, 640), (240, 320)), ((321, 200), (320, 199))]
)
def test_the_longer_side_becomes_the_bound(size, small):
    assert reduced(saved(scene(*size))).size == small


def test_a_narrow_image_keeps_its_aspect_rather_than_the_bound():
    made = reduced(saved(scene(6000, 60)))
    assert made.size == (5000, 50)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_seen_as_the_same_scene(orientation):
    made = photos.reduce(turned(scene(), orientation), max_side=320)
    assert made.original_size == (640, 480)
    assert difference(opened(made.content), scene(320, 240)) < 10


def test_pixels_lie_where_an_exact_reduction_has_them():
    image = Image.effect_noise((1003, 777), 80).convert("RGB")
    exact = image.resize((333, 258), Image.Resampling.LANCZOS)
    assert difference(reduced(saved(image, "PNG"), max_side=333), exact) < 25


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_file_keeps_its_format_and_its_colour_profile(form):
    made = reduced(saved(scene(), form, icc_profile=SRGB))
    assert (made.format, made.info["icc_profile"]) == (form, SRGB)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_place_the_phone_and_all_else_go(form):
    options = {"comment": "here"} if form == "JPEG" else {}
    made = photos.reduce(saved(scene(), form, exif=exif_of(1), **options), max_side=320).content
    assert not set(opened(made).info) & {"exif", "comment", "xmp"}
    assert b"a phone" not in made


def test_texts_in_a_png_go():
    about = PngImagePlugin.PngInfo()
    about.add_text("Author", "somebody")
    assert b"somebody" not in photos.reduce(saved(scene(), "PNG", pnginfo=about), max_side=320).content


def test_a_phones_file_of_several_pictures_becomes_a_jpeg_of_its_first():
    content = saved(scene(), "MPO", save_all=True, append_images=[Image.new("RGB", (640, 480))], exif=exif_of(3))
    made = reduced(content)
    assert made.format == "JPEG"
    assert difference(made, scene(320, 240).rotate(180)) < 10


@pytest.mark.parametrize(("given", "kept"), [(0, 0), (1, 0), (2, 2)])
def test_a_jpeg_keeps_its_sampling_of_colours_or_has_more(given, kept):
    assert get_sampling(reduced(saved(scene(), subsampling=given))) == kept


def test_a_lossless_webp_stays_one():
    made = photos.reduce(saved(scene(), "WEBP", lossless=True), max_side=320)
    assert made.content[12:16] == b"VP8L"


@pytest.mark.parametrize(
    ("mode", "becomes"), [("1", None), ("L", "L"), ("LA", "LA"), ("P", "RGBA"), ("RGBA", "RGBA"), ("I;16", None)]
)
def test_a_png_in_other_colours_is_reduced_or_refused(mode, becomes):
    content = saved(scene().convert("L").convert(mode) if mode == "I;16" else scene().convert(mode), "PNG")
    if becomes is None:
        with pytest.raises(PhotoError, match="modes L, LA, RGB, RGBA, CMYK, got"):
            photos.reduce(content, max_side=320)
    else:
        assert reduced(content).mode == becomes


def test_what_is_seen_through_stays_so():
    image = scene().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    assert difference(reduced(saved(image, "PNG")).getchannel("A"), Image.linear_gradient("L").resize((320, 240))) < 4


@pytest.mark.parametrize(
    ("channels", "order"), [(1, "RGB"), (2, "RGB"), (3, "RGB"), (3, "BGR"), (4, "RGB"), (4, "BGR")]
)
def test_raw_pixels_become_a_smaller_png(channels, order):
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    array = np.asarray(scene().convert(mode)).reshape(480, 640, channels)
    raw = array[..., [2, 1, 0, 3][:channels]] if order == "BGR" else array
    shape = Shape(width=640, height=480, channels=channels, channel_order=order)
    made = reduced(raw.tobytes(), shape)
    assert (made.format, made.mode) == ("PNG", mode)
    assert difference(made, scene(320, 240).convert(mode)) < 6


def test_raw_pixels_are_turned_as_they_say():
    shape = Shape(width=480, height=640, channels=3, orientation=6)
    made = photos.reduce(scene().transpose(Image.Transpose.ROTATE_90).tobytes(), shape, max_side=320)
    assert made.original_size == (640, 480)
    assert difference(opened(made.content), scene(320, 240)) < 6


CUT = saved(Image.effect_noise((640, 480), 60), "PNG")[:4000]


@pytest.mark.parametrize("content", [b"", b"no image", CUT, saved(scene(), "GIF"), saved(scene(), "TIFF")])
def test_what_cannot_be_read_is_an_error_of_ours(content):
    with pytest.raises(PhotoError, match="Pillow can read"):
        photos.reduce(content, max_side=320)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_an_image_that_would_fill_the_apps_memory_is_not_decoded(form):
    options = {"progressive": True} if form == "JPEG" else {}
    bomb = saved(Image.new("L", (6100, 6100)), form, **options)
    for call in (lambda: photos.reduce(bomb, max_side=320), lambda: photos.difference_hash(bomb)):
        with pytest.raises(PhotoError, match="at most 36000000 pixels to decode, got 6100x6100"):
            call()


def test_a_large_plain_jpeg_is_decoded_at_a_lower_scale():
    assert reduced(saved(Image.new("L", (6100, 6100)))).size == (320, 320)


def test_a_broken_orientation_does_not_keep_an_image_from_being_reduced():
    content = saved(scene(), exif=exif_of(6)).replace(b"II*\x00", b"II?\x00").replace(b"MM\x00*", b"MM\x00?")
    assert reduced(content).size == (320, 240)


IMPORTS = """
import sys
from pathlib import Path
from feedback_sdk.preparation import photos
assert photos.load()
before = set(sys.modules)
for name in sys.argv[1:]:
    content = Path(name).read_bytes()
    photos.reduce(content, max_side=320)
    photos.difference_hash(content)
print(*set(sys.modules) - before)
"""


def test_nothing_is_imported_after_loading(tmp_path):
    # An import that a fork interrupts stays locked in the child, whose sender then hangs.
    for form in ("JPEG", "PNG", "WEBP", "MPO"):
        options = {"save_all": True, "append_images": [scene()]} if form == "MPO" else {}
        (tmp_path / form).write_bytes(saved(scene(), form, exif=exif_of(6), icc_profile=SRGB, **options))
    files = [str(path) for path in tmp_path.iterdir()]
    run = subprocess.run([sys.executable, "-c", IMPORTS, *files], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def looks(image: Image.Image, **options: object) -> int:
    return photos.difference_hash(saved(image, **options))


def noisy(image: Image.Image, seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, 10, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image, float) + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("image", [scene(), Image.new("RGB", (640, 480), "grey"), ImageOps.mirror(scene())])
def test_noise_and_size_change_a_hash_by_next_to_nothing(image):
    first = looks(noisy(image, 0))
    others = [looks(noisy(image, seed), quality=70) for seed in range(1, 6)] + [looks(image.resize((320, 240)))]
    assert max((first ^ other).bit_count() for other in others) <= 2


def test_another_scene_has_another_hash():
    assert (looks(scene()) ^ looks(ImageOps.mirror(scene()))).bit_count() > 30


@pytest.mark.parametrize("image", [noisy(scene(), 1), ImageOps.mirror(scene()), scene(640, 5)])
def test_raw_pixels_look_like_their_file(image):
    shape = Shape(width=image.width, height=image.height, channels=3)
    raw = photos.difference_hash(image.tobytes(), shape)
    assert (raw ^ looks(image, quality=95)).bit_count() <= 2


@pytest.mark.parametrize("content", [b"", b"no image", CUT])
def test_a_hash_of_what_cannot_be_read_is_an_error_of_ours(content):
    with pytest.raises(PhotoError, match="Pillow can read"):
        photos.difference_hash(content)
