"""Who reports, and how often annotators agreed with them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.core.outcome import Outcome
from queue_server.core.policy import Standing
from queue_server.store.upserts import insert_missing

Row = models.Reporter

_LATELY = timedelta(hours=24)
_OBJECTIONS = (Verdict.REJECTED, Verdict.CORRECTED)


def standings(
    session: Session, project_id: int, names: Iterable[str], *, sample_pk: int, now: datetime
) -> dict[str, Standing]:
    """Return what is known of these reporters; what they said of this sample itself does not count as recent."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    query = select(Row).where(Row.project_id == project_id, col(Row.name).in_(wanted))
    rows = {row.name: row for row in session.exec(query)}
    recent = _recent(session, project_id, wanted, sample_pk=sample_pk, since=now - _LATELY)
    return {
        name: Standing(
            right=rows[name].right if name in rows else 0,
            wrong=rows[name].wrong if name in rows else 0,
            recent=recent.get(name, 0),
        )
        for name in wanted
    }


def _recent(session: Session, project_id: int, names: list[str], *, sample_pk: int, since: datetime) -> dict[str, int]:
    """Count the samples that each objected to since then."""
    row = models.Feedback
    query = (
        select(row.reporter, func.count(func.distinct(row.sample_pk)))
        .where(
            row.project_id == project_id,
            col(row.reporter).in_(names),
            col(row.received_at) >= since,
            col(row.verdict).in_(_OBJECTIONS),
            col(row.fault).is_(None),
            col(row.sample_pk) != sample_pk,
        )
        .group_by(col(row.reporter))
    )
    return {name: count for name, count in session.exec(query) if name is not None}


def recount(session: Session, project_id: int, names: Iterable[str], *, now: datetime) -> None:
    """Count anew, over all samples whose truth is known, how often these reporters' last word objected rightly.

    The rows are locked, always in one order, before it counts: of two workers the later one sees what the other
    found.
    """
    wanted = sorted(set(names))
    if not wanted:
        return
    insert_missing(
        session,
        Row,
        [{"project_id": project_id, "name": name, "right": 0, "wrong": 0, "updated_at": now} for name in wanted],
    )
    query = select(Row).where(Row.project_id == project_id, col(Row.name).in_(wanted)).order_by(col(Row.name))
    rows = list(session.exec(query.with_for_update().execution_options(populate_existing=True)))
    counted = _outcomes(session, project_id, wanted)
    for row in rows:
        row.right = counted.get((row.name, Outcome.USER_RIGHT), 0)
        row.wrong = counted.get((row.name, Outcome.USER_WRONG), 0)
        row.updated_at = now
        session.add(row)
    session.flush()


def _outcomes(session: Session, project_id: int, names: list[str]) -> dict[tuple[str, str], int]:
    """Count by (reporter, outcome) the samples that they object to; an objection makes the sample's verdict one."""
    said, later = models.Feedback, aliased(models.Feedback)
    is_taken_back = (
        select(later.id)
        .where(
            col(later.sample_pk) == said.sample_pk,
            col(later.reporter) == said.reporter,
            col(later.fault).is_(None),
            (col(later.given_at) > said.given_at)
            | ((col(later.given_at) == said.given_at) & (col(later.id) > col(said.id))),
        )
        .exists()
    )
    query = (
        select(said.reporter, models.Sample.outcome, func.count())
        .join(models.Sample, col(models.Sample.id) == said.sample_pk)
        .where(
            said.project_id == project_id,
            col(said.reporter).in_(names),
            col(said.verdict).in_(_OBJECTIONS),
            col(said.fault).is_(None),
            col(models.Sample.outcome).is_not(None),
            col(models.Sample.verdict).in_(_OBJECTIONS),
            ~is_taken_back,
        )
        .group_by(col(said.reporter), col(models.Sample.outcome))
    )
    return {(str(name), str(outcome)): count for name, outcome, count in session.exec(query)}
