"""Commands of drift: what a model version's data is held against. `lookswrong report drift` tells what changed."""

from datetime import datetime

import click

from queue_server.cli.opening import Moment, chosen, now, project_option
from queue_server.cli.tables import table
from queue_server.store import drift_references, references
from queue_server.store.engine import reading, writing


@click.group()
def drift() -> None:
    """Pin what the data of a model version is held against."""


@drift.command("pin")
@project_option
@click.option("--model-version", required=True, help="The version whose data is watched.")
@click.option("--since", type=Moment(), help="Its reference: captured from then on.")
@click.option("--until", type=Moment(), help="Its reference: captured before then.")
@click.option("--training", "is_training", is_flag=True, help="Its reference: the images of `reference import`.")
@click.option("--reference-version", help="The version whose samples are the reference.  [default: the same]")
def pin(
    project_name: str | None,
    model_version: str,
    since: datetime | None,
    until: datetime | None,
    is_training: bool,  # noqa: FBT001  # click hands options over so
    reference_version: str | None,
) -> None:
    """Hold a version against a stretch of time, or its training images, in place of its first weeks."""
    _check(since, until, is_training=is_training)
    of_version = reference_version or model_version
    backend, _, project_id = chosen(project_name)
    with writing(backend.engine) as session:
        if is_training and references.find(session, project_id, of_version) is None:
            raise click.ClickException(
                f"the training images of {of_version!r} must be there: reference import coco DIR"
            )
        drift_references.pin(
            session, project_id, model_version, reference_version=of_version, since=since, until=until, now=now()
        )
    click.echo(f"{model_version} is held against {of_version}, {_span(since, until)}")


def _check(since: datetime | None, until: datetime | None, *, is_training: bool) -> None:
    if is_training and since is None and until is None:
        return
    if is_training or since is None or until is None:
        raise click.UsageError("either --training or both of --since and --until must be given")
    if since >= until:
        raise click.BadParameter(f"must be before --until, got {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M}")


@drift.command("unpin")
@project_option
@click.option("--model-version", required=True, help="The version whose data is watched.")
def unpin(project_name: str | None, model_version: str) -> None:
    """Hold a version against its first weeks again."""
    backend, _, project_id = chosen(project_name)
    with writing(backend.engine) as session:
        if not drift_references.unpin(session, project_id, model_version):
            raise click.ClickException(f"nothing is pinned to {model_version!r}")


@drift.command("list")
@project_option
def show(project_name: str | None) -> None:
    """List what is pinned; a version that is not listed is held against its first weeks."""
    backend, _, project_id = chosen(project_name)
    with reading(backend.engine) as session:
        pinned = drift_references.of_project(session, project_id)
    rows = [("version", "held against", "captured")]
    rows += [(row.model_version, row.reference_version, _span(row.since, row.until)) for row in pinned]
    for line in table(rows):
        click.echo(line)


def _span(since: datetime | None, until: datetime | None) -> str:
    if since is None or until is None:
        return "at training"
    return f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"


COMMANDS = (drift,)
