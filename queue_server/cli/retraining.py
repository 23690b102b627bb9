"""Commands that tell whether it is time to train the next model."""

from dataclasses import asdict

import click

from queue_server.cli.opening import chosen, json_option, now, open_database, project_option, write_json
from queue_server.retraining import RetrainingStatus, look_for_retraining, retraining_status
from queue_server.store import projects
from queue_server.store.engine import reading


@click.group()
def retraining() -> None:
    """Tell whether it is time to train the next model; the thresholds stand in the project's file."""


@retraining.command("status")
@project_option
@json_option
def show_status(project_name: str | None, json_file: str | None) -> None:
    """Say whether it is time to train, and how far each threshold is from being reached."""
    backend, project, _ = chosen(project_name)
    with reading(backend.engine) as session:
        status = retraining_status(session, project, now=now())
    if status is None:
        raise click.ClickException(f"the file of {project.name} must have a key retraining: see docs/alerts.md")
    if json_file != "-":
        for line in _lines(status):
            click.echo(line)
    write_json(_document(status), json_file)


def _lines(status: RetrainingStatus) -> list[str]:
    training, advice = status.training, status.advice
    verdict = "it is time to train" if advice.is_time else "it is not time to train"
    since = "nothing: no registered model names the export that it was trained on"
    if training is not None:
        since = f"export {training.export_id} of {training.exported_at:%Y-%m-%d %H:%M} UTC ({training.model_version})"
    lines = [verdict, f"counted since {since}"]
    lines += [f"{'reached' if reason.is_reached else 'not yet'}: {reason.sentence}" for reason in advice.reasons]
    lines += [f"held back: {advice.held_back}"] if advice.held_back is not None else []
    if status.signal is not None:
        lines.append(f"said on {status.signal.at:%Y-%m-%d %H:%M} UTC, and not again before the next training")
    return lines


def _document(status: RetrainingStatus) -> dict[str, object]:
    return {
        "is_time": status.advice.is_time,
        "held_back": status.advice.held_back,
        "reasons": [asdict(reason) for reason in status.advice.reasons],
        "training": asdict(status.training) if status.training is not None else None,
        "new_labels": status.learned.new_labels,
        "new_errors": status.learned.new_errors,
        "is_given": status.signal is not None,
    }


@retraining.command("check")
@json_option
def check(json_file: str | None) -> None:
    """Give the signal if it is time and none was given, and send it, once, now; the worker does so by itself."""
    from queue_server.notifications import deliver

    backend = open_database()
    with reading(backend.engine) as session:
        known = projects.all_projects(session)
    given = {project.name: look_for_retraining(backend, project, now=now()) for project in known}
    delivered = deliver(backend)
    if json_file != "-":
        for name, is_given in given.items():
            click.echo(f"{name}: {'it is time to train' if is_given else 'nothing new'}")
    write_json({"given": given, "notifications": asdict(delivered)}, json_file)


COMMANDS = (retraining,)
