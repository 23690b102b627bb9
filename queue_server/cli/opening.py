"""What the commands share: the settings, the database, the project that is meant, and JSON on the way out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from queue_server import models
from queue_server.backend import Backend, open_backend
from queue_server.core.policy.parameters import read_seconds
from queue_server.errors import PolicyError
from queue_server.settings import Settings, keep_secret, load
from queue_server.store import projects
from queue_server.store.engine import check_schema, migrate, reading

project_option = click.option("--project", "project_name", help="The project; may be left out if there is one.")
json_option = click.option(
    "--json", "json_file", help="Write the result as JSON into this file, - for standard output."
)


class Moment(click.ParamType):  # type: ignore[type-arg]  # it has none in older versions
    """A time in the past: a date, a time with its zone, or how long ago (90s, 15m, 24h, 7d)."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return now() - timedelta(seconds=read_seconds("", value))
        except (PolicyError, OverflowError):
            pass
        try:
            found = datetime.fromisoformat(str(value))
            return (found if found.utcoffset() is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"must be a time such as 2026-11-20T12:00Z, or a span such as 7d, got {value!r}", param, ctx)


def now() -> datetime:
    """Return this machine's clock."""
    return datetime.now(UTC)


def settings_with_secret() -> Settings:
    """Return the settings; where no secret is set, one is made and kept at the first command."""
    settings = load()
    if settings.secret_key:
        return settings
    return settings.model_copy(update={"secret_key": keep_secret(settings.data_dir)})


def open_database() -> Backend:
    """Open the database, brought up to date where it is the embedded one."""
    backend = open_backend(settings_with_secret())
    if backend.settings.database_url:
        check_schema(backend.engine)
    else:
        migrate(backend.engine)
    return backend


def project_of(backend: Backend, name: str | None) -> models.Project:
    """Return the project of that name, or the only one; say which there are where it is neither."""
    with reading(backend.engine) as session:
        known = projects.all_projects(session)
    if name is None and len(known) == 1:
        return known[0]
    for project in known:
        if project.name == name:
            return project
    there = ", ".join(project.name for project in known) or "none: apply a project file first"
    raise click.ClickException(f"--project must be one of this server's projects, got {name!r}; there are {there}")


def chosen(name: str | None) -> tuple[Backend, models.Project, int]:
    """Open the database and return it with the project that is meant, and its row id."""
    backend = open_database()
    found = project_of(backend, name)
    assert found.id is not None
    return backend, found, found.id


def write_json(value: object, json_file: str | None) -> None:
    """Write a result where `--json` says; None: nowhere."""
    text = json.dumps(value, indent=1, default=str)
    if json_file == "-":
        click.echo(text)
    elif json_file is not None:
        Path(json_file).write_text(text + "\n", encoding="utf-8")
