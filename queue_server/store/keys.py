"""Keys of projects."""

from datetime import datetime

from sqlmodel import Session, col, select, update

from queue_server import models


def find(session: Session, kid: str) -> models.ApiKey | None:
    """Return the key of that id, revoked ones too."""
    if not kid.isalnum():  # what comes from outside may hold NUL, which PostgreSQL refuses
        return None
    return session.exec(select(models.ApiKey).where(models.ApiKey.kid == kid)).one_or_none()


def of_project(session: Session, project_id: int) -> list[models.ApiKey]:
    """Return a project's keys, the oldest first."""
    query = select(models.ApiKey).where(models.ApiKey.project_id == project_id).order_by(col(models.ApiKey.id))
    return list(session.exec(query))


def revoke(session: Session, kid: str, now: datetime) -> bool:
    """Revoke a key, and with it its tokens; False: no such live key."""
    result = session.exec(
        update(models.ApiKey)
        .where(col(models.ApiKey.kid) == kid, col(models.ApiKey.revoked_at).is_(None))
        .values(revoked_at=now)
    )
    return result.rowcount == 1
