"""The end user's web app: choose a photo, see the count, say whether it is right.

Run it: `python -m examples.pill_counter.app --model v1.model --port 8000 --url U --api-key K --spool-dir D`.
The SDK is used in two places: at the prediction, and for the token with which `<looks-wrong>` on the page brings what
the user says straight to the queue server. Neither can break the app: without that server it counts all the same.
"""

import argparse
import io
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Blueprint, Flask, Response, current_app, render_template, request, session
from PIL import Image
from werkzeug.exceptions import HTTPException, NotFound, UnprocessableEntity

from examples.pill_counter import photos
from examples.pill_counter.gallery import Gallery
from examples.pill_counter.model import CountingModel, ModelError
from examples.pill_counter.photos import PhotoError, open_image
from examples.pill_counter.reports import say
from feedback_sdk import FeedbackClient, Prediction
from feedback_sdk.wire import to_wire

_MOST_BYTES = 20_000_000
#: the button's script comes from the queue server, and its answers go there
_POLICY = (
    "default-src 'self'; img-src 'self' blob:; script-src 'self' {server}; connect-src 'self' {server}; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

pages = Blueprint("pages", __name__)


def create_app(model: CountingModel, client: FeedbackClient, *, gallery: Gallery, endpoint: str | None = None) -> Flask:
    """Return the app of one model; `client` takes what it says, and `endpoint` what its users say.

    `endpoint` is the queue server's address as browsers see it.
    """
    app = Flask(__name__)
    # sessions only carry a pseudonym, which may change when the app starts again
    app.config.update(SECRET_KEY=secrets.token_hex(32), MAX_CONTENT_LENGTH=_MOST_BYTES, SESSION_COOKIE_SAMESITE="Lax")
    app.extensions["pill_counter"] = (model, client, gallery)
    app.config["ENDPOINT"] = (endpoint or "").rstrip("/")
    app.register_blueprint(pages)
    app.register_error_handler(HTTPException, _refuse)
    app.after_request(_protect)
    return app


@pages.get("/")
def index() -> str:
    """Show the photos to choose from."""
    return render_template("index.html", names=_parts()[2].names, endpoint=current_app.config["ENDPOINT"])


@pages.get("/photos/<path:name>")
def photo(name: str) -> Response:
    """Return a photo of the gallery."""
    return Response(_chosen(name), mimetype=_mimetype(name))


@pages.get("/thumbnails/<path:name>")
def thumbnail(name: str) -> Response:
    """Return a small photo of the gallery."""
    return Response(_parts()[2].thumbnail(_known(name)), mimetype="image/jpeg")


@pages.post("/predictions")
def predict() -> dict[str, object]:
    """Count the objects on a photo of the gallery (`name`) or on an uploaded one (`photo`)."""
    model, client, _ = _parts()
    uploaded = request.files.get("photo")
    image_bytes = uploaded.read() if uploaded else _chosen(request.form.get("name", ""))
    try:
        prediction = model.predict(open_image(image_bytes))
    except PhotoError as error:
        raise UnprocessableEntity(f"This photo cannot be used: {error}.") from None
    sample_id = client.log_prediction(
        image_bytes, prediction, tags=["app"], metadata={"source": "upload" if uploaded else "gallery"}
    )
    token = client.feedback_token(sample_id, reporter=_reporter())
    return _shown(prediction, labels=model.labels) | {"sample_id": sample_id, "token": token}


def _shown(prediction: Prediction, *, labels: Sequence[str]) -> dict[str, object]:
    return {
        "model_version": prediction.model_version,
        "image_size": prediction.image_size,
        "count": prediction.count,
        "boxes": to_wire(prediction.boxes),
        "labels": [{"value": label, "label": label.capitalize()} for label in labels],
    }


def _reporter() -> str:
    """Return the pseudonym of this browser."""
    return str(session.setdefault("reporter", f"visitor-{uuid4().hex[:12]}"))


def _chosen(name: str) -> bytes:
    return _parts()[2].read(_known(name))


def _known(name: str) -> str:
    if name not in _parts()[2].names:
        raise NotFound("This photo is not there any more. Please choose another one.")
    return name


def _mimetype(name: str) -> str:
    with Image.open(io.BytesIO(_chosen(name))) as image:
        return image.get_format_mimetype() or "application/octet-stream"


def _parts() -> tuple[CountingModel, FeedbackClient, Gallery]:
    parts: tuple[CountingModel, FeedbackClient, Gallery] = current_app.extensions["pill_counter"]
    return parts


def _refuse(error: HTTPException) -> tuple[dict[str, object], int]:
    """Answer an error in words that the page can show."""
    if error.code == 413:
        return {"error": f"The photo is too large: at most {_MOST_BYTES // 1_000_000} MB."}, 413
    return {"error": error.description or "That did not work."}, error.code or 500


def _protect(response: Response) -> Response:
    address = urlsplit(current_app.config["ENDPOINT"])
    server = f"{address.scheme}://{address.netloc}" if address.netloc else ""
    response.headers["Content-Security-Policy"] = _POLICY.format(server=server)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def main(arguments: list[str] | None = None) -> int:
    """Serve the app until it is stopped; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        model = CountingModel.load(options.model)
        gallery = Gallery.open(photos.folder(options.images) if options.images else None)
    except (ModelError, PhotoError) as error:
        say(f"app: {error}")
        return 1
    with FeedbackClient(options.url, options.api_key, spool_dir=options.spool_dir) as client:
        app = create_app(model, client, gallery=gallery, endpoint=options.url)
        app.run(host=options.host, port=options.port, threaded=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app", description="Count pills on photos.")
    parser.add_argument("--model", type=Path, required=True, metavar="FILE")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--images", type=Path, metavar="DIR", help="a folder of photos to choose from")
    parser.add_argument("--url", help="the queue server, for this app and for browsers; without one it only counts")
    parser.add_argument("--api-key")
    parser.add_argument("--spool-dir", type=Path, metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
