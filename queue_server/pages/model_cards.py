"""The pages that show the card of a model version, and hand it out as a file."""

from datetime import UTC, datetime

from flask import Response, render_template
from markupsafe import Markup

from queue_server.auth import Caller
from queue_server.errors import ProblemError
from queue_server.pages.frame import admin, backend, blueprint
from queue_server.reports import ModelCard, model_card, render_html, render_markdown, snapshots
from queue_server.reports.snapshots import ModelCards
from queue_server.store.engine import reading

_FILES = {"html": ("text/html", render_html), "md": ("text/markdown", render_markdown)}


@blueprint.get("/models")
def show_models() -> str:
    """Show the card of the latest version."""
    caller = admin()
    made = _made(caller)
    card = made.value.cards[0] if made is not None and made.value.cards else None
    return _page(made, card)


@blueprint.get("/models/<path:version>/card.<file_type>")
def download_card(version: str, file_type: str) -> Response:
    """Hand out a card as a file that needs nothing else."""
    caller = admin()
    if file_type not in _FILES:
        raise ProblemError(404, f"a card must be asked for as one of {', '.join(_FILES)}")
    media_type, render = _FILES[file_type]
    response = Response(render(_card(caller, version)), mimetype=media_type)
    response.headers.set("Content-Disposition", "attachment", filename=f"model-card.{file_type}")
    return response


@blueprint.get("/models/<path:version>")
def show_model(version: str) -> str:
    """Show the card of one version."""
    caller = admin()
    return _page(_made(caller), _card(caller, version))


def _page(made: snapshots.Snapshot[ModelCards] | None, card: ModelCard | None) -> str:
    return render_template("pages/models.html", made=made, card=card, body=_body(card) if card is not None else None)


def _made(caller: Caller) -> snapshots.Snapshot[ModelCards] | None:
    with reading(backend().engine) as session:
        return snapshots.latest(session, caller.project_id, ModelCards)


def _card(caller: Caller, version: str) -> ModelCard:
    """Return a version's card: the worker's, else made now, which takes a while; or raise ProblemError 404."""
    made = _made(caller)
    known = {card.model_version: card for card in made.value.cards} if made is not None else {}
    if version in known:
        return known[version]
    with reading(backend().engine) as session:
        card = model_card(session, version, project_id=caller.project_id, now=datetime.now(UTC))
    if card is None:
        raise ProblemError(404, "no version of this project's model has this name")
    return card


def _body(card: ModelCard) -> Markup:
    """Return what stands in the card's own page, whose texts are escaped there, for one of ours."""
    page = render_html(card)
    return Markup(page.partition("<main>")[2].partition("</main>")[0])  # noqa: S704  # escaped by its maker
