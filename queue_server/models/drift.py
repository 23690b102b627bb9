"""What the data of a model version is held against."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from queue_server.models.columns import time_column


class DriftReference(SQLModel, table=True):
    """A reference that somebody pinned to a model version; without one its first weeks are."""

    __tablename__: ClassVar[str] = "drift_reference"
    __table_args__ = (UniqueConstraint("project_id", "model_version"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    model_version: str = Field(max_length=200)
    #: whose samples are the reference
    reference_version: str = Field(max_length=200)
    #: captured from then on, and before then; both None: the images it was trained on, see `models.Reference`
    since: datetime | None = time_column(nullable=True)
    until: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()
