"""The card of a model version: what was registered, what it was trained on, what production shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from feedback_sdk.types import Task
from queue_server import models
from queue_server.core.metrics import METRICS
from queue_server.core.model_card import DataDifference, Registered, label_difference, metric_differences
from queue_server.core.model_quality import Comparison, Figure, Observation, VersionQuality, compare, version_quality
from queue_server.reports.narrowed import Narrowed, matured
from queue_server.reports.slices import SliceQuality, Worst, accuracy, in_slices, worst
from queue_server.store import condensed, exports, metrics, model_versions, projects, quality, references

#: metrics of which the card tells how production differs, those that differ most first
_MOST_METRICS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportData:
    """The export that the version was trained on."""

    export_id: UUID
    format: str
    created_at: datetime
    items: int
    #: pictures with nothing in them
    negatives: int
    by_split: dict[str, int]
    by_label_source: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceData:
    """The training data as it was pinned, and how production differs from it."""

    source: str
    images: int
    objects: int
    pinned_at: datetime
    #: samples of the version that the differences stand on
    samples: int
    differences: list[DataDifference]


@dataclass(frozen=True, kw_only=True, slots=True)
class PastVersion:
    """A version that was in production."""

    model_version: str
    samples: int
    first_captured_at: datetime
    last_captured_at: datetime
    #: over the card's span; null: none of its samples is of then
    accuracy: Figure | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCard:
    """All that is known of a model version."""

    project: str
    task: Task
    labels: list[str]
    model_version: str
    made_at: datetime
    #: null: nobody registered it
    registered: Registered | None
    registered_at: datetime | None
    export: ExportData | None
    reference: ReferenceData | None
    #: the figures of production are of samples that were captured from then on
    since: datetime
    #: null: none of its samples has matured
    quality: VersionQuality | None
    #: with the version before it
    comparison: Comparison | None
    slices: list[SliceQuality]
    #: the parts of the stream in which it errs most
    worst: Worst | None
    #: the latest first
    history: list[PastVersion]


def model_card(
    session: Session, model_version: str, *, project_id: int, now: datetime, since: datetime | None = None
) -> ModelCard | None:
    """Put together the card of a version; None: it was neither registered, nor has a sample of it come."""
    project = projects.get(session, project_id)
    row = model_versions.find(session, project_id, model_version)
    seen = model_versions.seen(session, project_id)
    if row is None and model_version not in {one.model_version for one in seen}:
        return None
    wanted = matured(session, Narrowed(since=since), project_id=project_id, now=now)
    by_version = condensed.by_version(session, wanted)
    own = by_version.get(model_version)
    return ModelCard(
        project=project.name,
        task=Task(project.task),
        labels=list(project.labels),
        model_version=model_version,
        made_at=now,
        registered=model_versions.registered(row) if row is not None else None,
        registered_at=row.created_at if row is not None else None,
        export=_export(session, row) if row is not None else None,
        reference=_reference(session, project, model_version, wanted),
        since=wanted.since or now,
        quality=_quality(session, wanted, model_version, own) if own else None,
        comparison=_comparison(by_version, model_version),
        slices=in_slices(session, wanted, {model_version: own})[model_version] if own else [],
        worst=worst(session, wanted, own) if own else None,
        history=[_past(one, by_version) for one in seen],
    )


def _quality(
    session: Session, wanted: quality.Matured, model_version: str, observed: Sequence[Observation]
) -> VersionQuality:
    came = condensed.came(session, wanted) if wanted.task is Task.CLASSIFICATION else {}
    return version_quality(observed, task=wanted.task, came=came.get(model_version))


def _comparison(by_version: Mapping[str, Sequence[Observation]], model_version: str) -> Comparison | None:
    names = list(by_version)
    earlier = names[names.index(model_version) + 1 :] if model_version in by_version else []
    return compare(by_version[model_version], by_version[earlier[0]]) if earlier else None


def _past(one: model_versions.Seen, by_version: Mapping[str, Sequence[Observation]]) -> PastVersion:
    observed = by_version.get(one.model_version)
    return PastVersion(
        model_version=one.model_version,
        samples=one.samples,
        first_captured_at=one.first_captured_at,
        last_captured_at=one.last_captured_at,
        accuracy=accuracy(observed) if observed else None,
    )


def _export(session: Session, row: models.ModelVersion) -> ExportData | None:
    found = exports.find(session, row.project_id, row.trained_on) if row.trained_on is not None else None
    if found is None:
        return None
    held = found.manifest.get("counts", {})
    return ExportData(
        export_id=found.export_id,
        format=found.format,
        created_at=found.created_at,
        items=held.get("items", 0),
        negatives=held.get("negatives", 0),
        by_split=held.get("split", {}),
        by_label_source=held.get("label_source", {}),
    )


def _reference(
    session: Session, project: models.Project, model_version: str, wanted: quality.Matured
) -> ReferenceData | None:
    assert project.id is not None
    found = references.find(session, project.id, model_version)
    if found is None:
        return None
    rows = references.rows(session, project.id, model_version)
    labels = sorted({label for row in rows for label in row.labels} | set(project.labels))
    named = model_versions.named(session, project.id, model_version, labels, since=wanted.since)
    return ReferenceData(
        source=found.source,
        images=found.images,
        objects=sum(row.object_count for row in rows),
        pinned_at=found.created_at,
        samples=named.samples,
        differences=[
            *_label_differences(rows, named),
            *_metric_differences(session, project.id, model_version, wanted, rows),
        ],
    )


def _label_differences(rows: Sequence[models.ReferenceRow], named: model_versions.Named) -> list[DataDifference]:
    if not named.samples:
        return []
    return [
        label_difference(label, sum(label in row.labels for row in rows) / len(rows), count / named.samples)
        for label, count in named.by_label.items()
    ]


def _metric_differences(
    session: Session,
    project_id: int,
    model_version: str,
    wanted: quality.Matured,
    rows: Sequence[models.ReferenceRow],
) -> list[DataDifference]:
    names = sorted({name for row in rows for name in row.metrics} & METRICS.keys())
    pinned = {name: _array([row.metrics.get(name) for row in rows]) for name in names}
    produced = metrics.values(session, project_id, names, since=wanted.since, model_version=model_version)
    return metric_differences(pinned, produced)[:_MOST_METRICS]


def _array(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)  # None becomes NaN
