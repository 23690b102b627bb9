"""Work out the metrics that hang on other samples: of embeddings, shapes and streams.

They are made from the latest samples of a project and overwrite what was there; older samples keep their values.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from feedback_sdk.types import Box, Mask, Polygon
from queue_server.backend import Backend
from queue_server.core.annotation import Annotation
from queue_server.core.metrics.annotations import bounds
from queue_server.core.metrics.neighbours import diversity, label_quality, novelty
from queue_server.core.metrics.shapes import moments_of, polygon_similarities, shape_closeness
from queue_server.core.metrics.tracks import inconsistent_labels, missing_objects
from queue_server.store import measuring, relatives
from queue_server.store.engine import reading, writing
from queue_server.store.relatives import Labelled

#: so many of the latest samples are held against each other
MOST_COMPARED = 5000

Values = dict[int, dict[str, float]]


def relate(backend: Backend, project_id: int) -> int:
    """Work out a project's relative metrics and return of how many samples; safe to run twice and to die anywhere.

    1. Read the latest samples with embeddings, and the latest that are annotated. 2. Compare them, outside any
    transaction. 3. Write what changed.
    """
    with reading(backend.engine) as session:
        embedded = relatives.embedded(session, project_id, limit=MOST_COMPARED)
        labelled = relatives.labelled(session, project_id, limit=MOST_COMPARED)
    found: Values = {}
    _add(found, embedded.pks, "novelty", novelty(embedded.vectors))
    _add(found, embedded.pks, "diversity", diversity(embedded.vectors))
    _add_label_quality(found, embedded, {one.pk: one for one in labelled})
    _add_shapes(found, labelled)
    _add_tracks(found, labelled)
    with writing(backend.engine) as session:
        measuring.keep_relative(session, found)
    return len(found)


def _add(found: Values, pks: Iterable[int], name: str, values: NDArray[np.float64]) -> None:
    for pk, value in zip(pks, values.tolist(), strict=True):
        if not math.isnan(value):
            found.setdefault(pk, {})[name] = value


def _add_label_quality(found: Values, embedded: relatives.Embedded, labelled: Mapping[int, Labelled]) -> None:
    places = [index for index, pk in enumerate(embedded.pks) if pk in labelled]
    pks = [embedded.pks[index] for index in places]
    labels = [main_label(labelled[pk].annotation) for pk in pks]
    _add(found, pks, "label_quality", label_quality(embedded.vectors[places], labels))


def main_label(annotation: Annotation) -> str:
    """Return the label that stands for an image: its classes, else what most of its objects are; "" for none."""
    if annotation.labels:
        return ", ".join(sorted(annotation.labels))
    counts = Counter(item.label for item in _objects(annotation))
    return min(counts, key=lambda label: (-counts[label], label)) if counts else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    pk: int
    label: str
    stream: str | None
    moments: NDArray[np.float64]
    is_polygon: bool


def _add_shapes(found: Values, labelled: Sequence[Labelled]) -> None:
    """Tell of each sample its oddest shape, and its polygon that is least like those before it."""
    shapes = [
        _Shape(
            pk=one.pk,
            label=item.label,
            stream=one.stream,
            moments=moments_of(item),
            is_polygon=isinstance(item, Polygon),
        )
        for one in labelled
        for item in _objects(one.annotation)
    ]
    by_label: dict[str, list[_Shape]] = {}
    by_line: dict[tuple[str, str], list[_Shape]] = {}
    for shape in shapes:
        by_label.setdefault(shape.label, []).append(shape)
        if shape.is_polygon:
            by_line.setdefault((shape.stream or "", shape.label), []).append(shape)
    for same in by_label.values():
        _add_least(found, same, "shape_closeness", shape_closeness(np.array([one.moments for one in same])).tolist())
    for line in by_line.values():
        _add_least(found, line, "polygon_similarity", polygon_similarities([one.moments for one in line]))


def _add_least(found: Values, shapes: Sequence[_Shape], name: str, values: Sequence[float]) -> None:
    for shape, value in zip(shapes, values, strict=True):
        if not math.isnan(value):
            known = found.setdefault(shape.pk, {})
            known[name] = min(value, known.get(name, value))


def _add_tracks(found: Values, labelled: Sequence[Labelled]) -> None:
    """Hold the frames of each stream against those beside them, in the order in which they were captured."""
    in_streams = sorted((one for one in labelled if one.stream), key=lambda one: (one.stream or "", one.captured_at))
    for _, group in groupby(in_streams, key=lambda one: one.stream):
        frames = list(group)
        placed = [[(item.label, bounds(item)) for item in _objects(one.annotation)] for one in frames]
        for index in range(1, len(frames)):
            known = found.setdefault(frames[index].pk, {})
            known["inconsistent_label"] = float(inconsistent_labels(placed[index - 1], placed[index]))
            if index + 1 < len(frames):
                missing = missing_objects(placed[index - 1], placed[index], placed[index + 1])
                known["missing_object"] = float(missing)


def _objects(annotation: Annotation) -> list[Box | Polygon | Mask]:
    return [*annotation.boxes, *annotation.polygons, *annotation.masks]
