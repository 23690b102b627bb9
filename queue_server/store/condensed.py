"""Stored samples as estimates look at them, where it does not matter which they are: the many that chance passed over
are few observations, so that a report costs what was annotated, not what came.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Select, case, func, select
from sqlmodel import Session, col

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.core.model_quality import Came, Draw, Observation
from queue_server.core.model_quality.strata import ALMOST_SURE, BANDS
from queue_server.store.quality import Matured, is_passed_over, matured, observations

Sample = models.Sample


def by_version(session: Session, wanted: Matured) -> dict[str, list[Observation]]:
    """Return each version's samples, the version that came last first."""
    first = select(col(Sample.model_version)).where(*matured(wanted)).group_by(col(Sample.model_version))
    names = session.scalars(first.order_by(func.min(col(Sample.id)).desc()))
    found: dict[str, list[Observation]] = {name: [] for name in names if name is not None}
    for one in observations(session, wanted, ~is_passed_over()):
        found[one.model_version].append(one)
    for one in _passed_over(session, wanted):
        found[one.model_version].append(one)
    return found


def part(session: Session, wanted: Matured, whole: Mapping[str, Sequence[Observation]]) -> dict[str, list[Observation]]:
    """Return those of the samples read by `by_version` that a narrower choice holds too, without judging them again."""
    ids = select(col(Sample.sample_id)).where(*matured(wanted), ~is_passed_over())
    inside = {str(sample_id) for sample_id in session.scalars(ids)}
    found = {name: [one for one in observed if one.sample_id in inside] for name, observed in whole.items()}
    for one in _passed_over(session, wanted):
        if one.model_version in found:
            found[one.model_version].append(one)
    return found


def _passed_over(session: Session, wanted: Matured) -> Iterator[Observation]:
    for version, verdict, confidence, probability, captured, stands_for, count in session.execute(_query(wanted)):
        yield Observation(
            sample_id="",
            model_version=version,
            verdict=Verdict(verdict) if verdict is not None else None,
            confidence=confidence,
            drawn=Draw(probability=probability, is_drawn=False),
            capture_probability=captured,
            stands_for=stands_for,
            count=count,
        )


def _query(wanted: Matured) -> Select[Any]:
    confidence, band = col(Sample.confidence), _band()
    keys = (
        col(Sample.model_version),
        col(Sample.verdict),
        col(Sample.capture_probability),
        col(Sample.stands_for),
        band,
        _reach(),
    )
    return (
        select(col(Sample.model_version), col(Sample.verdict), func.min(confidence))
        .add_columns(func.min(col(Sample.inclusion_probability)), keys[2], keys[3], func.count())
        .where(*matured(wanted), is_passed_over())
        .group_by(*keys)
        .order_by(*keys)
    )


def _band() -> ColumnElement[int]:
    """Return in which band a confidence lies, as `strata.band` says."""
    confidence = col(Sample.confidence)
    ends = [(confidence < end, place) for place, end in enumerate(BANDS)]
    return case((confidence.is_(None), -1), *ends, else_=len(BANDS))


def _reach() -> ColumnElement[float]:
    """Tell apart what no rule could draw and what was to be drawn for certain; between, the chance plays no part."""
    probability = col(Sample.inclusion_probability)
    is_sure = probability * col(Sample.capture_probability) >= ALMOST_SURE
    return case((probability <= 0, 0.0), (is_sure, probability), else_=0.5)


def came(session: Session, wanted: Matured) -> dict[str, Came]:
    """Return how sure each version was of each of its samples."""
    columns: list[Any] = [Sample.model_version, Sample.confidence, Sample.stands_for, Sample.capture_probability]
    query = select(*columns).where(*matured(wanted), col(Sample.confidence).is_not(None))
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for version, confidence, stands_for, captured in session.connection().execute(query):
        rows.setdefault(version, []).append((confidence, stands_for, captured))
    return {version: _came(found) for version, found in rows.items()}


def _came(rows: list[tuple[float, float, float]]) -> Came:
    confidences, stands_for, captured = np.array(rows, dtype=np.float64).T
    return Came(confidences=confidences, sizes=stands_for / captured)
