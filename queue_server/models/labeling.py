"""The way through Label Studio, and out again as data sets."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from queue_server.models.columns import Document, json_column, time_column


class LabelingTask(SQLModel, table=True):
    """A sample on its way to an annotator; one row a sample, `generation` counts how often it was queued."""

    __tablename__: ClassVar[str] = "labeling_task"
    __table_args__ = (
        Index("ix_labeling_task_claim", "project_id", "state", "available_at"),
        UniqueConstraint("label_studio_project_id", "label_studio_task_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    sample_pk: int = Field(foreign_key="sample.id", unique=True)
    generation: int = 1
    #: waiting, pushed, withdrawn, deleted
    state: str
    priority: int
    #: where it stands in the inbox: its priority, or for the audit a random place among all priorities
    rank: float = 0.0
    reasons: list[str] = json_column()
    #: Label Studio shows older data than ours
    is_stale: bool = False
    #: grows with each change, so that one which comes while an update is under way is not lost
    revision: int = 0
    #: 1: the first look; 2 and more: another one, by a Label Studio task of its own
    look: int = 1
    #: the title of its Label Studio target; None: the project's main one
    route: str | None = Field(default=None, max_length=200)
    #: the tab there; None: the inbox
    tab: str | None = Field(default=None, max_length=100)
    #: without prediction, reason and the users' claims
    is_blind: bool = False
    #: how many annotators are to look
    annotators: int = 1
    #: of the rules that matched
    tags: list[str] | None = json_column(nullable=True)
    #: to be taken back if nobody touched it
    is_withdrawal_wanted: bool = False
    available_at: datetime = time_column()
    lease_owner: str | None = None
    lease_until: datetime | None = time_column(nullable=True)
    attempts: int = 0
    last_error: str | None = None
    label_studio_project_id: int | None = None
    label_studio_task_id: int | None = None
    pushed_at: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()


class Annotation(SQLModel, table=True):
    """One version of one annotation in Label Studio; the latest version of each counts."""

    __tablename__: ClassVar[str] = "annotation"
    __table_args__ = (UniqueConstraint("project_id", "label_studio_annotation_id", "updated_at"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    sample_pk: int = Field(foreign_key="sample.id", index=True)
    label_studio_annotation_id: int
    #: of the labeling task that it was made in
    look: int = 1
    #: made without seeing the prediction
    is_blind: bool = False
    annotator: str
    created_at: datetime = time_column()
    updated_at: datetime = time_column()
    pulled_at: datetime = time_column()
    lead_time_seconds: float | None = None
    is_skipped: bool = False
    is_ground_truth: bool = False
    #: Label Studio's regions, as they came
    result: list[Document] = json_column()
    #: the same as `core.annotation.Annotation`; None where they could not be read
    document: Document | None = json_column(nullable=True)
    model_difference: Document | None = json_column(nullable=True)
    user_difference: Document | None = json_column(nullable=True)
    fault: str | None = None
    #: it is no longer in Label Studio
    deleted_at: datetime | None = time_column(nullable=True)


class Export(SQLModel, table=True):
    """A data set that left; its id is a hash of its manifest."""

    __tablename__: ClassVar[str] = "export"
    __table_args__ = (UniqueConstraint("project_id", "export_id"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    export_id: UUID
    format: str
    manifest: Document = json_column()
    created_at: datetime = time_column()


class SplitAssignment(SQLModel, table=True):
    """The split of a group of samples, frozen at the first export that held it."""

    __tablename__: ClassVar[str] = "split_assignment"
    __table_args__ = (UniqueConstraint("project_id", "group_key"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    group_key: str = Field(max_length=300)
    split: str
    created_at: datetime = time_column()
