"""What changed in the data, in what the model says of it, and in what users answer: a reference against now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

import numpy as np
from sqlmodel import Session

from queue_server import models
from queue_server.core.drift import Alarm, FeatureDrift, Matched, Rows, Season, compare, match_season, with_pace
from queue_server.core.estimate import Interval, wilson
from queue_server.core.sequential import (
    DayCount,
    RateChange,
    Watch,
    confidence_sequence,
    level_of_look,
    watch,
)
from queue_server.reports.narrowed import Narrowed, matured
from queue_server.store import answers, drift, drift_references, filters, projects
from queue_server.store.answers import DayAnswers
from queue_server.store.drift import Stretch

#: the first weeks of a version are its reference, where nothing is pinned
REFERENCE_SPAN = timedelta(days=28)
#: what came first was captured before it came, at most so long
_BEFORE_FIRST = timedelta(days=1)
#: how far back now goes, where nothing is said
CURRENT_SPAN = timedelta(days=7)
#: how far back one looks for when a change came, and for how long rates are watched
_HISTORY = timedelta(days=365)
_MOST_HISTORY = 20_000
#: an interval of a day's rate: all of a year hold together
_DAY_LEVEL = level_of_look()


class ReferenceSource(StrEnum):
    """Why these samples are the reference."""

    FIRST_WEEKS = "first_weeks"
    PINNED = "pinned"
    #: the images that the version was trained on
    TRAINING = "training"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Samples that are compared: captured in [since, until); of training images when they were pinned."""

    model_version: str
    since: datetime
    until: datetime
    #: without duplicates, one of each burst; of very many about 100,000
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DayRate:
    """A rate on one day, with an interval; those of a year hold together at 95%."""

    day: date
    n: int
    value: float | None
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RateDrift:
    """A rate in the reference, and since."""

    reference: Interval | None
    #: since the reference's end, at any time one looks (a confidence sequence of 95%); null: no case yet
    since_reference: Interval | None
    n: int
    #: between these it may lie and nothing has changed; null: the reference has too few cases
    quiet: tuple[float, float] | None
    #: how much more than by chance days differ in the reference
    dispersion: float
    #: that it is another rate now; null: it is not, as far as can be told
    change: RateChange | None
    days: list[DayRate]


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftReport:
    """A model version's data of now against its reference; null and empty where there is no version yet."""

    project: str
    made_at: datetime
    model_version: str | None
    source: ReferenceSource | None
    reference: Window | None
    current: Window | None
    #: by which parts of the week the reference holds the same mix as now
    season: Season
    #: of a year of daily looks at all features: the chance of any false alarm; what an adjusted p-value must not exceed
    false_alarms_a_year: float
    level: float
    #: features that drifted
    drifted: int
    is_drifted: bool
    features: list[FeatureDrift]
    #: of the samples whose window has ended, how many were answered
    response_rate: RateDrift | None
    #: of the answers, how many object
    rejection_rate: RateDrift | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stretches:
    #: what rates are held against; of training images the first weeks, as nobody answered to them
    reference: Stretch
    current: Stretch
    source: ReferenceSource
    pinned: models.DriftReference | None = None


def drift_report(session: Session, narrowed: Narrowed, *, project_id: int, now: datetime) -> DriftReport:
    """Compare a model version's samples of now, the latest version's if none is named, with its reference.

    Raises PolicyError for a slice that is not there.
    """
    name = projects.get(session, project_id).name
    current = _current(session, narrowed, project_id, now)
    stretches = _stretches(session, current) if current is not None else None
    if stretches is None:
        return _nothing(name, narrowed.model_version, now)
    wanted = drift.features(session, project_id)
    there, here = _reference_rows(session, stretches, wanted), drift.rows(session, stretches.current, wanted)
    matched = _matched(stretches, there, here)
    weighed = there.weighing(matched.factors)
    features = _with_pace(session, stretches, _known(compare(weighed, here)), weighed)
    drifted = sum(feature.is_drifted for feature in features)
    response, rejection = _rates(session, stretches, now)
    return DriftReport(
        project=name,
        made_at=now,
        model_version=stretches.current.model_version,
        source=stretches.source,
        reference=_reference_window(stretches, there),
        current=_window(stretches.current, here),
        season=matched.season,
        false_alarms_a_year=Alarm().chance,
        level=Alarm().level,
        drifted=drifted,
        is_drifted=drifted > 0,
        features=features,
        response_rate=response,
        rejection_rate=rejection,
    )


def _current(session: Session, narrowed: Narrowed, project_id: int, now: datetime) -> Stretch | None:
    """Return the window of now; None: there is no version."""
    within = matured(session, narrowed, project_id=project_id, now=now)
    version = narrowed.model_version or within.model_version or drift_references.latest_version(session, project_id)
    if version is None:
        return None
    until = min(now, within.until) if within.until is not None else now
    return Stretch(
        project_id=project_id,
        model_version=version,
        since=narrowed.since or until - CURRENT_SPAN,
        until=until,
        where=filters.matches(within.where) if within.where is not None else None,
    )


