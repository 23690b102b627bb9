"""Commands for projects and their keys."""

from datetime import timedelta
from pathlib import Path

import click

from queue_server import replay
from queue_server.auth import Scope, make_key
from queue_server.backend import Backend
from queue_server.cli.opening import chosen, now, open_database, project_of, project_option, write_json
from queue_server.cli.tables import volume_lines
from queue_server.ingest.freezing import freeze_figures
from queue_server.policy_file import ProjectFile, apply, check_change, describe, is_other_policy, parse
from queue_server.store import keys, projects
from queue_server.store.engine import reading, writing


@click.group()
def project() -> None:
    """Apply and show projects."""


@project.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", "is_dry", is_flag=True, help="Only show what the change would have queued.")
def apply_project(file: Path, is_dry: bool) -> None:  # noqa: FBT001  # click hands options over so
    """Make a project from its YAML file, or change it; a changed policy becomes a new version.

    Before a policy is changed, it is said what both would have queued in the last 7 days.
    """
    parsed = parse(file.read_text(encoding="utf-8"))
    backend = open_database()
    _show_volume(backend, parsed)
    if is_dry:
        click.echo(f"project {parsed.project}: a dry run, nothing was changed")
        return
    with writing(backend.engine) as session:
        applied = apply(session, parsed, now=now())
    # Thresholds from the traffic hold from now on, where enough has come, and not from the worker's next look.
    freeze_figures(backend, now=now())
    change = "new policy version" if applied.is_new_version else "no change of policy, version"
    click.echo(f"project {applied.project.name}: {change} {applied.project.policy_version}")


def _show_volume(backend: Backend, file: ProjectFile) -> None:
    """Say on standard error what the policy that is there, and that of the file, would have queued last week."""
    with reading(backend.engine) as session:
        known = projects.find(session, file.project)
        if known is None:
            click.echo("a new project: there is no volume to compare", err=True)
            return
        check_change(known, file)
        is_other = is_other_policy(session, known, file)
    current = replay.current(backend, known)
    if current is None or not is_other:
        click.echo("the policy stays as it is: there is no volume to compare", err=True)
        return
    proposed = replay.Proposed(text=file.policy, confirmation_window_seconds=file.confirmation_window_seconds)
    outcome = replay.run(backend, known, [current, proposed], span=replay.Span(since=now() - timedelta(days=7)))
    for line in volume_lines(outcome):
        click.echo(line, err=True)


@project.command("show")
@click.argument("name", required=False)
def show_project(name: str | None) -> None:
    """Show a project with its current policy as JSON."""
    backend = open_database()
    found = project_of(backend, name)
    with reading(backend.engine) as session:
        row = projects.version_row(session, found, found.policy_version)
    write_json(describe(found, row), "-")


@project.command("list")
def list_projects() -> None:
    """List the projects."""
    backend = open_database()
    with reading(backend.engine) as session:
        for row in projects.all_projects(session):
            click.echo(f"{row.name}\t{row.task}\tpolicy {row.policy_version}")


@click.group()
def key() -> None:
    """Make, list and revoke keys."""


@key.command("create")
@project_option
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="May be given several times; publish stands alone: that key is for pages, and what comes by it never counts.",
)
def create_key(project_name: str | None, scopes: tuple[str, ...]) -> None:
    """Make a key and print it, the only time that it can be read."""
    backend = open_database()
    found = project_of(backend, project_name)
    with writing(backend.engine) as session:
        chosen = [Scope(scope) for scope in scopes]
        text = make_key(session, found, scopes=chosen, secret_keys=backend.settings.secret_keys, now=now())
    click.echo(text)


@key.command("list")
@project_option
def list_keys(project_name: str | None) -> None:
    """List a project's keys, without their secrets."""
    backend, _, project_id = chosen(project_name)
    with reading(backend.engine) as session:
        for row in keys.of_project(session, project_id):
            state = f"revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else "live"
            click.echo(f"{row.kid}\t{','.join(row.scopes)}\t{row.created_at:%Y-%m-%d}\t{state}")


@key.command("revoke")
@click.argument("kid")
def revoke_key(kid: str) -> None:
    """Revoke a key by its id, the part between the two underscores, and with it its tokens."""
    backend = open_database()
    with writing(backend.engine) as session:
        if not keys.revoke(session, kid.removeprefix("lwp_").removeprefix("lw_").partition("_")[0], now()):
            raise click.ClickException(f"the key must be a live one of this server, got {kid!r}")
    click.echo("revoked")


COMMANDS = (project, key)
