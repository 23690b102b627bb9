"""The page that shows how good the model is in each slice, and in which parts nobody named it errs most."""

from datetime import UTC, datetime

from flask import Response, redirect, render_template, request, url_for

from queue_server.core.slices import read_slice
from queue_server.errors import PolicyError, ProblemError
from queue_server.pages.frame import admin, backend, blueprint, posting_admin
from queue_server.reports import snapshots
from queue_server.reports.slices import SlicesReport
from queue_server.store import slices
from queue_server.store.engine import reading, writing

_MOST_METRICS = 12


@blueprint.get("/slices")
def show_slices() -> str:
    """Show the slices."""
    return _page(admin().project_id, faults=())


@blueprint.post("/slices")
def keep_slice() -> Response | tuple[str, int]:
    """Keep a slice under its name, or say what is wrong with it."""
    caller = posting_admin()
    typed = {name: request.form.get(name, "").strip() for name in ("name", "where", "model_version")}
    try:
        found = read_slice(
            typed["name"], where=typed["where"] or None, model_version=typed["model_version"][:200] or None
        )
    except PolicyError as error:
        faults = tuple(f"{fault.field} {fault.message}" for fault in error.faults)
        return _page(caller.project_id, faults=faults, typed=typed), 422
    with writing(backend().engine) as session:
        slices.keep(session, caller.project_id, found, now=datetime.now(UTC))
    return redirect(url_for("pages.show_slices"), code=303)  # type: ignore[return-value]  # werkzeug's, of the same kind


@blueprint.post("/slices/<name>/remove")
def remove_slice(name: str) -> Response:
    """Remove a slice; no sample is touched."""
    caller = posting_admin()
    with writing(backend().engine) as session:
        if not slices.remove(session, caller.project_id, name):
            raise ProblemError(404, "no slice of this project has this name")
    return redirect(url_for("pages.show_slices"), code=303)  # type: ignore[return-value]  # as above


def _page(project_id: int, *, faults: tuple[str, ...], typed: dict[str, str] | None = None) -> str:
    with reading(backend().engine) as session:
        return render_template(
            "pages/slices.html",
            made=snapshots.latest(session, project_id, SlicesReport),
            saved=slices.of_project(session, project_id),
            faults=faults,
            typed=typed or {},
            most_metrics=_MOST_METRICS,
        )
