"""What lies under the pills and what the camera does: surfaces, light, glare, blur, noise, JPEG."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Pixels = NDArray[np.float32]
Colour = tuple[float, float, float]
Size = tuple[int, int]

_PLASTIC: tuple[Colour, ...] = ((0.20, 0.38, 0.62), (0.28, 0.50, 0.36), (0.86, 0.86, 0.84), (0.17, 0.18, 0.20))
_WOOD: tuple[Colour, ...] = ((0.55, 0.38, 0.24), (0.70, 0.54, 0.37), (0.38, 0.25, 0.17))
_CLOTH: tuple[Colour, ...] = ((0.45, 0.16, 0.18), (0.30, 0.34, 0.40), (0.72, 0.66, 0.56))
_STEEL: tuple[Colour, ...] = ((0.56, 0.57, 0.59), (0.43, 0.44, 0.46))
_LIGHTS: tuple[Colour, ...] = ((1.00, 1.00, 1.00), (1.06, 0.99, 0.86), (0.92, 0.99, 1.08), (1.10, 0.95, 0.76))


def clouds(rng: np.random.Generator, *, size: Size, cells: tuple[int, int]) -> Pixels:
    """Return smooth noise with mean 0 and deviation 1 over (width, height), `cells` bumps across and down."""
    coarse = Image.fromarray(rng.standard_normal((cells[1] + 2, cells[0] + 2)).astype(np.float32))
    noise = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32)
    spread = float(noise.std()) or 1.0
    return np.asarray((noise - noise.mean()) / spread, np.float32)


def draw_surface(rng: np.random.Generator, *, size: Size) -> Pixels:
    """Return the bare tray, (height, width, 3) in 0..1, of one of the materials."""
    material = list(_MATERIALS)[int(rng.integers(len(_MATERIALS)))]
    surface = _MATERIALS[material](rng, size)
    if rng.random() < 0.45:
        surface = _with_rim(rng, surface)
    if rng.random() < 0.35:
        surface = _with_scratches(rng, surface)
    return np.clip(surface, 0.02, 0.98)


def pick_light(rng: np.random.Generator) -> Colour:
    """Return the colour of the light, as gains of red, green and blue."""
    base = np.array(_LIGHTS[int(rng.integers(len(_LIGHTS)))]) * rng.uniform(0.97, 1.03, 3)
    return float(base[0]), float(base[1]), float(base[2])


def take_picture(rng: np.random.Generator, scene: Pixels, *, angle: float, light: Colour) -> bytes:
    """Return the scene as a camera's JPEG; `angle` (radians) is where the light comes from."""
    lit = scene * _falloff(rng, scene.shape, angle) * np.array(light, np.float32) * np.float32(rng.uniform(0.78, 1.12))
    if rng.random() < 0.3:
        lit = lit + _glare(rng, scene.shape)
    blur_px = rng.uniform(0.35, 0.9) if rng.random() < 0.75 else rng.uniform(0.9, 1.9)
    lit = ndimage.gaussian_filter(lit, (blur_px, blur_px, 0))
    exposed = np.clip(lit, 0, 1.25) - 0.12 * np.clip(lit - 0.85, 0, None)
    grain = rng.standard_normal(scene.shape, dtype=np.float32) * np.float32(rng.uniform(0.006, 0.022))
    noisy = exposed + grain * (0.5 + np.sqrt(np.clip(exposed, 0.0, 1.0)))
    picture = Image.fromarray((np.clip(noisy, 0, 1) * 255).astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(rng.integers(74, 93)))
    return file.getvalue()


