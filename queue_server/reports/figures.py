"""The figures that alerts watch, by name, each source read once however many alerts hang on it."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from feedback_sdk.types import Task, Verdict
from queue_server.core.alerts import FIGURES, FigureNow, Source, kind_of
from queue_server.core.alerts.figures import FEATURE_PREFIX, METRIC_PREFIX
from queue_server.core.estimate import post_stratified, t_of, wilson
from queue_server.core.model_quality import Comparison, Figure, Observation, compare, strata
from queue_server.core.model_quality.measures import measures
from queue_server.core.reliability import reliability
from queue_server.errors import FigureError, PolicyError
from queue_server.reports.drift import DriftReport, RateDrift, drift_report
from queue_server.reports.narrowed import Narrowed, matured
from queue_server.store import condensed, counts, filters, metrics, quality, watched

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A figure of some samples."""

    figure: str
    #: None: the figure's own
    over_seconds: float | None = None
    slice: str | None = None
    #: None: the latest
    model_version: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A figure as it is, and of which model version; None: it is of none."""

    figure: FigureNow
    model_version: str | None = None


_UNKNOWN = Found(figure=FigureNow(value=None))


class FigureReader:
    """Reads the figures of one project as they are at one time."""

    def __init__(self, session: Session, project_id: int, *, now: datetime) -> None:
        self._session = session
        self._project_id = project_id
        self._now = now
        self._read: dict[tuple[object, ...], object] = {}

    def read(self, asked: Asked) -> Found:
        """Return one figure, or raise FigureError where it cannot be read."""
        kind = kind_of(asked.figure)
        if kind is None:
            raise FigureError(f"{asked.figure} must be one of {', '.join(FIGURES)}")
        readers = {
            Source.QUALITY: self._quality,
            Source.USERS: self._users,
            Source.QUEUE: self._queue,
            Source.METRICS: self._metric,
            Source.DRIFT: self._drift,
        }
        return readers[kind.source](asked)

    def all(self) -> Mapping[str, FigureNow]:
        """Return every figure that has a name of its own and can be read, of the latest model version."""
        found = {}
        for name in FIGURES:
            with suppress(FigureError):
                found[name] = self.read(Asked(figure=name)).figure
        return found

    def _once(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        if key not in self._read:
            self._read[key] = make()
        return cast("T", self._read[key])

    def _wanted(self, asked: Asked) -> quality.Matured:
        """Return of which samples a figure is: the slice's own times narrow the stretch."""
        kind = kind_of(asked.figure)
        assert kind is not None
        over = asked.over_seconds or kind.over_seconds
        assert over is not None, f"{asked.figure} must be over a stretch"
        narrowed = Narrowed(slice=asked.slice, since=self._now - timedelta(seconds=over))
        with _faults():
            wanted = matured(self._session, narrowed, project_id=self._project_id, now=self._now)
        return replace(wanted, model_version=asked.model_version or wanted.model_version)

    def _quality(self, asked: Asked) -> Found:
        if asked.figure in _VOICES:
            return self._agreement(asked)
        wanted = self._wanted(asked)
        # All versions are read at once, for alerts on several and for what one is compared with.
        by_version = self._by_version(replace(wanted, model_version=None))
        version = wanted.model_version or next(iter(by_version), None)
        observed = by_version.get(version or "")
        if version is None or not observed:
            return _UNKNOWN
        if asked.figure == "accuracy_change":
            return _change(by_version, version, wanted.since)
        named = self._once(("measured", wanted, version), lambda: _measured(observed, wanted.task))
        figure = named.get(asked.figure)
        if figure is None:
            raise FigureError(f"{asked.figure} must be a figure of the project's task, {wanted.task}")
        return Found(figure=_now(figure, wanted.since), model_version=version)

    def _by_version(self, wanted: quality.Matured) -> dict[str, list[Observation]]:
        """Return each version's samples, the version that came last first."""
        return self._once(("observed", wanted), lambda: condensed.by_version(self._session, wanted))

    def _agreement(self, asked: Asked) -> Found:
        wanted = self._wanted(asked)
        said = self._once(("voices", wanted), lambda: quality.voices(self._session, wanted))
        found = reliability(said.annotators if asked.figure == "annotator_agreement" else said.reporters)
        return Found(figure=FigureNow(value=found.agreement, n=found.units, since=wanted.since))

    def _users(self, asked: Asked) -> Found:
        version = asked.model_version
        wanted = self._wanted(asked)
        if asked.figure == "samples":
            count = watched.arrived(self._session, wanted)
            return Found(figure=FigureNow(value=float(count), n=count, since=wanted.since), model_version=version)
        said = self._once(("verdicts", wanted), lambda: watched.verdicts(self._session, wanted))
        answered = said.total() - said[None]
        if asked.figure == "response_rate":
            return Found(figure=_share(answered, said.total(), wanted.since), model_version=version)
        objected = answered - said[Verdict.CONFIRMED]
        return Found(figure=_share(objected, answered, wanted.since), model_version=version)

    def _queue(self, asked: Asked) -> Found:
        value = _QUEUE[asked.figure](self._session, self._project_id, self._now)
        return Found(figure=FigureNow(value=value))

    def _metric(self, asked: Asked) -> Found:
        wanted, name = self._wanted(asked), asked.figure.removeprefix(METRIC_PREFIX)
        found = metrics.measured(
            self._session,
            self._project_id,
            [name],
            since=wanted.since,
            until=wanted.until,
            model_version=wanted.model_version,
            where=filters.matches(wanted.where) if wanted.where is not None else None,
        )
        return Found(figure=_mean(found.values[name], wanted.since), model_version=wanted.model_version)

    def _drift(self, asked: Asked) -> Found:
        narrowed = Narrowed(
            model_version=asked.model_version,
            since=self._now - timedelta(seconds=asked.over_seconds) if asked.over_seconds is not None else None,
            slice=asked.slice,
        )
        with _faults():
            report = self._once(("drift", narrowed), lambda: self._drift_report(narrowed))
        if report.current is None:
            return Found(figure=FigureNow(value=None), model_version=report.model_version)
        found = _drifted(report, asked.figure)
        return Found(figure=replace(found, since=report.current.since), model_version=report.model_version)

    def _drift_report(self, narrowed: Narrowed) -> DriftReport:
        return drift_report(self._session, narrowed, project_id=self._project_id, now=self._now)


