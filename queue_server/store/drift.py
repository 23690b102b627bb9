"""What a stretch of time holds, in arrays for comparison: read in bulk, never more than memory takes."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, and_, cast, extract, func, or_, select
from sqlmodel import Session, col

from queue_server import models
from queue_server.core.drift import LABELS, Labels, Rows, starts_of_bursts
from queue_server.core.metrics import METRICS, Of
from queue_server.core.policy import ArchiveReason
from queue_server.store import metrics, references

Sample, Prediction = models.Sample, models.Prediction

#: about so many rows of a stretch are read: more make no shift visible that matters
MOST_ROWS = 100_000
#: of so many the predictions are taken apart for their labels
MOST_LABELLED = 20_000
_CHUNK = 10_000
#: what a prediction that found nothing is counted as
NOTHING = "(nothing)"
_OBJECT_LISTS = ("boxes", "polygons", "masks", "keypoints")
#: these say what others say, or nothing of the data
_NOT_COMPARED = {"blur", "least_confidence", "variance", "odd_aspect_score", "light_score", "dark_score"}
CONFIDENCE = "confidence"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Which samples: of one model version, captured in [since, until)."""

    project_id: int
    model_version: str
    since: datetime
    until: datetime
    #: a slice's condition, in SQL
    where: ColumnElement[bool] | None = None


def features(session: Session, project_id: int) -> list[str]:
    """Return what samples are compared by: confidence, metrics of images and predictions, the user's own, labels."""
    built_in = [
        metric.name
        for metric in METRICS.values()
        if metric.of in (Of.IMAGE, Of.PREDICTION)
        and metric.has_outliers
        and not metric.is_relative
        and metric.name not in _NOT_COMPARED
    ]
    names = metrics.names(session, project_id)
    return [CONFIDENCE, *built_in, *(name for name in names if name not in METRICS), LABELS]


