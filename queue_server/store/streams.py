"""How many samples of each stream came, for rules that take every n-th."""

from sqlmodel import Session, col, update

from queue_server import models
from queue_server.store.upserts import insert_missing

Row = models.Stream


def next_position(session: Session, project_id: int, stream: str | None) -> int:
    """Count a sample of a stream and return how many came before it; those without a stream are one of their own."""
    name = stream or ""
    insert_missing(session, Row, [{"project_id": project_id, "name": name, "arrived": 0}])
    counted = (
        update(Row)
        .where(col(Row.project_id) == project_id, col(Row.name) == name)
        .values(arrived=Row.arrived + 1)
        .returning(col(Row.arrived))
    )
    arrived: int = session.connection().execute(counted).scalar_one()
    return arrived - 1
