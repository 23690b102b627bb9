"""Pages for people: what this server is and has, and its API. Plain HTML without a script.

Until there is a sign-in each page needs a key with scope admin; a browser asks for it, as the password of any user.
"""

from importlib.metadata import version

import structlog
from flask import Blueprint, Response, current_app, make_response, render_template, request
from sqlalchemy.exc import InterfaceError, OperationalError

from queue_server.auth import Caller, Scope, caller_of_key, require
from queue_server.backend import Backend
from queue_server.errors import ProblemError
from queue_server.pages.overview import read_overview
from queue_server.pages.reference import read_reference
from queue_server.readiness import check_readiness
from queue_server.store.engine import reading

_log = structlog.get_logger()

blueprint = Blueprint(
    "pages", "queue_server", template_folder="templates", static_folder="static", static_url_path="/static"
)

#: No script, no frame, nothing from elsewhere; a page belongs to one key, so no cache may keep it.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@blueprint.get("/")
def show_overview() -> str:
    """Show the server's parts and the figures of the key's project."""
    caller = _admin()
    with reading(_backend().engine) as session:
        overview = read_overview(session, caller.project_id, settings=_backend().settings)
    return render_template("pages/overview.html", overview=overview, readiness=check_readiness(_backend()))


@blueprint.get("/docs")
def show_docs() -> str:
    """Show the API as its OpenAPI document describes it."""
    _admin()
    reference = read_reference(current_app.extensions["lookswrong_openapi"], base_url=_public_url())
    return render_template("pages/docs.html", reference=reference, public_url=_public_url())


@blueprint.app_context_processor
def add_version() -> dict[str, str]:
    """Give every page the version that it names."""
    return {"version": version("lookswrong")}


@blueprint.errorhandler(ProblemError)
def refuse(problem: ProblemError) -> Response:
    """Say in plain words what the page needs; a 401 makes a browser ask for the key."""
    response = make_response(render_template("pages/refused.html", problem=problem), problem.status)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Looks Wrong", charset="UTF-8"'
    return response


@blueprint.errorhandler(OperationalError)
@blueprint.errorhandler(InterfaceError)
def say_unavailable(error: OperationalError | InterfaceError) -> Response:
    """Say that the database does not answer: without it not even the key can be checked."""
    _log.error("unavailable", action="page", path=request.path, error=str(error)[:500])
    response = make_response(render_template("pages/unavailable.html"), 503)
    response.headers["Retry-After"] = "5"
    return response


@blueprint.after_request
def add_headers(response: Response) -> Response:
    """Close the page against everything that it does not use."""
    response.headers.update(_HEADERS)
    return response


def _admin() -> Caller:
    """Return who asks, or raise ProblemError 401 or 403."""
    sent = request.authorization
    key = (sent.token or sent.password) if sent is not None and sent.type in ("basic", "bearer") else None
    if not key:
        raise ProblemError(401, "a key with scope admin must be given, got none")
    with reading(_backend().engine) as session:
        caller = caller_of_key(session, key)
    require(caller, Scope.ADMIN)
    return caller


def _backend() -> Backend:
    value = current_app.extensions["lookswrong"]
    assert isinstance(value, Backend)
    return value


def _public_url() -> str:
    return _backend().settings.public_url.rstrip("/")
