"""Projects and the versions of their policies."""

import functools
import json
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.core.policy import Policy, parse_policy
from queue_server.core.policy.reading import PolicyText
from queue_server.plugins import strategies
from queue_server.store.upserts import insert_missing


def find(session: Session, name: str) -> models.Project | None:
    """Return the project of that name."""
    if "\x00" in name:  # PostgreSQL refuses it
        return None
    return session.exec(select(models.Project).where(models.Project.name == name)).one_or_none()


def lock(session: Session, fresh: models.Project) -> models.Project:
    """Return the project of that name, made if there is none, and keep other changes of it off until the end."""
    insert_missing(session, models.Project, [fresh.model_dump(exclude={"id"})])
    query = select(models.Project).where(models.Project.name == fresh.name).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).one()


def get(session: Session, project_id: int) -> models.Project:
    """Return the project of that row id."""
    return session.get_one(models.Project, project_id)


def all_projects(session: Session) -> list[models.Project]:
    """Return every project, by name."""
    return list(session.exec(select(models.Project).order_by(models.Project.name)))


@dataclass(frozen=True, kw_only=True, slots=True)
class PinnedPolicy:
    """A policy version with its confirmation window."""

    policy: Policy
    confirmation_window_seconds: float


def policy(session: Session, project: models.Project, version: int) -> PinnedPolicy:
    """Return one version of a project's policy."""
    row = version_row(session, project, version)
    return PinnedPolicy(
        policy=text_of(row).policy(version=version, salt=project.salt),
        confirmation_window_seconds=row.confirmation_window_seconds,
    )


def text_of(row: models.PolicyVersion) -> PolicyText:
    """Return what a version's file said, read again."""
    names = ("rules", "budget", "near_duplicates", "silence_affirms")
    return _text_of(json.dumps({name: getattr(row, name) for name in names}, sort_keys=True))


@functools.lru_cache(maxsize=256)  # every sample asks for the policy that was pinned at its arrival
def _text_of(document: str) -> PolicyText:
    return parse_policy(json.loads(document), strategies())


def version_row(session: Session, project: models.Project, version: int) -> models.PolicyVersion:
    """Return the row of one version of a project's policy."""
    query = select(models.PolicyVersion).where(
        models.PolicyVersion.project_id == project.id, models.PolicyVersion.version == version
    )
    return session.exec(query).one()


def want_pull(session: Session, project_id: int, now: datetime) -> None:
    """Note that Label Studio has something new."""
    session.exec(update(models.Project).where(col(models.Project.id) == project_id).values(pull_wanted_at=now))


def forget_wanted_pull(session: Session, project: models.Project, *, started_at: datetime) -> None:
    """Note that all was pulled; a hint that came after the pull had started stays."""
    wanted = col(models.Project.pull_wanted_at)
    session.exec(
        update(models.Project)
        .where(col(models.Project.id) == project.id, wanted <= started_at)
        .values(pull_wanted_at=None)
    )
