"""Pin the images that a model version was trained on: measured like those of production, and not kept."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from queue_server.backend import Backend
from queue_server.core.model_card import CocoImage, read_coco
from queue_server.errors import ImageError, PolicyError
from queue_server.images import check_image
from queue_server.store import references
from queue_server.store.engine import writing

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinned:
    """What was pinned."""

    images: int
    objects: int
    #: files that are not there, or hold no image that we take: they are left out
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CocoFolder:
    """A folder with COCO files, as our export or others write it."""

    folder: Path
    #: the files that are read; the training part alone where one is named so
    files: tuple[Path, ...]


def open_coco(folder: Path) -> CocoFolder:
    """Find the COCO files of a folder, in `annotations/` or beside it; raise PolicyError where there are none."""
    found = sorted({*(folder / "annotations").glob("*.json"), *folder.glob("*.json")} - {folder / "manifest.json"})
    training = tuple(file for file in found if "train" in file.stem)
    if not found:
        raise PolicyError("DIR", f"must hold COCO files (annotations/train.json), {folder} has none")
    return CocoFolder(folder=folder, files=training or tuple(found))


def pin_coco(
    backend: Backend,
    project_id: int,
    opened: CocoFolder,
    *,
    model_version: str,
    now: datetime,
    on_progress: OnProgress = lambda _done, _total: None,
) -> Pinned:
    """Pin a folder's images to a version, in place of those pinned before.

    1. Read all files, and measure image after image: nothing is written if this is interrupted.
    2. Write all in one transaction.
    """
    images = [(file, image) for file in opened.files for image in _read(file)]
    rows, left_out = [], []
    for done, (file, image) in enumerate(images, start=1):
        row = _measured(backend, opened.folder, file, image)
        if row is None:
            left_out.append(image.file_name)
        else:
            rows.append(row)
        on_progress(done, len(images))
    if not rows:
        raise PolicyError("DIR", f"must hold the images that its files name, found none of {len(images)}")
    with writing(backend.engine) as session:
        source = opened.folder.resolve().name
        references.pin(session, project_id, model_version, source=source, images=rows, now=now)
    objects = sum(image.object_count for _, image in images if image.file_name not in left_out)
    return Pinned(images=len(rows), objects=objects, left_out=tuple(left_out))


def _read(file: Path) -> list[CocoImage]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise PolicyError(file.name, f"must be JSON: {str(error)[:200]}") from error
    return read_coco(document, source=file.name)


def _measured(backend: Backend, folder: Path, file: Path, image: CocoImage) -> dict[str, object] | None:
    """Return an image's row; None where its file is not there, or is no image that we take."""
    path = next((path for path in _places(folder, file, image.file_name) if path.is_file()), None)
    if path is None:
        return None
    try:
        checked = check_image(path.read_bytes(), max_pixels=backend.settings.max_image_pixels)
    except ImageError:
        return None
    return {
        "file_name": image.file_name[:500],
        "width": checked.width,
        "height": checked.height,
        "labels": dict(image.labels),
        "object_count": image.object_count,
        "metrics": dict(checked.quality) | {"object_count": float(image.object_count)},
    }


def _places(folder: Path, file: Path, name: str) -> Iterator[Path]:
    """Yield where an image may lie, never outside the folder: `images/`, the folder itself, the split's own."""
    root = folder.resolve()
    split = file.stem.removeprefix("instances_")
    for place in (root / "images" / name, root / name, root / split / name, root / "images" / split / name):
        if place.resolve().is_relative_to(root):
            yield place
