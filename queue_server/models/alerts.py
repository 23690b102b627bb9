"""Alerts, what happened to them, the signal to retrain, and what is to be said of both."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from queue_server.models.columns import Document, json_column, time_column


class Alert(SQLModel, table=True):
    """A rule of a project's file, where it stands (as `core.alerts.Standing`) and its figure at the last look."""

    __tablename__: ClassVar[str] = "alert"
    __table_args__ = (UniqueConstraint("project_id", "name"), Index("ix_alert_due", "due_at"))

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=100)
    rule: Document = json_column()
    #: it is no longer in the project's file
    is_removed: bool = False

    incident: int = 0
    is_firing: bool = False
    is_disabled: bool = False
    beyond_since: datetime | None = time_column(nullable=True)
    clear_since: datetime | None = time_column(nullable=True)
    fired_at: datetime | None = time_column(nullable=True)
    resolved_at: datetime | None = time_column(nullable=True)
    acknowledged_at: datetime | None = time_column(nullable=True)
    snoozed_until: datetime | None = time_column(nullable=True)
    told_incident: int = 0
    told_at: datetime | None = time_column(nullable=True)

    #: the figure as it was at the last look; all None: not known then
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    since: datetime | None = time_column(nullable=True)
    #: of which model version it was
    model_version: str | None = Field(default=None, max_length=200)
    looked_at: datetime | None = time_column(nullable=True)
    #: why the figure could not be read; None: it could
    fault: str | None = Field(default=None, max_length=500)

    due_at: datetime = time_column()
    lease_owner: str | None = None
    lease_until: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()


class AlertEvent(SQLModel, table=True):
    """Something that happened to an alert; append-only."""

    __tablename__: ClassVar[str] = "alert_event"

    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="alert.id", index=True)
    #: fired, reminded, resolved; acknowledged, snoozed, disabled, enabled by a person
    event: str
    incident: int
    at: datetime = time_column()
    #: through its channels
    is_told: bool = False
    #: by what a person acted: a key's id, or the command; None: nobody did
    actor: str | None = Field(default=None, max_length=100)
    note: str | None = Field(default=None, max_length=1000)
    #: of a snooze
    until: datetime | None = time_column(nullable=True)
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0


class RetrainingSignal(SQLModel, table=True):
    """Once a model, the word that it is time to train the next one."""

    __tablename__: ClassVar[str] = "retraining_signal"
    __table_args__ = (UniqueConstraint("project_id", "baseline"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    #: since what it counts: the export that the last model was trained on; with it a signal is given once
    baseline: str = Field(max_length=200)
    at: datetime = time_column()
    reasons: list[Document] = json_column()
    #: of the data set that was prepared for it; None: it could not be
    export_id: UUID | None = None
    message: Document = json_column()


class Notification(SQLModel, table=True):
    """Something to be said through one channel: written with what happened, sent by whatever worker comes by."""

    __tablename__: ClassVar[str] = "notification"
    __table_args__ = (
        UniqueConstraint("project_id", "key"),
        Index("ix_notification_claim", "state", "available_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    #: what happened, and the channel: the receiver tells repeats by it
    key: str = Field(max_length=200)
    channel: str = Field(max_length=50)
    #: `core.alerts.Message`
    message: Document = json_column()
    #: waiting, sent, failed
    state: str = Field(max_length=20)
    attempts: int = 0
    available_at: datetime = time_column()
    lease_owner: str | None = None
    lease_until: datetime | None = time_column(nullable=True)
    last_error: str | None = Field(default=None, max_length=1000)
    created_at: datetime = time_column()
    sent_at: datetime | None = time_column(nullable=True)
