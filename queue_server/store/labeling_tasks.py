"""Labeling tasks: queued once a sample, claimed with leases, finished only by the claim's owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import CursorResult
from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.core.policy import Decision, State
from queue_server.store import samples

Task = models.LabelingTask


class TaskState(StrEnum):
    """Where a labeling task is."""

    WAITING = "waiting"
    PUSHED = "pushed"
    WITHDRAWN = "withdrawn"
    #: somebody deleted it in Label Studio
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A worker's right to push some tasks until its lease ends."""

    owner: str
    task_pks: tuple[int, ...]


def of_sample(session: Session, sample_pk: int) -> Task | None:
    """Return a sample's labeling task."""
    return session.exec(select(Task).where(Task.sample_pk == sample_pk)).one_or_none()


def queue(session: Session, sample: models.Sample, decision: Decision, *, now: datetime) -> None:
    """Queue a sample: a new row, or the one it has with generation + 1.

    A withdrawn task keeps its Label Studio task, which comes back into the inbox; a deleted one gets a new one.
    """
    assert sample.id is not None
    row = of_sample(session, sample.id)
    if row is None:
        row = Task(
            project_id=sample.project_id, sample_pk=sample.id, state=TaskState.WAITING, priority=0, created_at=now
        )
    else:
        row.generation += 1
        if row.state == TaskState.DELETED:
            row.label_studio_task_id = None
    row.state = TaskState.WAITING
    row.priority = decision.priority
    row.reasons = list(decision.reasons)
    row.available_at = now
    row.is_stale = row.is_withdrawal_wanted = False
    row.attempts = 0 if row.label_studio_task_id is None and row.generation == 1 else row.attempts
    row.lease_owner = row.lease_until = row.last_error = None
    session.add(row)
    session.flush()


def raise_task(session: Session, sample: models.Sample, decision: Decision) -> None:
    """Add a later match to the task that is there: its priority rises, its reasons join."""
    assert sample.id is not None
    row = of_sample(session, sample.id)
    if row is None or row.state not in (TaskState.WAITING, TaskState.PUSHED):
        return
    reasons = [*decision.reasons, *(reason for reason in row.reasons if reason not in decision.reasons)]
    row.is_withdrawal_wanted = False
    # Feedback that changes no reason still changes what the annotator is told: the count, the comment.
    row.is_stale = True
    row.revision += 1
    row.priority = max(row.priority, decision.priority)
    row.reasons = reasons
    session.add(row)
    session.flush()


def withdraw(session: Session, sample: models.Sample, *, now: datetime) -> bool:
    """Take a task back that nobody works on; False: it is in Label Studio, where the worker must look first."""
    result = _update(
        session,
        update(Task)
        .where(
            col(Task.sample_pk) == sample.id,
            col(Task.state) == TaskState.WAITING,
            col(Task.label_studio_task_id).is_(None),
            col(Task.attempts) == 0,
        )
        .values(state=TaskState.WITHDRAWN, lease_owner=None, lease_until=None),
    )
    if result.rowcount == 1:
        return True
    _update(
        session,
        update(Task)
        .where(col(Task.sample_pk) == sample.id, col(Task.state).in_([TaskState.WAITING, TaskState.PUSHED]))
        .values(is_withdrawal_wanted=True, revision=Task.revision + 1, available_at=now),
    )
    return False


def claim(session: Session, project_id: int, *, owner: str, now: datetime, lease: timedelta, limit: int) -> Claim:
    """Claim waiting tasks whose image is there, the most urgent first."""
    ready = (
        select(Task.id)
        .join(models.Sample, col(models.Sample.id) == Task.sample_pk)
        .where(
            Task.project_id == project_id,
            Task.state == TaskState.WAITING,
            col(Task.available_at) <= now,
            col(Task.lease_until).is_(None) | (col(Task.lease_until) < now),
            col(models.Sample.image_sha256).is_not(None),
        )
        .order_by(col(Task.priority).desc(), col(Task.id))
        .limit(limit)
    )
    held = _take(session, ready, owner=owner, until=now + lease)
    # What is read from now on is pushed: only a change that comes later makes it stale.
    _update(session, update(Task).where(col(Task.id).in_(held.task_pks)).values(is_stale=False))
    return held


def claim_stale(session: Session, project_id: int, *, owner: str, now: datetime, lease: timedelta, limit: int) -> Claim:
    """Claim pushed tasks whose data in Label Studio is to be changed or taken back."""
    stale = (
        select(Task.id)
        .where(
            Task.project_id == project_id,
            Task.state == TaskState.PUSHED,
            col(Task.is_stale) | col(Task.is_withdrawal_wanted),
            col(Task.available_at) <= now,
            col(Task.lease_until).is_(None) | (col(Task.lease_until) < now),
        )
        .order_by(col(Task.priority).desc(), col(Task.id))
        .limit(limit)
    )
    return _take(session, stale, owner=owner, until=now + lease)


