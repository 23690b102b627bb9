"""Draw photos of pill trays with known truth: the same seed gives the same bytes.

A picture is built as light builds it: a surface, a light with a direction and a colour, for each object its cast
shadow, its shading and its highlight, then the camera (`surfaces`). A truth box holds the whole object, also where
another one covers a part of it.
"""

import math
from dataclasses import dataclass

import numpy as np

from examples.pill_counter import surfaces, tablets
from examples.pill_counter.tablets import Capsule, Shape, Tablet
from feedback_sdk import Box

WIDTH_PX, HEIGHT_PX = 640, 480
MOST_OBJECTS = 35
_ATTEMPTS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Tray:
    """One photo (JPEG) and what lies on it."""

    image_bytes: bytes
    truth: tuple[Box, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Habit:
    """How one tray was filled: sizes in px, shares in 0..1."""

    count: int
    radius_px: float
    capsule_share: float
    cluster_share: float
    #: how far one object may lie on another, as a share of the radius
    overlap: float


def draw_tray(seed: int, *, count: int | None = None) -> Tray:
    """Return the tray of a seed, with `count` objects at most (None: 0 to 35, one tray in fifteen is empty)."""
    rng = np.random.default_rng([20260105, seed])
    habit = _habit(rng, count)
    shapes = _layout(rng, habit)
    scene = surfaces.draw_surface(rng, size=(WIDTH_PX, HEIGHT_PX))
    angle = float(rng.uniform(0, 2 * math.pi))
    light = tablets.Light(angle=angle, slant=float(rng.uniform(0.35, 0.95)), softness_px=float(rng.uniform(1.2, 5.0)))
    for shape in shapes:
        tablets.paint(rng, scene, shape, light=light)
    image_bytes = surfaces.take_picture(rng, scene, angle=angle, light=surfaces.pick_light(rng))
    return Tray(image_bytes=image_bytes, truth=tuple(_truth_box(shape) for shape in shapes))


def _habit(rng: np.random.Generator, count: int | None) -> _Habit:
    drawn = 0 if rng.random() < 1 / 15 else int(rng.integers(1, MOST_OBJECTS + 1))
    return _Habit(
        count=drawn if count is None else count,
        radius_px=float(rng.uniform(15, 25)),
        capsule_share=float(rng.choice([0.0, 0.3, 0.6, 1.0], p=[0.4, 0.3, 0.2, 0.1])),
        cluster_share=float(rng.choice([0.0, 0.3, 0.6], p=[0.4, 0.35, 0.25])),
        overlap=float(rng.choice([-0.25, 0.0, 0.35], p=[0.45, 0.35, 0.2])),
    )


def _layout(rng: np.random.Generator, habit: _Habit) -> list[Shape]:
    """Place objects one by one; one that finds no room after many tries is left out."""
    looks = tablets.pick_looks(rng)
    shapes: list[Shape] = []
    for _ in range(habit.count):
        for _ in range(_ATTEMPTS):
            shape = _candidate(rng, habit=habit, looks=looks, others=shapes)
            if _fits(shape, shapes, overlap=habit.overlap):
                shapes.append(shape)
                break
    return shapes


def _candidate(rng: np.random.Generator, *, habit: _Habit, looks: tablets.Looks, others: list[Shape]) -> Shape:
    x, y = float(rng.uniform(0, WIDTH_PX)), float(rng.uniform(0, HEIGHT_PX))
    if others and rng.random() < habit.cluster_share:
        near = others[int(rng.integers(len(others)))]
        turn, reach = rng.uniform(0, 2 * math.pi), rng.uniform(1.6, 2.6) * habit.radius_px
        x, y = near.x + reach * math.cos(turn), near.y + reach * math.sin(turn)
    angle = float(rng.uniform(0, math.pi))
    if rng.random() < habit.capsule_share:
        return Capsule(x=x, y=y, angle=angle, radius_px=0.62 * habit.radius_px, colours=looks.pick_capsule(rng))
    radius_px = habit.radius_px * float(rng.uniform(0.93, 1.07))
    return Tablet(x=x, y=y, angle=angle, radius_px=radius_px, colour=looks.pick_tablet(rng), is_scored=looks.is_scored)


def _fits(shape: Shape, others: list[Shape], *, overlap: float) -> bool:
    """Return whether it lies on the picture and covers no other more than the habit allows."""
    box = _truth_box(shape)
    if box.x_min < 4 or box.y_min < 4 or box.x_max > WIDTH_PX - 4 or box.y_max > HEIGHT_PX - 4:
        return False
    return all(
        math.dist(mine[:2], theirs[:2]) >= mine[2] + theirs[2] - overlap * min(mine[2], theirs[2])
        for other in others
        for mine in shape.discs()
        for theirs in other.discs()
    )


def _truth_box(shape: Shape) -> Box:
    half_width, half_height = shape.half_size_px()
    return Box(
        label=shape.label,
        x_min=round(shape.x - half_width, 2),
        y_min=round(shape.y - half_height, 2),
        x_max=round(shape.x + half_width, 2),
        y_max=round(shape.y + half_height, 2),
    )
