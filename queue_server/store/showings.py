"""When results were first shown to their users; parked where the sample has not come."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, delete, or_, select, update

from queue_server import models
from queue_server.store.upserts import insert_missing

Row = models.ParkedShowing


def record(session: Session, sample: models.Sample, *, shown_at: datetime) -> None:
    """Keep when a sample was shown, if nothing earlier is known."""
    known = col(models.Sample.shown_at)
    session.exec(
        update(models.Sample)
        .where(col(models.Sample.id) == sample.id, or_(known.is_(None), known > shown_at))
        .values(shown_at=shown_at)
        .execution_options(synchronize_session=False)
    )


def park(session: Session, project_id: int, sample_id: UUID, *, shown_at: datetime) -> None:
    """Keep the same for a sample that has not come."""
    insert_missing(session, Row, [{"project_id": project_id, "sample_id": sample_id, "shown_at": shown_at}])
    session.exec(
        update(Row)
        .where(col(Row.project_id) == project_id, col(Row.sample_id) == sample_id, col(Row.shown_at) > shown_at)
        .values(shown_at=shown_at)
    )


def take_parked(session: Session, project_id: int, sample_id: UUID) -> datetime | None:
    """Return when a sample was shown that comes only now, and let it go; None: nobody told."""
    is_its_own = (col(Row.project_id) == project_id, col(Row.sample_id) == sample_id)
    found = session.exec(select(Row.shown_at).where(*is_its_own)).one_or_none()
    if found is not None:
        session.exec(delete(Row).where(*is_its_own))
    return found
