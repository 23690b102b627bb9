"""The files of the button that pages embed, at an address that stays and at one whose content never changes.

`/widgets/looks-wrong.js` is the newest, kept by browsers for minutes. `/widgets/<version>/looks-wrong.js` is this
version's, kept for a year: a page that names it gets that one or none.
"""

from importlib.metadata import version
from pathlib import Path

from flask import Blueprint, Response, send_file
from werkzeug.security import safe_join

from queue_server.errors import ProblemError

blueprint = Blueprint("widgets", __name__)


def folder_of(package: Path) -> Path:
    """Return where the button's files are: a wheel has them inside the package, a checkout beside it."""
    inside = package / "widgets"
    return inside if inside.is_dir() else package.parent / "widgets"


FOLDER = folder_of(Path(__file__).parents[1])

#: what a page may need; anything else of the folder is not served
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain",  # of types: else it would be taken for a film
}
_SHORT_SECONDS = 300
_YEAR_SECONDS = 31_536_000
#: the strictest under which the button works, so that the demo proves it
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@blueprint.get("/widgets/demo")
def show_demo() -> Response:
    """Show the button to people, alone on a page."""
    return _send("demo.html")


@blueprint.get("/widgets/<path:name>")
def get_file(name: str) -> Response:
    """Send a file of the newest version, or of this one by its number."""
    first, _, rest = name.partition("/")
    if first == version("lookswrong"):
        response = _send(rest)
        response.cache_control.max_age = _YEAR_SECONDS
        response.cache_control.immutable = True
        return response
    return _send(name)


def _send(name: str) -> Response:
    path = safe_join(str(FOLDER), name)
    media_type = _MEDIA_TYPES.get(f".{name.rpartition('.')[2]}")
    if path is None or media_type is None or not Path(path).is_file():
        raise ProblemError(404, "no such file of this version's widgets")
    response = send_file(path, mimetype=media_type, conditional=True, etag=True)
    response.cache_control.no_cache = None
    response.cache_control.public = True
    response.cache_control.max_age = _SHORT_SECONDS
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if media_type == "text/html":
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
    return response
