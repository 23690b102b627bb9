"""Stored samples in the order in which they came, in bulk, for a replay: pages of constant size, each a few queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Select, Text, and_, cast, func, or_
from sqlmodel import Session, col, select

from feedback_sdk import types
from queue_server import models
from queue_server.core import datasets, policy
from queue_server.core.annotation import Difference
from queue_server.core.outcome import is_model_right
from queue_server.core.policy import ArchiveReason, State
from queue_server.core.policy.replay import Stored
from queue_server.store import annotations, feedback

Sample, Prediction, Image, Task = models.Sample, models.Prediction, models.Image, models.LabelingTask

_PREDICTION = TypeAdapter(types.Prediction)
_CORRECTION = TypeAdapter(types.Correction)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A stretch of a project's history, and what is to be fetched beside the samples."""

    project_id: int
    task: types.Task
    since: datetime | None = None
    #: before then
    until: datetime | None = None
    #: what other model versions said
    with_shadows: bool = False
    #: the images' quality and perceptual hashes
    with_images: bool = False


class Place(NamedTuple):
    """Where a page ends."""

    received_at: datetime
    pk: int


class _Row(NamedTuple):
    id: int
    sample_id: UUID
    received_at: datetime
    window_ends_at: datetime
    tags: list[str]
    extra: dict[str, object]
    subject: str | None
    stream: str | None
    capture_probability: float
    image_sha256: str | None
    reason: str | None
    verdict: str | None
    inclusion_probability: float
    request_reason: str | None
    document: str | None
    task_state: str | None
    perceptual_hash: int | None = None
    quality: dict[str, float] | None = None


def count(session: Session, stretch: Stretch) -> int:
    """Count the samples of a stretch."""
    found: int = session.exec(_within(select(func.count()).select_from(Sample), stretch)).one()
    return found


def place_before_last(session: Session, stretch: Stretch, limit: int) -> Place | None:
    """Return the place behind which the last so many samples of a stretch lie; None: it has no more than that."""
    query = _within(select(Sample.received_at, Sample.id), stretch)
    query = query.order_by(col(Sample.received_at).desc(), col(Sample.id).desc())
    found = session.exec(query.offset(limit).limit(1)).one_or_none()
    return Place(*found) if found is not None else None


def before(stretch: Stretch, start: Place | None, *, span: timedelta) -> Stretch:
    """Return what came in this span before a stretch begins, or before a place in it."""
    until = start.received_at if start is not None else stretch.since
    return replace(stretch, since=until - span if until is not None else None, until=until)


def page(session: Session, stretch: Stretch, *, after: Place | None, limit: int) -> tuple[list[Stored], Place | None]:
    """Return the samples behind a place in the order of their arrival, and where they end; None: there are no more."""
    rows = [_Row(*row) for row in session.connection().execute(_query(stretch, after).limit(limit))]
    said = _said(session, [row.id for row in rows if row.verdict is not None])
    shadows = _shadows(session, [row.id for row in rows]) if stretch.with_shadows else {}
    reporters = _reporters(session, stretch.project_id, said.values())
    rights = _rights(session, stretch.task, [row.id for row in rows if row.task_state is not None])
    hanging = [row.id for row in rows if row.id in rights and _hangs_on_people(row)]
    audits = _audits(session, hanging)
    found = [
        _stored(
            row,
            said=said.get(row.id, []),
            shadows=shadows.get(row.id, ()),
            reporters=reporters,
            is_right=rights.get(row.id),
            audit_probability=audits.get(row.id, 0.0),
        )
        for row in rows
    ]
    return found, Place(rows[-1].received_at, rows[-1].id) if len(rows) == limit else None


def _query(stretch: Stretch, after: Place | None) -> Select[Any]:
    """Select the columns of `_Row`; predictions as the text that they are stored as, which is validated as it is."""
    columns = [getattr(Sample, name) for name in _Row._fields if name in Sample.__table__.columns]  # type: ignore[attr-defined]
    images = [Image.perceptual_hash, Image.quality] if stretch.with_images else []
    shown = and_(col(Prediction.sample_pk) == col(Sample.id), col(Prediction.is_shown))
    query = (
        select(*columns, cast(col(Prediction.document), Text), Task.state, *images)  # type: ignore[call-overload]  # so many
        .select_from(Sample)
        .outerjoin(Prediction, shown)
        .outerjoin(Task, col(Task.sample_pk) == col(Sample.id))
    )
    if stretch.with_images:
        query = query.outerjoin(Image, col(Image.sha256) == col(Sample.image_sha256))
    query = _within(query, stretch).order_by(col(Sample.received_at), col(Sample.id))
    if after is not None:
        at, pk = after
        is_behind = or_(col(Sample.received_at) > at, col(Sample.id) > pk)
        query = query.where(col(Sample.received_at) >= at, is_behind)
    return query  # type: ignore[no-any-return]  # of the overload above


def _within(query, stretch: Stretch):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # a SELECT of either kind
    query = query.where(Sample.project_id == stretch.project_id)
    # What was erased holds nothing to decide on.
    query = query.where(or_(col(Sample.reason).is_(None), col(Sample.reason) != ArchiveReason.ERASED))
    if stretch.since is not None:
        query = query.where(col(Sample.received_at) >= stretch.since)
    return query if stretch.until is None else query.where(col(Sample.received_at) < stretch.until)


