"""Pictures made up for a measurement: photo-like ones of a size, and a mixed set in which some are at fault."""

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

_QUALITY = 90


def photo(seed: int, *, width: int, height: int) -> Image.Image:
    """Return a picture with the spectrum of a photo: large forms in colour, edges, texture, a little noise."""
    random = np.random.default_rng(seed)
    layers = np.zeros((height, width, 3), np.float32)
    for scale, strength in ((4, 90.0), (16, 45.0), (64, 22.0), (256, 11.0)):
        coarse = random.normal(0, strength, (scale, max(2, scale * width // height), 3)).astype(np.float32)
        layers += _enlarged(coarse, width, height)
    shapes = Image.fromarray(np.clip(layers + random.uniform(90, 150), 0, 255).astype(np.uint8))
    for _ in range(30):
        _paste_disc(shapes, random)
    pixels = np.asarray(shapes, np.int16) + random.integers(-3, 4, (height, width, 1), dtype=np.int16)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _enlarged(coarse: np.ndarray, width: int, height: int) -> np.ndarray:  # type: ignore[type-arg]  # floats
    channels = [
        Image.fromarray(coarse[:, :, channel]).resize((width, height), Image.Resampling.BICUBIC) for channel in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=2)


def _paste_disc(picture: Image.Image, random: np.random.Generator) -> None:
    side = max(4, int(min(picture.size) * random.uniform(0.03, 0.15)))
    colour = tuple(int(value) for value in random.integers(0, 256, 3))
    y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
    disc = Image.fromarray(((x**2 + y**2 <= (side / 2) ** 2) * 255).astype(np.uint8))
    place = int(random.integers(0, picture.width - side + 1)), int(random.integers(0, picture.height - side + 1))
    picture.paste(colour, place, disc)


def jpeg(picture: Image.Image, *, quality: int = _QUALITY) -> bytes:
    """Return a picture's bytes as a JPEG."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def photos(folder: Path, *, count: int, width: int, height: int) -> list[Path]:
    """Write so many photo-like JPEGs of a size and return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{index:03}.jpg" for index in range(count)]
    for index, file in enumerate(files):
        file.write_bytes(jpeg(photo(index, width=width, height=height)))
    return files


def mixed(folder: Path, *, count: int) -> list[Path]:
    """Write a set in which some pictures are dark, light, blurred, grey, empty, odd in shape or size, or copies."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for index in range(count):
        picture = photo(1000 + index, width=480 + 40 * (index % 7), height=360)
        for name, content in _versions(picture, index):
            file = folder / f"{index:03}-{name}"
            file.write_bytes(content)
            written.append(file)
    return written


def _versions(picture: Image.Image, index: int) -> Iterator[tuple[str, bytes]]:
    yield "original.jpg", jpeg(picture)
    names = list(_FAULTS)
    name = names[index % len(names)]
    strength = 0.5 + (index // len(names) % 4) / 2
    yield f"{name}.jpg", jpeg(_FAULTS[name](picture, strength))
    if index % 5 == 0:
        yield "copy.jpg", jpeg(picture)


def _shifted(picture: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(factor)


_FAULTS: Mapping[str, Callable[[Image.Image, float], Image.Image]] = {
    "dark": lambda picture, strength: _shifted(picture, 0.3 / strength),
    "light": lambda picture, strength: ImageOps.invert(_shifted(ImageOps.invert(picture), 0.06 / strength)),
    "blurred": lambda picture, strength: picture.filter(ImageFilter.GaussianBlur(20 * strength)),
    "grey": lambda picture, _: ImageOps.grayscale(picture),
    "pale": lambda picture, strength: ImageEnhance.Contrast(picture).enhance(0.06 * strength),
    "empty": lambda picture, _: Image.new("RGB", picture.size, (120, 130, 125)),
    "long": lambda picture, strength: picture.resize((picture.width, max(8, int(90 / strength)))),
    "small": lambda picture, strength: picture.resize((int(30 * strength), int(24 * strength))),
    "large": lambda picture, _: picture.resize((2400, 1800)),
}
