"""What an image looks like in numbers, held against Pillow's and the standard library's own."""

import colorsys

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageStat

from queue_server.core.metrics import METRICS, Of, image_values
from queue_server.core.metrics.hashing import distance_bits, perceptual_hash
from queue_server.core.metrics.images import blurry_score, entropy_bits, hue_shares, laplacian_variance


def noise(height: int = 48, width: int = 64, *, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain(*colour: int, side: int = 8) -> np.ndarray:
    return np.full((side, side, 3), colour, np.uint8)


def split(pixels: np.ndarray) -> list[np.ndarray]:
    return [pixels[..., channel].astype(np.float32) for channel in range(3)]


def values(pixels: np.ndarray, *, width: int = 8, height: int = 8, is_grey: bool = False) -> dict[str, float]:
    return image_values(pixels, pixels[:, :, 0], pixels[:, :, 0], width=width, height=height, is_grey=is_grey)


def test_single_pixel_has_every_metric_of_a_picture() -> None:
    own = {name for name, metric in METRICS.items() if metric.of is Of.IMAGE and not metric.is_relative}
    found = values(plain(0, 0, 0, side=1), width=1, height=1)
    assert set(found) - own == {"width", "height"}
    assert own - set(found) == {"random", "exact_duplicate", "near_duplicate"}


@pytest.mark.parametrize("name", ["brightness", "contrast"])
def test_light_is_that_of_all_channels(name: str) -> None:
    pixels = noise()
    expected = {"brightness": pixels.mean() / 255, "contrast": pixels.std() / 255}
    assert values(pixels)[name] == pytest.approx(expected[name], abs=1e-6)


@pytest.mark.parametrize(
    ("colour", "dark", "light"), [((0, 0, 0), 0.0, 1.0), ((255, 255, 255), 1.0, 0.0), ((255, 0, 0), 0.490918, 0.509082)]
)
def test_perceived_light_is_that_of_the_extremes(colour: tuple[int, ...], dark: float, light: float) -> None:
    found = values(plain(*colour))
    assert (found["dark_score"], found["light_score"]) == pytest.approx((dark, light), abs=2e-4)


@pytest.mark.parametrize(("size", "expected"), [((8, 8), 1.0), ((100, 10), 0.1), ((10, 100), 0.1)])
def test_odd_shape_is_odd_both_ways(size: tuple[int, int], expected: float) -> None:
    assert values(plain(1, 2, 3), width=size[0], height=size[1])["odd_aspect_score"] == expected


def test_entropy_is_pillows() -> None:
    pixels = noise()
    counts = np.array([np.bincount(pixels[:, :, channel].ravel(), minlength=256) for channel in range(3)])
    assert entropy_bits(counts) == pytest.approx(Image.fromarray(pixels).entropy())
    assert entropy_bits(counts[:1]) == pytest.approx(Image.fromarray(pixels[:, :, 0]).entropy())


def test_extremes_of_light_are_numpys_percentiles() -> None:
    pixels = noise() // 2
    perceived = np.sqrt((pixels.astype(float) ** 2) @ (0.241, 0.691, 0.068)) / 255
    dark, bright = np.percentile(perceived, (5, 99))
    found = values(pixels)
    assert (found["dark_score"], found["light_score"]) == pytest.approx((bright, 1 - dark), abs=2e-4)


def test_edges_are_pillows() -> None:
    grey = noise()[:, :, 0] // 8  # little enough contrast that neither part is at its bound
    edges = ImageStat.Stat(Image.fromarray(grey).filter(ImageFilter.FIND_EDGES)).stddev[0]
    spread = 1 - np.exp(-0.01 * np.std(Image.fromarray(grey).histogram()))
    expected = 1 - np.exp(-0.01 * edges) + (spread if spread > 0.18 else 0.0)
    assert blurry_score(grey) == pytest.approx(min(1.0, expected))


def test_hues_are_those_of_the_circle() -> None:
    flat = noise(40, 50).reshape(-1, 3)
    circle = [colorsys.rgb_to_hsv(*(pixel / 255)) for pixel in flat]
    coloured = [round(h * 180) % 180 for h, s, v in circle if s * 255 >= 49.5 and v * 255 >= 40]
    expected = {
        "red": sum(h <= 10 or h >= 170 for h in coloured),
        "green": sum(35 <= h <= 75 for h in coloured),
        "blue": sum(90 <= h <= 130 for h in coloured),
    }
    found = hue_shares(split(flat))
    # A hue that lies half way may be rounded either way.
    assert {name: share * len(flat) for name, share in found.items()} == pytest.approx(expected, abs=3)


@pytest.mark.parametrize("colour", [(200, 200, 200), (39, 0, 0), (200, 170, 170)])
def test_pale_and_dark_pixels_have_no_hue(colour: tuple[int, ...]) -> None:
    assert sum(hue_shares(split(plain(*colour))).values()) == 0


def test_edge_is_sharper_than_a_ramp() -> None:
    edge, ramp = np.zeros((16, 16), np.float32), np.tile(np.arange(16, dtype=np.float32) * 16, (16, 1))
    edge[:, 8:] = 255
    assert laplacian_variance(edge) > laplacian_variance(ramp) == 0.0


def test_grey_image_is_told_by_its_channels() -> None:
    assert [values(plain(9, 9, 9), is_grey=is_grey)["grayscale"] for is_grey in (True, False)] == [1.0, 0.0]


def test_hash_survives_scaling_and_not_another_picture() -> None:
    def hashed(pixels: np.ndarray, side: int) -> int:
        grey = Image.fromarray(pixels).convert("L").resize((side, side)).resize((32, 32))
        return perceptual_hash(np.asarray(grey))

    one, other = noise(), noise(seed=8)
    assert distance_bits(hashed(one, 64), hashed(one, 48)) < 10 < distance_bits(hashed(one, 64), hashed(other, 64))


def test_hash_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be of shape \(32, 32\), got \(8, 8\)"):
        perceptual_hash(np.zeros((8, 8), np.uint8))
