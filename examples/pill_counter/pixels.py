# mypy: allow-untyped-calls
# scikit-image says that it is typed, but most of its functions are not.
"""From a photo to objects: a forest says how likely each pixel shows an object, a watershed splits what touches.

Truth comes as boxes, not outlines. So only pixels that a box makes sure are learned from: its middle shows the
object, what lies outside all boxes is background.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import color, measure, morphology, segmentation
from sklearn.ensemble import ExtraTreesClassifier

from feedback_sdk import Box

Floats = NDArray[np.float32]
#: the longer side of the picture that the forest sees
_LONG_SIDE_PX = 216
_TREES = 32
#: objects and probabilities are cut out of a finer picture than the forest sees
_ZOOM = 2
_SMALLEST_PX = 24
_LARGEST_HOLE_PX = 20
#: above it a pixel belongs to an object; more than half, because a blurred pixel between two looks like both
_THRESHOLD = 0.6
_PER_PHOTO = 500
_SAMPLES = 24_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """One object that was cut out: its corners in px of the photo, and what a second look needs."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float
    features: tuple[float, ...]


def pixel_features(image: Image.Image) -> Floats:
    """Return (height, width, features) of a photo: colour, edges, texture and blobs at several scales."""
    shrink = _LONG_SIDE_PX / max(image.size)
    size = (max(round(image.width * shrink), 8), max(round(image.height * shrink), 8))
    lab = color.rgb2lab(np.asarray(image.resize(size, Image.Resampling.BOX))).astype(np.float32)
    fine, middle, coarse, broad = (_blurred(lab, sigma) for sigma in (0.8, 2.0, 5.0, 14.0))
    typical = np.median(lab.reshape(-1, 3), axis=0)
    strange = np.linalg.norm(fine - typical, axis=2, keepdims=True)
    edges = [_edges(fine), _edges(middle), ndimage.gaussian_filter(_edges(fine), 3.0)]
    blobs = [
        ndimage.gaussian_laplace(layer, sigma) for layer in (lab[:, :, 0], strange[:, :, 0]) for sigma in (2, 4, 6)
    ]
    stacked = [lab, middle, coarse, fine - typical, fine - coarse, middle - broad, strange]
    return np.concatenate([*stacked, *(plane[:, :, None] for plane in (*edges, *blobs))], axis=2)


def train_forest(
    features: Sequence[Floats], truths: Sequence[Sequence[Box]], *, sizes: Sequence[tuple[int, int]], seed: int
) -> ExtraTreesClassifier:
    """Return a forest that tells objects (1) from background (0), learned from sampled sure pixels."""
    rng = np.random.default_rng(seed)
    samples, targets = [], []
    per_photo = min(_PER_PHOTO, _SAMPLES // (2 * len(features)))
    for planes, boxes, size in zip(features, truths, sizes, strict=True):
        sure = _sure_pixels(planes, boxes, size)
        for target in (0, 1):
            places = np.flatnonzero(sure == target)
            chosen = rng.choice(places, min(len(places), per_photo), replace=False)
            samples.append(planes.reshape(-1, planes.shape[2])[chosen])
            targets.append(np.full(len(chosen), target))
    forest = ExtraTreesClassifier(
        _TREES, min_samples_leaf=3, max_depth=14, class_weight="balanced", random_state=seed, n_jobs=1
    )
    return forest.fit(np.concatenate(samples), np.concatenate(targets))


def probability(forest: ExtraTreesClassifier, planes: Floats) -> Floats:
    """Return (height, width): how likely each pixel shows an object."""
    flat = forest.predict_proba(planes.reshape(-1, planes.shape[2]))
    objects = flat[:, list(forest.classes_).index(1)] if 1 in forest.classes_ else np.zeros(len(flat))
    return objects.reshape(planes.shape[:2]).astype(np.float32)


def cut_out(likely: Floats, planes: Floats, *, size: tuple[int, int]) -> list[Region]:
    """Return the objects on a photo of `size` (width, height)."""
    smooth = ndimage.zoom(ndimage.gaussian_filter(likely, 0.6), _ZOOM, order=1)
    solid = _without_small_holes(smooth > _THRESHOLD)
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(solid), 1.0)
    marks = measure.label(_summits(depth, solid))
    pieces = segmentation.watershed(-depth, marks, mask=solid)
    found = [piece for piece in measure.regionprops(pieces, smooth) if piece.area >= _SMALLEST_PX]
    typical_area = float(np.median([piece.area for piece in found])) if found else 1.0
    scale = (size[0] / smooth.shape[1], size[1] / smooth.shape[0])
    return [_region(piece, planes, depth, scale=scale, typical_area=typical_area, number=len(found)) for piece in found]


