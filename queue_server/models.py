"""The tables. This file is without `from __future__ import annotations`: SQLModel reads the annotations themselves.

Feedback, decisions, history and annotations are append-only. States change by conditional UPDATEs in `store` alone.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, DateTime, Dialect, Index, LargeBinary, TypeDecorator, UniqueConstraint, text
from sqlmodel import Column, Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out: SQLite returns naive times."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time; store UTC."""
        del dialect
        if value is not None and value.utcoffset() is None:
            raise ValueError(f"a time must carry a time zone, got {value.isoformat()}")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time as aware UTC."""
        del dialect
        if value is None or value.utcoffset() is not None:
            return value
        return value.replace(tzinfo=UTC)


def is_instant(value: datetime) -> bool:
    """Tell whether an aware time can be written in UTC: a few hours at either end of the calendar cannot.

    >>> is_instant(datetime(2026, 11, 20, tzinfo=UTC))
    True
    """
    try:
        value.astimezone(UTC)
    except OverflowError:
        return False
    return True


#: A JSON document; its shape is a dataclass of `feedback_sdk.types` or `core`, read back through it.
Document = dict[str, Any]


def _time(*, nullable: bool = False, index: bool = False) -> Any:  # noqa: ANN401  # Field's own return type
    return Field(sa_column=Column(UtcDateTime, nullable=nullable, index=index), default=None)


def _json(*, nullable: bool = False) -> Any:  # noqa: ANN401  # Field's own return type
    return Field(sa_column=Column(JSON(none_as_null=True), nullable=nullable), default=None)


class Project(SQLModel, table=True):
    """One use of one model: labels, policy, Label Studio target, keys."""

    __tablename__: ClassVar[str] = "project"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=100)
    task: str
    labels: list[str] = _json()
    multi_label: bool = False
    policy_version: int = 0
    #: the rules' draws are keyed by it
    salt: bytes = Field(sa_type=LargeBinary)
    #: Label Studio sends it with each webhook
    webhook_secret: str
    label_studio_title: str = Field(max_length=200)
    label_studio_project_id: int | None = None
    label_studio_view_id: int | None = None
    #: names of the label config's controls, as `core.label_config` found them
    label_studio_controls: Document | None = _json(nullable=True)
    #: why the last work there failed; None: it did not
    label_studio_error: str | None = None
    setup_lease_until: datetime | None = _time(nullable=True)
    #: everything in Label Studio up to here, on its clock, is pulled
    pulled_until: datetime | None = _time(nullable=True)
    #: when the last pull started, on ours
    pulled_at: datetime | None = _time(nullable=True)
    pull_wanted_at: datetime | None = _time(nullable=True)
    pull_lease_until: datetime | None = _time(nullable=True)
    created_at: datetime = _time()


class PolicyVersion(SQLModel, table=True):
    """One version of a project's policy; samples keep the one that was current at their arrival."""

    __tablename__: ClassVar[str] = "policy_version"
    __table_args__ = (UniqueConstraint("project_id", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    version: int
    confirmation_window_seconds: float
    rules: list[Document] = _json()
    created_at: datetime = _time()


class ApiKey(SQLModel, table=True):
    """A key of one project; only its hash is kept, and its token-signing key encrypted."""

    __tablename__: ClassVar[str] = "api_key"

    id: int | None = Field(default=None, primary_key=True)
    kid: str = Field(unique=True, max_length=16)
    project_id: int = Field(foreign_key="project.id", index=True)
    scopes: list[str] = _json()
    secret_sha256: str
    token_key_encrypted: str
    created_at: datetime = _time()
    revoked_at: datetime | None = _time(nullable=True)


class Image(SQLModel, table=True):
    """A stored image, named by the hash of its bytes as stored."""

    __tablename__: ClassVar[str] = "image"

    sha256: str = Field(primary_key=True, max_length=64)
    width: int
    height: int
    media_type: str
    size_bytes: int
    created_at: datetime = _time()


class Sample(SQLModel, table=True):
    """An input that a model saw in production. `sample_id` is the client's, unique in its project."""

    __tablename__: ClassVar[str] = "sample"
    __table_args__ = (
        UniqueConstraint("project_id", "sample_id"),
        Index("ix_sample_project_state", "project_id", "state"),
        Index("ix_sample_project_received", "project_id", "received_at", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    sample_id: UUID
    #: of the canonical JSON that arrived, without the image's hash
    payload_sha256: str
    captured_at: datetime = _time()
    received_at: datetime = _time()
    tags: list[str] = _json()
    #: `metadata` is taken by SQLAlchemy
    extra: Document = _json()
    subject: str | None = Field(default=None, max_length=200, index=True)
    stream: str | None = Field(default=None, max_length=200)
    capture_probability: float = 1.0
    stands_for: int = 1
    embedding: list[float] | None = _json(nullable=True)
    #: of the bytes as the client sent them, or promises to
    sent_image_sha256: str | None = Field(default=None, max_length=64)
    image_sha256: str | None = Field(default=None, foreign_key="image.sha256", index=True)
    model_version: str | None = Field(default=None, max_length=200, index=True)
    policy_version: int
    state: str
    reason: str | None = None
    verdict: str | None = None
    #: whether the annotator agreed with the user; None: not known yet
    outcome: str | None = None
    is_disputed: bool = False
    confidence: float | None = None
    priority: int = 0
    inclusion_probability: float = 0.0
    #: the end of the confirmation window
    window_ends_at: datetime = _time()
    #: when the worker must decide again; None: nothing is due
    decide_after: datetime | None = _time(nullable=True, index=True)
    request_reason: str | None = None


class Prediction(SQLModel, table=True):
    """What one model version said of a sample, as it was sent: never scaled or clipped here."""

    __tablename__: ClassVar[str] = "prediction"
    __table_args__ = (UniqueConstraint("sample_pk", "model_version"),)

    id: int | None = Field(default=None, primary_key=True)
    sample_pk: int = Field(foreign_key="sample.id")
    model_version: str = Field(max_length=200)
    document: Document = _json()
    payload_sha256: str
    #: the one that the app showed its user; the others are shadows
    is_shown: bool = True
    received_at: datetime = _time()


class Feedback(SQLModel, table=True):
    """One verdict of one reporter; parked while its sample has not come (`sample_pk` None)."""

    __tablename__: ClassVar[str] = "feedback"
    __table_args__ = (UniqueConstraint("project_id", "feedback_id"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    feedback_id: UUID
    sample_id: UUID = Field(index=True)
    sample_pk: int | None = Field(default=None, foreign_key="sample.id", index=True)
    payload_sha256: str
    verdict: str
    correction: Document | None = _json(nullable=True)
    comment: str | None = None
    reporter: str | None = Field(default=None, max_length=200)
    #: through what it came: "key" or "token"
    source: str
    given_at: datetime = _time()
    received_at: datetime = _time()
    #: why it does not count; it is kept all the same
    fault: str | None = None


class Decision(SQLModel, table=True):
    """One decision on a sample, with every rule's outcome."""

    __tablename__: ClassVar[str] = "decision"

    id: int | None = Field(default=None, primary_key=True)
    sample_pk: int = Field(foreign_key="sample.id", index=True)
    trigger: str
    policy_version: int
    state: str
    reason: str | None
    priority: int
    inclusion_probability: float
    rules: list[Document] = _json()
    #: what the budgets of its rules said; None: no rule has one
    budget: Document | None = _json(nullable=True)
    decided_at: datetime = _time()


class HistoryEntry(SQLModel, table=True):
    """One change of a sample: of its state, of what users say of it, or of what annotators made of it."""

    __tablename__: ClassVar[str] = "history_entry"
    __table_args__ = (
        UniqueConstraint("project_id", "position"),
        Index("ix_history_entry_project_at", "project_id", "at", "position"),
        Index(
            "ix_history_entry_unpublished",
            "project_id",
            "id",
            sqlite_where=text("position IS NULL"),
            postgresql_where=text("position IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    sample_pk: int = Field(foreign_key="sample.id", index=True)
    state: str
    reason: str | None
    #: of the sample from then on
    verdict: str | None = None
    outcome: str | None = None
    at: datetime = _time()
    #: its place in the project's feed of changes, given once, after its commit; None: nobody has asked since
    position: int | None = None


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
    reasons: list[str] = _json()
    #: Label Studio shows older data than ours
    is_stale: bool = False
    #: grows with each change, so that one which comes while an update is under way is not lost
    revision: int = 0
    #: to be taken back if nobody touched it
    is_withdrawal_wanted: bool = False
    available_at: datetime = _time()
    lease_owner: str | None = None
    lease_until: datetime | None = _time(nullable=True)
    attempts: int = 0
    last_error: str | None = None
    label_studio_project_id: int | None = None
    label_studio_task_id: int | None = None
    pushed_at: datetime | None = _time(nullable=True)
    created_at: datetime = _time()


class Annotation(SQLModel, table=True):
    """One version of one annotation in Label Studio; the latest version of each counts."""

    __tablename__: ClassVar[str] = "annotation"
    __table_args__ = (UniqueConstraint("project_id", "label_studio_annotation_id", "updated_at"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    sample_pk: int = Field(foreign_key="sample.id", index=True)
    label_studio_annotation_id: int
    annotator: str
    created_at: datetime = _time()
    updated_at: datetime = _time()
    pulled_at: datetime = _time()
    lead_time_seconds: float | None = None
    is_skipped: bool = False
    is_ground_truth: bool = False
    #: Label Studio's regions, as they came
    result: list[Document] = _json()
    #: the same as `core.annotation.Annotation`; None where they could not be read
    document: Document | None = _json(nullable=True)
    model_difference: Document | None = _json(nullable=True)
    user_difference: Document | None = _json(nullable=True)
    fault: str | None = None
    #: it is no longer in Label Studio
    deleted_at: datetime | None = _time(nullable=True)


class Export(SQLModel, table=True):
    """A data set that left; its id is a hash of its manifest."""

    __tablename__: ClassVar[str] = "export"
    __table_args__ = (UniqueConstraint("project_id", "export_id"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    export_id: UUID
    format: str
    manifest: Document = _json()
    created_at: datetime = _time()


class SplitAssignment(SQLModel, table=True):
    """The split of a group of samples, frozen at the first export that held it."""

    __tablename__: ClassVar[str] = "split_assignment"
    __table_args__ = (UniqueConstraint("project_id", "group_key"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    group_key: str = Field(max_length=300)
    split: str
    created_at: datetime = _time()


class ModelVersion(SQLModel, table=True):
    """A version of a project's model, with the export that it was trained on."""

    __tablename__: ClassVar[str] = "model_version"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=200)
    trained_on: UUID | None = None
    created_at: datetime = _time()
