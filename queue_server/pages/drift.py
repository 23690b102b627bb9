"""The page that shows what changed: the reference's data against now's, and the rates of users' answers by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import pairwise

from flask import render_template

from queue_server.core.drift import FeatureDrift
from queue_server.pages.charts import Chart, Mark, Series
from queue_server.pages.frame import admin, backend, blueprint
from queue_server.reports import snapshots
from queue_server.reports.drift import DriftReport, RateDrift
from queue_server.store.engine import reading

#: days that a chart shows
_MOST_DAYS = 90
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bin or label: its share in both windows, of the highest bar."""

    words: str
    reference: float
    current: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """A feature with its bars."""

    drift: FeatureDrift
    bars: tuple[Bar, ...]


@blueprint.get("/drift")
def show_drift() -> str:
    """Show what drifted first, then the rest."""
    caller = admin()
    with reading(backend().engine) as session:
        made = snapshots.latest(session, caller.project_id, DriftReport)
    report = made.value if made is not None else None
    found = sorted(report.features, key=_rank) if report is not None else []
    return render_template(
        "pages/drift.html",
        made=made,
        features=[Feature(drift=one, bars=bars(one)) for one in found],
        rates=_rates_chart(report) if report is not None else None,
    )


def _rank(one: FeatureDrift) -> tuple[bool, float, str]:
    return not one.is_drifted, -(one.effect or 0.0), one.name


def bars(one: FeatureDrift) -> tuple[Bar, ...]:
    """Return a feature's bars, as high as the highest of both windows is 1."""
    highest = max([*one.reference_histogram, *one.current_histogram], default=0.0) or 1.0
    return tuple(
        Bar(words=words, reference=there / highest, current=here / highest)
        for words, there, here in zip(_words(one), one.reference_histogram, one.current_histogram, strict=True)
    )


def _words(one: FeatureDrift) -> Sequence[str]:
    if one.labels is not None:
        return one.labels
    edges = one.bin_edges or []
    return [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]


def _rates_chart(report: DriftReport) -> Chart | None:
    """Return the rejection rate beside the response rate by day; None: there are no days yet."""
    if report.response_rate is None or report.rejection_rate is None:
        return None
    named = {"objections, of the answers": report.rejection_rate, "answers, of the samples": report.response_rate}
    days = sorted({day.day for rate in named.values() for day in rate.days})[-_MOST_DAYS:]
    if not days:
        return None
    times = [datetime.combine(day, time(), UTC).timestamp() for day in days]
    changes = [rate.change for rate in named.values() if rate.change is not None]
    return Chart(
        x=tuple(times),
        series=tuple(_series(name, rate, days) for name, rate in named.items()),
        marks=tuple(Mark(at=datetime.combine(one.since, time(), UTC).timestamp(), label="change") for one in changes),
        step=_DAY_SECONDS,
    )


def _series(name: str, rate: RateDrift, days: Sequence[object]) -> Series:
    known = {day.day: day for day in rate.days if day.value is not None}
    found = [known.get(day) for day in days]  # type: ignore[call-overload]  # days are dates
    return Series(
        label=name,
        values=tuple(one.value if one else None for one in found),
        lows=tuple(one.low if one else None for one in found),
        highs=tuple(one.high if one else None for one in found),
    )
