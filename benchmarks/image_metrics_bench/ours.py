"""What the server makes of the same files: what it does when an image arrives, and the flags that come of it."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from queue_server.core.metrics.flags import FLAGS
from queue_server.errors import ImageError
from queue_server.images import check_image

#: cleanvision's name of each flag, and ours
NAMES = {
    "dark": "dark",
    "light": "light",
    "odd_aspect_ratio": "odd_aspect_ratio",
    "low_information": "low_information",
    "blurry": "blurry",
    "grayscale": "grayscale",
    "odd_size": "odd_size",
}
_MAX_PIXELS = 100_000_000


def is_taken(file: Path) -> bool:
    """Tell whether the server takes a file."""
    try:
        check_image(file.read_bytes(), max_pixels=_MAX_PIXELS)
    except ImageError:
        return False
    return True


def seconds(files: Sequence[Path]) -> float:
    """Return how long the checks, the decode and all metrics take for all files, on this thread."""
    contents = [file.read_bytes() for file in files]
    begin = time.process_time()
    for content in contents:
        check_image(content, max_pixels=_MAX_PIXELS)
    return time.process_time() - begin


def flags(files: Sequence[Path]) -> dict[str, list[str]]:
    """Return the flags of each file, by cleanvision's names."""
    checked = [check_image(file.read_bytes(), max_pixels=_MAX_PIXELS) for file in files]
    found: dict[str, list[str]] = {str(file): [] for file in files}
    for theirs, ours in NAMES.items():
        values = np.array([image.quality[FLAGS[ours].metric] for image in checked])
        for file, held in zip(found, FLAGS[ours].holds(values), strict=True):
            if held:
                found[file].append(theirs)
    exact = _repeated(list(found), [image.sha256 for image in checked])
    # As cleanvision does: what is a set of copies is none of pictures that look alike.
    near = _repeated(list(found), [image.perceptual_hash for image in checked]) - exact
    for name, groups in (("exact_duplicates", exact), ("near_duplicates", near)):
        for file in {file for group in groups for file in group}:
            found[file].append(name)
    return found


def _repeated(files: Sequence[str], keys: Sequence[object]) -> set[tuple[str, ...]]:
    by_key: dict[object, list[str]] = {}
    for file, key in zip(files, keys, strict=True):
        by_key.setdefault(key, []).append(file)
    return {tuple(same) for same in by_key.values() if len(same) > 1}
