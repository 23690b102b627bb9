"""What model versions were trained on, as it was pinned."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert
from sqlmodel import Session, col, delete, select

from queue_server import models

Reference, Row = models.Reference, models.ReferenceRow

_CHUNK = 1000


def find(session: Session, project_id: int, model_version: str) -> models.Reference | None:
    """Return the reference of a model version; None: nothing was pinned."""
    query = select(Reference).where(Reference.project_id == project_id, Reference.model_version == model_version)
    return session.exec(query).one_or_none()


def of_project(session: Session, project_id: int) -> list[models.Reference]:
    """Return a project's references, the first pinned first."""
    return list(session.exec(select(Reference).where(Reference.project_id == project_id).order_by(col(Reference.id))))


def rows(session: Session, project_id: int, model_version: str) -> list[models.ReferenceRow]:
    """Return the images of a version's reference, in the order of its files; none where nothing was pinned."""
    query = select(Row).join(Reference, col(Reference.id) == col(Row.reference_id))
    query = query.where(Reference.project_id == project_id, Reference.model_version == model_version)
    return list(session.exec(query.order_by(col(Row.id))))


def pin(
    session: Session,
    project_id: int,
    model_version: str,
    *,
    source: str,
    images: Sequence[Mapping[str, object]],
    now: datetime,
) -> None:
    """Pin images (columns of `models.ReferenceRow`) to a version, in place of those pinned before."""
    unpin(session, project_id, model_version)
    row = Reference(
        project_id=project_id, model_version=model_version, source=source, images=len(images), created_at=now
    )
    session.add(row)
    session.flush()
    for start in range(0, len(images), _CHUNK):
        chunk = [{**image, "reference_id": row.id} for image in images[start : start + _CHUNK]]
        session.connection().execute(insert(Row), chunk)


def unpin(session: Session, project_id: int, model_version: str) -> bool:
    """Forget the reference of a version; False: there is none."""
    found = find(session, project_id, model_version)
    if found is None:
        return False
    session.exec(delete(Row).where(col(Row.reference_id) == found.id))
    session.delete(found)
    session.flush()
    return True
