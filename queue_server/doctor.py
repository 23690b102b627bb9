"""Check every connection that the server needs, and say the remedy for each that does not hold."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from queue_server import models
from queue_server.backend import Backend
from queue_server.core.label_studio_json import task_data
from queue_server.errors import LabelStudioError, SettingsError
from queue_server.label_studio import LabelStudio
from queue_server.projects import controls_of, ensure_webhook, open_label_studio
from queue_server.proposals import proposal_of
from queue_server.readiness import check_readiness
from queue_server.settings import Settings
from queue_server.store import labeling_tasks, notifications, projects, targets
from queue_server.store.engine import reading
from queue_server.store.labeling_tasks import TaskState
from queue_server.store.notifications import NotificationState


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was checked; `remedy` is empty where it holds."""

    name: str
    detail: str
    remedy: str = ""

    @property
    def is_fault(self) -> bool:
        """Tell whether something must be done."""
        return bool(self.remedy)


#: what to do about a part of `readiness`
_REMEDIES = {
    "database": "run `lookswrong migrate`; else start the database, or mend LOOKSWRONG_DATABASE_URL",
    "blobs": "mend LOOKSWRONG_BLOB_URL, or free disk space",
    "broker": "start Redis, or mend LOOKSWRONG_BROKER_URL",
}


def examine(backend: Backend) -> Iterator[Finding]:
    """Check secret, database, images, broker, channels and Label Studio, one after the other."""
    yield _secret(backend.settings)
    parts = check_readiness(backend).parts
    has_database = parts["database"].status == "ok"
    for name, remedy in _REMEDIES.items():
        part = parts[name]
        is_embedded = name == "broker" and not backend.settings.broker_url
        detail = "not set: `lookswrong serve` embeds one" if is_embedded else part.detail
        yield Finding(name=name, detail=detail, remedy="" if is_embedded or part.status == "ok" else remedy)
    if has_database:
        yield from _channels(backend)
    yield from _label_studio(backend, has_database=has_database)


def _channels(backend: Backend) -> Iterator[Finding]:
    """Tell of each channel through which the last message did not go."""
    with reading(backend.engine) as session:
        known = projects.all_projects(session)
        last = [(project, row) for project in known for row in notifications.last_of_channels(session, project.id or 0)]
    for project, row in last:
        if row.state != NotificationState.SENT and row.last_error is not None:
            remedy = f"mend the channel, then try it: lookswrong alerts test {row.channel} --project {project.name}"
            name = f"channel {row.channel} of {project.name}"
            yield Finding(name=name, detail=row.last_error[:300], remedy=remedy)


def _secret(settings: Settings) -> Finding:
    try:
        count = len(settings.secret_keys)
    except SettingsError as error:
        return Finding(name="secret", detail=str(error), remedy="set LOOKSWRONG_SECRET_KEY")
    return Finding(name="secret", detail=f"{count} key(s); images are served from {settings.public_url}")


def _label_studio(backend: Backend, *, has_database: bool) -> Iterator[Finding]:
    remedy = "mend LOOKSWRONG_LABEL_STUDIO_URL and LOOKSWRONG_LABEL_STUDIO_API_KEY (Label Studio: Account & Settings)"
    try:
        client = open_label_studio(backend)
        status = client.check()
    except LabelStudioError as error:
        yield Finding(name="label studio", detail=str(error)[:300], remedy=remedy)
        return
    yield Finding(name="label studio", detail=f"{status.version}, as {status.user}")
    if not has_database:
        return
    with reading(backend.engine) as session:
        known = projects.all_projects(session)
    for project in known:
        yield from _project(backend, client, project)


def _project(backend: Backend, client: LabelStudio, project: models.Project) -> Iterator[Finding]:
    places = _places(backend, project)
    if not places:
        yield Finding(name=f"project {project.name}", detail="not in Label Studio yet: made at the first push")
    for target, place in places:
        is_main = target.title == project.label_studio_title
        name = f"project {project.name}" if is_main else f"project {project.name}, {target.title}"
        yield _place(backend, client, project, name=name, place=place)


def _places(backend: Backend, project: models.Project) -> list[tuple[models.LabelStudioTarget, int]]:
    """Return the targets of a project that are in Label Studio, with their ids there."""
    assert project.id is not None
    with reading(backend.engine) as session:
        known = targets.of_project(session, project.id)
    return [(row, row.label_studio_project_id) for row in known if row.label_studio_project_id is not None]


def _place(backend: Backend, client: LabelStudio, project: models.Project, *, name: str, place: int) -> Finding:
    try:
        client.get_label_config(place)
    except LabelStudioError as error:
        remedy = "restore the project in Label Studio, or give another title in the project file"
        return Finding(name=name, detail=str(error)[:300], remedy=remedy)
    try:
        ensure_webhook(backend, client, project, place=place)
    except LabelStudioError as error:
        remedy = (
            "start Label Studio with USE_DEFAULT_BANNED_SUBNETS=false, or set LOOKSWRONG_INTERNAL_URL to an address "
            "that it may call; until then annotations come back with the next full pull only"
        )
        return Finding(name=name, detail=str(error)[:300], remedy=remedy)
    return Finding(name=name, detail=f"Label Studio project {place}")


def fix(backend: Backend, *, say: Callable[[str], None]) -> int:
    """Rewrite the image addresses and webhooks that Label Studio holds, after a change of PUBLIC_URL or keys."""
    client = open_label_studio(backend)
    with reading(backend.engine) as session:
        known = projects.all_projects(session)
    changed = 0
    for project in known:
        places = _places(backend, project)
        if not places:
            continue
        for target, place in places:
            ensure_webhook(backend, client, project, place=place)
            changed += _rewrite_tasks(backend, client, target)
        say(f"{project.name}: webhook and image addresses are those of {backend.settings.public_url}")
    return changed


def _rewrite_tasks(backend: Backend, client: LabelStudio, target: models.LabelStudioTarget) -> int:
    with reading(backend.engine) as session:
        rows = [row for row in labeling_tasks.in_label_studio(session, target) if row.state != TaskState.DELETED]
        wanted = {}
        for row in rows:
            proposal = proposal_of(session, session.get_one(models.Sample, row.sample_pk), row, backend.settings)
            data = task_data(proposal, controls=controls_of(target))
            is_out = row.state == TaskState.WITHDRAWN
            wanted[row.label_studio_task_id] = data | ({"inbox": "no"} if is_out else {})
    for task_id, data in wanted.items():
        assert task_id is not None
        client.update_data(task_id, data)
    return len(wanted)
