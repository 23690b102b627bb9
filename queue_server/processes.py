"""Start, watch and stop the processes that belong to us, so that none is left behind.

A child runs in a session of its own: Ctrl-C in the terminal reaches its owner alone, which then stops the children
in order. Its pid file names it together with its start time, so the next owner can stop what a killed one left,
and never a stranger that got the same pid. Standard library only: set-up uses this before anything is installed.
"""

import json
import os
import pwd
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from queue_server.errors import ProcessError

_POLL_SECONDS = 0.05
_PROBE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A process as it is to be started."""

    name: str
    argv: tuple[str, ...]
    #: added to our own environment
    environment: Mapping[str, str] = field(default_factory=dict)
    #: answers once the process is ready: http(s):// with status 200, redis:// with a PONG; None: ready at once
    ready_url: str | None = None
    #: None: it writes where we write
    log_file: Path | None = None
    pid_file: Path | None = None
    working_dir: Path | None = None
    #: the account it runs as; only root can choose one
    user: str | None = None

    def __post_init__(self) -> None:
        if not self.argv:
            raise ProcessError(f"{self.name}: argv must name a program, got nothing")


class Process:
    """A running child. As a context manager it is stopped at the end."""

    def __init__(self, command: Command) -> None:
        """Start it; ProcessError if the program cannot be started."""
        self.command = command
        self._popen = _spawn(command)
        if command.pid_file is not None:
            _write_pid_file(command.pid_file, self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Return the process id, which is also the id of its process group."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended (negative: the signal), or None while it runs."""
        return self._popen.poll()

    def wait_until_ready(self, *, timeout_seconds: float = 60.0, stop_event: Event | None = None) -> None:
        """Return when `ready_url` answers, or `stop_event` is set.

        Raise ProcessError, with the log's end, if the process exits first or the time is over.
        """
        url = self.command.ready_url
        stop_event = stop_event or Event()
        deadline = time.monotonic() + timeout_seconds
        while url is not None and not answers(url):
            if self.exit_code is not None:
                raise ProcessError(self._explain(f"must answer at {_shown(url)}, but ended with code {self.exit_code}"))
            if time.monotonic() > deadline:
                raise ProcessError(self._explain(f"must answer at {_shown(url)} within {timeout_seconds:g} s"))
            if stop_event.wait(_POLL_SECONDS):
                return

    def stop(self, *, grace_seconds: float = 10.0) -> None:
        """End it and its children; a second call does nothing.

        1. SIGTERM to the process itself, which knows how to end its children (a worker finishes its jobs).
        2. After the grace: SIGKILL to the whole group, also to children that outlived it.
        """
        if self._popen.poll() is None:
            self._popen.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(grace_seconds)
        _kill_group(self.pid)
        self._popen.wait()
        if self.command.pid_file is not None:
            self.command.pid_file.unlink(missing_ok=True)

    def log_tail(self, *, lines: int = 20) -> str:
        """Return the last lines of the log file; empty without one."""
        if self.command.log_file is None or not self.command.log_file.exists():
            return ""
        with self.command.log_file.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 64_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def _explain(self, fault: str) -> str:
        tail = self.log_tail()
        return f"{self.command.name} {fault}" + (f"; the end of {self.command.log_file}:\n{tail}" if tail else "")


def answers(url: str) -> bool:
    """Say whether the server at an http(s):// or redis:// URL is ready."""
    probe = {"http": _http_answers, "https": _http_answers, "redis": _redis_answers}[urlsplit(url).scheme]
    return probe(url)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that nobody listens on; another process may still take it before you do."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def is_port_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen on this port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def stop_orphan(pid_file: Path, *, grace_seconds: float = 10.0) -> bool:
    """Stop the process that a killed owner left, and say whether there was one.

    Nothing happens to a process that got the same pid later: its start time differs. The pid file is removed.
    Raise ProcessError if the process does not end.
    """
    record = _read_pid_file(pid_file)
    if record is None or process_identity(record[0]) != record[1]:
        pid_file.unlink(missing_ok=True)
        return False
    pid, identity = record
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    _wait_while(lambda: process_identity(pid) == identity, timeout_seconds=grace_seconds)
    _kill_group(pid)
    if not _wait_while(lambda: process_identity(pid) == identity, timeout_seconds=5.0):
        raise ProcessError(f"process {pid} must end when killed, but still runs: stop it by hand")
    pid_file.unlink(missing_ok=True)
    return True


def process_identity(pid: int) -> str | None:
    """Return what tells a process from a later one with the same pid; None if no such process runs.

    Linux: boot id and start tick, as slim images have no `ps` and its `lstart` shifts with the clock.
    """
    if Path("/proc/self/stat").exists():
        return _linux_identity(pid)
    asked = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = asked.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def _linux_identity(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # the name in parentheses may hold spaces and parentheses itself
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {fields[19]}"


def _spawn(command: Command) -> "subprocess.Popen[bytes]":
    log = None
    if command.log_file is not None:
        command.log_file.parent.mkdir(parents=True, exist_ok=True)
        log = command.log_file.open("wb")
    try:
        return subprocess.Popen(
            command.argv,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=None if log is None else subprocess.STDOUT,
            cwd=command.working_dir,
            start_new_session=True,
            user=command.user,
            group=None if command.user is None else pwd.getpwnam(command.user).pw_gid,
            extra_groups=None if command.user is None else (),
        )
    except OSError as error:
        raise ProcessError(f"{command.name} must start, got {error}") from error
    finally:
        if log is not None:
            log.close()


def _write_pid_file(path: Path, pid: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"pid": pid, "identity": process_identity(pid)}))
    draft.replace(path)


def _read_pid_file(path: Path) -> tuple[int, str] | None:
    try:
        record = json.loads(path.read_text())
        return int(record["pid"]), str(record["identity"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _kill_group(pid: int) -> None:
    # macOS says PermissionError for a group that holds only zombies
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _wait_while(holds: Callable[[], bool], *, timeout_seconds: float) -> bool:
    """Wait until the condition no longer holds; False if it still does at the end."""
    deadline = time.monotonic() + timeout_seconds
    while holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _http_answers(url: str) -> bool:
    # a proxy of the environment must not be asked for our own servers
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_PROBE_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, HTTPException):
        return False


def _redis_answers(url: str) -> bool:
    parts = urlsplit(url)
    login = f"AUTH {parts.password}\r\n" if parts.password else ""
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), _PROBE_SECONDS) as link:
            link.sendall(f"{login}PING\r\nQUIT\r\n".encode())
            return b"+PONG" in link.makefile("rb").read()
    except OSError:
        return False


def _shown(url: str) -> str:
    """Return the URL without a password, for messages."""
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url
