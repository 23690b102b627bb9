"""Commands for slices: named, saved filters of samples."""

from datetime import datetime

import click

from queue_server.cli.opening import Moment, chosen, json_option, now, project_option, write_json
from queue_server.core.slices import Slice, read_slice
from queue_server.store import slices
from queue_server.store.engine import reading, writing


@click.group("slice")
def slice_() -> None:
    """Name parts of the stream, to see how good the model is in each (report slices)."""


@slice_.command("add")
@click.argument("name")
@click.option("--where", help="A condition, such as \"metadata.site == 'north' and tags has 'night'\".")
@click.option("--model-version", help="Samples of this version alone.")
@click.option("--since", type=Moment(), help="Captured from then on: a time, or how long ago, such as 7d.")
@click.option("--until", type=Moment(), help="Captured before then.")
@project_option
def add_slice(
    name: str,
    where: str | None,
    model_version: str | None,
    since: datetime | None,
    until: datetime | None,
    project_name: str | None,
) -> None:
    """Keep a slice under NAME, in place of the one that has it."""
    found = read_slice(name, where=where, model_version=model_version, since=since, until=until)
    backend, project, project_id = chosen(project_name)
    with writing(backend.engine) as session:
        is_new = slices.keep(session, project_id, found, now=now())
    click.echo(f"{project.name}: slice {name} {'added' if is_new else 'changed'}")


@slice_.command("list")
@project_option
@json_option
def list_slices(project_name: str | None, json_file: str | None) -> None:
    """List a project's slices."""
    backend, _, project_id = chosen(project_name)
    with reading(backend.engine) as session:
        found = slices.of_project(session, project_id)
    if json_file != "-":
        for one in found:
            click.echo(f"{one.name}\t{'; '.join(_parts(one)) or 'every sample'}")
    write_json([{"name": one.name, **_said(one)} for one in found], json_file)


@slice_.command("remove")
@click.argument("name")
@project_option
def remove_slice(name: str, project_name: str | None) -> None:
    """Remove a slice; no sample is touched."""
    backend, project, project_id = chosen(project_name)
    with writing(backend.engine) as session:
        if not slices.remove(session, project_id, name):
            raise click.ClickException(f"NAME must be a slice of {project.name}, got {name!r}")
    click.echo("removed")


def _said(found: Slice) -> dict[str, str | None]:
    return {
        "where": found.where.text if found.where is not None else None,
        "model_version": found.model_version,
        "since": found.since.isoformat() if found.since is not None else None,
        "until": found.until.isoformat() if found.until is not None else None,
    }


def _parts(found: Slice) -> list[str]:
    said = _said(found)
    shown = [said.pop("where")]
    return [part for part in shown if part] + [f"{name} {value}" for name, value in said.items() if value]


COMMANDS = (slice_,)
