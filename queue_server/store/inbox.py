"""Which samples a page of the queue shows: filtered, sorted by any figure, in pages behind a place.

A sort must look at all that it sorts. So it looks at the newest so many of what the indexes find (state, model version,
reason, before a time), and what no index knows (tag, stream, metrics) is looked for among these. A person who wants to
look further back says before when.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true, union_all
from sqlmodel import Session, col

from queue_server import models
from queue_server.core.policy import State
from queue_server.core.policy.conditions import Condition
from queue_server.store import metrics
from queue_server.store.filters import matches
from queue_server.store.samples import has_tag

Sample = models.Sample

#: of what the indexes find, the newest so many are looked at
WINDOW = 5_000
#: what waits for annotators
WAITING = (State.HELD, State.QUEUED, State.PUSHED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """What a figure must be: from `low` to `high`; None: no such limit."""

    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InboxFilter:
    """Which samples; what is not given narrows nothing."""

    states: tuple[str, ...] = ()
    model_version: str | None = None
    reason: str | None = None
    tag: str | None = None
    stream: str | None = None
    verdict: str | None = None
    #: received before then
    before: datetime | None = None
    ranges: tuple[Range, ...] = ()
    #: on `core.policy.conditions.SEARCH_FIELDS`
    where: Condition | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """By which figure; samples without one come last, equals the newest first."""

    name: str = "received_at"
    is_descending: bool = True


class Place(NamedTuple):
    """The last sample of a page: its figure (None: it has none) and its row id."""

    value: float | None
    pk: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Samples in order, and how many there are among those that were looked at."""

    pks: tuple[int, ...]
    found: int
    #: the place behind which the next page lies; None: there is none
    next_place: Place | None
    #: the oldest of those that were looked at, where there are more; None: all were
    looked_back_to: datetime | None


#: figures that every sample has a column for
_COLUMNS = ("priority", "confidence", "inclusion_probability")


def figure_names(session: Session, project_id: int) -> tuple[str, ...]:
    """Return what samples can be sorted and narrowed by, besides the time."""
    return (*_COLUMNS, *metrics.names(session, project_id))


def page(
    session: Session, project_id: int, narrowed: InboxFilter, *, order: Order, after: Place | None, limit: int
) -> Page:
    """Return the samples behind a place."""
    window = _window(project_id, narrowed).cte("recent")
    found = _found(session, window, narrowed, order).cte("found")
    query = select(found.c.id, found.c.value, found.c.found)
    if after is not None:
        query = query.where(_is_behind(found, after, order))
    shown_part = query.order_by(*_in_order(found, order)).limit(limit + 1).subquery("shown_part")
    # One row at least: what was looked at is told where nothing is found, too.
    looked = select(func.count().label("looked"), func.min(window.c.received_at).label("oldest")).subquery("looked")
    whole = select(shown_part, looked.c.looked, looked.c.oldest).select_from(looked.outerjoin(shown_part, true()))
    rows = session.connection().execute(whole.order_by(*_in_order(shown_part, order))).all()
    matching = [row for row in rows if row.id is not None]
    shown = matching[:limit]
    return Page(
        pks=tuple(row.id for row in shown),
        found=shown[0].found if shown else 0,
        next_place=Place(shown[-1].value, shown[-1].id) if len(matching) > limit else None,
        looked_back_to=rows[0].oldest if rows[0].looked == WINDOW else None,
    )


def _in_order(found: Any, order: Order) -> tuple[ColumnElement[Any], ...]:  # noqa: ANN401  # a CTE's columns
    value = found.c.value
    return value.is_(None), value.desc() if order.is_descending else value.asc(), found.c.id.desc()


