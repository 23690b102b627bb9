"""Commands that run the server's processes."""

import os
import tempfile
from pathlib import Path

import click

from queue_server.backend import open_backend
from queue_server.cli.opening import settings_with_secret
from queue_server.settings import Settings, load
from queue_server.store.engine import check_schema, migrate


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8500, show_default=True, type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """Run web, worker and schedule in one process tree, on embedded defaults for what is not set."""
    from queue_server import supervisor

    settings = settings_with_secret()
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


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8500, show_default=True, type=click.IntRange(1, 65535))
@click.option("--processes", default=1, show_default=True)
@click.option("--threads", default=8, show_default=True)
def web(host: str, port: int, processes: int, threads: int) -> None:
    """Run the web process alone; the schema must be up to date and SECRET_KEY set."""
    from queue_server.supervisor import web_argv

    _check_deployment()
    _become(web_argv(host=host, port=port, processes=processes, threads=threads))


@click.command()
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
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(_meters_folder(settings)))
    return settings


def _meters_folder(settings: Settings) -> Path:
    """Return where the processes of this machine count together, see `queue_server.meters`."""
    folder = settings.data_dir.absolute() / "run" / "meters"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a web process with a database and an object store of its own needs no data directory
        return Path(tempfile.mkdtemp(prefix="lookswrong-meters-"))
    return folder


def _become(argv: tuple[str, ...]) -> None:
    """Replace this process, so that signals reach the server itself."""
    os.execv(argv[0], argv)  # noqa: S606  # no shell is wanted


@click.command("migrate")
def migrate_command() -> None:
    """Bring the database's schema up to date."""
    # Without a secret of its own making: `web` and `worker` would take it for the one that was forgotten.
    migrate(open_backend(load()).engine)
    click.echo("the schema is up to date")


COMMANDS = (serve, web, worker, migrate_command)
