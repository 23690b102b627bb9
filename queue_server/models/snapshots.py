"""What a worker counted for the pages, since a page may not wait for it."""

from datetime import datetime
from typing import ClassVar

from sqlmodel import Field, SQLModel

from queue_server.models.columns import Document, json_column, time_column


class FigureSnapshot(SQLModel, table=True):
    """A project's figures of one kind, as they were when they were last made; see `reports.snapshots`."""

    __tablename__: ClassVar[str] = "figure_snapshot"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    name: str = Field(primary_key=True, max_length=50)
    #: None: they are being made for the first time
    document: Document | None = json_column(nullable=True)
    made_at: datetime | None = time_column(nullable=True)
    #: what making them took
    seconds: float = 0.0
    #: when they are to be made again; while they are made, when another worker may take that over
    due_at: datetime = time_column()
