"""A project's place in Label Studio: made if it is not there, used as it is if it fits."""

from dataclasses import asdict
from datetime import datetime, timedelta

import structlog

from feedback_sdk.types import Task
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.label_config import ControlNames, label_config, mapping_from_config
from queue_server.errors import LabelStudioError
from queue_server.label_studio import LabelStudio
from queue_server.store import projects
from queue_server.store.engine import reading, writing
from queue_server.store.projects import Lease

_log = structlog.get_logger()


def open_label_studio(backend: Backend) -> LabelStudio:
    """Return the client of the Label Studio that the settings name, or raise LabelStudioError."""
    settings = backend.settings
    if not settings.label_studio_url or not settings.label_studio_api_key:
        raise LabelStudioError(
            "LOOKSWRONG_LABEL_STUDIO_URL and LOOKSWRONG_LABEL_STUDIO_API_KEY must be set, got none", permanent=True
        )
    return LabelStudio(settings.label_studio_url, settings.label_studio_api_key)


def ensure_target(backend: Backend, client: LabelStudio, project: models.Project, *, now: datetime) -> models.Project:
    """Return the project with its place in Label Studio; make what is missing, by one worker at a time.

    1. Take the right to set up. 2. Find or make the project, its tab and its webhook. 3. Record them.
    Each step finds what an earlier try made, so it may die anywhere.
    """
    if project.label_studio_project_id is not None and project.label_studio_view_id is not None:
        return project
    until = now + timedelta(seconds=backend.settings.lease_seconds)
    with writing(backend.engine) as session:
        if not projects.take_lease(session, project, Lease.SETUP, now=now, until=until):
            raise LabelStudioError(f"another worker sets up {project.name!r} in Label Studio: try again in a moment")
    try:
        _set_up(backend, client, project)
    finally:
        with writing(backend.engine) as session:
            projects.release_lease(session, project, Lease.SETUP)
    with reading(backend.engine) as session:
        assert project.id is not None
        return projects.get(session, project.id)


def _set_up(backend: Backend, client: LabelStudio, project: models.Project) -> None:
    task = Task(project.task)
    config = label_config(task=task, labels=project.labels, multi_label=project.multi_label)
    target = client.ensure_project(project.label_studio_title, config)
    there = client.get_label_config(target)
    if _is_ours_of_fewer_labels(there, project):
        client.set_label_config(target, config)
        there = config
    controls = mapping_from_config(there, task=task, labels=project.labels)
    view = client.ensure_inbox(target)
    with writing(backend.engine) as session:
        projects.record_target(
            session, project, label_studio_project_id=target, view_id=view, controls=asdict(controls)
        )
    _try_webhook(backend, client, project, target=target)


def _is_ours_of_fewer_labels(there: str, project: models.Project) -> bool:
    """Tell whether the interface is the one that we made before labels were added; a person's own is left alone."""
    task, multi_label = Task(project.task), project.multi_label
    return any(
        there == label_config(task=task, labels=project.labels[:count], multi_label=multi_label)
        for count in range(1, len(project.labels))
    )


def _try_webhook(backend: Backend, client: LabelStudio, project: models.Project, *, target: int) -> None:
    """Register the webhook; without it annotations come back all the same, at the next full pull."""
    try:
        ensure_webhook(backend, client, project, target=target)
    except LabelStudioError as error:
        _log.warning("no webhook", action="set_up", project=project.name, error=str(error)[:500])


def ensure_webhook(
    backend: Backend, client: LabelStudio, project: models.Project, *, target: int | None = None
) -> None:
    """Let Label Studio tell us of annotations; `target` is its project, where it is not recorded yet."""
    target = target or project.label_studio_project_id
    assert target is not None
    url = f"{backend.settings.webhook_base_url}/v1/label-studio/{project.name}"
    client.ensure_webhook(target, url, headers={"X-Lookswrong-Webhook": project.webhook_secret})


def controls_of(project: models.Project) -> ControlNames:
    """Return which controls of the project's labelling interface hold our regions."""
    return ControlNames(**(project.label_studio_controls or {}))