@contextmanager
def _faults() -> Iterator[None]:
    """Say of a slice that is not there as of a figure that cannot be read."""
    try:
        yield
    except PolicyError as error:
        raise FigureError(str(error)) from error


def _drifted(report: DriftReport, name: str) -> FigureNow:
    """Return one figure of a report of drift that has a window of now."""
    assert report.current is not None
    if name == "drift.features":
        return FigureNow(value=float(report.drifted), n=report.current.rows)
    for rate_name, rate in (("rejection_change", report.rejection_rate), ("response_change", report.response_rate)):
        if name == rate_name:
            return _rate_change(rate)
    for feature in report.features:
        if name == f"{FEATURE_PREFIX}{feature.name}":
            return FigureNow(value=feature.psi, n=round(feature.current_n))
    there = ", ".join(feature.name for feature in report.features) or "none yet"
    raise FigureError(f"{name} must be {FEATURE_PREFIX} and a feature, of which there are {there}")


def _rate_change(rate: RateDrift | None) -> FigureNow:
    """Return how far a rate moved; 0 while nothing tells that it did, None where it cannot be watched yet."""
    if rate is None or rate.quiet is None:
        return FigureNow(value=None)
    if rate.change is None:
        return FigureNow(value=0.0, n=rate.n)
    before, after = rate.change.before, rate.change.after
    return FigureNow(value=after.value - before, low=after.low - before, high=after.high - before, n=rate.n)


_VOICES = ("annotator_agreement", "reporter_agreement")


def _measured(observed: list[Observation], task: Task) -> dict[str, Figure]:
    """Return the figures of one version by name."""
    found = strata(observed)
    share = post_stratified([stratum.cell for stratum in found])
    accuracy = Figure(name="accuracy", value=share.value, low=share.low, high=share.high, n=share.annotated)
    unfinished = Figure(name="unfinished", value=float(share.unfinished), low=None, high=None, n=share.unfinished)
    return {figure.name: figure for figure in (accuracy, unfinished, *measures(observed, found, task))}


def _change(by_version: Mapping[str, list[Observation]], version: str, since: datetime | None) -> Found:
    names = list(by_version)
    earlier = names[names.index(version) + 1 :]
    if not earlier:
        return Found(figure=FigureNow(value=None, since=since), model_version=version)
    found: Comparison = compare(by_version[version], by_version[earlier[0]])
    figure = FigureNow(value=found.value, low=found.low, high=found.high, n=min(found.n), since=since)
    return Found(figure=figure, model_version=version)


def _now(figure: Figure, since: datetime | None) -> FigureNow:
    return FigureNow(value=figure.value, low=figure.low, high=figure.high, n=figure.n, since=since)


def _share(count: int, n: int, since: datetime | None) -> FigureNow:
    if not n:
        return FigureNow(value=None, since=since)
    low, high = wilson(count / n, n)
    return FigureNow(value=count / n, low=low, high=high, n=n, since=since)


def _mean(values: NDArray[np.float64], since: datetime | None) -> FigureNow:
    """Return the mean of what can be told, with Student's interval of 95%, of which a single value has none."""
    known = values[np.isfinite(values)]
    mean, n = float(known.mean()) if known.size else None, int(known.size)
    if mean is None or n == 1:
        return FigureNow(value=None, n=n, since=since)
    half = t_of(n - 1) * float(known.std(ddof=1)) / math.sqrt(n)
    return FigureNow(value=mean, low=mean - half, high=mean + half, n=n, since=since)


def _backlog(session: Session, project_id: int, _now: datetime) -> float:
    return float(sum(one.count for one in counts.backlog(session, project_id)))


def _age(session: Session, project_id: int, now: datetime) -> float:
    return max((_seconds(one.since, now) for one in counts.backlog(session, project_id)), default=0.0)


def _overdue(session: Session, project_id: int, now: datetime) -> float:
    since = watched.overdue_since(session, project_id, now)
    return _seconds(since, now) if since is not None else 0.0


def _failures(session: Session, project_id: int, _now: datetime) -> float:
    return float(watched.push_failures(session, project_id))


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


_QUEUE: Mapping[str, Callable[[Session, int, datetime], float]] = {
    "queue.backlog": _backlog,
    "queue.age_seconds": _age,
    "queue.overdue_seconds": _overdue,
    "queue.push_failures": _failures,
}
