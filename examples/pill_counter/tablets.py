"""The objects on a tray, and how light falls on them."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Pixels = NDArray[np.float32]
Colour = tuple[float, float, float]
Disc = tuple[float, float, float]

_TABLETS: tuple[Colour, ...] = (
    (0.93, 0.92, 0.89),
    (0.93, 0.92, 0.89),
    (0.90, 0.80, 0.42),
    (0.88, 0.62, 0.60),
    (0.55, 0.68, 0.84),
    (0.86, 0.60, 0.36),
    (0.58, 0.74, 0.56),
    (0.62, 0.33, 0.30),
)
_CAPSULES: tuple[tuple[Colour, Colour], ...] = (
    ((0.76, 0.16, 0.15), (0.91, 0.82, 0.38)),
    ((0.15, 0.30, 0.62), (0.88, 0.88, 0.86)),
    ((0.16, 0.45, 0.30), (0.80, 0.82, 0.48)),
    ((0.80, 0.42, 0.14), (0.90, 0.88, 0.82)),
    ((0.45, 0.20, 0.45), (0.86, 0.68, 0.72)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """Where the light comes from (`angle` in radians), how low it stands (0..1) and how soft its shadows are."""

    angle: float
    slant: float
    softness_px: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Tablet:
    """A round tablet."""

    label: ClassVar[str] = "pill"
    x: float
    y: float
    angle: float
    radius_px: float
    colour: Colour
    is_scored: bool

    def discs(self) -> tuple[Disc, ...]:
        """Return the discs (x, y, radius) that it covers."""
        return ((self.x, self.y, self.radius_px),)

    def half_size_px(self) -> tuple[float, float]:
        """Return half its width and half its height."""
        return self.radius_px, self.radius_px


@dataclass(frozen=True, kw_only=True, slots=True)
class Capsule:
    """A capsule of two colours; `angle` is that of its axis."""

    label: ClassVar[str] = "capsule"
    x: float
    y: float
    angle: float
    radius_px: float
    colours: tuple[Colour, Colour]

    @property
    def spine_px(self) -> float:
        """Half the length of its axis between the centres of the round ends."""
        return 1.55 * self.radius_px

    def discs(self) -> tuple[Disc, ...]:
        """Return discs (x, y, radius) that cover it."""
        along = (-1.0, -0.5, 0.0, 0.5, 1.0)
        run, rise = self.spine_px * math.cos(self.angle), self.spine_px * math.sin(self.angle)
        return tuple((self.x + step * run, self.y + step * rise, self.radius_px) for step in along)

    def half_size_px(self) -> tuple[float, float]:
        """Return half its width and half its height."""
        return (
            self.spine_px * abs(math.cos(self.angle)) + self.radius_px,
            self.spine_px * abs(math.sin(self.angle)) + self.radius_px,
        )


Shape = Tablet | Capsule


@dataclass(frozen=True, kw_only=True, slots=True)
class Looks:
    """The kinds of objects of one tray."""

    tablets: tuple[Colour, ...]
    capsules: tuple[tuple[Colour, Colour], ...]
    is_scored: bool

    def pick_tablet(self, rng: np.random.Generator) -> Colour:
        """Return one tablet's colour."""
        return self.tablets[int(rng.integers(len(self.tablets)))]

    def pick_capsule(self, rng: np.random.Generator) -> tuple[Colour, Colour]:
        """Return one capsule's two colours."""
        return self.capsules[int(rng.integers(len(self.capsules)))]


def pick_looks(rng: np.random.Generator) -> Looks:
    """Return the kinds of one tray: mostly one medicine, sometimes three mixed."""
    kinds = int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
    return Looks(
        tablets=tuple(_TABLETS[int(index)] for index in rng.integers(0, len(_TABLETS), kinds)),
        capsules=tuple(_CAPSULES[int(index)] for index in rng.integers(0, len(_CAPSULES), kinds)),
        is_scored=bool(rng.random() < 0.4),
    )


