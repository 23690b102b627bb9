"""Insert what may be there already: the one thing that the two databases say differently."""

from collections.abc import Mapping, Sequence

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel


def insert_missing(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert the rows whose unique key is not there yet; of two transactions at once one waits for the other."""
    if not rows:
        return
    is_postgres = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if is_postgres else sqlite.insert
    session.connection().execute(insert(table).on_conflict_do_nothing(), [dict(row) for row in rows])
