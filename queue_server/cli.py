"""The command `lookswrong`."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from pydantic import TypeAdapter

from queue_server import models
from queue_server.auth import Scope, make_key
from queue_server.backend import Backend, open_backend
from queue_server.core.datasets import FORMATS, parse_include
from queue_server.errors import ServerError
from queue_server.export import check_folder, prepare, write_folder
from queue_server.logs import configure_logs
from queue_server.policy_file import apply, describe, parse
from queue_server.reports import REPORTS, QualityReport, make_report
from queue_server.settings import Settings, keep_secret, load
from queue_server.store import exports, keys, projects
from queue_server.store.engine import check_schema, migrate, reading, writing


class _Commands(click.Group):
    """Say our own errors as one line; a traceback is for faults of ours."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's own signature
        try:
            return super().invoke(ctx)
        except ServerError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
@click.version_option(package_name="lookswrong")
def main() -> None:
    """Turn a person's tap on "looks wrong" into a better model."""
    configure_logs()


def _now() -> datetime:
    return datetime.now(UTC)


def _settings() -> Settings:
    """Return the settings; where no secret is set, one is made and kept at the first command."""
    settings = load()
    if settings.secret_key:
        return settings
    return settings.model_copy(update={"secret_key": keep_secret(settings.data_dir)})


def _backend() -> Backend:
    """Open the database, brought up to date where it is the embedded one."""
    backend = open_backend(_settings())
    if backend.settings.database_url:
        check_schema(backend.engine)
    else:
        migrate(backend.engine)
    return backend


def _project(backend: Backend, name: str | None) -> models.Project:
    with reading(backend.engine) as session:
        known = projects.all_projects(session)
    if name is None and len(known) == 1:
        return known[0]
    for project in known:
        if project.name == name:
            return project
    there = ", ".join(project.name for project in known) or "none: apply a project file first"
    raise click.ClickException(f"--project must be one of this server's projects, got {name!r}; there are {there}")


def _chosen(name: str | None) -> tuple[Backend, models.Project, int]:
    backend = _backend()
    found = _project(backend, name)
    assert found.id is not None
    return backend, found, found.id


_project_option = click.option("--project", "project_name", help="The project; may be left out if there is one.")
_json_option = click.option(
    "--json", "json_file", help="Write the result as JSON into this file, - for standard output."
)


def _write_json(value: object, json_file: str | None) -> None:
    text = json.dumps(value, indent=1, default=str)
    if json_file == "-":
        click.echo(text)
    elif json_file is not None:
        Path(json_file).write_text(text + "\n", encoding="utf-8")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8500, show_default=True, type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """Run web, worker and schedule in one process tree, on embedded defaults for what is not set."""
    from queue_server import supervisor

    settings = _settings()
    migrate(open_backend(settings).engine)
    public_url = settings.public_url if "LOOKSWRONG_PUBLIC_URL" in os.environ else f"http://{_shown(host)}:{port}"
    environment = {"LOOKSWRONG_SECRET_KEY": settings.secret_key, "LOOKSWRONG_PUBLIC_URL": public_url}
    serving = supervisor.Serving(
        data_dir=settings.data_dir,
        host=host,
        port=port,
        broker_url=settings.broker_url or None,
        environment=environment,
    )
    supervisor.serve(serving, on_ready=lambda: click.echo(f"Looks Wrong is ready at {public_url}"))


def _shown(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  # compared, not bound


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8500, show_default=True, type=click.IntRange(1, 65535))
@click.option("--processes", default=1, show_default=True)
@click.option("--threads", default=8, show_default=True)
def web(host: str, port: int, processes: int, threads: int) -> None:
    """Run the web process alone; the schema must be up to date and SECRET_KEY set."""
    from queue_server.supervisor import web_argv

    _check_deployment()
    _become(web_argv(host=host, port=port, processes=processes, threads=threads))


@main.command()
@click.option("--processes", default=2, show_default=True)
def worker(processes: int) -> None:
    """Run a worker with its schedule; as many as wanted may run."""
    from queue_server.supervisor import worker_argv

    settings = _check_deployment()
    if not settings.broker_url:
        raise click.ClickException("LOOKSWRONG_BROKER_URL must be set for a worker of its own; `serve` embeds one")
    schedule = settings.data_dir / "run" / f"schedule-{os.getpid()}"
    schedule.parent.mkdir(parents=True, exist_ok=True)
    _become(worker_argv(processes=processes, schedule_file=schedule))