def _stored(
    row: _Row,
    *,
    said: list[models.Feedback],
    shadows: Sequence[types.Prediction],
    reporters: dict[str, policy.Standing],
    is_right: bool | None,
    audit_probability: float,
) -> Stored:
    opinion = policy.opinion(feedback.verdicts_of(said)) if said else policy.Opinion()
    last = feedback.last_words(said) if said else []
    names = [item.reporter for item in last if item.reporter and item.verdict != types.Verdict.CONFIRMED]
    candidate = policy.Candidate(
        sample_id=row.sample_id,
        state=State.AWAITING_FEEDBACK,
        prediction=_PREDICTION.validate_json(row.document, strict=False) if row.document is not None else None,
        opinion=opinion,
        window_ends_at=row.window_ends_at,
        tags=row.tags,
        metadata=row.extra,
        stream=row.stream,
        subject=row.subject,
        quality=row.quality or {},
        corrections=[
            _CORRECTION.validate_python(item.correction, strict=False) for item in last if item.correction is not None
        ],
        standings={name: reporters.get(name, policy.Standing()) for name in names} if opinion.is_objection else {},
        shadows=shadows,
    )
    return Stored(
        key=row.id,
        candidate=candidate,
        received_at=row.received_at,
        answered_at=_answered_at(row, said, opinion),
        image_sha256=row.image_sha256,
        perceptual_hash=row.perceptual_hash,
        was_queued=row.task_state is not None and row.reason != ArchiveReason.WITHDRAWN,
        inclusion_probability=row.inclusion_probability,
        capture_probability=row.capture_probability,
        hangs_on_people=_hangs_on_people(row),
        audit_probability=audit_probability,
        is_model_right=is_right,
    )


def _hangs_on_people(row: _Row) -> bool:
    return row.request_reason is not None or row.reason in (policy.ArchiveReason.WITHDRAWN, "requested")


def _answered_at(row: _Row, said: list[models.Feedback], opinion: policy.Opinion) -> datetime | None:
    """Return when somebody first said what counts in the end; feedback that came before its sample waited for it."""
    times = [item.received_at for item in said if item.fault is None and item.verdict == opinion.verdict]
    return max(min(times), row.received_at) if times else None


def _said(session: Session, pks: Sequence[int]) -> dict[int, list[models.Feedback]]:
    found: dict[int, list[models.Feedback]] = {}
    if pks:
        query = select(models.Feedback).where(col(models.Feedback.sample_pk).in_(pks)).order_by(col(models.Feedback.id))
        for row in session.exec(query):
            found.setdefault(row.sample_pk or 0, []).append(row)
    return found


def _shadows(session: Session, pks: Sequence[int]) -> dict[int, list[types.Prediction]]:
    query = (
        select(Prediction.sample_pk, cast(col(Prediction.document), Text))
        .where(col(Prediction.sample_pk).in_(pks), col(Prediction.is_shown).is_(False))
        .order_by(col(Prediction.id))
    )
    found: dict[int, list[types.Prediction]] = {}
    for pk, document in session.exec(query) if pks else ():
        found.setdefault(pk, []).append(_PREDICTION.validate_json(document, strict=False))
    return found


def _reporters(session: Session, project_id: int, said: Iterable[list[models.Feedback]]) -> dict[str, policy.Standing]:
    """Return the records of those who spoke, as they are by now."""
    names = {row.reporter for rows in said for row in rows if row.reporter}
    if not names:
        return {}
    query = select(models.Reporter).where(
        models.Reporter.project_id == project_id, col(models.Reporter.name).in_(sorted(names))
    )
    return {row.name: policy.Standing(right=row.right, wrong=row.wrong) for row in session.exec(query)}


def _rights(session: Session, task: types.Task, pks: Sequence[int]) -> dict[int, bool]:
    """Return for each sample with an annotation that counts whether it says that the model was right."""
    by_sample: dict[int, list[models.Annotation]] = {}
    if pks:
        query = select(models.Annotation).where(col(models.Annotation.sample_pk).in_(pks))
        for row in session.exec(query.order_by(col(models.Annotation.updated_at), col(models.Annotation.id))):
            by_sample.setdefault(row.sample_pk, []).append(row)
    found = {}
    for pk, rows in by_sample.items():
        difference = _counting_difference(rows, task)
        is_right = is_model_right(Difference(**difference), task=task) if difference else None
        if is_right is not None:
            found[pk] = is_right
    return found


def _counting_difference(rows: list[models.Annotation], task: types.Task) -> models.Document | None:
    """Return how the annotation that counts differs from the prediction; `rows` are in the order of their versions."""
    latest = {row.label_studio_annotation_id: row for row in rows}
    live = [row for row in latest.values() if row.deleted_at is None]
    chosen = datasets.choose_annotation(annotations.candidates(live), task=task)
    return latest[chosen.id].model_difference if chosen is not None else None


def _audits(session: Session, pks: Sequence[int]) -> dict[int, float]:
    """Return the audit's part in π of these samples, as their last decision says."""
    if not pks:
        return {}
    query = select(models.Decision.sample_pk, models.Decision.rules).where(col(models.Decision.sample_pk).in_(pks))
    latest = dict(session.exec(query.order_by(col(models.Decision.id))).all())
    return {pk: _audit_probability(rules) for pk, rules in latest.items()}


def _audit_probability(rules: Sequence[models.Document]) -> float:
    missed = 1.0
    for rule in rules:
        if rule.get("is_audit") and rule.get("matched"):
            missed *= 1.0 - (rule.get("probability") or 0.0)
    return 1.0 - missed
