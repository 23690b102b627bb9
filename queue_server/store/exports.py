"""Exports and the splits that they froze."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from queue_server import models


def lock_project(session: Session, project_id: int) -> models.Project:
    """Return the project and keep other exports of it off until the transaction ends."""
    return session.exec(select(models.Project).where(models.Project.id == project_id).with_for_update()).one()


def frozen_splits(session: Session, project_id: int) -> dict[str, str]:
    """Return group -> split of all that was ever exported."""
    rows = session.exec(select(models.SplitAssignment).where(models.SplitAssignment.project_id == project_id))
    return {row.group_key: row.split for row in rows}


def freeze_splits(session: Session, project_id: int, splits: Mapping[str, str], *, now: datetime) -> None:
    """Keep the splits of groups that were not exported before."""
    known = frozen_splits(session, project_id)
    for group, split in splits.items():
        if group not in known:
            session.add(
                models.SplitAssignment(project_id=project_id, group_key=group, split=str(split), created_at=now)
            )
    session.flush()


def find(session: Session, project_id: int, export_id: UUID) -> models.Export | None:
    """Return a project's export of that id."""
    query = select(models.Export).where(models.Export.project_id == project_id, models.Export.export_id == export_id)
    return session.exec(query).one_or_none()


def keep(session: Session, row: models.Export) -> models.Export:
    """Record an export once; the first one's time stays."""
    known = find(session, row.project_id, row.export_id)
    if known is not None:
        return known
    session.add(row)
    session.flush()
    return row


def all_exports(session: Session, project_id: int) -> list[models.Export]:
    """Return a project's exports, the oldest first."""
    query = select(models.Export).where(models.Export.project_id == project_id).order_by(col(models.Export.id))
    return list(session.exec(query))


def most_annotated(session: Session, project_id: int) -> int:
    """Return how many annotated samples the largest export of a project holds; the database reads the manifests."""
    counted = col(models.Export.manifest)["counts"]["label_source"]["annotator"].as_integer()
    query = select(func.max(counted)).where(models.Export.project_id == project_id)
    return session.exec(query).one() or 0
