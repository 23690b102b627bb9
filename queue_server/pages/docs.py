"""The page that shows the API."""

from flask import current_app, render_template

from queue_server.pages.frame import admin, blueprint, public_url
from queue_server.pages.reference import read_reference


@blueprint.get("/docs")
def show_docs() -> str:
    """Show the API as its OpenAPI document describes it."""
    admin()
    reference = read_reference(current_app.extensions["lookswrong_openapi"], base_url=public_url())
    return render_template("pages/docs.html", reference=reference, public_url=public_url())