def _blurred(lab: Floats, sigma: float) -> Floats:
    return np.asarray(ndimage.gaussian_filter(lab, (sigma, sigma, 0)), np.float32)


def _edges(lab: Floats) -> Floats:
    slopes = [ndimage.sobel(lab, axis) for axis in (0, 1)]
    return np.asarray(np.sqrt(sum((slope**2).sum(axis=2) for slope in slopes)), np.float32)


def _sure_pixels(planes: Floats, boxes: Sequence[Box], size: tuple[int, int]) -> NDArray[np.int8]:
    """Return 1 in the middle of a box, 0 outside all boxes, -1 where a box leaves it open."""
    shape = planes.shape
    sure = np.zeros(shape[:2], np.int8)
    across, down = shape[1] / size[0], shape[0] / size[1]
    x, y = np.meshgrid((np.arange(shape[1]) + 0.5) / across, (np.arange(shape[0]) + 0.5) / down)
    for box in boxes:
        inside = (x > box.x_min) & (x < box.x_max) & (y > box.y_min) & (y < box.y_max)
        sure[inside & (sure == 0)] = -1
    for box in boxes:
        half_px = 0.40 * min(box.x_max - box.x_min, box.y_max - box.y_min)
        away_px = np.hypot(x - (box.x_min + box.x_max) / 2, y - (box.y_min + box.y_max) / 2)
        sure[away_px < half_px] = 1
    return sure


def _without_small_holes(solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill a glare or an imprint, not the inside of a tray's rim."""
    holes, _ = ndimage.label(~solid)
    is_small = np.bincount(holes.ravel()) < _LARGEST_HOLE_PX
    return np.asarray(solid | is_small[holes])


def _summits(depth: Floats, solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the tops that stand out by an eighth of a typical half width (h-maxima, at half the resolution)."""
    small, inside = depth[::_ZOOM, ::_ZOOM], solid[::_ZOOM, ::_ZOOM]
    peaks = small[(small == ndimage.maximum_filter(small, 3)) & inside]
    rise = max(0.12 * float(np.median(peaks)), 0.3) if len(peaks) else 0.3
    lowered = morphology.reconstruction(small - rise, small)
    tops = (small - lowered > 0.999 * rise) & inside
    return np.asarray(np.kron(tops, np.ones((_ZOOM, _ZOOM), bool))[: depth.shape[0], : depth.shape[1]])


def _region(
    piece: "measure._regionprops.RegionProperties",
    planes: Floats,
    depth: Floats,
    *,
    scale: tuple[float, float],
    typical_area: float,
    number: int,
) -> Region:
    top, left, bottom, right = piece.bbox
    lab = planes[piece.coords[:, 0] // _ZOOM, piece.coords[:, 1] // _ZOOM, :3]
    minor, major = max(piece.axis_minor_length, 1.0), max(piece.axis_major_length, 1.0)
    thick = float(depth[piece.coords[:, 0], piece.coords[:, 1]].max())
    features = (
        piece.area / typical_area,
        piece.area / depth.size,
        minor / major,
        float(piece.solidity),
        float(piece.extent),
        4 * piece.area / (np.pi * minor * major),
        thick / minor,
        float(piece.intensity_mean),
        float(piece.intensity_std),
        *(float(value) for value in lab.mean(axis=0)),
        *(float(value) for value in lab.std(axis=0)),
        float(number),
    )
    return Region(
        x_min=left * scale[0], y_min=top * scale[1], x_max=right * scale[0], y_max=bottom * scale[1], features=features
    )
