"""Photos of four sources: drawn trays, the coins of scikit-image, a folder of real photos, and jittered repeats.

Truth boxes are in pixels of the EXIF-oriented image; truth None says that nobody knows what is on the photo.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps, UnidentifiedImageError

from examples.pill_counter.trays import draw_tray
from feedback_sdk import Box

#: first seeds of the drawn trays: what a model learns from, meets in production, is judged by and shows
#: in the app never overlap
TRAINING_SEED, PRODUCTION_SEED, HOLDOUT_SEED, GALLERY_SEED = 1_000_000, 2_000_000, 3_000_000, 4_000_000
LABELS = ("pill", "capsule")
_MOST_PIXELS = 50_000_000
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


class PhotoError(Exception):
    """A file that is no photo, or a folder without photos."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """An image file and the boxes that are truly on it."""

    name: str
    image_bytes: bytes
    truth: tuple[Box, ...] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Album:
    """Photos in a fixed order, each read when it is asked for."""

    names: tuple[str, ...]
    read: Callable[[str], Photo]

    def photos(self, number: int) -> Iterator[Photo]:
        """Yield `number` photos, no two with the same bytes: after the last name come jittered repeats."""
        seen: set[bytes] = set()
        for index in range(number if self.names else 0):
            photo = self.read(self.names[index % len(self.names)])
            turn = index // len(self.names)
            candidate = photo if turn == 0 else jitter(photo, seed=turn)
            while (digest := hashlib.sha256(candidate.image_bytes).digest()) in seen:
                turn += 1000
                candidate = jitter(photo, seed=turn)
            seen.add(digest)
            yield candidate


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """A folder in three parts: a first model learns from `starter`, the app meets `production`, `holdout` judges."""

    starter: Album
    production: Album
    holdout: Album


def open_image(image_bytes: bytes) -> Image.Image:
    """Return the oriented RGB image; PhotoError says in words for a user what is wrong with it."""
    try:
        with Image.open(io.BytesIO(image_bytes)) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise PhotoError(f"the photo must have at most 50 megapixels, got {image.width} x {image.height}")
            return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError:
        raise PhotoError("the file must be a photo (JPEG, PNG or WebP)") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PhotoError(f"the photo must be complete, got: {error}") from None


def drawn_trays(first_seed: int, *, number: int) -> Album:
    """Return drawn trays with the seeds from `first_seed` on."""
    return Album(names=tuple(f"tray-{first_seed + index:07}" for index in range(number)), read=_draw)


def coins() -> Album:
    """Return the one photo of 24 coins that scikit-image carries; each coin counts as a pill."""
    return Album(names=("coins",), read=_count_coins)


def folder(path: Path) -> Album:
    """Return the photos of a folder (or of its `images` folder) by name, with YOLO labels where there are any.

    Labels lie in a sibling folder `labels` or beside the photos, all classes count as pills. An empty label file says
    that nothing is there; a photo without one has no known truth.
    """
    images = path / "images" if (path / "images").is_dir() else path
    if not images.is_dir():
        raise PhotoError(f"the folder of photos must exist, got {path}")
    names = tuple(sorted(file.name for file in images.iterdir() if file.suffix.lower() in _SUFFIXES))
    if not names:
        raise PhotoError(f"the folder must hold photos ({', '.join(sorted(_SUFFIXES))}), got none in {images}")
    return Album(names=names, read=partial(_read, images))


def split(album: Album) -> Shares:
    """Return a sixth, a half and a third of a folder, drawn by a hash of each photo's name.

    Roboflow writes several variants of one photo as `NAME.rf.HASH.jpg`: they stay in one part.
    """
    parts: tuple[list[str], ...] = ([], [], [])
    for name in album.names:
        drawn = hashlib.sha256(name.split(".rf.")[0].encode()).digest()[0] % 6
        parts[(0, 1, 1, 1, 2, 2)[drawn]].append(name)
    starter, production, holdout = (replace(album, names=tuple(names)) for names in parts)
    return Shares(starter=starter, production=production, holdout=holdout)


def jitter(photo: Photo, *, seed: int) -> Photo:
    """Return a variant: mirrored, cropped beside its boxes, brighter or darker; the truth goes with it."""
    name = f"{photo.name}#{seed}"
    rng = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
    image = open_image(photo.image_bytes)
    left, top, right, bottom = _crop(rng, image.size, photo.truth)
    image = ImageEnhance.Brightness(image.crop((left, top, right, bottom))).enhance(float(rng.uniform(0.75, 1.2)))
    flips = (bool(rng.random() < 0.5), bool(rng.random() < 0.5))
    image = ImageOps.mirror(image) if flips[0] else image
    image = ImageOps.flip(image) if flips[1] else image
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(82, 95)))
    truth = photo.truth
    if truth is not None:
        truth = tuple(_moved(box, by=(left, top), size=image.size, flips=flips) for box in truth)
    return Photo(name=name, image_bytes=file.getvalue(), truth=truth)


def _crop(rng: np.random.Generator, size: tuple[int, int], truth: tuple[Box, ...] | None) -> tuple[int, int, int, int]:
    """Return a window of at least 84 % of each side that cuts no box of the truth."""
    width, height = size
    boxes = truth or ()
    room = (
        min([0.08 * width, *(box.x_min for box in boxes)]),
        min([0.08 * height, *(box.y_min for box in boxes)]),
        min([0.08 * width, *(width - box.x_max for box in boxes)]),
        min([0.08 * height, *(height - box.y_max for box in boxes)]),
    )
    cut = [int(rng.uniform(0, max(side, 0))) for side in room]
    return cut[0], cut[1], width - cut[2], height - cut[3]


def _moved(box: Box, *, by: tuple[int, int], size: tuple[int, int], flips: tuple[bool, bool]) -> Box:
    x_min, x_max = _mirrored(box.x_min - by[0], box.x_max - by[0], side=size[0], is_flipped=flips[0])
    y_min, y_max = _mirrored(box.y_min - by[1], box.y_max - by[1], side=size[1], is_flipped=flips[1])
    return replace(box, x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)


def _mirrored(low: float, high: float, *, side: int, is_flipped: bool) -> tuple[float, float]:
    low, high = (side - high, side - low) if is_flipped else (low, high)
    return max(low, 0.0), min(high, float(side))


def _draw(name: str) -> Photo:
    tray = draw_tray(int(name.removeprefix("tray-")))
    return Photo(name=name, image_bytes=tray.image_bytes, truth=tray.truth)


def _count_coins(name: str) -> Photo:
    # scikit-image takes half a second to load, and only this photo needs it here
    from examples.pill_counter.coins import coin_boxes, coins_png

    return Photo(name=name, image_bytes=coins_png(), truth=coin_boxes())


def _box(x_min: float, y_min: float, x_max: float, y_max: float) -> Box:
    return Box(label="pill", x_min=float(x_min), y_min=float(y_min), x_max=float(x_max), y_max=float(y_max))


def _read(images: Path, name: str) -> Photo:
    image_bytes = (images / name).read_bytes()
    beside = (images / name).with_suffix(".txt")
    labels = next((file for file in (images.parent / "labels" / beside.name, beside) if file.is_file()), None)
    if labels is None:
        return Photo(name=name, image_bytes=image_bytes, truth=None)
    size = open_image(image_bytes).size
    lines = [line for line in labels.read_text().splitlines() if line.strip()]
    boxes = (_yolo_box(line, size=size, file=labels) for line in lines)
    return Photo(name=name, image_bytes=image_bytes, truth=tuple(box for box in boxes if box is not None))


def _yolo_box(line: str, *, size: tuple[int, int], file: Path) -> Box | None:
    """Return the box of `class x y width height` or of `class x1 y1 x2 y2 ...`; None when no area is inside."""
    try:
        values = [float(word) for word in line.split()][1:]
    except ValueError:
        values = []
    if len(values) < 4:
        raise PhotoError(f"a YOLO line must be `class x y width height`, got {line!r} in {file}")
    xs, ys = values[0::2], values[1::2]
    if len(values) < 6:
        x, y, width, height = values[:4]
        xs, ys = [x - width / 2, x + width / 2], [y - height / 2, y + height / 2]
    x_min, x_max = (min(max(edge(xs), 0.0), 1.0) * size[0] for edge in (min, max))
    y_min, y_max = (min(max(edge(ys), 0.0), 1.0) * size[1] for edge in (min, max))
    return _box(x_min, y_min, x_max, y_max) if x_min < x_max and y_min < y_max else None
