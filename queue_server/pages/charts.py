"""What a chart of the pages shows: the script draws it, the same figures stand in a table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from queue_server.reports.progress import Point, Progress, Release

#: of more versions the last ones are drawn; the table has them all
_MOST_LINES = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One line, with the ends of its intervals; None where nothing is known."""

    label: str
    values: tuple[float | None, ...]
    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """An upright line at a time, such as a release."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Lines over time (unix seconds)."""

    x: tuple[float, ...]
    series: tuple[Series, ...]
    marks: tuple[Mark, ...]
    #: seconds from one point to the next
    step: float = 604_800.0

    @property
    def document(self) -> str:
        """Return what the script draws, as JSON.

        >>> Chart(x=(), series=(), marks=()).document
        '{"x": [], "series": [], "marks": [], "step": 604800.0}'
        """
        return json.dumps(asdict(self))


def progress_chart(progress: Progress) -> Chart | None:
    """Return the accuracy of each version by week; None: nothing is known of any."""
    known = [point for point in progress.points if point.accuracy.value is not None]
    if not known:
        return None
    weeks = sorted({point.week for point in known})
    names = _last_released({point.model_version for point in known}, progress.releases)
    return Chart(
        x=tuple(week.timestamp() for week in weeks),
        series=tuple(_series(name, weeks, known) for name in names),
        marks=tuple(Mark(at=one.at.timestamp(), label=one.model_version) for one in progress.releases),
    )


def _last_released(names: set[str], releases: Sequence[Release]) -> list[str]:
    """Return the versions in the order of their releases; those from before these weeks come first."""
    released = [release.model_version for release in releases if release.model_version in names]
    return [*sorted(names - set(released)), *released][-_MOST_LINES:]


def _series(name: str, weeks: Sequence[datetime], known: Sequence[Point]) -> Series:
    found = {point.week: point.accuracy for point in known if point.model_version == name}
    figures = [found.get(week) for week in weeks]
    return Series(
        label=name,
        values=tuple(one.value if one else None for one in figures),
        lows=tuple(one.low if one else None for one in figures),
        highs=tuple(one.high if one else None for one in figures),
    )
