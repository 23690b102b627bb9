"""Commands for metrics: work out what samples lack, list what there is, forget what a metric of one's own said."""

import sys
import time
from dataclasses import asdict

import click

from queue_server.backend import Backend
from queue_server.cli.opening import chosen, json_option, open_database, project_of, project_option, write_json
from queue_server.core.metrics import CUSTOM, METRICS
from queue_server.metrics import Computed, compute, relate
from queue_server.plugins import custom_metrics
from queue_server.store import measuring, projects
from queue_server.store.engine import reading, writing

#: how often the progress is told
_EVERY_SECONDS = 0.5


@click.group()
def metrics() -> None:
    """Numbers that tell what images, predictions and annotations look like."""


@metrics.command("list")
def list_metrics() -> None:
    """List all metrics."""
    rows: list[tuple[str, ...]] = [(each.name, each.of, each.unit or "-", each.words) for each in METRICS.values()]
    own = custom_metrics(open_database().settings.custom_metrics)
    rows += [(f"{CUSTOM}{name}", each.of, "-", "your own") for name, each in own.items()]
    width = [max(len(row[index]) for row in rows) for index in range(3)]
    for row in rows:
        click.echo("  ".join([*(row[index].ljust(width[index]) for index in range(3)), row[3]]))


@metrics.command("compute")
@project_option
@json_option
def compute_metrics(project_name: str | None, json_file: str | None) -> None:
    """Measure samples that lack metrics; may be stopped at any time: the next run goes on from there."""
    backend = open_database()
    with reading(backend.engine) as session:
        wanted = [project_of(backend, project_name)] if project_name else projects.all_projects(session)
    found: dict[str, dict[str, object]] = {}
    try:
        for project in wanted:
            assert project.id is not None
            found[project.name] = _compute(backend, project.name, project.id)
    except KeyboardInterrupt:
        click.echo("\nstopped: what was measured stays, run it again to go on from there", err=True)
        sys.exit(130)
    write_json(found, json_file)


def _compute(backend: Backend, name: str, project_id: int) -> dict[str, object]:
    progress = _Progress(name)
    done = compute(backend, project_id, say=progress.say)
    progress.end()
    related = relate(backend, project_id)
    for line in _lines(name, done, related):
        click.echo(line, err=True)
    return asdict(done) | {"related": related, "seconds": round(progress.seconds, 3)}


def _lines(name: str, done: Computed, related: int) -> list[str]:
    lines = [f"{name}: {done.measured} samples measured, {related} held against others"]
    if done.unreadable:
        lines.append(f"{name}: {done.unreadable} images could not be read")
    lines += [f"{name}: {CUSTOM}{metric}: {count} values" for metric, count in done.custom.items()]
    lines += [
        f"{name}: {CUSTOM}{metric}: raised {count} times, first: {done.errors[metric]}"
        for metric, count in done.failed.items()
    ]
    return lines


class _Progress:
    """A line that says how far a run is and how fast: on a terminal always the same line."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.monotonic()
        self._told_at = 0.0
        self._last: tuple[int, int] | None = None
        self._is_terminal = sys.stderr.isatty()

    @property
    def seconds(self) -> float:
        """Return how long it has taken."""
        return time.monotonic() - self._began

    def say(self, done: int, total: int) -> None:
        """Tell that so many of so many are done."""
        self._last = (done, total)
        if time.monotonic() - self._told_at >= _EVERY_SECONDS:
            self._tell()

    def end(self) -> None:
        """Tell the last count."""
        if self._last is not None:
            self._tell()
            if self._is_terminal:
                click.echo(err=True)

    def _tell(self) -> None:
        assert self._last is not None
        done, total = self._last
        self._told_at = time.monotonic()
        rate = done / max(self.seconds, 1e-9)
        rest = (total - done) / rate if rate else 0.0
        line = f"{self._name}: {done} of {total} ({done / max(total, 1):.0%}), {rate:.0f} a second, {rest:.0f} s to go"
        click.echo(f"\r{line:<79}" if self._is_terminal else line, err=True, nl=not self._is_terminal)


@metrics.command("forget")
@click.argument("name")
@project_option
@click.option("--failed", "is_failed_only", is_flag=True, help="Only where it raised, so that it is asked again.")
def forget_metric(name: str, project_name: str | None, is_failed_only: bool) -> None:  # noqa: FBT001  # click hands options over so
    """Forget what a metric of your own said; it is asked again if it is still there."""
    backend, _, project_id = chosen(project_name)
    with writing(backend.engine) as session:
        count = measuring.forget_custom(session, project_id, name.removeprefix(CUSTOM), is_failed_only=is_failed_only)
    click.echo(f"{count} values forgotten")


COMMANDS = (metrics,)