def _plastic(rng: np.random.Generator, size: Size) -> Pixels:
    grain = 0.012 * clouds(rng, size=size, cells=(size[0] // 3, size[1] // 3)) + 0.02 * clouds(
        rng, size=size, cells=(9, 7)
    )
    return _tinted(rng, _PLASTIC, 1 + grain)


def _wood(rng: np.random.Generator, size: Size) -> Pixels:
    warp = clouds(rng, size=size, cells=(3, 5))
    fibres = clouds(rng, size=size, cells=(12, size[1] // 3))
    rows = np.linspace(0, rng.uniform(14, 30), size[1], dtype=np.float32)[:, None]
    rings = np.sin(rows + 2.2 * warp)
    return _tinted(rng, _WOOD, 1 + 0.09 * rings + 0.07 * fibres)


def _cloth(rng: np.random.Generator, size: Size) -> Pixels:
    pitch = rng.uniform(1.1, 1.9)
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    weave = np.sin(x * pitch + 0.4 * np.sin(y * 0.05)) * np.sin(y * pitch)
    folds = clouds(rng, size=size, cells=(4, 3))
    lint = clouds(rng, size=size, cells=(size[0] // 2, size[1] // 2))
    return _tinted(rng, _CLOTH, 1 + 0.08 * weave + 0.07 * folds + 0.04 * lint)


def _steel(rng: np.random.Generator, size: Size) -> Pixels:
    brushed = clouds(rng, size=size, cells=(8, size[1]))
    reflection = clouds(rng, size=size, cells=(2, 3))
    return _tinted(rng, _STEEL, 1 + 0.045 * brushed + 0.10 * reflection)


def _tinted(rng: np.random.Generator, palette: tuple[Colour, ...], shade: Pixels) -> Pixels:
    colour = np.array(palette[int(rng.integers(len(palette)))]) * rng.uniform(0.88, 1.12, 3)
    return (shade[:, :, None] * colour.astype(np.float32)).astype(np.float32)


def _with_rim(rng: np.random.Generator, surface: Pixels) -> Pixels:
    """Add the tray's raised edge and the table beyond it."""
    height, width = surface.shape[:2]
    inset = rng.uniform(4, 22, 4)
    x, y = np.arange(width, dtype=np.float32)[None, :], np.arange(height, dtype=np.float32)[:, None]
    across = np.minimum(x - inset[0], width - inset[1] - x)
    down = np.minimum(y - inset[2], height - inset[3] - y)
    depth = np.minimum(across, down)[:, :, None]
    table = np.array(_WOOD[int(rng.integers(len(_WOOD)))], np.float32)
    ridge = 0.22 * np.exp(-((depth - 3) ** 2) / 8) - 0.20 * np.exp(-((depth - 10) ** 2) / 30)
    return np.where(depth > 0, surface * (1 + ridge), table * 0.8).astype(np.float32)


def _with_scratches(rng: np.random.Generator, surface: Pixels) -> Pixels:
    """Add scratches and crumbs: bright and dark marks that are no pills."""
    height, width = surface.shape[:2]
    marks = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(3, 12))):
        x, y, angle = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, np.pi)
        steps = np.arange(0, rng.uniform(1, 90), 0.5)
        columns = np.clip(x + steps * np.cos(angle), 0, width - 1).astype(int)
        lines = np.clip(y + steps * np.sin(angle), 0, height - 1).astype(int)
        marks[lines, columns] = rng.uniform(-0.5, 0.8)
    blurred = np.asarray(ndimage.gaussian_filter(marks, rng.uniform(0.5, 1.0)), np.float32)
    return surface + 0.35 * blurred[:, :, None]


def _falloff(rng: np.random.Generator, shape: tuple[int, ...], angle: float) -> Pixels:
    """Return how bright the light is at each place: brighter on its side, darker in the lens's corners."""
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :, None]
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None, None]
    slope = rng.uniform(0.02, 0.24) * (x * np.cos(angle) + y * np.sin(angle))
    return np.asarray(1 + slope - rng.uniform(0.02, 0.14) * (x * x + y * y), np.float32)


def _glare(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    """Return the light that a shiny surface throws straight into the lens."""
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    centre, spread = rng.uniform(0, 1, 2) * (shape[1], shape[0]), rng.uniform(25, 120, 2)
    spot = np.exp(-(((x - centre[0]) / spread[0]) ** 2) - ((y - centre[1]) / spread[1]) ** 2)
    return np.asarray(rng.uniform(0.12, 0.55) * spot[:, :, None], np.float32)


_MATERIALS: dict[str, Callable[[np.random.Generator, Size], Pixels]] = {
    "plastic": _plastic,
    "wood": _wood,
    "cloth": _cloth,
    "steel": _steel,
}
