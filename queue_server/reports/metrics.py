"""What the samples look like: how each metric lies, what is odd, what is wrong, of which labels there are few."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from feedback_sdk.types import Box, Keypoint, Mask, Polygon
from queue_server.core.metrics import METRICS
from queue_server.core.metrics.flags import FLAGS, Flag
from queue_server.core.metrics.outliers import (
    MODERATE,
    SEVERE,
    Distribution,
    Values,
    distribution,
    oddness,
    undersampled,
)
from queue_server.reports.narrowed import Narrowed, matured
from queue_server.store import filters, metrics, relatives

#: so many samples are named of each kind
_EXAMPLES = 10
#: so many metrics are read at a time
_AT_ONCE = 8
#: labels are counted in so many of the latest annotated samples
_MOST_LABELLED = 5000


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricFigures:
    """How one metric lies, and how many samples lie far from the others."""

    name: str
    #: image, prediction or annotation; null: one of your own
    of: str | None
    unit: str
    #: null: it cannot be told of any sample
    distribution: Distribution | None
    #: beyond 1.5 interquartile ranges, those beyond 2.5 among them
    moderate_outliers: int
    severe_outliers: int
    #: the oddest first
    outliers: list[UUID]


@dataclass(frozen=True, kw_only=True, slots=True)
class Flagged:
    """Samples with one fault."""

    name: str
    words: str
    samples: int
    #: of those that can be told
    share: float | None
    #: the latest first
    examples: list[UUID]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelCount:
    """How many objects, or images, annotators gave a label."""

    label: str
    count: int
    #: there are at most half as many as of the label in the middle
    is_undersampled: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsReport:
    """What the samples of some time look like."""

    #: captured from then on
    since: datetime
    samples: int
    metrics: list[MetricFigures]
    flags: list[Flagged]
    #: in the latest annotated samples of the project, whenever they were captured
    labels: list[LabelCount]


def metrics_report(session: Session, narrowed: Narrowed, *, project_id: int, now: datetime) -> MetricsReport:
    """Describe the samples by all metrics, a few at a time: of a million samples each takes 8 MB."""
    wanted = matured(session, narrowed, project_id=project_id, now=now)
    names = metrics.names(session, project_id)
    found: list[_Found] = []
    for start in range(0, len(names), _AT_ONCE):
        measured = metrics.measured(
            session,
            project_id,
            names[start : start + _AT_ONCE],
            since=wanted.since,
            until=wanted.until,
            model_version=narrowed.model_version or wanted.model_version,
            where=filters.matches(wanted.where) if wanted.where is not None else None,
        )
        found += [_found(name, values, measured.pks) for name, values in measured.values.items()]
    ids = metrics.sample_ids(session, {pk for one in found for pk in one.named})
    flagged = {flag.name: flag for one in found for flag in one.flags}
    return MetricsReport(
        since=wanted.since or now,
        samples=found[0].samples,
        metrics=[_figures(one, ids) for one in found],
        flags=[_flagged(flagged[name], ids) for name in FLAGS],
        labels=_labels(session, project_id),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _FoundFlag:
    name: str
    count: int
    known: int
    pks: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """What is kept of one metric's values."""

    name: str
    samples: int
    distribution: Distribution | None
    moderate: int
    severe: int
    oddest: list[int]
    flags: list[_FoundFlag]

    @property
    def named(self) -> list[int]:
        return [*self.oddest, *(pk for flag in self.flags for pk in flag.pks)]


def _found(name: str, values: Values, pks: NDArray[np.int64]) -> _Found:
    is_told = name not in METRICS or METRICS[name].has_outliers
    odd = oddness(values) if is_told else np.zeros(0)
    order = np.argsort(-odd, kind="stable")[:_EXAMPLES]
    return _Found(
        name=name,
        samples=len(pks),
        distribution=distribution(values),
        moderate=int((odd > MODERATE).sum()),
        severe=int((odd > SEVERE).sum()),
        oddest=pks[order[odd[order] > MODERATE]].tolist(),
        flags=[_found_flag(flag, values, pks) for flag in FLAGS.values() if flag.metric == name],
    )


def _found_flag(flag: Flag, values: Values, pks: NDArray[np.int64]) -> _FoundFlag:
    held = flag.holds(values)
    return _FoundFlag(
        name=flag.name,
        count=int(held.sum()),
        known=int((~np.isnan(values)).sum()),
        pks=pks[held][::-1][:_EXAMPLES].tolist(),
    )


def _figures(found: _Found, ids: Mapping[int, UUID]) -> MetricFigures:
    metric = METRICS.get(found.name)
    return MetricFigures(
        name=found.name,
        of=metric.of.value if metric is not None else None,
        unit=metric.unit if metric is not None else "",
        distribution=found.distribution,
        moderate_outliers=found.moderate,
        severe_outliers=found.severe,
        outliers=[ids[pk] for pk in found.oddest],
    )


def _flagged(found: _FoundFlag, ids: Mapping[int, UUID]) -> Flagged:
    return Flagged(
        name=found.name,
        words=FLAGS[found.name].words,
        samples=found.count,
        share=found.count / found.known if found.known else None,
        examples=[ids[pk] for pk in found.pks],
    )


def _labels(session: Session, project_id: int) -> list[LabelCount]:
    labelled = relatives.labelled(session, project_id, limit=_MOST_LABELLED)
    counts = Counter(label for one in labelled for label in _labels_of(one))
    few = set(undersampled(counts))
    return [LabelCount(label=label, count=count, is_undersampled=label in few) for label, count in counts.most_common()]


def _labels_of(one: relatives.Labelled) -> list[str]:
    said = one.annotation
    drawn: list[Box | Polygon | Mask | Keypoint] = [*said.boxes, *said.polygons, *said.masks, *said.keypoints]
    return [*said.labels, *(item.label for item in drawn)]
