"""What is kept of a project's slices, and of what its model versions were trained on."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from queue_server.models.columns import Document, json_column, time_column


class Slice(SQLModel, table=True):
    """A named, saved filter of samples; see `core.slices.Slice`."""

    __tablename__: ClassVar[str] = "slice"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=100)
    #: the condition as it was written; None: every sample
    condition: str | None = None
    model_version: str | None = Field(default=None, max_length=200)
    #: captured from then on, and before then
    since: datetime | None = time_column(nullable=True)
    until: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()


class Reference(SQLModel, table=True):
    """The data that a model version was trained on, as it was pinned."""

    __tablename__: ClassVar[str] = "reference"
    __table_args__ = (UniqueConstraint("project_id", "model_version"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    model_version: str = Field(max_length=200)
    #: the name of the folder that it came from
    source: str = Field(max_length=300)
    images: int
    created_at: datetime = time_column()


class ReferenceRow(SQLModel, table=True):
    """One image of a reference."""

    __tablename__: ClassVar[str] = "reference_row"
    __table_args__ = (Index("ix_reference_row_reference", "reference_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    reference_id: int = Field(foreign_key="reference.id")
    file_name: str = Field(max_length=500)
    width: int
    height: int
    #: label -> how many objects have it; of a class of the whole image 1
    labels: dict[str, int] = json_column()
    object_count: int
    #: metric -> value, as `core.metrics` names them
    metrics: Document = json_column()
