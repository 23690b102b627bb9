"""The worker process: Celery jobs that drain what the database says is due. Jobs carry no payload.

A job that is lost costs a few seconds, nothing else: the schedule sends the next one. Each may run twice and die
anywhere.
"""

import fcntl
import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import structlog
from billiard import active_children
from billiard.process import BaseProcess
from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from prometheus_client import start_http_server

from queue_server import meters, models
from queue_server.alerting import look_at_alerts
from queue_server.backend import Backend, open_backend
from queue_server.errors import LabelStudioError
from queue_server.ingest.due import decide_due
from queue_server.ingest.freezing import freeze_figures
from queue_server.label_studio import LabelStudio
from queue_server.logs import configure_logs
from queue_server.metrics import compute, relate
from queue_server.notifications import deliver
from queue_server.projects import open_label_studio
from queue_server.pull import PullResult, pull_project
from queue_server.push import PushResult, push_project
from queue_server.reports.snapshots import make_due
from queue_server.retraining import look_for_retraining
from queue_server.settings import Settings, load
from queue_server.store import projects, targets
from queue_server.store.engine import check_schema, reading

_log = structlog.get_logger()

R = TypeVar("R")


def make_celery(settings: Settings) -> Celery:
    """Make the application; a job that its worker did not live to finish is given to another."""
    celery = Celery("lookswrong", broker=settings.broker_url or "redis://127.0.0.1:6379/0")
    celery.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": 180,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5.0,
            "socket_connect_timeout": 1.0,
            "queue_prefix": "lookswrong.",
        },
        beat_schedule=_schedule(settings),
        worker_hijack_root_logger=False,
        worker_proc_alive_timeout=30.0,
    )
    return celery


def _schedule(settings: Settings) -> dict[str, dict[str, object]]:
    every = {
        "decide_due": settings.decide_every_seconds,
        "freeze": settings.freeze_every_seconds,
        "push": settings.push_every_seconds,
        "pull": settings.pull_hint_every_seconds,
        "measure": settings.measure_every_seconds,
        "relate": settings.relate_every_seconds,
        "snapshot": settings.snapshot_every_seconds,
        "alerts": settings.alerts_every_seconds,
        "notify": settings.alerts_every_seconds,
    }
    # What no worker took in time is dropped: the next one does the same.
    return {
        name: {"task": f"lookswrong.{name}", "schedule": seconds, "options": {"expires": max(seconds, 1.0)}}
        for name, seconds in every.items()
    }


configure_logs()
app = make_celery(load())


@worker_ready.connect  # type: ignore[untyped-decorator]  # Celery has no types
def serve_meters(**_: object) -> None:
    """Show this machine's counts, where the web process runs on another one."""
    port = load().worker_metrics_port
    if port:
        start_http_server(port, registry=meters.registry())


_is_ending = threading.Event()


@worker_ready.connect  # type: ignore[untyped-decorator]  # Celery has no types
def watch_schedule(**_: object) -> None:
    """End with the process that sends the schedule, to be started again: Celery replaces every child but that one."""
    for child in active_children():
        if child.name == "Beat":
            threading.Thread(target=_end_with, args=(child,), daemon=True).start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]  # as above
def note_the_end(**_: object) -> None:
    """Let the schedule end with us."""
    _is_ending.set()


def _end_with(child: BaseProcess) -> None:
    while not _is_ending.wait(1.0):
        if not child.is_alive():
            _log.error("the schedule died", action="worker")
            os.kill(os.getpid(), signal.SIGTERM)
            return


def backend() -> Backend:
    """Return what this process stands on; a forked child opens its own."""
    return _backend_of(os.getpid())


@functools.cache
def _backend_of(_pid: int) -> Backend:
    opened = open_backend(load())
    check_schema(opened.engine)
    return opened


