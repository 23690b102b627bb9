"""Alembic's entry: runs on the connection that `store.engine.migrate` hands over."""

from alembic import context
from sqlmodel import SQLModel

from queue_server import models

assert models.Sample.__tablename__ == "sample"  # the import fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    # SQLite cannot alter a table: Alembic copies it
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
