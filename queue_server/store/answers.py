"""What users answered, by the day on which samples were captured, as it stood at their windows' end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlmodel import Session, col

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.core import policy
from queue_server.store import drift, feedback
from queue_server.store.drift import Stretch

Sample, Feedback = models.Sample, models.Feedback

_OBJECTIONS = (Verdict.REJECTED, Verdict.CORRECTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class DayAnswers:
    """A day's samples whose confirmation window has ended."""

    day: date
    samples: int
    answered: int
    objected: int


def by_day(session: Session, stretch: Stretch, *, now: datetime) -> list[DayAnswers]:
    """Count a stretch's samples by day, in UTC; a verdict that came late plays no part: older days had more time."""
    condition = [*drift.of_stretch(stretch), col(Sample.window_ends_at) <= now]
    counts = {day: [samples, answered, objected] for day, samples, answered, objected in _counts(session, condition)}
    for day, before, after in _late(session, condition, stretch):
        counts[day][1] += (after is not None) - (before is not None)
        counts[day][2] += (after in _OBJECTIONS) - (before in _OBJECTIONS)
    return [
        DayAnswers(day=day, samples=samples, answered=answered, objected=objected)
        for day, (samples, answered, objected) in sorted(counts.items())
    ]


def _counts(session: Session, condition: Sequence[ColumnElement[bool]]) -> list[tuple[date, int, int, int]]:
    day = _day(session)
    verdict = col(Sample.verdict)
    query = (
        select(
            day,
            func.count(),
            func.count(verdict),
            func.sum(case((verdict.in_(_OBJECTIONS), 1), else_=0)),
        )
        .where(*condition)
        .group_by(day)
    )
    return [(_date(one), *numbers) for one, *numbers in session.connection().execute(query)]


def _day(session: Session) -> ColumnElement[Any]:
    """Return the day of a capture in UTC; PostgreSQL would take the connection's time zone."""
    at = col(Sample.captured_at)
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return func.date(at) if is_sqlite else func.date(func.timezone("UTC", at))


def _date(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _late(
    session: Session, condition: Sequence[ColumnElement[bool]], stretch: Stretch
) -> list[tuple[date, str | None, str | None]]:
    """Return, of the samples with a late answer, the day, the verdict of now, and that at their window's end."""
    query = (
        select(col(Sample.id), col(Sample.captured_at), col(Sample.verdict), col(Sample.window_ends_at))
        .join(Feedback, col(Feedback.sample_pk) == col(Sample.id))
        .where(
            *condition,
            col(Feedback.project_id) == stretch.project_id,
            col(Feedback.received_at) >= col(Sample.window_ends_at),
        )
        .distinct()
    )
    rows = session.connection().execute(query).all()
    said = _said(session, [row[0] or 0 for row in rows])
    found: list[tuple[date, str | None, str | None]] = []
    for pk, captured_at, verdict, ends_at in rows:
        in_time = feedback.verdicts_of([one for one in said.get(pk or 0, []) if one.received_at < ends_at])
        found.append((captured_at.astimezone(UTC).date(), verdict, policy.opinion(in_time).verdict))
    return found


def _said(session: Session, pks: Sequence[int]) -> dict[int, list[models.Feedback]]:
    found: dict[int, list[models.Feedback]] = {}
    for start in range(0, len(pks), 1000):
        query = select(Feedback).where(col(Feedback.sample_pk).in_(pks[start : start + 1000]))
        for row in session.scalars(query.order_by(col(Feedback.id))):
            found.setdefault(row.sample_pk or 0, []).append(row)
    return found
