"""Run the server as one process tree: an embedded broker, the web process, the worker.

Whatever dies is started again, with growing pauses. A stop ends all in reverse order. A supervisor that was killed
leaves its children running; the next one on the same folder stops them first, by their pid files, so that the port
and the broker are free again.
"""

import fcntl
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, current_thread, main_thread

import structlog

from queue_server.embedded_broker import broker_command
from queue_server.errors import ProcessError
from queue_server.processes import Command, Process, is_port_free, stop_orphan

_log = structlog.get_logger(__name__)

_WATCH_SECONDS = 0.2
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
#: a child that ran this long was well: its next pause is the first again
_WELL_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """What `serve` runs with; `broker_url` None: an embedded Valkey."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    broker_url: str | None = None
    web_processes: int = 1
    web_threads: int = 8
    worker_processes: int = 2
    #: added to the environment of the web process and the worker
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # the children may run in another folder
        object.__setattr__(self, "data_dir", self.data_dir.absolute())

    @property
    def run_dir(self) -> Path:
        """Return the folder of the pid files."""
        return self.data_dir / "run"


def serve(serving: Serving, *, on_ready: Callable[[], None] | None = None, stop_event: Event | None = None) -> None:
    """Run everything until SIGTERM, SIGINT or SIGHUP comes or `stop_event` is set.

    Raise ProcessError if the port is taken or a process does not come up; nothing is left running then.
    """
    with claimed(serving.run_dir):
        if not is_port_free(serving.port, serving.host):
            raise ProcessError(
                f"port {serving.port} on {serving.host} must be free, but something listens on it: give another --port"
            )
        run(children(serving), on_ready=on_ready, stop_event=stop_event)


@contextmanager
def claimed(run_dir: Path) -> Iterator[None]:
    """Be the only supervisor on this folder, and stop what a killed one left there."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / "supervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProcessError(f"{run_dir} must have one supervisor, but another one runs: stop it first") from None
        for pid_file in sorted(run_dir.glob("*.pid")):
            if stop_orphan(pid_file):
                _log.warning("stopped what a killed supervisor left", action="stop_orphan", child=pid_file.stem)
        yield


def run(
    commands: Sequence[Command],
    *,
    on_ready: Callable[[], None] | None = None,
    stop_event: Event | None = None,
    ready_seconds: float = 60.0,
) -> None:
    """Start the commands in order, each when the one before is ready, and keep them running.

    1. Start; a child that is not ready in time is an error.
    2. Watch; a child that died is started again after a pause.
    3. On a stop, and on an error, stop all in reverse order.
    """
    stop_event = stop_event or Event()
    keepers: list[_Keeper] = []
    with _stopped_by_signals(stop_event):
        try:
            for command in commands:
                keeper = _Keeper(command)
                keepers.append(keeper)
                keeper.start()
                keeper.process.wait_until_ready(timeout_seconds=ready_seconds, stop_event=stop_event)
            if on_ready is not None and not stop_event.is_set():
                on_ready()
            while not stop_event.wait(_WATCH_SECONDS):
                for keeper in keepers:
                    keeper.watch(now=time.monotonic())
        finally:
            for keeper in reversed(keepers):
                keeper.stop()


def children(serving: Serving) -> tuple[Command, ...]:
    """Return the processes of one server, in the order of their start."""
    broker = None if serving.broker_url else broker_command(serving.data_dir / "broker", run_dir=serving.run_dir)
    broker_url = serving.broker_url or (broker.ready_url if broker else None) or ""
    environment = {
        "LOOKSWRONG_DATA_DIR": str(serving.data_dir),
        "LOOKSWRONG_BROKER_URL": broker_url,
        # web and worker count in one place, see `queue_server.meters`
        "PROMETHEUS_MULTIPROC_DIR": str(serving.run_dir / "meters"),
        **serving.environment,
    }
    web = Command(
        name="web",
        argv=web_argv(
            host=serving.host, port=serving.port, processes=serving.web_processes, threads=serving.web_threads
        ),
        environment=environment,
        ready_url=f"http://{_reachable(serving.host)}:{serving.port}/healthz",
        pid_file=serving.run_dir / "web.pid",
    )
    worker = Command(
        name="worker",
        argv=worker_argv(processes=serving.worker_processes, schedule_file=serving.run_dir / "schedule"),
        environment=environment,
        pid_file=serving.run_dir / "worker.pid",
    )
    return (web, worker) if broker is None else (broker, web, worker)


def web_argv(*, host: str, port: int, processes: int = 1, threads: int = 8) -> tuple[str, ...]:
    """Return the command line of the web process."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return (
        *(sys.executable, "-m", "gunicorn", "--bind", address, "--worker-class", "gthread"),
        *("--workers", str(processes), "--threads", str(threads)),
        # Longer than a client keeps an idle connection (httpx 5 s): else a request meets the server's closing of it.
        *("--keep-alive", "20"),
        # its control socket is one per account: two servers would take it from each other
        "--no-control-socket",
        "queue_server.app:create_app()",
    )


def worker_argv(*, processes: int = 2, schedule_file: Path | None = None) -> tuple[str, ...]:
    """Return the command line of the worker; with a schedule file it also sends the scheduled jobs."""
    schedule = () if schedule_file is None else ("--beat", "--schedule", str(schedule_file))
    return (
        *(sys.executable, "-m", "celery", "--quiet", "--app", "queue_server.worker", "worker"),
        *("--concurrency", str(processes), "--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
        *schedule,
    )


def pause_seconds(failures: int) -> float:
    """Return how long to wait before a start that follows this many failures in a row.

    >>> [pause_seconds(failures) for failures in (1, 2, 3, 9)]
    [0.5, 1.0, 2.0, 30.0]
    """
    return float(min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 16)))


class _Keeper:
    """Keep one child running."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._process: Process | None = None
        self._started = 0.0
        self._failures = 0
        #: when to start it again; None while it runs
        self._due: float | None = None

    @property
    def process(self) -> Process:
        """Return the child; ProcessError before the first start."""
        if self._process is None:
            raise ProcessError(f"{self._command.name} must be started first")
        return self._process

    def start(self) -> None:
        """Start the child."""
        self._due = None
        self._started = time.monotonic()
        self._process = Process(self._command)
        _log.info("started", action="start", child=self._command.name, pid=self._process.pid)

    def watch(self, *, now: float) -> None:
        """Note a death, and start again when the pause is over."""
        if self._due is not None:
            if now >= self._due:
                self.start()
        elif self.process.exit_code is not None:
            self._note_death(now)

    def stop(self) -> None:
        """Stop the child, if it ever started."""
        if self._process is not None:
            self._process.stop()
            _log.info("stopped", action="stop", child=self._command.name, exit_code=self._process.exit_code)

    def _note_death(self, now: float) -> None:
        self._failures = 1 if now - self._started >= _WELL_SECONDS else self._failures + 1
        pause = pause_seconds(self._failures)
        self._due = now + pause
        code = self.process.exit_code
        self.process.stop()  # its own children may live on, and hold its port
        _log.error("died", action="restart", child=self._command.name, exit_code=code, pause_seconds=pause)


@contextmanager
def _stopped_by_signals(stop_event: Event) -> Iterator[None]:
    if current_thread() is not main_thread():  # Python gives signals to the main thread alone
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    old = {number: signal.signal(number, lambda *_: stop_event.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _reachable(host: str) -> str:
    """Return an address under which a server that listens on `host` answers on this machine."""
    known = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # nothing is bound here
    return known.get(host, f"[{host}]" if ":" in host else host)
