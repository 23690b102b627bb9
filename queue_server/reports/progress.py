"""The accuracy of each model version week by week, and when each came into production."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from queue_server.core.model_quality import Figure, Observation
from queue_server.reports.narrowed import Narrowed, matured
from queue_server.reports.slices import accuracy
from queue_server.store import condensed, model_versions

#: how many weeks back
WEEKS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """How good a version was over the samples captured in one week."""

    model_version: str
    #: Monday, 0:00 UTC
    week: datetime
    samples: int
    accuracy: Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """When the first sample of a version was captured, of those weeks."""

    model_version: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """The accuracy week by week."""

    since: datetime
    #: by week
    points: list[Point]
    releases: list[Release]


def progress(session: Session, *, project_id: int, now: datetime) -> Progress:
    """Estimate the accuracy of each version in each of the last weeks, each from that week's samples alone."""
    last = week_of(now)
    weeks = [last - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    wanted = matured(session, Narrowed(since=weeks[0]), project_id=project_id, now=now)
    points = []
    for week in weeks:
        within = replace(wanted, since=week, until=week + timedelta(weeks=1))
        found = condensed.by_version(session, within)
        points += [_point(version, week, seen) for version, seen in found.items() if seen]
    seen = model_versions.seen(session, project_id)
    releases = [Release(model_version=one.model_version, at=one.first_captured_at) for one in reversed(seen)]
    return Progress(since=weeks[0], points=points, releases=[one for one in releases if one.at >= weeks[0]])


def week_of(at: datetime) -> datetime:
    """Return the Monday with which the week of a time begins, in UTC.

    >>> week_of(datetime(2026, 11, 25, 18, tzinfo=UTC))
    datetime.datetime(2026, 11, 23, 0, 0, tzinfo=datetime.timezone.utc)
    """
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def _point(version: str, week: datetime, seen: list[Observation]) -> Point:
    count = sum(one.count for one in seen)
    return Point(model_version=version, week=week, samples=count, accuracy=accuracy(seen))