def _window(project_id: int, narrowed: InboxFilter) -> Select[int | None, datetime]:
    """Select the newest of what the indexes find.

    Of several states each is read by its index: together they would have to be sorted, however many there are.
    """
    if len(narrowed.states) < 2:
        return _newest(select(col(Sample.id), col(Sample.received_at)).where(*_indexed(project_id, narrowed)), Sample)
    parts = []
    for state in narrowed.states:
        tests = _indexed(project_id, replace(narrowed, states=(state,)))
        part = _newest(select(col(Sample.id), col(Sample.received_at)).where(*tests), Sample).subquery()
        parts.append(select(part.c.id, part.c.received_at))
    together = union_all(*parts).subquery("of_all_states")
    return _newest(select(together.c.id, together.c.received_at), together.c)


def _newest(query: Select[int | None, datetime], columns: Any) -> Select[int | None, datetime]:  # noqa: ANN401  # a table's or a subquery's
    return query.order_by(columns.received_at.desc(), columns.id.desc()).limit(WINDOW)


def _indexed(project_id: int, narrowed: InboxFilter) -> list[ColumnElement[bool]]:
    tests: list[ColumnElement[bool]] = [col(Sample.project_id) == project_id]
    if narrowed.states:
        tests.append(col(Sample.state).in_(narrowed.states))
    if narrowed.model_version is not None:
        tests.append(col(Sample.model_version) == narrowed.model_version)
    if narrowed.reason is not None:
        tests.append(col(Sample.reason) == narrowed.reason)
    if narrowed.before is not None:
        tests.append(col(Sample.received_at) < narrowed.before)
    return tests


def _found(session: Session, window: Any, narrowed: InboxFilter, order: Order) -> Select[Any]:  # noqa: ANN401  # as above
    value = _figure(order.name)
    query = (
        select(col(Sample.id).label("id"), value.label("value"), func.count().over().label("found"))
        .select_from(Sample)
        .join(window, window.c.id == col(Sample.id))
    )
    if any(name not in _COLUMNS for name in (order.name, *(one.name for one in narrowed.ranges))):
        query = metrics.join(query)
    return query.where(*_others(session, narrowed))


def _others(session: Session, narrowed: InboxFilter) -> list[ColumnElement[bool]]:
    """Return what is looked for in the window alone."""
    tests: list[ColumnElement[bool]] = []
    if narrowed.tag is not None:
        tests.append(has_tag(session, narrowed.tag))
    if narrowed.stream is not None:
        tests.append(col(Sample.stream) == narrowed.stream)
    if narrowed.verdict is not None:
        tests.append(col(Sample.verdict) == narrowed.verdict)
    if narrowed.where is not None:
        tests.append(matches(narrowed.where))
    for wanted in narrowed.ranges:
        if wanted.low is not None:
            tests.append(_figure(wanted.name) >= wanted.low)
        if wanted.high is not None:
            tests.append(_figure(wanted.name) <= wanted.high)
    return tests


def _figure(name: str) -> ColumnElement[Any]:
    if name == "received_at":
        # The row id grows with the time of arrival, and is a number.
        return Sample.__table__.c.id  # type: ignore[attr-defined,no-any-return]  # SQLModel's own
    return Sample.__table__.c[name] if name in _COLUMNS else metrics.column(name)  # type: ignore[attr-defined]  # as above


def _is_behind(found: Any, place: Place, order: Order) -> ColumnElement[bool]:  # noqa: ANN401  # a CTE's columns
    value, pk = found.c.value, found.c.id
    is_later: ColumnElement[bool] = pk < place.pk
    if place.value is None:
        return and_(value.is_(None), is_later)
    is_further = value < place.value if order.is_descending else value > place.value
    return or_(is_further, value.is_(None), and_(value == place.value, is_later))


def figures_of(session: Session, sample: models.Sample) -> list[tuple[str, float]]:
    """Return what is measured of one sample, by name."""
    assert sample.id is not None
    return sorted(metrics.of_sample(session, sample.id).items())


def rows(session: Session, pks: Sequence[int]) -> list[models.Sample]:
    """Return samples in this order."""
    found = {row.id: row for row in session.scalars(select(Sample).where(col(Sample.id).in_(pks)))}
    return [found[pk] for pk in pks if pk in found]
