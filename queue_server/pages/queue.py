"""The page that shows what waits for annotators, or any other samples, and sends them there."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, redirect, render_template, request, url_for
from sqlmodel import Session

from feedback_sdk.types import Task, Verdict
from queue_server import models
from queue_server.core.policy import State
from queue_server.errors import ProblemError
from queue_server.ingest.requests import request_sample
from queue_server.pages.cards import Card, card
from queue_server.pages.frame import admin, backend, blueprint, posting_admin
from queue_server.pages.queue_query import Asked, place_text, read_asked
from queue_server.reports import snapshots
from queue_server.reports.totals import Totals
from queue_server.store import gallery, inbox, pictures, projects, samples
from queue_server.store.engine import reading

_SHOWN = 24
#: at most so many are sent at once
_MOST_SENT = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What the filter offers."""

    states: tuple[str, ...]
    verdicts: tuple[str, ...]
    reasons: tuple[str, ...]
    model_versions: tuple[str, ...]
    figures: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """The cards of a page of the queue."""

    cards: tuple[Card, ...]
    #: among those that were looked at
    found: int
    #: the query of the next page; None: there is none
    next_query: str | None
    looked_back_to: datetime | None
    window: int = inbox.WINDOW


@blueprint.get("/queue")
def show_queue() -> str:
    """Show what waits, or what a filter finds, or what looks like a sample."""
    caller = admin()
    with reading(backend().engine) as session:
        choices = _choices(session, caller.project_id)
        asked = read_asked(request.args, figures=choices.figures)
        listed = _listed(session, caller.project_id, asked)
    return render_template(
        "pages/queue.html",
        asked=asked,
        choices=choices,
        listed=listed,
        requested=request.args.get("requested", type=int),
        most_sent=_MOST_SENT,
    )


@blueprint.post("/queue/request")
def request_samples() -> Response:
    """Send the chosen samples to annotators, or the first so many of the filter in the query."""
    caller = posting_admin()
    reason = request.form.get("reason", "").strip()[:500] or "asked for on the queue's page"
    now = datetime.now(UTC)
    with reading(backend().engine) as session:
        sample_ids = _wanted(session, caller.project_id)
    for sample_id in sample_ids:
        request_sample(backend(), caller.project_id, sample_id, reason=reason, now=now)
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in ("after", "requested")]
    query = urlencode([*kept, ("requested", len(sample_ids))])
    return redirect(f"{url_for('pages.show_queue')}?{query}", code=303)  # type: ignore[return-value]  # werkzeug's, of the same kind


def _wanted(session: Session, project_id: int) -> list[UUID]:
    if request.form.get("which") == "chosen":
        chosen = {_uuid(text) for text in request.form.getlist("sample")[:_MOST_SENT]}
        return list(samples.find_many(session, project_id, list(chosen)))
    asked = read_asked(request.args, figures=inbox.figure_names(session, project_id))
    if asked.faults:
        raise ProblemError(422, f"the filter must be right: {asked.faults[0]}")
    how_many = min(max(request.form.get("how_many", 100, type=int), 1), _MOST_SENT)
    rows = _rows(session, project_id, asked, limit=how_many)[0]
    return [row.sample_id for row in rows]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ProblemError(422, "a sample must be named by its id") from error


def _choices(session: Session, project_id: int) -> Choices:
    cells = snapshots.current(session, project_id, Totals, now=datetime.now(UTC)).value.cells
    return Choices(
        states=tuple(State),
        verdicts=tuple(Verdict),
        reasons=tuple(sorted({cell.reason for cell in cells if cell.reason})),
        model_versions=tuple(sorted({cell.model_version for cell in cells if cell.model_version})),
        figures=inbox.figure_names(session, project_id),
    )


def _rows(
    session: Session, project_id: int, asked: Asked, *, limit: int
) -> tuple[list[models.Sample], inbox.Page | None]:
    """Return the samples that are asked for, with the page that they are; None: those like another have no pages."""
    if asked.similar_to is not None:
        like = samples.find(session, project_id, asked.similar_to)
        return (pictures.most_alike(session, like, limit=limit) if like is not None else []), None
    page = inbox.page(session, project_id, asked.narrowed, order=asked.order, after=asked.after, limit=limit)
    return inbox.rows(session, page.pks), page


def _listed(session: Session, project_id: int, asked: Asked) -> Listed:
    task = Task(projects.get(session, project_id).task)
    rows, page = _rows(session, project_id, asked, limit=_SHOWN)
    cards = tuple(card(one, task=task, settings=backend().settings) for one in gallery.read(session, rows))
    next_place = page.next_place if page is not None else None
    return Listed(
        cards=cards,
        found=page.found if page is not None else len(cards),
        next_query=asked.query_with(after=place_text(next_place)) if next_place is not None else None,
        looked_back_to=page.looked_back_to if page is not None else None,
    )
