"""What was decided, and what decisions stand on."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from queue_server.models.columns import Document, json_column, time_column


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
    rules: list[Document] = json_column()
    #: what the budgets of its rules said; None: no rule has one
    budget: Document | None = json_column(nullable=True)
    decided_at: datetime = time_column()


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
    at: datetime = time_column()
    #: its place in the project's feed of changes, given once, after its commit; None: nobody has asked since
    position: int | None = None


class BudgetPeriod(SQLModel, table=True):
    """What one account of a budget spent in one period; locked while a decision spends from it."""

    __tablename__: ClassVar[str] = "budget_period"
    __table_args__ = (UniqueConstraint("project_id", "account", "period", "starts_at"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    #: "all", "audit", "rule:NAME", "stream:NAME" or "reporter:NAME"
    account: str = Field(max_length=300)
    #: minute, hour or day, in UTC
    period: str
    starts_at: datetime = time_column()
    ends_at: datetime = time_column(index=True)
    tasks: int = 0
    #: what annotators are expected to spend on those tasks
    seconds: float = 0.0
    #: samples wait for its end
    is_held: bool = False
    settled_at: datetime | None = time_column(nullable=True)
    #: what its end gave: sample's row id -> rule -> `core.policy.Share`
    shares: Document | None = json_column(nullable=True)


class FrozenFigure(SQLModel, table=True):
    """A number that a policy takes from the traffic, frozen for a time so that decisions can be replayed."""

    __tablename__: ClassVar[str] = "frozen_figure"
    __table_args__ = (UniqueConstraint("project_id", "rule", "model_version", "name", "policy_version", "starts_at"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    #: 0: of the project, whatever its policy
    policy_version: int = 0
    #: the rule's name; for `lead_seconds` the reason
    rule: str = Field(max_length=100)
    #: empty: of all
    model_version: str = Field(default="", max_length=200)
    #: threshold, rate, label_share:LABEL, lead_seconds
    name: str = Field(max_length=220)
    #: the day or hour for which it was made
    starts_at: datetime = time_column()
    value: float
    #: how many samples it was made from
    based_on: int
    #: decisions on samples that came before then do not know it
    frozen_at: datetime = time_column()


class Reporter(SQLModel, table=True):
    """How often a reporter's objections were right, as annotators saw it."""

    __tablename__: ClassVar[str] = "reporter"

    project_id: int = Field(foreign_key="project.id", primary_key=True)
    name: str = Field(max_length=200, primary_key=True)
    right: int = 0
    wrong: int = 0
    updated_at: datetime = time_column()
