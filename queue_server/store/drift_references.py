"""What a model version's data is held against: pinned by somebody, or its first weeks."""

from datetime import datetime

from sqlmodel import Session, col, delete, func, select

from queue_server import models
from queue_server.store.upserts import insert_missing

Row, Sample = models.DriftReference, models.Sample


def find(session: Session, project_id: int, model_version: str) -> models.DriftReference | None:
    """Return what is pinned to a version; None: nothing is."""
    query = select(Row).where(Row.project_id == project_id, Row.model_version == model_version)
    return session.exec(query).one_or_none()


def of_project(session: Session, project_id: int) -> list[models.DriftReference]:
    """Return all that is pinned, by version."""
    return list(session.exec(select(Row).where(Row.project_id == project_id).order_by(Row.model_version)))


def pin(
    session: Session,
    project_id: int,
    model_version: str,
    *,
    reference_version: str,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> None:
    """Pin a reference to a version, in place of the one there; without a time: the images it was trained on."""
    key = {"project_id": project_id, "model_version": model_version}
    insert_missing(session, Row, [key | {"reference_version": reference_version, "created_at": now}])
    row = find(session, project_id, model_version)
    assert row is not None
    row.reference_version, row.since, row.until, row.created_at = reference_version, since, until, now
    session.add(row)
    session.flush()


def unpin(session: Session, project_id: int, model_version: str) -> bool:
    """Take a pin away; False: there is none."""
    result = session.exec(delete(Row).where(col(Row.project_id) == project_id, col(Row.model_version) == model_version))
    return result.rowcount == 1


def latest_version(session: Session, project_id: int) -> str | None:
    """Return the model version of the sample that came last."""
    query = select(Sample.model_version).where(Sample.project_id == project_id, col(Sample.model_version).is_not(None))
    return session.exec(query.order_by(col(Sample.received_at).desc(), col(Sample.id).desc()).limit(1)).first()


def first_received(session: Session, project_id: int, model_version: str) -> datetime | None:
    """Return when the first sample of a version came: the clocks of devices may say anything."""
    query = select(func.min(Sample.received_at)).where(
        Sample.project_id == project_id, Sample.model_version == model_version
    )
    return session.exec(query).one()
