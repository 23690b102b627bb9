"""What every page shares: who may see it, what it may load, which pages there are, and what it says when it cannot."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Response, current_app, g, make_response, render_template, request
from itsdangerous import BadSignature, TimestampSigner
from sqlalchemy.exc import InterfaceError, OperationalError

from queue_server.auth import Caller, Scope, caller_of_key, require
from queue_server.backend import Backend
from queue_server.errors import ProblemError
from queue_server.store.engine import reading

_log = structlog.get_logger()

blueprint = Blueprint(
    "pages", "queue_server", template_folder="templates", static_folder="static", static_url_path="/static"
)

#: No script but ours, no frame, nothing from elsewhere; a page belongs to one key, so no cache may keep it. Browsers
#: say where a post comes from only under a policy that lets them.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

#: how long a page may lie open before what is typed into it is refused
_FORM_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A page in the navigation."""

    endpoint: str
    name: str


#: in their order
LINKS = (
    Link(endpoint="pages.show_overview", name="Overview"),
    Link(endpoint="pages.show_queue", name="Queue"),
    Link(endpoint="pages.show_models", name="Model"),
    Link(endpoint="pages.show_slices", name="Slices"),
    Link(endpoint="pages.show_drift", name="Drift"),
    Link(endpoint="pages.show_alerts", name="Alerts"),
    Link(endpoint="pages.show_policy", name="Policy"),
    Link(endpoint="pages.show_docs", name="API"),
)


def admin() -> Caller:
    """Return who asks, or raise ProblemError 401 or 403."""
    sent = request.authorization
    key = (sent.token or sent.password) if sent is not None and sent.type in ("basic", "bearer") else None
    if not key:
        raise ProblemError(401, "a key with scope admin must be given, got none")
    with reading(backend().engine) as session:
        caller = caller_of_key(session, key)
    require(caller, Scope.ADMIN)
    g.page_caller = caller
    return caller


def posting_admin() -> Caller:
    """Return who posts a form of ours, or raise ProblemError 401 or 403.

    A browser sends the key along whoever made the form: so it must come from a page of this server, and bring the
    token that such a page holds.
    """
    caller = admin()
    if not _is_same_origin():
        raise ProblemError(403, "a form must be posted from a page of this server")
    try:
        signed = _signer().unsign(request.form.get("csrf_token", ""), max_age=_FORM_SECONDS).decode()
    except (BadSignature, UnicodeError) as error:
        raise ProblemError(403, "the page must be younger than a day: load it again") from error
    if signed != str(caller.project_id):
        raise ProblemError(403, "the page must be of the same project as the key: load it again")
    return caller


def _is_same_origin() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    if origin is None:
        return True  # no browser sent it, or one that keeps that to itself: the token decides
    return urlsplit(origin).netloc in (request.host, urlsplit(backend().settings.public_url).netloc)


def _signer() -> TimestampSigner:
    # itsdangerous signs with the last key and verifies with all; ours signs with the first.
    keys = list(reversed(backend().settings.secret_keys))
    return TimestampSigner(keys, salt="lookswrong.page", digest_method=hashlib.sha256)


def backend() -> Backend:
    """Return what this process stands on."""
    value = current_app.extensions["lookswrong"]
    assert isinstance(value, Backend)
    return value


def public_url() -> str:
    """Return this server's address without a slash at its end."""
    return backend().settings.public_url.rstrip("/")


def csrf_token() -> str:
    """Return what a form of this page must bring."""
    caller = g.page_caller
    assert isinstance(caller, Caller)
    return _signer().sign(str(caller.project_id)).decode()


@blueprint.app_context_processor
def add_frame() -> dict[str, object]:
    """Give every page the version that it names, the pages there are, and the token of its forms."""
    return {"version": version("lookswrong"), "links": LINKS, "csrf_token": csrf_token}


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
