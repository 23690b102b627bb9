"""Commands for a model's versions: register them, pin what they were trained on, show the card of one."""

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import click

from queue_server import model_file
from queue_server.cli.opening import Moment, chosen, json_option, now, project_option, write_json
from queue_server.core.model_card import Registered, registered_document
from queue_server.references import open_coco, pin_coco
from queue_server.reports import model_card, render_html, render_markdown
from queue_server.store import model_versions, references
from queue_server.store.engine import reading, writing

_RENDERERS = {"markdown": render_markdown, "html": render_html}
_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def model() -> None:
    """Register versions of a project's model."""


@model.command("add")
@click.argument("name", metavar="FILE|NAME")
@project_option
@click.option("--trained-on", type=click.UUID, help="The export that it was trained on.")
def add_model(name: str, project_name: str | None, trained_on: UUID | None) -> None:
    """Register a model version from its FILE (.yaml, .json), or by its NAME alone; a file says more of it."""
    given = model_file.parse(Path(name).read_text(encoding="utf-8")) if model_file.is_file(name) else None
    backend, found, project_id = chosen(project_name)
    with writing(backend.engine) as session:
        if given is None:
            row = model_versions.find(session, project_id, name)
            given = model_versions.registered(row) if row is not None else Registered(version=name)
        if trained_on is not None:
            given = replace(given, trained_on=trained_on)
        model_file.register(session, found, given, now=now())
    click.echo(f"{found.name}: model version {given.version}")


@model.command("list")
@project_option
@json_option
def list_models(project_name: str | None, json_file: str | None) -> None:
    """List the registered versions of a project's model."""
    backend, _, project_id = chosen(project_name)
    with reading(backend.engine) as session:
        rows = [(row, model_versions.registered(row)) for row in model_versions.of_project(session, project_id)]
    if json_file != "-":
        for row, said in rows:
            trained_on = f"trained on {said.trained_on}" if said.trained_on else "trained on other data"
            click.echo(f"{row.name}\t{row.created_at:%Y-%m-%d}\t{trained_on}\t{said.architecture or ''}".rstrip())
    write_json([registered_document(said) for _, said in rows], json_file)


@model.command("show")
@click.argument("name")
@project_option
def show_model(name: str, project_name: str | None) -> None:
    """Show what is registered of a version, as JSON."""
    backend, _, project_id = chosen(project_name)
    with reading(backend.engine) as session:
        row = model_versions.find(session, project_id, name)
        if row is None:
            there = ", ".join(one.name for one in model_versions.of_project(session, project_id)) or "none yet"
            raise click.ClickException(f"NAME must be a registered version, got {name!r}; there are {there}")
    write_json(registered_document(model_versions.registered(row)), "-")


@model.command("card")
@click.argument("name")
@project_option
@click.option("--format", "format_name", type=click.Choice(list(_RENDERERS)), default="markdown", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Into this file.")
@click.option("--since", type=Moment(), help="Figures of samples captured from then on.  [default: 30d]")
def show_card(
    name: str, project_name: str | None, format_name: str, output: Path | None, since: datetime | None
) -> None:
    """Make the card of a version: data, metrics, known failures, calibration, history."""
    backend, found, project_id = chosen(project_name)
    with reading(backend.engine) as session:
        card = model_card(session, name, project_id=project_id, now=now(), since=since)
    if card is None:
        raise click.ClickException(f"NAME must be a version of {found.name} that was registered or sent, got {name!r}")
    text = _RENDERERS[format_name](card)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@click.group()
def reference() -> None:
    """Pin what model versions were trained on, to hold production against it."""


@reference.group("import")
def import_reference() -> None:
    """Read a data set."""


@import_reference.command("coco")
@click.argument("folder", metavar="DIR", type=_folder)
@click.option("--model-version", required=True, help="The version that was trained on it.")
@project_option
def import_coco(folder: Path, model_version: str, project_name: str | None) -> None:
    """Pin the images of a COCO data set in DIR to a model version: their metrics, labels and counts, not themselves.

    Reads the training part where a file is named so (annotations/train.json, instances_train2017.json), else all.
    """
    backend, found, project_id = chosen(project_name)
    opened = open_coco(folder)
    with click.progressbar(length=1, label="measuring", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def on_progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        pinned = pin_coco(backend, project_id, opened, model_version=model_version, now=now(), on_progress=on_progress)
    click.echo(
        f"{found.name}: {pinned.images} images with {pinned.objects} objects are the reference of {model_version}"
    )
    if pinned.left_out:
        click.echo(
            f"{len(pinned.left_out)} images are not there or cannot be read, such as {pinned.left_out[0]}", err=True
        )


@reference.command("list")
@project_option
def list_references(project_name: str | None) -> None:
    """List the references of a project."""
    backend, _, project_id = chosen(project_name)
    with reading(backend.engine) as session:
        for row in references.of_project(session, project_id):
            click.echo(f"{row.model_version}\t{row.images} images\t{row.source}\t{row.created_at:%Y-%m-%d}")


@reference.command("remove")
@click.argument("model_version")
@project_option
def remove_reference(model_version: str, project_name: str | None) -> None:
    """Forget the reference of a version."""
    backend, _, project_id = chosen(project_name)
    with writing(backend.engine) as session:
        if not references.unpin(session, project_id, model_version):
            raise click.ClickException(f"MODEL_VERSION must have a reference, got {model_version!r}")
    click.echo("removed")


COMMANDS = (model, reference)
