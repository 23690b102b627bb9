"""Commands for policies: another one over the past, two beside each other, and the schema of their file."""

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from queue_server import models, policy_file, replay
from queue_server.backend import Backend
from queue_server.cli.opening import Moment, chosen, json_option, project_option, write_json
from queue_server.cli.tables import overlap_lines, replay_lines
from queue_server.core.policy.difference import difference
from queue_server.core.policy.schema import project_schema
from queue_server.plugins import strategies
from queue_server.replay import MOST_SAMPLES, USUAL_SAMPLES, Outcome, Proposed, Span

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_limit_option = click.option(
    "--limit", default=USUAL_SAMPLES, show_default=True, type=click.IntRange(1, MOST_SAMPLES), help="The last so many."
)


_since_option = click.option("--since", type=Moment(), help="From then: a time, or how long ago, such as 7d.")
_until_option = click.option("--until", type=Moment(), help="Before then.")


@click.group()
def policy() -> None:
    """Try policies on what came, and compare them; nothing is changed."""


@policy.command("schema")
def show_schema() -> None:
    """Print a JSON Schema of the project's file, for editors."""
    write_json(project_schema(strategies()), "-")


@policy.command("replay")
@click.argument("file", type=_file)
@project_option
@_since_option
@_until_option
@_limit_option
@json_option
def replay_policy(
    file: Path,
    project_name: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    json_file: str | None,
) -> None:
    """Run the policy of FILE over stored samples: what it would have queued, at which cost, and which errors."""
    proposed = _proposed(file)
    backend, found, _ = chosen(project_name)
    outcome = _run(backend, found, [proposed], span=Span(since=since, until=until, limit=limit))
    if json_file != "-":
        for line in replay_lines(outcome):
            click.echo(line)
    write_json(asdict(outcome.replayed[0]) | {"samples_in_all": outcome.samples_in_all}, json_file)


@policy.command("diff")
@click.argument("file", type=_file)
@click.argument("file2", type=_file, required=False)
@project_option
@click.option("--replay", "is_replayed", is_flag=True, help="Say what each would have queued and the other not.")
@_since_option
@_until_option
@_limit_option
def show_difference(
    file: Path,
    file2: Path | None,
    project_name: str | None,
    is_replayed: bool,  # noqa: FBT001  # click hands options over so
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> None:
    """Show what changes from the project's current policy to that of FILE; with FILE2, from FILE to FILE2."""
    first, second = _proposed(file), _proposed(file2) if file2 is not None else None
    backend, found = None, None
    if second is None or is_replayed:
        backend, found, _ = chosen(project_name)
    if second is None:
        assert backend is not None
        assert found is not None
        current = replay.current(backend, found)
        if current is None:
            raise click.ClickException(f"{found.name} has no policy yet: give two files")
        first, second = current, first
    for line in _difference_lines(first, second):
        click.echo(line)
    if backend is not None and found is not None and is_replayed:
        span = Span(since=since, until=until, limit=limit)
        outcome = _run(backend, found, [first, second], span=span, is_listing=True)
        for line in overlap_lines(*outcome.queued):
            click.echo(line)


def _difference_lines(first: Proposed, second: Proposed) -> list[str]:
    before, after = first.confirmation_window_seconds, second.confirmation_window_seconds
    lines = [f"~ confirmation_window: {before:g}s → {after:g}s"] if before != after else []
    return lines + difference(first.text, second.text).lines() or ["both say the same"]


def _proposed(file: Path) -> Proposed:
    parsed = policy_file.parse(file.read_text(encoding="utf-8"))
    return Proposed(text=parsed.policy, confirmation_window_seconds=parsed.confirmation_window_seconds)


def _run(
    backend: Backend, project: models.Project, policies: list[Proposed], *, span: Span, is_listing: bool = False
) -> Outcome:
    """Replay with a bar on standard error, where a person looks at it."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1, label="replaying", file=sys.stderr, hidden=hidden) as bar:

        def on_progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        return replay.run(backend, project, policies, span=span, is_listing=is_listing, on_progress=on_progress)


COMMANDS = (policy,)
