"""The page that shows everything about one sample."""

from datetime import UTC, datetime
from uuid import UUID

from flask import Response, redirect, render_template, request, url_for

from feedback_sdk.types import Task
from queue_server import models
from queue_server.errors import ProblemError
from queue_server.ingest.requests import request_sample
from queue_server.pages.cards import card
from queue_server.pages.frame import admin, backend, blueprint, posting_admin
from queue_server.store import changes, gallery, inbox, projects, samples
from queue_server.store.engine import reading


@blueprint.get("/samples/<uuid:sample_id>")
def show_sample(sample_id: UUID) -> str:
    """Show one sample: its picture, what was said of it, why it is where it is, and how it came there."""
    caller = admin()
    with reading(backend().engine) as session:
        row = samples.find(session, caller.project_id, sample_id)
        if row is None or row.id is None:
            raise ProblemError(404, "no sample of this project has this id")
        task = Task(projects.get(session, caller.project_id).task)
        (shown,) = gallery.read(session, [row])
        twin = session.get(models.Sample, row.duplicate_of) if row.duplicate_of is not None else None
        return render_template(
            "pages/sample.html",
            card=card(shown, task=task, settings=backend().settings),
            shown=shown,
            history=changes.of_sample(session, row.id),
            twin_id=twin.sample_id if twin is not None else None,
            figures=inbox.figures_of(session, row),
            requested="requested" in request.args,
        )


@blueprint.post("/samples/<uuid:sample_id>/request")
def request_one(sample_id: UUID) -> Response:
    """Send one sample to annotators."""
    caller = posting_admin()
    reason = request.form.get("reason", "").strip()[:500] or "asked for on its page"
    request_sample(backend(), caller.project_id, sample_id, reason=reason, now=datetime.now(UTC))
    return redirect(url_for("pages.show_sample", sample_id=sample_id, requested=1), code=303)  # type: ignore[return-value]  # werkzeug's, of the same kind