def _check_deployment() -> Settings:
    settings = load()
    _ = settings.secret_keys
    check_schema(open_backend(settings).engine)
    return settings


def _become(argv: tuple[str, ...]) -> None:
    """Replace this process, so that signals reach the server itself."""
    os.execv(argv[0], argv)  # noqa: S606  # no shell is wanted


@main.command("migrate")
def migrate_command() -> None:
    """Bring the database's schema up to date."""
    # Without a secret of its own making: `web` and `worker` would take it for the one that was forgotten.
    migrate(open_backend(load()).engine)
    click.echo("the schema is up to date")


@main.group()
def project() -> None:
    """Apply and show projects."""


@project.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def apply_project(file: Path) -> None:
    """Make a project from its YAML file, or change it; a changed policy becomes a new version."""
    parsed = parse(file.read_text(encoding="utf-8"))
    backend = _backend()
    with writing(backend.engine) as session:
        applied = apply(session, parsed, now=_now())
    change = "new policy version" if applied.is_new_version else "no change of policy, version"
    click.echo(f"project {applied.project.name}: {change} {applied.project.policy_version}")


@project.command("show")
@click.argument("name", required=False)
def show_project(name: str | None) -> None:
    """Show a project with its current policy as JSON."""
    backend = _backend()
    found = _project(backend, name)
    with reading(backend.engine) as session:
        row = projects.version_row(session, found, found.policy_version)
    _write_json(describe(found, row), "-")


@project.command("list")
def list_projects() -> None:
    """List the projects."""
    backend = _backend()
    with reading(backend.engine) as session:
        for row in projects.all_projects(session):
            click.echo(f"{row.name}\t{row.task}\tpolicy {row.policy_version}")


@main.group()
def key() -> None:
    """Make, list and revoke keys."""


@key.command("create")
@_project_option
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="May be given several times.",
)
def create_key(project_name: str | None, scopes: tuple[str, ...]) -> None:
    """Make a key and print it, the only time that it can be read."""
    backend = _backend()
    found = _project(backend, project_name)
    with writing(backend.engine) as session:
        chosen = [Scope(scope) for scope in scopes]
        text = make_key(session, found, scopes=chosen, secret_keys=backend.settings.secret_keys, now=_now())
    click.echo(text)


@key.command("list")
@_project_option
def list_keys(project_name: str | None) -> None:
    """List a project's keys, without their secrets."""
    backend, _, project_id = _chosen(project_name)
    with reading(backend.engine) as session:
        for row in keys.of_project(session, project_id):
            state = f"revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else "live"
            click.echo(f"{row.kid}\t{','.join(row.scopes)}\t{row.created_at:%Y-%m-%d}\t{state}")


@key.command("revoke")
@click.argument("kid")
def revoke_key(kid: str) -> None:
    """Revoke a key by its id, the part between the two underscores, and with it its tokens."""
    backend = _backend()
    with writing(backend.engine) as session:
        if not keys.revoke(session, kid.removeprefix("lw_").partition("_")[0], _now()):
            raise click.ClickException(f"the key must be a live one of this server, got {kid!r}")
    click.echo("revoked")


@main.command()
@_project_option
@_json_option
def push(project_name: str | None, json_file: str | None) -> None:
    """Push waiting tasks into Label Studio once, now."""
    from queue_server.push import push_project

    _in_label_studio(push_project, project_name, json_file)


@main.command()
@_project_option
@_json_option
def pull(project_name: str | None, json_file: str | None) -> None:
    """Pull annotations from Label Studio once, now."""
    from queue_server.pull import pull_project

    _in_label_studio(pull_project, project_name, json_file)


def _in_label_studio(work: Callable[..., Any], project_name: str | None, json_file: str | None) -> None:
    """Do the work for one project, or for all, and show what was done."""
    from queue_server.ingest.due import decide_due
    from queue_server.projects import open_label_studio

    backend = _backend()
    while decide_due(backend, now=_now(), limit=500):
        pass
    with reading(backend.engine) as session:
        chosen = projects.all_projects(session)
    if project_name is not None:
        chosen = [_project(backend, project_name)]
    client = open_label_studio(backend)
    results = {found.name: asdict(work(backend, client, found)) for found in chosen}
    if json_file is None:
        for name, result in results.items():
            click.echo(f"{name}: " + ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in result.items()))
    _write_json(results, json_file)
    if any(result.get("failed") for result in results.values()):
        sys.exit(1)


