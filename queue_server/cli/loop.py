"""Commands of the loop: push, pull, export, report; and those that look after it."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter

from queue_server.backend import open_backend
from queue_server.cli.opening import (
    Moment,
    chosen,
    json_option,
    now,
    open_database,
    project_of,
    project_option,
    settings_with_secret,
    write_json,
)
from queue_server.core.datasets import FORMATS, parse_include
from queue_server.export import check_folder, prepare, write_folder
from queue_server.reports import REPORTS, Narrowed, make_report, strata_csv
from queue_server.store import projects
from queue_server.store.engine import reading

_new_file = click.Path(dir_okay=False, path_type=Path)


@click.command()
@project_option
@json_option
def push(project_name: str | None, json_file: str | None) -> None:
    """Push waiting tasks into Label Studio once, now."""
    from queue_server.push import push_project

    _in_label_studio(push_project, project_name, json_file)


@click.command()
@project_option
@json_option
def pull(project_name: str | None, json_file: str | None) -> None:
    """Pull annotations from Label Studio once, now."""
    from queue_server.pull import pull_project

    _in_label_studio(pull_project, project_name, json_file)


def _in_label_studio(work: Callable[..., Any], project_name: str | None, json_file: str | None) -> None:
    """Do the work for one project, or for all, and show what was done."""
    from queue_server.ingest.due import decide_due
    from queue_server.projects import open_label_studio

    backend = open_database()
    while decide_due(backend, now=now(), limit=500):
        pass
    with reading(backend.engine) as session:
        wanted = projects.all_projects(session)
    if project_name is not None:
        wanted = [project_of(backend, project_name)]
    client = open_label_studio(backend)
    results = {found.name: asdict(work(backend, client, found)) for found in wanted}
    if json_file is None:
        for name, result in results.items():
            click.echo(f"{name}: " + ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in result.items()))
    write_json(results, json_file)
    if any(result.get("failed") for result in results.values()):
        sys.exit(1)


@click.command()
@click.argument("format_name", metavar="FORMAT", type=click.Choice(list(FORMATS)))
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, resolve_path=True, path_type=Path))
@project_option
@click.option("--include", default="", help="Add what users `confirmed` or let stand (`affirmed`), for training only.")
@json_option
def export(format_name: str, folder: Path, project_name: str | None, include: str, json_file: str | None) -> None:
    """Export a data set with its images into a folder; FORMAT is coco, yolo, csv or jsonl."""
    backend, _, project_id = chosen(project_name)
    check_folder(folder)
    prepared = prepare(backend, project_id, format_name=format_name, include=parse_include(include), now=now())
    write_folder(backend, prepared, folder)
    if json_file != "-":
        click.echo(f"{prepared.items} items in {folder}, export {prepared.export_id}")
        for why, count in Counter(prepared.left_out.values()).items():
            click.echo(f"{count} more are held out: {why.replace('_', ' ')}")
    write_json(
        {
            "export_id": str(prepared.export_id),
            "items": prepared.items,
            "folder": str(folder),
            "held_out": len(prepared.left_out),
        },
        json_file,
    )


@click.command()
@click.argument("name", type=click.Choice(list(REPORTS)), default="quality")
@project_option
@click.option("--model-version", help="The figures of this version alone.")
@click.option("--since", type=Moment(), help="Captured since: a time, or how long ago.  [default: 30d, of drift 7d]")
@click.option("--slice", "slice_name", help="The samples of this slice alone.")
@click.option(
    "--strata", "strata_file", type=_new_file, help="Write what the accuracy stands on into this file, as CSV."
)
@json_option
def report(
    name: str,
    project_name: str | None,
    model_version: str | None,
    since: datetime | None,
    slice_name: str | None,
    strata_file: Path | None,
    json_file: str | None,
) -> None:
    """Show a report of a project as JSON."""
    backend, _, project_id = chosen(project_name)
    narrowed, at = Narrowed(model_version=model_version, since=since, slice=slice_name), now()
    with reading(backend.engine) as session:
        made = make_report(session, name, project_id=project_id, now=at, narrowed=narrowed)
        strata = strata_csv(session, narrowed, project_id=project_id, now=at) if strata_file is not None else ""
    if strata_file is not None:
        strata_file.write_text(strata, encoding="utf-8")
    write_json(TypeAdapter(type(made)).dump_python(made, mode="json"), json_file or "-")


@click.command()
@click.option("--fix", "is_fix", is_flag=True, help="Rewrite image addresses and webhooks in Label Studio.")
def doctor(is_fix: bool) -> None:  # noqa: FBT001  # click hands options over so
    """Check every connection, and say the remedy for each that does not hold."""
    from queue_server.doctor import examine, fix

    backend = open_backend(settings_with_secret())
    faults = 0
    for finding in examine(backend):
        click.echo(f"{'FAULT' if finding.is_fault else 'ok':6}{finding.name}: {finding.detail}")
        if finding.is_fault:
            faults += 1
            click.echo(f"      remedy: {finding.remedy}")
    if is_fix and not faults:
        click.echo(f"{fix(backend, say=click.echo)} tasks rewritten")
    sys.exit(1 if faults else 0)


@click.command()
@click.option("--once", "is_once", is_flag=True, help="Play a whole turn of the loop without a person, and end.")
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A folder of photos.")
@click.option("--samples", default=40, show_default=True, type=click.IntRange(min=1))
@click.option("--state", default=Path(".demo"), show_default=True, type=click.Path(path_type=Path))
@json_option
def demo(is_once: bool, images: Path | None, samples: int, state: Path, json_file: str | None) -> None:  # noqa: FBT001  # click hands options over so
    """Run the loop to look at: Label Studio, this server and a pill counter. Needs a checkout of the project."""
    from queue_server.demo.once import play_once
    from queue_server.demo.show import run_until_stopped

    if not is_once:
        run_until_stopped(state, images=images)
        return
    outcome = play_once(state, images=images, samples=samples)
    write_json(outcome.as_json(), json_file)
    if json_file != "-":
        click.echo(outcome.as_table())
    sys.exit(0 if outcome.agrees else 1)


COMMANDS = (push, pull, export, report, doctor, demo)
