"""What apps and users send."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from queue_server.models.columns import Document, json_column, time_column


class Image(SQLModel, table=True):
    """A stored image, named by the hash of its bytes as stored."""

    __tablename__: ClassVar[str] = "image"

    sha256: str = Field(primary_key=True, max_length=64)
    width: int
    height: int
    media_type: str
    size_bytes: int
    #: 64 bits of a DCT hash as a signed number, see `core.metrics`
    perceptual_hash: int | None = Field(default=None, sa_type=BigInteger, index=True)
    #: name -> value, see `core.metrics`
    quality: dict[str, float] | None = json_column(nullable=True)
    #: by which version of the definitions, see `core.metrics.VERSION`; 0: by an older program
    measured: int = 0
    created_at: datetime = time_column()


class Sample(SQLModel, table=True):
    """An input that a model saw in production. `sample_id` is the client's, unique in its project."""

    __tablename__: ClassVar[str] = "sample"
    __table_args__ = (
        UniqueConstraint("project_id", "sample_id"),
        Index("ix_sample_project_state", "project_id", "state"),
        Index("ix_sample_project_received", "project_id", "received_at", "id"),
        Index("ix_sample_project_version_captured", "project_id", "model_version", "captured_at"),
        Index("ix_sample_project_state_received", "project_id", "state", "received_at", "id"),
        Index("ix_sample_project_version_received", "project_id", "model_version", "received_at", "id"),
        Index("ix_sample_project_reason_received", "project_id", "reason", "received_at", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    sample_id: UUID
    #: of the canonical JSON that arrived, without the image's hash
    payload_sha256: str
    captured_at: datetime = time_column()
    received_at: datetime = time_column()
    tags: list[str] = json_column()
    #: `metadata` is taken by SQLAlchemy
    extra: Document = json_column()
    subject: str | None = Field(default=None, max_length=200, index=True)
    stream: str | None = Field(default=None, max_length=200)
    capture_probability: float = 1.0
    stands_for: int = 1
    embedding: list[float] | None = json_column(nullable=True)
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
    window_ends_at: datetime = time_column()
    #: when the worker must decide again; None: nothing is due
    decide_after: datetime | None = time_column(nullable=True, index=True)
    request_reason: str | None = None
    #: of every rule that matched
    rule_tags: list[str] | None = json_column(nullable=True)
    #: how many samples of its stream came before it; None: no rule asked
    stream_position: int | None = None
    #: the sample whose labeling task serves this one too
    duplicate_of: int | None = Field(default=None, foreign_key="sample.id", index=True)
    #: how many more it stands for, since near-duplicates were collapsed into it
    collapsed: int = 0
    #: what the budget said when each of its rules first matched, see `core.policy.Share`
    shares: Document | None = json_column(nullable=True)
    #: the budget's period at whose end the best of the held are kept
    held_in: int | None = Field(default=None, foreign_key="budget_period.id", index=True)
    #: when its user saw the result, as a page told us; None: nobody told
    shown_at: datetime | None = time_column(nullable=True)


class ParkedShowing(SQLModel, table=True):
    """That a result was shown, while its sample has not come."""

    __tablename__: ClassVar[str] = "parked_showing"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    sample_id: UUID = Field(primary_key=True)
    shown_at: datetime = time_column()


class Stream(SQLModel, table=True):
    """How many samples of a stream came, where a rule counts them."""

    __tablename__: ClassVar[str] = "stream"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    name: str = Field(max_length=200, primary_key=True)
    arrived: int = 0


class Prediction(SQLModel, table=True):
    """What one model version said of a sample, as it was sent: never scaled or clipped here."""

    __tablename__: ClassVar[str] = "prediction"
    __table_args__ = (UniqueConstraint("sample_pk", "model_version"),)

    id: int | None = Field(default=None, primary_key=True)
    sample_pk: int = Field(foreign_key="sample.id")
    model_version: str = Field(max_length=200)
    document: Document = json_column()
    payload_sha256: str
    #: the one that the app showed its user; the others are shadows
    is_shown: bool = True
    received_at: datetime = time_column()


class Feedback(SQLModel, table=True):
    """One verdict of one reporter; parked while its sample has not come (`sample_pk` None)."""

    __tablename__: ClassVar[str] = "feedback"
    __table_args__ = (
        UniqueConstraint("project_id", "feedback_id"),
        Index("ix_feedback_project_reporter", "project_id", "reporter", "received_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    feedback_id: UUID
    sample_id: UUID = Field(index=True)
    sample_pk: int | None = Field(default=None, foreign_key="sample.id", index=True)
    payload_sha256: str
    verdict: str
    correction: Document | None = json_column(nullable=True)
    comment: str | None = None
    reporter: str | None = Field(default=None, max_length=200)
    #: through what it came: "key", "token", or "publishable" for a key that anybody can read off a page
    source: str
    given_at: datetime = time_column()
    received_at: datetime = time_column()
    #: why it does not count; it is kept all the same
    fault: str | None = None
