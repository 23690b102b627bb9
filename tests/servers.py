"""The real servers that tests talk to: each starts on a free port and is a context manager."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

from queue_server.errors import ProcessError
from queue_server.local_label_studio import LocalLabelStudio, find_command
from queue_server.processes import Command, Process, free_port
from scripts import services

_SETUP = {"Label Studio": "label-studio"}


def missing(what: str) -> NoReturn:
    """Skip the test in hand with its reason; in CI nothing may be missing."""
    reason = f"{what} is not on this machine: run `python3 scripts/setup.py {_SETUP.get(what, 'services')}`"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class PostgreSQL:
    """A PostgreSQL cluster whose data does not outlive it; any client on 127.0.0.1 is let in."""

    def __init__(self, programs: Path) -> None:
        # not below pytest's folders: those are closed to other accounts, and PostgreSQL refuses to run as root
        self.folder = Path(tempfile.mkdtemp(prefix="lookswrong-postgresql-"))
        self._account = _other_account() if os.geteuid() == 0 else None
        self._numbers = count(1)
        self._port = free_port()
        self._programs = programs
        self._process = self._start()

    @property
    def pid(self) -> int:
        """Return the process id of the server."""
        return self._process.pid

    def url(self, database: str) -> str:
        """Return the URL of one database."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """Make an empty database and drop it at the end, whoever is still connected."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """End it at once and remove its data."""
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGINT)  # SIGTERM would wait for the clients
        self._process.stop()
        shutil.rmtree(self.folder)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _start(self) -> Process:
        if self._account is not None:
            shutil.chown(self.folder, self._account)
        self._initialise()
        options = ("-c", "fsync=off", "-c", "max_connections=200", "-c", "unix_socket_directories=")
        command = Command(
            name="PostgreSQL",
            argv=(str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self._port), *options),
            log_file=self.folder / "postgresql.log",
            working_dir=self.folder,
            user=self._account,
        )
        process = Process(command)
        try:
            self._wait(process)
        except BaseException:
            process.stop()
            raise
        return process

    def _initialise(self) -> None:
        options = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
        subprocess.run(
            [self._programs / "initdb", *options, "-D", self._data],
            user=self._account,
            group=None if self._account is None else pwd.getpwnam(self._account).pw_gid,
            cwd=self.folder,
            capture_output=True,
            check=True,
        )

    def _wait(self, process: Process) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self._execute("SELECT 1")
            except psycopg.OperationalError:
                if process.exit_code is not None or time.monotonic() > deadline:
                    raise AssertionError(f"PostgreSQL must start:\n{process.log_tail()}") from None
                time.sleep(0.05)
            else:
                return

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run one PostgreSQL cluster."""
    programs = services.find_postgresql()
    if programs is None:
        missing("PostgreSQL")
    cluster = PostgreSQL(programs)
    try:
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run one Redis, or the Valkey of a wheel, that keeps nothing on disk; its URL."""
    program = services.find_redis()
    if program is None:
        missing("Redis")
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
    command = Command(
        name="Redis", argv=(str(program), *options), ready_url=url, log_file=folder / "redis.log", working_dir=folder
    )
    with Process(command) as process:
        process.wait_until_ready(timeout_seconds=30)
        yield url


def chromium() -> Path:
    """Return the browser's program."""
    program = services.find_chromium()
    if program is None:
        missing("Chromium")
    return program


@contextmanager
def label_studio(folder: Path, *, port: int | None = None) -> Iterator[LocalLabelStudio]:
    """Run one Label Studio on a fresh copy of the template; with a port it can be started again where it was."""
    try:
        find_command()
    except ProcessError:
        missing("Label Studio")
    with LocalLabelStudio(folder, port=port) as server:
        yield server


def _other_account() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