def rows(session: Session, stretch: Stretch, wanted: Collection[str], *, most: int = MOST_ROWS) -> Rows:
    """Return a stretch's samples, one of each burst, without duplicates; of very many those of one minute in k.

    `wanted` names numbers, and `LABELS` for what predictions name, which takes longest. Whole minutes are left out,
    never single samples: a long burst would be more likely to stay. Which ones is scattered: a machine that works in a
    rhythm would always meet, or never, a choice of every k-th.
    """
    kept = _every(stretch, count(session, stretch), most)
    light = _light(session, kept)
    streams = _numbered([row[2] for row in light])
    read = np.array([(row[0], row[1], row[3], row[4]) for row in light], dtype=np.float64).reshape(-1, 4)
    table = read[starts_of_bursts(streams, read[:, 1])]
    pks = table[:, 0].astype(np.int64)
    numbers = {CONFIDENCE: table[:, 3]} if CONFIDENCE in wanted else {}
    others = [name for name in wanted if name not in (CONFIDENCE, LABELS)]
    numbers |= _measured(session, stretch, kept, pks, others)
    labelled = np.flatnonzero(pks * _SCATTER % _ALL < _ALL // (math.ceil(len(pks) / MOST_LABELLED) or 1))
    return Rows(
        captured_at=table[:, 1],
        weights=1.0 / table[:, 2],
        numbers=numbers,
        labels=_labels(session, pks, labelled) if LABELS in wanted else Labels(),
    )


def training_rows(session: Session, project_id: int, model_version: str, wanted: Collection[str]) -> Rows:
    """Return the images that a version was trained on, as they were pinned; they were captured at no time."""
    found = references.rows(session, project_id, model_version)
    known = {name: [row.metrics.get(name) for row in found] for name in wanted if name not in (CONFIDENCE, LABELS)}
    if "object_count" in known:
        known["object_count"] = [row.object_count for row in found]
    numbers = {name: np.array(values, dtype=np.float64) for name, values in known.items()}
    said = [(place, counted(row.labels)) for place, row in enumerate(found)]
    return Rows(
        captured_at=np.zeros(len(found)),
        weights=np.ones(len(found)),
        numbers={name: values for name, values in numbers.items() if not np.isnan(values).all()},
        labels=_in_parts(said),
    )


def counted(labels: Mapping[str, int]) -> dict[str, float]:
    """Return counts of labels in parts that add up to 1."""
    total = sum(labels.values())
    return {label: count / total for label, count in labels.items()} if total else {NOTHING: 1.0}


def count(session: Session, stretch: Stretch) -> int:
    """Count a stretch's samples."""
    return (
        session.connection().execute(select(func.count()).select_from(Sample).where(*of_stretch(stretch))).scalar() or 0
    )


def of_stretch(stretch: Stretch) -> list[ColumnElement[bool]]:
    """Return what holds of a stretch's samples, in SQL over `models.Sample`."""
    found = [
        col(Sample.project_id) == stretch.project_id,
        col(Sample.model_version) == stretch.model_version,
        col(Sample.captured_at) >= stretch.since,
        col(Sample.captured_at) < stretch.until,
        # The same picture again is no new evidence.
        col(Sample.duplicate_of).is_(None),
        or_(col(Sample.reason).is_(None), col(Sample.reason) != ArchiveReason.ERASED),
    ]
    return found if stretch.where is None else [*found, stretch.where]


#: scatters whole numbers over 32 bits (Knuth, "The Art of Computer Programming", volume 3, 6.4)
_SCATTER, _ALL = 2_654_435_761, 2**32
_SECOND = cast(extract("epoch", col(Sample.captured_at)), BigInteger)


def _every(stretch: Stretch, there: int, most: int) -> list[ColumnElement[bool]]:
    """Return the condition of a stretch that is read: all of it, or one minute in k."""
    step = math.ceil(there / most)
    scattered = _SECOND // 60 * _SCATTER % _ALL
    return [*of_stretch(stretch), scattered < _ALL // step] if step > 1 else of_stretch(stretch)


def _light(session: Session, kept: Sequence[ColumnElement[bool]]) -> list[Any]:
    columns: list[Any] = [Sample.id, _SECOND, Sample.stream, Sample.capture_probability, Sample.confidence]
    query = select(*columns).where(*kept).order_by(col(Sample.id)).execution_options(yield_per=_CHUNK)
    return [row for part in session.connection().execute(query).partitions() for row in part]


def _numbered(streams: Sequence[str | None]) -> NDArray[np.int64]:
    places: dict[str, int] = {}
    found = [-1 if stream is None else places.setdefault(stream, len(places)) for stream in streams]
    return np.array(found, dtype=np.int64)


def _measured(
    session: Session,
    stretch: Stretch,
    kept: Sequence[ColumnElement[bool]],
    pks: NDArray[np.int64],
    wanted: Sequence[str],
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of these samples, which are in the order of their row ids."""
    if not wanted or not pks.size:
        return {name: np.full(pks.size, np.nan) for name in wanted}
    found = metrics.measured(session, stretch.project_id, wanted, where=and_(*kept))
    # A sample may have come between the two queries, or gone.
    places = np.searchsorted(found.pks, pks)
    places[places == found.pks.size] = 0
    is_there = found.pks[places] == pks if found.pks.size else np.zeros(pks.size, dtype=np.bool_)
    return {
        name: np.where(is_there, values[places], np.nan) if found.pks.size else np.full(pks.size, np.nan)
        for name, values in found.values.items()
    }


def _labels(session: Session, pks: NDArray[np.int64], chosen: NDArray[np.int64]) -> Labels:
    places = dict(zip(pks[chosen].tolist(), chosen.tolist(), strict=True))
    return _in_parts([(places[pk], label_parts(document)) for pk, document in _documents(session, list(places))])


def _in_parts(said: Sequence[tuple[int, Mapping[str, float]]]) -> Labels:
    """Return labels in arrays, from rows' places and their parts."""
    names: dict[str, int] = {}
    parts = [(place, names.setdefault(label, len(names)), part) for place, row in said for label, part in row.items()]
    table = np.array(parts, dtype=np.float64).reshape(-1, 3)
    return Labels(
        names=tuple(names), rows=table[:, 0].astype(np.int64), codes=table[:, 1].astype(np.int64), parts=table[:, 2]
    )


def _documents(session: Session, pks: Sequence[int]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for start in range(0, len(pks), 1000):
        query = select(col(Prediction.sample_pk), col(Prediction.document)).where(
            col(Prediction.sample_pk).in_(pks[start : start + 1000]), col(Prediction.is_shown)
        )
        yield from ((pk, document) for pk, document in session.connection().execute(query))


def label_parts(document: Mapping[str, Any]) -> dict[str, float]:
    """Return which labels a stored prediction names, in parts that add up to 1; none where it names none at all.

    Of objects each counts alike; of classes the likeliest, or alike all that are likelier than not.
    """
    lists = [document[name] for name in _OBJECT_LISTS if document.get(name) is not None]
    classes: Mapping[str, float] = document.get("classes") or {}
    if lists:
        named = [item["label"] for found in lists for item in found] or [NOTHING]
    elif document.get("multi_label") and classes:
        named = [label for label, probability in classes.items() if probability >= 0.5] or [NOTHING]
    elif classes:
        named = [max(classes, key=classes.__getitem__)]
    else:
        return {}
    return counted(Counter(named))