def paint(rng: np.random.Generator, scene: Pixels, shape: Shape, *, light: Light) -> None:
    """Paint one object with its shadow into the scene (height, width, 3), in place."""
    height_px = 0.75 * shape.radius_px
    reach = math.ceil(max(shape.half_size_px()) + height_px + 3 * light.softness_px + 2)
    left, top = max(int(shape.x) - reach, 0), max(int(shape.y) - reach, 0)
    window = scene[top : int(shape.y) + reach + 1, left : int(shape.x) + reach + 1]
    lines, columns = window.shape[:2]
    x, y = np.meshgrid(np.arange(columns) + left + 0.5 - shape.x, np.arange(lines) + top + 0.5 - shape.y)
    cosine, sine = math.cos(shape.angle), math.sin(shape.angle)
    along, across = (x * cosine + y * sine).astype(np.float32), (y * cosine - x * sine).astype(np.float32)
    cover = _cover(shape, along, across)
    window *= 1 - _shadow(cover, light=light, height_px=height_px)[:, :, None]
    body = _tablet(shape, along, across, light) if isinstance(shape, Tablet) else _capsule(shape, along, across, light)
    body = body * (1 + 0.012 * rng.standard_normal(body.shape[:2], dtype=np.float32))[:, :, None]
    window[:] = window * (1 - cover[:, :, None]) + body * cover[:, :, None]


def _cover(shape: Shape, along: Pixels, across: Pixels) -> Pixels:
    """Return how much of each pixel the object covers, in 0..1."""
    spine_px = shape.spine_px if isinstance(shape, Capsule) else 0.0
    beyond = np.maximum(np.abs(along) - spine_px, 0)
    return np.asarray(np.clip(shape.radius_px - np.hypot(beyond, across) + 0.5, 0, 1), np.float32)


def _shadow(cover: Pixels, *, light: Light, height_px: float) -> Pixels:
    """Return how much light each pixel loses: to the cast shadow, and to the dark seam of contact."""
    throw_px = height_px * light.slant
    shift = (-throw_px * math.sin(light.angle), -throw_px * math.cos(light.angle))
    cast = ndimage.gaussian_filter(ndimage.shift(cover, shift, order=1), light.softness_px)
    contact = ndimage.gaussian_filter(cover, 2.0)
    return np.asarray(np.clip(0.42 * cast + 0.25 * contact, 0, 0.7), np.float32)


def _lit(normal_along: Pixels, normal_across: Pixels, *, shape: Shape, light: Light) -> tuple[Pixels, Pixels]:
    """Return the diffuse and the mirrored light of a surface, given its slopes in the object's own axes."""
    length = np.sqrt(normal_along**2 + normal_across**2 + 1)
    turn = light.angle - shape.angle
    flat = light.slant / math.hypot(1, light.slant)
    upright = 1 / math.hypot(1, light.slant)
    towards = (flat * math.cos(turn), flat * math.sin(turn), upright)
    diffuse = np.clip((normal_along * towards[0] + normal_across * towards[1] + towards[2]) / length, 0, 1)
    half = math.sqrt(towards[0] ** 2 + towards[1] ** 2 + (towards[2] + 1) ** 2)
    mirror = (normal_along * towards[0] + normal_across * towards[1] + towards[2] + 1) / (length * half)
    return diffuse, np.clip(mirror, 0, 1)


def _tablet(shape: Tablet, along: Pixels, across: Pixels, light: Light) -> Pixels:
    radius = np.hypot(along, across) + 1e-3
    share = radius / shape.radius_px
    # a gently domed face, then the bevel
    slope = 0.22 * share + 1.7 * np.clip((share - 0.72) / 0.28, 0, 1) ** 1.5
    tilt_along: Pixels = np.asarray(slope * along / radius, np.float32)
    tilt_across: Pixels = np.asarray(slope * across / radius, np.float32)
    if shape.is_scored:
        tilt_across += 0.9 * np.sin(np.clip(across / (0.09 * shape.radius_px), -math.pi, math.pi))
    diffuse, mirror = _lit(tilt_along, tilt_across, shape=shape, light=light)
    shade = (0.42 + 0.66 * diffuse)[:, :, None] * np.array(shape.colour, np.float32)
    return np.asarray(shade + 0.10 * mirror[:, :, None] ** 18, np.float32)


def _capsule(shape: Capsule, along: Pixels, across: Pixels, light: Light) -> Pixels:
    beyond = np.sign(along) * np.maximum(np.abs(along) - shape.spine_px, 0)
    height = np.sqrt(np.clip(1 - (beyond**2 + across**2) / (shape.radius_px * 1.03) ** 2, 0.05, 1)) * shape.radius_px
    diffuse, mirror = _lit(beyond / height, across / height, shape=shape, light=light)
    first, second = (np.array(colour, np.float32) for colour in shape.colours)
    join = 0.15 * shape.radius_px
    part = np.clip(along - join + 0.5, 0, 1)[:, :, None]
    seam = (0.22 * np.exp(-((along - join) ** 2) / 1.5))[:, :, None]
    shade = (0.36 + 0.72 * diffuse)[:, :, None] * (first * (1 - part) + second * part) * (1 - seam)
    return np.asarray(shade + 0.62 * mirror[:, :, None] ** 45, np.float32)