def _take(session: Session, query, *, owner: str, until: datetime) -> Claim:  # type: ignore[no-untyped-def]  # noqa: ANN001  # a SELECT of ids
    """Lease the rows that the query finds; PostgreSQL passes over those that another claim holds."""
    if session.get_bind().dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True, of=Task)
    pks = tuple(session.exec(query))
    if pks:
        _update(
            session,
            update(Task)
            .where(col(Task.id).in_(pks))
            .values(lease_owner=owner, lease_until=until, attempts=Task.attempts + 1),
        )
    return Claim(owner=owner, task_pks=pks)


def held_by(session: Session, claim_held: Claim) -> list[Task]:
    """Return the rows that the claim still holds, in its order."""
    query = select(Task).where(col(Task.id).in_(claim_held.task_pks), Task.lease_owner == claim_held.owner)
    rows = {row.id: row for row in session.exec(query.execution_options(populate_existing=True))}
    return [rows[pk] for pk in claim_held.task_pks if pk in rows]


def renew(session: Session, claim_held: Claim, *, until: datetime) -> set[int]:
    """Hold a claim's tasks until then, and return those that are still its own: others may have taken the rest."""
    _update(
        session,
        update(Task)
        .where(col(Task.id).in_(claim_held.task_pks), col(Task.lease_owner) == claim_held.owner)
        .values(lease_until=until),
    )
    return {row.id for row in held_by(session, claim_held) if row.id is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """A labeling task that Label Studio now has."""

    task_pk: int
    label_studio_project_id: int
    label_studio_task_id: int


def finish_push(session: Session, pushed: Pushed, *, owner: str | None, now: datetime) -> bool:
    """Record where a task is in Label Studio; False: the lease is no longer ours, or it is recorded already.

    `owner` None adopts a task that was found there although its push never finished.
    """
    condition = col(Task.lease_owner) == owner if owner else col(Task.label_studio_task_id).is_(None)
    result = _update(
        session,
        update(Task)
        .where(col(Task.id) == pushed.task_pk, col(Task.state) == TaskState.WAITING, condition)
        .values(
            state=TaskState.PUSHED,
            label_studio_project_id=pushed.label_studio_project_id,
            label_studio_task_id=pushed.label_studio_task_id,
            pushed_at=now,
            lease_owner=None,
            lease_until=None,
            last_error=None,
        ),
    )
    if result.rowcount != 1:
        return False
    sample = samples.lock(session, session.get_one(Task, pushed.task_pk).sample_pk)
    if sample.state == State.QUEUED:
        samples.move(session, sample, state=State.PUSHED, reason=sample.reason, now=now)
    return True


def release(
    session: Session, task_pks: Sequence[int], *, owner: str, available_at: datetime, error: str | None
) -> None:
    """Give tasks back, to be tried again at `available_at`."""
    _update(
        session,
        update(Task)
        .where(col(Task.id).in_(task_pks), col(Task.lease_owner) == owner)
        .values(lease_owner=None, lease_until=None, available_at=available_at, last_error=error),
    )


def finish_update(session: Session, row: Task, *, owner: str) -> None:
    """Record that Label Studio shows what this row said when it was claimed; a later change stays to be done."""
    _update(
        session,
        update(Task)
        .where(
            col(Task.id) == row.id,
            col(Task.lease_owner) == owner,
            col(Task.revision) == row.revision,
        )
        .values(is_stale=False, is_withdrawal_wanted=False),
    )
    _update(
        session,
        update(Task)
        .where(col(Task.id) == row.id, col(Task.lease_owner) == owner)
        .values(lease_owner=None, lease_until=None, last_error=None),
    )


def finish_withdrawal(session: Session, row: Task, *, owner: str) -> bool:
    """Record that a task left the inbox; False: somebody asked for it again meanwhile."""
    result = _update(
        session,
        update(Task)
        .where(col(Task.id) == row.id, col(Task.lease_owner) == owner, col(Task.is_withdrawal_wanted))
        .values(
            state=TaskState.WITHDRAWN, is_withdrawal_wanted=False, is_stale=False, lease_owner=None, lease_until=None
        ),
    )
    return result.rowcount == 1


def mark_deleted(session: Session, row: Task) -> bool:
    """Record that a task is no longer in Label Studio."""
    result = _update(
        session,
        update(Task)
        .where(col(Task.id) == row.id, col(Task.state).in_([TaskState.PUSHED, TaskState.WITHDRAWN]))
        .values(state=TaskState.DELETED, label_studio_task_id=None, lease_owner=None, lease_until=None),
    )
    return result.rowcount == 1


def in_label_studio(session: Session, project_id: int) -> list[Task]:
    """Return the tasks that should be in Label Studio."""
    query = select(Task).where(Task.project_id == project_id, col(Task.label_studio_task_id).is_not(None))
    return list(session.exec(query.order_by(col(Task.id))))


def _update(session: Session, statement) -> CursorResult[tuple[()]]:  # type: ignore[no-untyped-def]  # noqa: ANN001  # an UPDATE
    result: CursorResult[tuple[()]] = session.exec(statement.execution_options(synchronize_session=False))
    session.expire_all()
    return result
