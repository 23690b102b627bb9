"""A project's places in Label Studio: made if it is not there, used as it is if it fits."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from feedback_sdk.types import Task
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.label_config import ControlNames, label_config, mapping_from_config
from queue_server.errors import LabelStudioError
from queue_server.label_studio import LabelStudio
from queue_server.store import labeling_tasks, targets
from queue_server.store.engine import reading, writing
from queue_server.store.targets import Lease

_log = structlog.get_logger()

R = TypeVar("R")


def open_label_studio(backend: Backend) -> LabelStudio:
    """Return the client of the Label Studio that the settings name, or raise LabelStudioError."""
    settings = backend.settings
    if not settings.label_studio_url or not settings.label_studio_api_key:
        raise LabelStudioError(
            "LOOKSWRONG_LABEL_STUDIO_URL and LOOKSWRONG_LABEL_STUDIO_API_KEY must be set, got none", permanent=True
        )
    return LabelStudio(settings.label_studio_url, settings.label_studio_api_key)


def ensure_target(
    backend: Backend, client: LabelStudio, project: models.Project, title: str, *, now: datetime
) -> models.LabelStudioTarget:
    """Return a target with its place in Label Studio; make what is missing, by one worker at a time.

    1. Take the right to set up. 2. Find or make the project, its tabs and its webhook. 3. Record them.
    Each step finds what an earlier try made, so it may die anywhere.
    """
    target = known_target(backend, project, title, now=now)
    tabs = _tabs(backend, target)
    is_there = target.label_studio_project_id is not None and target.label_studio_view_id is not None
    if is_there and tabs == (target.tabs or {}).keys():
        return target
    until = now + timedelta(seconds=backend.settings.lease_seconds)
    with writing(backend.engine) as session:
        if not targets.take_lease(session, target, Lease.SETUP, now=now, until=until):
            raise LabelStudioError(f"another worker sets up {title!r} in Label Studio: try again in a moment")
    try:
        _set_up(backend, client, project, target, tabs=tabs)
    finally:
        with writing(backend.engine) as session:
            targets.release_lease(session, target, Lease.SETUP)
    return known_target(backend, project, title, now=now)


def _tabs(backend: Backend, target: models.LabelStudioTarget) -> set[str]:
    """Return the names of the tabs besides the inbox that a target has, or is to have."""
    with reading(backend.engine) as session:
        return {*(target.tabs or ()), *labeling_tasks.waiting_tabs(session, target)}


def known_target(backend: Backend, project: models.Project, title: str, *, now: datetime) -> models.LabelStudioTarget:
    """Return our row of a target; a write transaction is opened only where there is none."""
    assert project.id is not None
    with reading(backend.engine) as session:
        found = targets.find(session, project.id, title)
    if found is not None:
        return found
    with writing(backend.engine) as session:
        return targets.ensure(session, project, title, now=now)


def each_target(
    backend: Backend, chosen: Iterable[models.LabelStudioTarget], work: Callable[[models.LabelStudioTarget], R]
) -> list[R]:
    """Do the work for each target; one that fails leaves the others alone, and the first refusal is raised at last."""
    done, refusals = [], []
    for target in chosen:
        error = None
        try:
            done.append(work(target))
        except LabelStudioError as refused:
            refusals.append(refused)
            error = str(refused)[:500]
        if error != target.error:
            with writing(backend.engine) as session:
                targets.note_error(session, target, error)
    if refusals:
        raise refusals[0]
    return done


def _set_up(
    backend: Backend,
    client: LabelStudio,
    project: models.Project,
    target: models.LabelStudioTarget,
    *,
    tabs: Iterable[str],
) -> None:
    task = Task(project.task)
    config = label_config(task=task, labels=project.labels, multi_label=project.multi_label)
    place = client.ensure_project(target.title, config)
    there = client.get_label_config(place)
    if _is_ours_of_fewer_labels(there, project):
        client.set_label_config(place, config)
        there = config
    controls = mapping_from_config(there, task=task, labels=project.labels)
    view = client.ensure_inbox(place)
    made = {tab: client.ensure_tab(place, tab) for tab in sorted(tabs)}
    with writing(backend.engine) as session:
        targets.record(
            session, target, label_studio_project_id=place, view_id=view, tabs=made, controls=asdict(controls)
        )
    _try_webhook(backend, client, project, place=place)


def _is_ours_of_fewer_labels(there: str, project: models.Project) -> bool:
    """Tell whether the interface is the one that we made before labels were added; a person's own is left alone."""
    task, multi_label = Task(project.task), project.multi_label
    return any(
        there == label_config(task=task, labels=project.labels[:count], multi_label=multi_label)
        for count in range(1, len(project.labels))
    )


def _try_webhook(backend: Backend, client: LabelStudio, project: models.Project, *, place: int) -> None:
    """Register the webhook; without it annotations come back all the same, at the next full pull."""
    try:
        ensure_webhook(backend, client, project, place=place)
    except LabelStudioError as error:
        _log.warning("no webhook", action="set_up", project=project.name, error=str(error)[:500])


def ensure_webhook(backend: Backend, client: LabelStudio, project: models.Project, *, place: int) -> None:
    """Let a project in Label Studio, by its id there, tell us of annotations."""
    url = f"{backend.settings.webhook_base_url}/v1/label-studio/{project.name}"
    client.ensure_webhook(place, url, headers={"X-Lookswrong-Webhook": project.webhook_secret})


def controls_of(target: models.LabelStudioTarget) -> ControlNames:
    """Return which controls of the target's labelling interface hold our regions."""
    return ControlNames(**(target.controls or {}))
