"""Projects: their policies, their places in Label Studio, their keys and models."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from queue_server.models.columns import Document, json_column, time_column


class Project(SQLModel, table=True):
    """One use of one model: labels, policy, Label Studio target, keys."""

    __tablename__: ClassVar[str] = "project"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=100)
    task: str
    labels: list[str] = json_column()
    multi_label: bool = False
    policy_version: int = 0
    #: the rules' draws are keyed by it
    salt: bytes = Field(sa_type=LargeBinary)
    #: Label Studio sends it with each webhook
    webhook_secret: str
    #: the main target's; rules may route to others
    label_studio_title: str = Field(max_length=200)
    #: of the pages that may post without a secret key; None: any
    origins: list[str] | None = json_column(nullable=True)
    #: where alerts are said, what they watch, and when to retrain, as the project's file says it; None: nothing
    channels: Document | None = json_column(nullable=True)
    alerts: list[Document] | None = json_column(nullable=True)
    retraining: Document | None = json_column(nullable=True)
    #: when to look again whether it is time to
    retraining_due_at: datetime | None = time_column(nullable=True)
    #: Label Studio said that something changed
    pull_wanted_at: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()


class LabelStudioTarget(SQLModel, table=True):
    """A project in Label Studio that labeling tasks of ours go to: the main one, or one that a rule routes to."""

    __tablename__: ClassVar[str] = "label_studio_target"
    __table_args__ = (UniqueConstraint("project_id", "title"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    title: str = Field(max_length=200)
    label_studio_project_id: int | None = None
    #: its inbox; None: to be set up, or looked at again
    label_studio_view_id: int | None = None
    #: tab name -> view, of the tabs that rules route to
    tabs: dict[str, int] | None = json_column(nullable=True)
    #: names of the label config's controls, as `core.label_config` found them
    controls: Document | None = json_column(nullable=True)
    #: why the last work there failed; None: it did not
    error: str | None = None
    setup_lease_until: datetime | None = time_column(nullable=True)
    #: everything in Label Studio up to here, on its clock, is pulled
    pulled_until: datetime | None = time_column(nullable=True)
    #: when the last pull started, on ours
    pulled_at: datetime | None = time_column(nullable=True)
    pull_lease_until: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()


class PolicyVersion(SQLModel, table=True):
    """One version of a project's policy; samples keep the one that was current at their arrival."""

    __tablename__: ClassVar[str] = "policy_version"
    __table_args__ = (UniqueConstraint("project_id", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    version: int
    confirmation_window_seconds: float
    rules: list[Document] = json_column()
    #: of all rules together; None: no limit
    budget: Document | None = json_column(nullable=True)
    #: which samples count as the same picture; None: equal bytes alone
    near_duplicates: Document | None = json_column(nullable=True)
    #: what silence affirms: "always", or only what was "shown"
    silence_affirms: str = Field(default="always", max_length=20)
    created_at: datetime = time_column()


class ApiKey(SQLModel, table=True):
    """A key of one project; only its hash is kept, and its token-signing key encrypted."""

    __tablename__: ClassVar[str] = "api_key"

    id: int | None = Field(default=None, primary_key=True)
    kid: str = Field(unique=True, max_length=16)
    project_id: int = Field(foreign_key="project.id", index=True)
    scopes: list[str] = json_column()
    secret_sha256: str
    token_key_encrypted: str
    created_at: datetime = time_column()
    revoked_at: datetime | None = time_column(nullable=True)


class ModelVersion(SQLModel, table=True):
    """A version of a project's model, with the export that it was trained on."""

    __tablename__: ClassVar[str] = "model_version"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=200)
    trained_on: UUID | None = None
    #: what its file says, see `core.model_card`; None: it was registered by its name alone
    document: Document | None = json_column(nullable=True)
    created_at: datetime = time_column()
    updated_at: datetime | None = time_column(nullable=True)
