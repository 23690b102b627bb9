"""Figures that cost more than a page may take: a worker makes them now and then, a page shows the latest.

What is slow to make is made less often, so that all of it takes a worker a twentieth of its time at most.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar, cast

import structlog
from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticError
from sqlmodel import Session

from queue_server import models
from queue_server.backend import Backend
from queue_server.reports.cards import ModelCard, model_card
from queue_server.reports.drift import DriftReport, drift_report
from queue_server.reports.narrowed import Narrowed
from queue_server.reports.progress import Progress, progress
from queue_server.reports.quality import QualityReport, quality_report
from queue_server.reports.rules import RulesReport, rules_report
from queue_server.reports.slices import SlicesReport, slices_report
from queue_server.reports.totals import Totals, totals
from queue_server.store import counts, exports, model_versions, projects, snapshots
from queue_server.store.engine import reading, writing

_log = structlog.get_logger()

T = TypeVar("T")
_Maker = Callable[[Session, int, datetime], object]

#: a worker that takes longer than that is dead
_LEASE = timedelta(hours=1)
#: how many times what making them took they must be old
_REST = 20.0
#: of so many samples the totals are counted in a request
COUNTED_AT_ONCE = 20_000
#: of earlier versions the card is made when somebody asks for it
_MOST_CARDS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCards:
    """The cards of a model's last versions."""

    #: all versions, the one that came last first, then those that were registered alone
    names: list[str]
    cards: list[ModelCard]


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot(Generic[T]):
    """Figures, and when they were made."""

    value: T
    made_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Passed:
    """How many samples came how far on their way into a data set."""

    #: that ever got a labeling task
    queued: int
    #: annotated ones in the largest export
    exported: int


def _passed(session: Session, project_id: int, _now: datetime) -> Passed:
    return Passed(
        queued=sum(counts.labeling_tasks_by_state(session, project_id).values()),
        exported=exports.most_annotated(session, project_id),
    )


def _quality(session: Session, project_id: int, now: datetime) -> QualityReport:
    return quality_report(session, Narrowed(), project_id=project_id, now=now)


def _cards(session: Session, project_id: int, now: datetime) -> ModelCards:
    names = [one.model_version for one in model_versions.seen(session, project_id)]
    names += [row.name for row in model_versions.of_project(session, project_id) if row.name not in names]
    made = (model_card(session, name, project_id=project_id, now=now) for name in names[:_MOST_CARDS])
    return ModelCards(names=names, cards=[card for card in made if card is not None])


def _drift(session: Session, project_id: int, now: datetime) -> DriftReport:
    return drift_report(session, Narrowed(), project_id=project_id, now=now)


def _slices(session: Session, project_id: int, now: datetime) -> SlicesReport:
    return slices_report(session, Narrowed(), project_id=project_id, now=now)


#: name -> its type, and what makes it
_KINDS: Mapping[str, tuple[type[Any], _Maker]] = {
    "totals": (Totals, lambda session, project_id, now: totals(session, project_id=project_id, now=now)),
    "passed": (Passed, _passed),
    "quality": (QualityReport, _quality),
    "progress": (Progress, lambda session, project_id, now: progress(session, project_id=project_id, now=now)),
    "drift": (DriftReport, _drift),
    "slices": (SlicesReport, _slices),
    "cards": (ModelCards, _cards),
    "rules": (RulesReport, lambda session, project_id, now: rules_report(session, project_id=project_id, now=now)),
}


_ADAPTERS: dict[object, Any] = {}


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return what reads and writes a kind: making it takes longer than using it."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return cast("TypeAdapter[T]", _ADAPTERS[kind])


def latest(session: Session, project_id: int, kind: type[T]) -> Snapshot[T] | None:
    """Return the latest figures of a kind; None: no worker has made any that this version can read."""
    name = next(name for name, (made, _) in _KINDS.items() if made is kind)
    row = snapshots.find(session, project_id, name)
    if row is None or row.made_at is None or row.document is None:
        return None
    try:
        value = _adapter(kind).validate_python(row.document["value"], strict=False)
    except PydanticError:
        return None  # of another version of this server: a worker of ours makes them again
    return Snapshot(value=value, made_at=row.made_at)


def current(session: Session, project_id: int, kind: type[T], *, now: datetime) -> Snapshot[T]:
    """Return figures that are quick to make as they are now, or of many samples as a worker made them last."""
    if snapshots.reaches(session, project_id, COUNTED_AT_ONCE):
        counted = latest(session, project_id, kind)
        if counted is not None:
            return counted
    maker = next(maker for made, maker in _KINDS.values() if made is kind)
    return Snapshot(value=cast("T", maker(session, project_id, now)), made_at=now)


def make_due(backend: Backend, *, every: timedelta) -> int:
    """Make each project's figures that are due, and say how many; safe to run twice and to die anywhere.

    1. Claim what is due, for an hour. 2. Make it, outside any write. 3. Keep it, unless another worker's is later.
    """
    with reading(backend.engine) as session:
        project_ids = [project.id for project in projects.all_projects(session) if project.id is not None]
    made = 0
    for project_id in project_ids:
        for name in _KINDS:
            with writing(backend.engine) as session:
                is_ours = snapshots.claim(session, project_id, name, now=datetime.now(UTC), lease=_LEASE)
            if is_ours:
                _make(backend, project_id, name, every=every)
                made += 1
    return made


def _make(backend: Backend, project_id: int, name: str, *, every: timedelta) -> None:
    kind, maker = _KINDS[name]
    started, now = time.monotonic(), datetime.now(UTC)
    with reading(backend.engine) as session:
        value = maker(session, project_id, now)
    seconds = time.monotonic() - started
    row = models.FigureSnapshot(
        project_id=project_id,
        name=name,
        document={"value": _adapter(kind).dump_python(value, mode="json")},
        made_at=now,
        seconds=seconds,
        due_at=datetime.now(UTC) + max(every, timedelta(seconds=_REST * seconds)),
    )
    with writing(backend.engine) as session:
        snapshots.keep(session, row)
    _log.info("figures", action="snapshot", project_id=project_id, name=name, seconds=round(seconds, 3))


def seconds_taken(backend: Backend, project_id: int) -> dict[str, float]:
    """Return what making each of a project's figures took when they were made last."""
    with reading(backend.engine) as session:
        rows = {name: snapshots.find(session, project_id, name) for name in _KINDS}
    return {name: row.seconds for name, row in rows.items() if row is not None}