@contextmanager
def slow_turn(folder: Path) -> Iterator[bool]:
    """Tell whether this machine's one turn at slow jobs is ours; who has it keeps it until it ends or dies.

    Figures over a million samples take minutes: on every process at once they would keep samples from annotators.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "slow-job.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def slow(work: Callable[[], None]) -> Callable[[], None]:
    """Leave a job to the next of the schedule while this machine is at another slow one."""

    @functools.wraps(work)
    def run() -> None:
        with slow_turn(backend().settings.data_dir) as is_ours:
            if is_ours:
                work()

    return run


def job(name: str) -> Callable[[Callable[[], R]], Callable[[], R | None]]:
    """Register a job; whatever it raises is logged, and the next one tries again."""

    def decorate(work: Callable[[], R]) -> Callable[[], R | None]:
        @app.task(name=f"lookswrong.{name}")  # type: ignore[untyped-decorator]  # Celery has no types
        @functools.wraps(work)
        def run() -> R | None:
            with meters.JOB_SECONDS.labels(name).time():
                try:
                    found = work()
                except Exception:
                    _log.exception("job failed", action=name)
                    meters.JOBS.labels(name, "failed").inc()
                    return None
            meters.JOBS.labels(name, "done").inc()
            return found

        return run  # type: ignore[no-any-return]  # as above

    return decorate


@job("decide_due")
def decide_due_job() -> None:
    """Decide on all samples whose window has ended."""
    while decide_due(backend(), now=datetime.now(UTC), limit=500):
        pass


@job("freeze")
def freeze_job() -> None:
    """Freeze the figures that policies take from the traffic."""
    freeze_figures(backend(), now=datetime.now(UTC))


@job("snapshot")
@slow
def snapshot_job() -> None:
    """Make the figures that pages show and cannot wait for."""
    make_due(backend(), every=timedelta(seconds=backend().settings.snapshot_every_seconds))


@job("alerts")
@slow
def alerts_job() -> None:
    """Look at the alerts that are due, and whether it is time to train."""
    with reading(backend().engine) as session:
        known = projects.all_projects(session)
    for project in known:
        try:
            look_at_alerts(backend(), project, now=datetime.now(UTC))
            look_for_retraining(backend(), project, now=datetime.now(UTC))
        except Exception:  # of one project: those of the others are looked at all the same
            _log.exception("job failed", action="alerts", project=project.name)
            meters.JOBS.labels("alerts", "failed").inc()


@job("notify")
def notify_job() -> None:
    """Send what is to be said through channels."""
    deliver(backend())


@job("measure")
@slow
def measure_job() -> None:
    """Measure samples that lack metrics, for a while: the next run goes on from there."""
    deadline = time.monotonic() + backend().settings.measure_every_seconds / 2
    for project_id in _project_ids():
        compute(backend(), project_id, deadline=deadline)


@job("relate")
def relate_job() -> None:
    """Work out the metrics that hang on other samples."""
    for project_id in _project_ids():
        relate(backend(), project_id)


def _project_ids() -> list[int]:
    with reading(backend().engine) as session:
        return [project.id for project in projects.all_projects(session) if project.id is not None]


@job("push")
def push_job() -> None:
    """Push every project's waiting tasks and changes."""
    _each_project("push", lambda client, project: push_project(backend(), client, project))


@job("pull")
def pull_job() -> None:
    """Pull the projects of which Label Studio said something, and all of them now and then."""
    _each_project("pull", lambda client, project: pull_project(backend(), client, project), wanted=_is_pull_wanted)


def _is_pull_wanted(project: models.Project) -> bool:
    assert project.id is not None
    due_at = datetime.now(UTC) - timedelta(seconds=backend().settings.pull_every_seconds)
    with reading(backend().engine) as session:
        times = [target.pulled_at for target in targets.of_project(session, project.id)]
    return project.pull_wanted_at is not None or any(time is None or time <= due_at for time in times)


def _each_project(
    name: str,
    work: Callable[[LabelStudio, models.Project], PushResult | PullResult],
    *,
    wanted: Callable[[models.Project], bool] = lambda _project: True,
) -> None:
    """Do the work for each project; one that fails leaves the others alone."""
    if not backend().settings.label_studio_url:
        return
    with reading(backend().engine) as session:
        chosen = [project for project in projects.all_projects(session) if wanted(project)]
    if not chosen:
        return
    client = open_label_studio(backend())
    for project in chosen:
        try:
            done = work(client, project)
        except LabelStudioError as refused:
            _log.warning("label studio", action="job", project=project.name, error=str(refused)[:500])
            meters.LABEL_STUDIO_FAILURES.labels(project.name, name).inc()
        else:
            for kind, number in asdict(done).items():
                meters.LABEL_STUDIO.labels(project.name, name, kind).inc(number)