@main.command()
@click.argument("format_name", metavar="FORMAT", type=click.Choice(list(FORMATS)))
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, resolve_path=True, path_type=Path))
@_project_option
@click.option("--include", default="", help="Add what users `confirmed` or let stand (`affirmed`), for training only.")
@_json_option
def export(format_name: str, folder: Path, project_name: str | None, include: str, json_file: str | None) -> None:
    """Export a data set with its images into a folder; FORMAT is coco, yolo, csv or jsonl."""
    backend, _, project_id = _chosen(project_name)
    check_folder(folder)
    prepared = prepare(backend, project_id, format_name=format_name, include=parse_include(include), now=_now())
    write_folder(backend, prepared, folder)
    if json_file != "-":
        click.echo(f"{prepared.items} items in {folder}, export {prepared.export_id}")
        for why, count in Counter(prepared.left_out.values()).items():
            click.echo(f"{count} more are held out: {why.replace('_', ' ')}")
    _write_json(
        {
            "export_id": str(prepared.export_id),
            "items": prepared.items,
            "folder": str(folder),
            "held_out": len(prepared.left_out),
        },
        json_file,
    )


@main.command()
@click.argument("name", type=click.Choice(list(REPORTS)), default="quality")
@_project_option
@_json_option
def report(name: str, project_name: str | None, json_file: str | None) -> None:
    """Show a report of a project as JSON."""
    backend, _, project_id = _chosen(project_name)
    with reading(backend.engine) as session:
        made = make_report(session, name, project_id=project_id, now=_now())
    _write_json(TypeAdapter(QualityReport).dump_python(made, mode="json"), json_file or "-")


@main.command()
@click.option("--fix", "is_fix", is_flag=True, help="Rewrite image addresses and webhooks in Label Studio.")
def doctor(is_fix: bool) -> None:  # noqa: FBT001  # click hands options over so
    """Check every connection, and say the remedy for each that does not hold."""
    from queue_server.doctor import examine, fix

    backend = open_backend(_settings())
    faults = 0
    for finding in examine(backend):
        click.echo(f"{'FAULT' if finding.is_fault else 'ok':6}{finding.name}: {finding.detail}")
        if finding.is_fault:
            faults += 1
            click.echo(f"      remedy: {finding.remedy}")
    if is_fix and not faults:
        click.echo(f"{fix(backend, say=click.echo)} tasks rewritten")
    sys.exit(1 if faults else 0)


@main.command()
@click.option("--once", "is_once", is_flag=True, help="Play a whole turn of the loop without a person, and end.")
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A folder of photos.")
@click.option("--samples", default=40, show_default=True, type=click.IntRange(min=1))
@click.option("--state", default=Path(".demo"), show_default=True, type=click.Path(path_type=Path))
@_json_option
def demo(is_once: bool, images: Path | None, samples: int, state: Path, json_file: str | None) -> None:  # noqa: FBT001  # click hands options over so
    """Run the loop to look at: Label Studio, this server and a pill counter. Needs a checkout of the project."""
    from queue_server.demo.once import play_once
    from queue_server.demo.show import run_until_stopped

    if not is_once:
        run_until_stopped(state, images=images)
        return
    outcome = play_once(state, images=images, samples=samples)
    _write_json(outcome.as_json(), json_file)
    if json_file != "-":
        click.echo(outcome.as_table())
    sys.exit(0 if outcome.agrees else 1)


@main.group()
def model() -> None:
    """Register versions of a project's model."""


@model.command("add")
@click.argument("name")
@_project_option
@click.option("--trained-on", type=click.UUID, help="The export that it was trained on.")
def add_model(name: str, project_name: str | None, trained_on: UUID | None) -> None:
    """Register a model version, with the export that it was trained on."""
    backend, found, project_id = _chosen(project_name)
    with writing(backend.engine) as session:
        if trained_on is not None and exports.find(session, project_id, trained_on) is None:
            raise click.ClickException(f"--trained-on must be an export of {found.name}, got {trained_on}")
        projects.register_model_version(session, found, name=name, trained_on=trained_on, now=_now())
    click.echo(f"{found.name}: model version {name}")
