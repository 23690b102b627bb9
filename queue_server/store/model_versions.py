"""Versions of a project's model: what was registered of them, and when their samples came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy
from sqlalchemy import case
from sqlmodel import Session, col, func, select

from queue_server import models
from queue_server.core.model_card import Registered, read_registered, registered_document
from queue_server.core.policy.conditions import Condition
from queue_server.core.policy.terms import Contains, Field, Literal
from queue_server.store import filters
from queue_server.store.upserts import insert_missing

Row, Sample = models.ModelVersion, models.Sample


def of_project(session: Session, project_id: int) -> list[models.ModelVersion]:
    """Return the registered versions, by name."""
    return list(session.exec(select(Row).where(Row.project_id == project_id).order_by(Row.name)))


def find(session: Session, project_id: int, name: str) -> models.ModelVersion | None:
    """Return a registered version; None: nobody registered it, though samples of it may have come."""
    if "\x00" in name:  # PostgreSQL refuses it
        return None
    return session.exec(select(Row).where(Row.project_id == project_id, Row.name == name)).one_or_none()


def register(session: Session, project_id: int, found: Registered, *, now: datetime) -> models.ModelVersion:
    """Register a version, or change what is registered of it."""
    insert_missing(session, Row, [{"project_id": project_id, "name": found.version, "created_at": now}])
    row = find(session, project_id, found.version)
    assert row is not None
    row.trained_on, row.document, row.updated_at = found.trained_on, registered_document(found), now
    session.add(row)
    session.flush()
    return row


def registered(row: models.ModelVersion) -> Registered:
    """Return what is registered of a version; of one that was registered by its name alone, little."""
    if not isinstance(row.document, Mapping):
        return Registered(version=row.name, trained_on=row.trained_on)
    return read_registered(row.document)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """When a version was in production."""

    model_version: str
    samples: int
    first_captured_at: datetime
    last_captured_at: datetime


def seen(session: Session, project_id: int) -> list[Seen]:
    """Return the versions whose samples came, the one that came last first."""
    query = (
        select(Sample.model_version, func.count(), func.min(Sample.captured_at), func.max(Sample.captured_at))
        .where(Sample.project_id == project_id, col(Sample.model_version).is_not(None))
        .group_by(col(Sample.model_version))
        .order_by(func.min(Sample.id).desc())
    )
    return [
        Seen(model_version=name or "", samples=count, first_captured_at=first, last_captured_at=last)
        for name, count, first, last in session.exec(query)
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """In how many samples a version named each label."""

    samples: int
    by_label: dict[str, int]


def named(
    session: Session, project_id: int, model_version: str, labels: Sequence[str], *, since: datetime | None
) -> Named:
    """Count the samples captured from then on in which a version named each of these labels."""
    terms = [Contains(Field("labels"), Literal(label)) for label in labels]
    tests = [filters.matches(Condition("", term)) for term in terms]
    query = sqlalchemy.select(func.count(), *(func.coalesce(func.sum(case((test, 1), else_=0)), 0) for test in tests))
    query = query.where(col(Sample.project_id) == project_id, col(Sample.model_version) == model_version)
    if since is not None:
        query = query.where(col(Sample.captured_at) >= since)
    samples, *found = session.connection().execute(query).one()
    return Named(samples=samples, by_label={label: int(count) for label, count in zip(labels, found, strict=True)})