def _nothing(project: str, version: str | None, now: datetime) -> DriftReport:
    return DriftReport(
        project=project,
        made_at=now,
        model_version=version,
        source=None,
        reference=None,
        current=None,
        season=Season.NONE,
        false_alarms_a_year=Alarm().chance,
        level=Alarm().level,
        drifted=0,
        is_drifted=False,
        features=[],
        response_rate=None,
        rejection_rate=None,
    )


def _stretches(session: Session, current: Stretch) -> _Stretches | None:
    """Return both windows; None: no sample of that version has come."""
    first = drift_references.first_received(session, current.project_id, current.model_version)
    if first is None:
        return None
    pinned = drift_references.find(session, current.project_id, current.model_version)
    if pinned is not None and pinned.since is not None and pinned.until is not None:
        reference = replace(current, model_version=pinned.reference_version, since=pinned.since, until=pinned.until)
        return _Stretches(reference=reference, current=current, source=ReferenceSource.PINNED)
    until = max(first, min(first + REFERENCE_SPAN, current.since))
    source = ReferenceSource.FIRST_WEEKS if pinned is None else ReferenceSource.TRAINING
    reference = replace(current, since=first - _BEFORE_FIRST, until=until)
    return _Stretches(reference=reference, current=current, source=source, pinned=pinned)


def _reference_rows(session: Session, stretches: _Stretches, wanted: Sequence[str]) -> Rows:
    if stretches.pinned is None:
        return drift.rows(session, stretches.reference, wanted)
    version = stretches.pinned.reference_version
    return drift.training_rows(session, stretches.current.project_id, version, wanted)


def _matched(stretches: _Stretches, there: Rows, here: Rows) -> Matched:
    if stretches.pinned is not None:  # training images were captured at any time
        return Matched(season=Season.NONE, factors=np.ones(there.captured_at.size))
    return match_season(there.captured_at, here.captured_at)


def _reference_window(stretches: _Stretches, rows: Rows) -> Window:
    pinned = stretches.pinned
    if pinned is None:
        return _window(stretches.reference, rows)
    count = int(rows.captured_at.size)
    return Window(model_version=pinned.reference_version, since=pinned.created_at, until=pinned.created_at, rows=count)


def _window(stretch: Stretch, rows: Rows) -> Window:
    return Window(
        model_version=stretch.model_version, since=stretch.since, until=stretch.until, rows=int(rows.captured_at.size)
    )


def _known(features: Sequence[FeatureDrift]) -> list[FeatureDrift]:
    """Leave out what neither window has: a metric of boxes where the model classifies."""
    return [feature for feature in features if feature.reference_n or feature.current_n]


def _with_pace(
    session: Session, stretches: _Stretches, features: list[FeatureDrift], reference: Rows
) -> list[FeatureDrift]:
    """Tell how each drift came, from all that came since the reference."""
    drifted = [feature.name for feature in features if feature.is_drifted]
    if not drifted:
        return features
    since = max(stretches.reference.until, stretches.current.until - _HISTORY)
    history = replace(stretches.current, since=min(since, stretches.current.since))
    rows = drift.rows(session, history, drifted, most=_MOST_HISTORY)
    return [with_pace(feature, reference, rows) for feature in features]


def _rates(session: Session, stretches: _Stretches, now: datetime) -> tuple[RateDrift, RateDrift]:
    before = answers.by_day(session, stretches.reference, now=now)
    reference, current = stretches.reference, stretches.current
    watched = replace(current, since=max(min(reference.until, current.since), now - _HISTORY))
    since = answers.by_day(session, watched, now=now)
    return (
        _rate(before, since, lambda day: (day.samples, day.answered)),
        _rate(before, since, lambda day: (day.answered, day.objected)),
    )


def _rate(
    before: Sequence[DayAnswers], since: Sequence[DayAnswers], read: Callable[[DayAnswers], tuple[int, int]]
) -> RateDrift:
    reference, days = ([_count(day.day, *read(day)) for day in part] for part in (before, since))
    # The year's false alarms are shared by the two rates.
    watched = watch(reference, days, Watch(chance=Watch().chance / 2))
    n, successes = sum(day.n for day in days), sum(day.successes for day in days)
    return RateDrift(
        reference=_of_reference(reference),
        since_reference=confidence_sequence(successes, n) if n else None,
        n=n,
        quiet=watched.quiet,
        dispersion=watched.dispersion,
        change=watched.change,
        days=[_day(day) for day in _merged((*reference, *days))],
    )


def _count(day: date, n: int, successes: int) -> DayCount:
    return DayCount(day=day, n=n, successes=successes)


def _of_reference(days: Sequence[DayCount]) -> Interval | None:
    n, successes = sum(day.n for day in days), sum(day.successes for day in days)
    if not n:
        return None
    low, high = wilson(successes / n, n)
    return Interval(value=successes / n, low=low, high=high)


def _merged(days: Sequence[DayCount]) -> list[DayCount]:
    """Return each day once: a reference may end at noon."""
    found: dict[date, DayCount] = {}
    for one in days:
        known = found.get(one.day, _count(one.day, 0, 0))
        found[one.day] = _count(one.day, known.n + one.n, known.successes + one.successes)
    return list(found.values())


def _day(day: DayCount) -> DayRate:
    value = day.successes / day.n if day.n else None
    low, high = wilson(value or 0.0, day.n, level=_DAY_LEVEL)
    return DayRate(day=day.day, n=day.n, value=value, low=low, high=high)
