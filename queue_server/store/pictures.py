"""Which samples show the same picture: by their bytes, or by a perceptual hash."""

from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import ColumnElement, text
from sqlmodel import Session, col, or_, select

from queue_server import models
from queue_server.core.metrics.hashing import distance_bits
from queue_server.core.policy import ArchiveReason, State, Twin
from queue_server.core.policy.rules import NearDuplicates

Sample, Image, Task = models.Sample, models.Image, models.LabelingTask

#: so many of the latest are compared: a look at each is a few nanoseconds, fetching them is not
_COMPARED = 5000
#: the advisory locks of this kind: one a picture, and one a project for those that compare hashes
_PICTURE_LOCK = 7_305_513
_NOTHING_LIKE_IT = 64


def lock(session: Session, sample: models.Sample, near: NearDuplicates | None) -> None:
    """Let one transaction at a time decide whether a picture is queued already; SQLite has one writer anyway."""
    if session.get_bind().dialect.name != "postgresql":
        return
    sha256 = sample.image_sha256 or sample.sent_image_sha256
    if near is not None:
        _lock(session, sample.project_id)
    elif sha256 is not None:
        _lock(session, int(sha256[:7], 16))


def _lock(session: Session, key: int) -> None:
    statement = text("SELECT pg_advisory_xact_lock(:kind, :key)")
    session.connection().execute(statement, {"kind": _PICTURE_LOCK, "key": key})


def twin(session: Session, sample: models.Sample, near: NearDuplicates | None, *, now: datetime) -> Twin | None:
    """Return the sample of the same picture that has, or had, a labeling task; equal bytes come first."""
    found = _exact(session, sample)
    if found is not None:
        assert found.id is not None
        return Twin(key=found.id, sample_id=found.sample_id, is_exact=True)
    return _near(session, sample, near, now=now) if near is not None else None


def _exact(session: Session, sample: models.Sample) -> models.Sample | None:
    if sample.image_sha256 is None:
        return None
    query = select(Sample).where(
        Sample.project_id == sample.project_id,
        Sample.image_sha256 == sample.image_sha256,
        col(Sample.id) != sample.id,
        _is_served(),
    )
    return session.exec(query.order_by(col(Sample.id)).limit(1)).one_or_none()


def _is_served() -> ColumnElement[bool]:
    """Tell in SQL whether annotators have a sample, or had it."""
    is_skipped = (col(Sample.state) == State.ARCHIVED) & (col(Sample.reason) == ArchiveReason.SKIPPED)
    return or_(col(Sample.state).in_([State.QUEUED, State.PUSHED, State.ANNOTATED]), is_skipped)


def _near(session: Session, sample: models.Sample, near: NearDuplicates, *, now: datetime) -> Twin | None:
    own = hash_of(session, sample)
    if own is None:
        return None
    query = (
        select(Sample.id, Sample.sample_id, Image.perceptual_hash)
        .join(Image, col(Image.sha256) == Sample.image_sha256)
        .join(Task, col(Task.sample_pk) == Sample.id)
        .where(
            Task.project_id == sample.project_id,
            col(Task.created_at) >= now - timedelta(seconds=near.span_seconds),
            col(Sample.id) != sample.id,
            col(Image.perceptual_hash).is_not(None),
            _is_served(),
        )
    )
    if near.is_same_stream:
        query = query.where(col(Sample.stream).is_(None) if sample.stream is None else Sample.stream == sample.stream)
    rows = session.exec(query.order_by(col(Task.id).desc()).limit(_COMPARED)).all()
    alike = [(distance_bits(own, other), pk, sample_id) for pk, sample_id, other in rows if other is not None]
    bits, pk, sample_id = min(alike, key=lambda item: item[:2], default=(_NOTHING_LIKE_IT + 1, None, None))
    if bits > near.distance or pk is None or sample_id is None:
        return None
    return Twin(key=pk, sample_id=sample_id, is_exact=False)


