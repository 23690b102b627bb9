"""Figures that a worker made for the pages: taken up by one worker at a time, the latest kept."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.store.upserts import insert_missing

Row = models.FigureSnapshot


def find(session: Session, project_id: int, name: str) -> Row | None:
    """Return a project's figures of a kind; None: they were never made."""
    row = session.get(Row, (project_id, name))
    return row if row is not None and row.document is not None else None


def claim(session: Session, project_id: int, name: str, *, now: datetime, lease: timedelta) -> bool:
    """Take up figures that are due; False: they are not, or another worker was faster.

    Another may do so again when the lease has run out.
    """
    insert_missing(session, Row, [{"project_id": project_id, "name": name, "seconds": 0.0, "due_at": now}])
    result = session.exec(
        update(Row)
        .where(col(Row.project_id) == project_id, col(Row.name) == name, col(Row.due_at) <= now)
        .values(due_at=now + lease)
        .execution_options(synchronize_session=False)
    )
    return result.rowcount == 1


def keep(session: Session, row: Row) -> None:
    """Keep what was made, unless another worker has made it later."""
    session.exec(
        update(Row)
        .where(
            col(Row.project_id) == row.project_id,
            col(Row.name) == row.name,
            col(Row.made_at).is_(None) | (col(Row.made_at) <= row.made_at),
        )
        .values(document=row.document, made_at=row.made_at, seconds=row.seconds, due_at=row.due_at)
        .execution_options(synchronize_session=False)
    )


def reaches(session: Session, project_id: int, number: int) -> bool:
    """Tell whether a project has at least so many samples; it looks at no more of them."""
    query = select(models.Sample.id).where(models.Sample.project_id == project_id).offset(number - 1).limit(1)
    return session.exec(query).first() is not None
