"""The command `lookswrong`, by groups of commands."""

from typing import Any

import click

from queue_server.cli import (
    alerts,
    dataframe,
    drift,
    loop,
    metrics,
    models,
    policy,
    projects,
    retraining,
    serving,
    slices,
)
from queue_server.errors import ServerError
from queue_server.logs import configure_logs


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


_COMMANDS = (
    *serving.COMMANDS,
    *projects.COMMANDS,
    *policy.COMMANDS,
    *drift.COMMANDS,
    *alerts.COMMANDS,
    *retraining.COMMANDS,
    *slices.COMMANDS,
    *metrics.COMMANDS,
    *dataframe.COMMANDS,
    *models.COMMANDS,
    *loop.COMMANDS,
)
for command in _COMMANDS:
    main.add_command(command)