def nearest_queued_bits(session: Session, sample: models.Sample, *, span_seconds: float) -> int | None:
    """Return the bits between a sample's hash and the nearest that was queued before it came; None: it has no image.

    64 where nothing was queued: all is new then. What was queued later does not count, or a second look at the sample
    would find it no longer new.
    """
    own = hash_of(session, sample)
    if own is None:
        return None
    query = (
        select(Image.perceptual_hash)
        .join(Sample, col(Sample.image_sha256) == Image.sha256)
        .join(Task, col(Task.sample_pk) == Sample.id)
        .where(
            Task.project_id == sample.project_id,
            col(Task.created_at) >= sample.received_at - timedelta(seconds=span_seconds),
            col(Task.created_at) < sample.received_at,
            col(Sample.id) != sample.id,
            col(Image.perceptual_hash).is_not(None),
        )
        .order_by(col(Task.id).desc())
        .limit(_COMPARED)
    )
    return min((distance_bits(own, other) for other in session.exec(query) if other is not None), default=64)


def most_alike(session: Session, sample: models.Sample, *, limit: int) -> list[models.Sample]:
    """Return the samples most like this one, the most alike first: by its embedding, else by how its picture looks."""
    if sample.embedding is not None:
        return _nearest_embeddings(session, sample, sample.embedding, limit=limit)
    own = hash_of(session, sample)
    if own is None:
        return []
    query = (
        select(Sample.id, Image.perceptual_hash)
        .join(Image, col(Image.sha256) == Sample.image_sha256)
        .where(Sample.project_id == sample.project_id, col(Sample.id) != sample.id)
        .where(col(Image.perceptual_hash).is_not(None))
        .order_by(col(Sample.id).desc())
    )
    ranked = sorted((distance_bits(own, other), -(pk or 0)) for pk, other in session.exec(query) if other is not None)
    return _in_order(session, [-pk for _, pk in ranked[:limit]])


def _nearest_embeddings(
    session: Session, sample: models.Sample, own: list[float], *, limit: int
) -> list[models.Sample]:
    """Return the samples whose embeddings of the same length point most nearly the same way (cosine)."""
    query = (
        select(Sample.id, Sample.embedding)
        .where(Sample.project_id == sample.project_id, col(Sample.id) != sample.id, col(Sample.embedding).is_not(None))
        .order_by(col(Sample.id).desc())
        .limit(_COMPARED)
    )
    rows = [(pk, other) for pk, other in session.exec(query) if other is not None and len(other) == len(own)]
    if not rows:
        return []
    others, mine = np.array([other for _, other in rows]), np.array(own)
    norms = np.linalg.norm(others, axis=1) * np.linalg.norm(mine)
    cosines = np.divide(others @ mine, norms, out=np.full(len(rows), -1.0), where=norms > 0)
    return _in_order(session, [rows[index][0] or 0 for index in np.argsort(-cosines, kind="stable")[:limit]])


def _in_order(session: Session, pks: list[int]) -> list[models.Sample]:
    rows = {row.id: row for row in session.exec(select(Sample).where(col(Sample.id).in_(pks)))}
    return [rows[pk] for pk in pks]


def hash_of(session: Session, sample: models.Sample) -> int | None:
    """Return the perceptual hash of a sample's image; None while it has not come."""
    image = session.get(Image, sample.image_sha256) if sample.image_sha256 else None
    return image.perceptual_hash if image is not None else None


def link(session: Session, sample: models.Sample, twin_pk: int) -> None:
    """Note that another sample's labeling task serves this one too; that one says how many more it stands for."""
    if sample.duplicate_of == twin_pk:
        return
    sample.duplicate_of = twin_pk
    session.add(sample)
    other = session.get_one(Sample, twin_pk)
    other.collapsed = Sample.collapsed + sample.stands_for  # in SQL: others count too
    session.add(other)
    session.flush()
    session.refresh(other)
