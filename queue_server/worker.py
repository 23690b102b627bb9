"""The worker process: Celery jobs that drain what the database says is due. Jobs carry no payload.

A job that is lost costs a few seconds, nothing else: the schedule sends the next one. Each may run twice and die
anywhere.
"""

import functools
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
from celery import Celery

from queue_server import models
from queue_server.backend import Backend, open_backend
from queue_server.errors import LabelStudioError
from queue_server.ingest.due import decide_due
from queue_server.ingest.freezing import freeze_figures
from queue_server.label_studio import LabelStudio
from queue_server.logs import configure_logs
from queue_server.projects import open_label_studio
from queue_server.pull import pull_project
from queue_server.push import push_project
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
    }
    # What no worker took in time is dropped: the next one does the same.
    return {
        name: {"task": f"lookswrong.{name}", "schedule": seconds, "options": {"expires": max(seconds, 1.0)}}
        for name, seconds in every.items()
    }


configure_logs()
app = make_celery(load())


def backend() -> Backend:
    """Return what this process stands on; a forked child opens its own."""
    return _backend_of(os.getpid())


@functools.cache
def _backend_of(_pid: int) -> Backend:
    opened = open_backend(load())
    check_schema(opened.engine)
    return opened


def job(name: str) -> Callable[[Callable[[], R]], Callable[[], R | None]]:
    """Register a job; whatever it raises is logged, and the next one tries again."""

    def decorate(work: Callable[[], R]) -> Callable[[], R | None]:
        @app.task(name=f"lookswrong.{name}")  # type: ignore[untyped-decorator]  # Celery has no types
        @functools.wraps(work)
        def run() -> R | None:
            try:
                return work()
            except Exception:
                _log.exception("job failed", action=name)
                return None

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


@job("push")
def push_job() -> None:
    """Push every project's waiting tasks and changes."""
    _each_project(lambda client, project: push_project(backend(), client, project))


@job("pull")
def pull_job() -> None:
    """Pull the projects of which Label Studio said something, and all of them now and then."""
    _each_project(lambda client, project: pull_project(backend(), client, project), wanted=_is_pull_wanted)


def _is_pull_wanted(project: models.Project) -> bool:
    assert project.id is not None
    due_at = datetime.now(UTC) - timedelta(seconds=backend().settings.pull_every_seconds)
    with reading(backend().engine) as session:
        times = [target.pulled_at for target in targets.of_project(session, project.id)]
    return project.pull_wanted_at is not None or any(time is None or time <= due_at for time in times)


def _each_project(
    work: Callable[[LabelStudio, models.Project], object],
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
            work(client, project)
        except LabelStudioError as refused:
            _log.warning("label studio", action="job", project=project.name, error=str(refused)[:500])
