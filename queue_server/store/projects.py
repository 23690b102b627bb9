"""Projects and the versions of their policies."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.core.policy import Policy, parse_rules
from queue_server.core.policy.strategies import STRATEGIES


def find(session: Session, name: str) -> models.Project | None:
    """Return the project of that name."""
    if "\x00" in name:  # PostgreSQL refuses it
        return None
    return session.exec(select(models.Project).where(models.Project.name == name)).one_or_none()


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
    rules = parse_rules(row.rules, STRATEGIES)
    return PinnedPolicy(
        policy=Policy(version=version, rules=rules, salt=project.salt),
        confirmation_window_seconds=row.confirmation_window_seconds,
    )


def version_row(session: Session, project: models.Project, version: int) -> models.PolicyVersion:
    """Return the row of one version of a project's policy."""
    query = select(models.PolicyVersion).where(
        models.PolicyVersion.project_id == project.id, models.PolicyVersion.version == version
    )
    return session.exec(query).one()


def want_pull(session: Session, project_id: int, now: datetime) -> None:
    """Note that Label Studio has something new."""
    session.exec(update(models.Project).where(col(models.Project.id) == project_id).values(pull_wanted_at=now))


def note_label_studio(session: Session, project: models.Project, error: str | None) -> None:
    """Record why the last work in Label Studio failed, or that it went well."""
    column = col(models.Project.label_studio_error)
    is_other = column.is_not(None) if error is None else column.is_distinct_from(error)
    session.exec(
        update(models.Project).where(col(models.Project.id) == project.id, is_other).values(label_studio_error=error)
    )


class Lease(StrEnum):
    """What one worker at a time may do with a project."""

    SETUP = "setup_lease_until"
    PULL = "pull_lease_until"


def take_lease(session: Session, project: models.Project, lease: Lease, *, now: datetime, until: datetime) -> bool:
    """Take the right to set up or pull a project; False: another worker has it."""
    column = col(getattr(models.Project, lease))
    result = session.exec(
        update(models.Project)
        .where(col(models.Project.id) == project.id, column.is_(None) | (column < now))
        .values({lease.value: until})
    )
    return result.rowcount == 1


def renew_lease(session: Session, project: models.Project, lease: Lease, *, until: datetime) -> None:
    """Keep such a right for longer."""
    session.exec(update(models.Project).where(col(models.Project.id) == project.id).values({lease.value: until}))


def release_lease(session: Session, project: models.Project, lease: Lease) -> None:
    """Give such a right back."""
    session.exec(update(models.Project).where(col(models.Project.id) == project.id).values({lease.value: None}))


def record_target(
    session: Session,
    project: models.Project,
    *,
    label_studio_project_id: int,
    view_id: int,
    controls: dict[str, object],
) -> None:
    """Record a project's place in Label Studio."""
    session.exec(
        update(models.Project)
        .where(col(models.Project.id) == project.id)
        .values(
            label_studio_project_id=label_studio_project_id,
            label_studio_view_id=view_id,
            label_studio_controls=controls,
        )
    )


def finish_pull(session: Session, project: models.Project, *, pulled_until: datetime, started_at: datetime) -> None:
    """Record how far a pull got; a hint that came meanwhile stays."""
    wanted = col(models.Project.pull_wanted_at)
    session.exec(
        update(models.Project)
        .where(col(models.Project.id) == project.id)
        .values(pulled_until=pulled_until, pulled_at=started_at)
    )
    session.exec(
        update(models.Project)
        .where(col(models.Project.id) == project.id, wanted <= started_at)
        .values(pull_wanted_at=None)
    )


def model_versions(session: Session, project: models.Project) -> list[models.ModelVersion]:
    """Return the registered versions of a project's model."""
    query = select(models.ModelVersion).where(models.ModelVersion.project_id == project.id)
    return list(session.exec(query.order_by(models.ModelVersion.name)))


def register_model_version(
    session: Session, project: models.Project, *, name: str, trained_on: UUID | None, now: datetime
) -> models.ModelVersion:
    """Register a version of a project's model, or change what it was trained on."""
    query = select(models.ModelVersion).where(
        models.ModelVersion.project_id == project.id, models.ModelVersion.name == name
    )
    row = session.exec(query).one_or_none()
    if row is None:
        assert project.id is not None
        row = models.ModelVersion(project_id=project.id, name=name, created_at=now)
    row.trained_on = trained_on
    session.add(row)
    session.flush()
    return row
