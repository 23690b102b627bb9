"""Targets: the projects in Label Studio that labeling tasks of one of our projects go to."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.store.upserts import insert_missing

Target = models.LabelStudioTarget


class Lease(StrEnum):
    """What one worker at a time may do with a target."""

    SETUP = "setup_lease_until"
    PULL = "pull_lease_until"


def find(session: Session, project_id: int, title: str) -> Target | None:
    """Return the project's target of that title."""
    return session.exec(select(Target).where(Target.project_id == project_id, Target.title == title)).one_or_none()


def get(session: Session, target_pk: int) -> Target:
    """Return the target of that row id."""
    return session.get_one(Target, target_pk)


def main(session: Session, project: models.Project) -> Target | None:
    """Return where a project's tasks go that no rule routes elsewhere; None before its first push."""
    assert project.id is not None
    return find(session, project.id, project.label_studio_title)


def of_project(session: Session, project_id: int) -> list[Target]:
    """Return all targets of a project, the oldest first; ones that nothing goes to any more stay to be pulled."""
    return list(session.exec(select(Target).where(Target.project_id == project_id).order_by(col(Target.id))))


def ensure(session: Session, project: models.Project, title: str, *, now: datetime) -> Target:
    """Return the project's target of that title; make it if it is not there, whoever else does the same."""
    assert project.id is not None
    insert_missing(session, Target, [{"project_id": project.id, "title": title, "created_at": now}])
    found = find(session, project.id, title)
    assert found is not None
    return found


def look_again(session: Session, project: models.Project) -> None:
    """Let the next push look again at whether a project's targets in Label Studio fit."""
    session.exec(update(Target).where(col(Target.project_id) == project.id).values(label_studio_view_id=None))


def record(
    session: Session,
    target: Target,
    *,
    label_studio_project_id: int,
    view_id: int,
    tabs: dict[str, int],
    controls: dict[str, object],
) -> None:
    """Record a target's place in Label Studio."""
    _set(
        session,
        target,
        label_studio_project_id=label_studio_project_id,
        label_studio_view_id=view_id,
        tabs=tabs,
        controls=controls,
    )


def note_error(session: Session, target: Target, error: str | None) -> None:
    """Record why the last work there failed, or that it went well."""
    is_other = col(Target.error).is_not(None) if error is None else col(Target.error).is_distinct_from(error)
    session.exec(update(Target).where(col(Target.id) == target.id, is_other).values(error=error))


def errors(session: Session) -> list[str]:
    """Return why the last work failed, of each target of any project where it did."""
    found = session.exec(select(Target.error).where(col(Target.error).is_not(None)).order_by(col(Target.id)))
    return [error for error in found if error is not None]


def take_lease(session: Session, target: Target, lease: Lease, *, now: datetime, until: datetime) -> bool:
    """Take the right to set up or pull a target; False: another worker has it."""
    column = col(getattr(Target, lease))
    result = session.exec(
        update(Target)
        .where(col(Target.id) == target.id, column.is_(None) | (column < now))
        .values({lease.value: until})
    )
    return result.rowcount == 1


def renew_lease(session: Session, target: Target, lease: Lease, *, until: datetime) -> None:
    """Keep such a right for longer."""
    _set(session, target, **{lease.value: until})


def release_lease(session: Session, target: Target, lease: Lease) -> None:
    """Give such a right back."""
    _set(session, target, **{lease.value: None})


def finish_pull(session: Session, target: Target, *, pulled_until: datetime, started_at: datetime) -> None:
    """Record how far a pull got."""
    _set(session, target, pulled_until=pulled_until, pulled_at=started_at)


def _set(session: Session, target: Target, **values: object) -> None:
    session.exec(update(Target).where(col(Target.id) == target.id).values(**values))
