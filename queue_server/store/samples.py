"""Samples, their predictions and images."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, text
from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.core.policy import State
from queue_server.store import changes
from queue_server.store.upserts import insert_missing


def serialize(session: Session, sample_id: UUID) -> None:
    """Keep a sample's arrival and its feedback apart until the transaction ends.

    Without it each could miss the other's uncommitted row. SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(sample_id.bytes[:8], signed=True)
        session.connection().execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def find(session: Session, project_id: int, sample_id: UUID, *, for_update: bool = False) -> models.Sample | None:
    """Return a project's sample; `for_update` keeps others off it until the transaction ends."""
    query = select(models.Sample).where(models.Sample.project_id == project_id, models.Sample.sample_id == sample_id)
    if for_update:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.exec(query).one_or_none()


def find_many(session: Session, project_id: int, sample_ids: Sequence[UUID]) -> dict[UUID, models.Sample]:
    """Return a project's samples of these ids, by id."""
    query = select(models.Sample).where(
        models.Sample.project_id == project_id, col(models.Sample.sample_id).in_(sample_ids)
    )
    return {row.sample_id: row for row in session.exec(query)}


def lock(session: Session, sample_pk: int) -> models.Sample:
    """Return a sample and keep others off it until the transaction ends."""
    query = select(models.Sample).where(models.Sample.id == sample_pk).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).one()


def shown_prediction(session: Session, sample_pk: int) -> models.Prediction | None:
    """Return the prediction that the app showed."""
    query = select(models.Prediction).where(models.Prediction.sample_pk == sample_pk, models.Prediction.is_shown)
    return session.exec(query).one_or_none()


def predictions(session: Session, sample_pk: int) -> list[models.Prediction]:
    """Return all predictions on a sample, in order of arrival."""
    query = select(models.Prediction).where(models.Prediction.sample_pk == sample_pk)
    return list(session.exec(query.order_by(col(models.Prediction.id))))


def keep_image(session: Session, image: models.Image) -> None:
    """Record a stored image, once: the same bytes may come with two samples at one moment."""
    insert_missing(session, models.Image, [image.model_dump()])


def attach_image(session: Session, sample: models.Sample, *, image_sha256: str, sent_sha256: str | None) -> None:
    """Give a sample the image that it came without."""
    session.exec(
        update(models.Sample)
        .where(col(models.Sample.id) == sample.id, col(models.Sample.image_sha256).is_(None))
        .values(image_sha256=image_sha256, sent_image_sha256=sent_sha256)
        .execution_options(synchronize_session=False)
    )
    session.refresh(sample)


def project_has_image(session: Session, project_id: int, sha256: str) -> models.Image | None:
    """Return the image if a sample of the project shows it."""
    if "\x00" in sha256:  # PostgreSQL refuses it
        return None
    query = (
        select(models.Image)
        .join(models.Sample, col(models.Sample.image_sha256) == models.Image.sha256)
        .where(models.Sample.project_id == project_id, models.Image.sha256 == sha256)
        .limit(1)
    )
    return session.exec(query).one_or_none()


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleFilter:
    """What a list of samples is narrowed by; None: not at all."""

    state: str | None = None
    model_version: str | None = None
    reason: str | None = None
    tag: str | None = None
    since: datetime | None = None


def page(
    session: Session, project_id: int, narrowed: SampleFilter, *, after_pk: int | None, limit: int
) -> list[models.Sample]:
    """Return a page of a project's samples, the newest first, behind the row `after_pk`."""
    query = select(models.Sample).where(models.Sample.project_id == project_id)
    if narrowed.state is not None:
        query = query.where(models.Sample.state == narrowed.state)
    if narrowed.model_version is not None:
        query = query.where(models.Sample.model_version == narrowed.model_version)
    if narrowed.reason is not None:
        query = query.where(models.Sample.reason == narrowed.reason)
    if narrowed.since is not None:
        query = query.where(models.Sample.received_at >= narrowed.since)
    if narrowed.tag is not None:
        query = query.where(has_tag(session, narrowed.tag))
    if after_pk is not None:
        query = query.where(col(models.Sample.id) < after_pk)
    return list(session.exec(query.order_by(col(models.Sample.id).desc()).limit(limit)))


def has_tag(session: Session, tag: str) -> ColumnElement[bool]:
    """Tell in SQL whether a sample carries the tag, or got it by a rule; both databases can walk a JSON list."""
    is_postgres = session.get_bind().dialect.name == "postgresql"
    walk = func.json_array_elements_text if is_postgres else func.json_each
    found = []
    for name, column in (("tag_element", models.Sample.tags), ("rule_tag_element", models.Sample.rule_tags)):
        elements = walk(column).table_valued("value", name=name)
        found.append(select(1).select_from(elements).where(elements.c.value == tag).exists())
    return or_(*found)


def due(session: Session, now: datetime, limit: int) -> Sequence[int]:
    """Return row ids of samples on which to decide again by `now`."""
    query = (
        select(models.Sample.id)
        .where(col(models.Sample.decide_after) <= now)
        .order_by(col(models.Sample.decide_after))
        .limit(limit)
    )
    return [pk for pk in session.exec(query) if pk is not None]


def move(session: Session, sample: models.Sample, *, state: State, reason: str | None, now: datetime) -> bool:
    """Change a sample's state from the one we saw, with a row in its history; False: somebody was faster."""
    if (sample.state, sample.reason) == (state, reason):
        return True
    result = session.exec(
        update(models.Sample)
        .where(col(models.Sample.id) == sample.id, col(models.Sample.state) == sample.state)
        .values(state=state, reason=reason)
        .execution_options(synchronize_session=False)
    )
    if result.rowcount != 1:
        return False
    session.refresh(sample)
    changes.record(session, sample, now=now)
    return True


def keep_outcome(session: Session, sample: models.Sample, outcome: str | None) -> None:
    """Record whether a sample's users were right; None: not known."""
    session.exec(
        update(models.Sample)
        .where(col(models.Sample.id) == sample.id)
        .values(outcome=outcome)
        .execution_options(synchronize_session=False)
    )
    session.refresh(sample)


def exportable(session: Session, project_id: int, archive_reasons: Sequence[str]) -> list[models.Sample]:
    """Return the samples with an image that are annotated, or archived for one of these reasons, by row id."""
    row = models.Sample
    is_let_stand = (col(row.state) == State.ARCHIVED) & col(row.reason).in_(archive_reasons)
    query = select(row).where(
        row.project_id == project_id,
        col(row.image_sha256).is_not(None),
        (col(row.state) == State.ANNOTATED) | is_let_stand,
    )
    return list(session.exec(query.order_by(col(row.id))))
