"""What the charts of the pages are made of."""

from datetime import UTC, datetime, timedelta

from queue_server.core.model_quality import Figure
from queue_server.pages.charts import progress_chart
from queue_server.reports.progress import Point, Progress, Release

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def point(version: str, *, week: int = 0, value: float | None = 0.9) -> Point:
    figure = Figure(name="accuracy", value=value, low=0.8, high=0.95, n=9)
    return Point(model_version=version, week=MONDAY + week * WEEK, samples=99, accuracy=figure)


def progress(*points: Point, released: tuple[str, ...] = ()) -> Progress:
    releases = [Release(model_version=name, at=MONDAY + index * WEEK) for index, name in enumerate(released)]
    return Progress(since=MONDAY, points=list(points), releases=releases)


def test_nothing_known_is_no_chart() -> None:
    assert progress_chart(progress(point("v1", value=None))) is None


def test_version_from_before_these_weeks_is_drawn_first() -> None:
    chart = progress_chart(progress(point("v2"), point("v1"), released=("v2",)))
    assert chart is not None
    assert [line.label for line in chart.series] == ["v1", "v2"]
    assert [mark.label for mark in chart.marks] == ["v2"]


def test_week_without_a_figure_is_a_gap() -> None:
    chart = progress_chart(progress(point("v1"), point("v2", week=1), released=("v1", "v2")))
    assert chart is not None
    assert [line.values for line in chart.series] == [(0.9, None), (None, 0.9)]
    assert len(chart.x) == 2


def test_of_very_many_versions_the_last_are_drawn() -> None:
    names = tuple(f"v{index}" for index in range(9))
    chart = progress_chart(progress(*map(point, names), released=names))
    assert chart is not None
    assert [line.label for line in chart.series] == list(names[-6:])
