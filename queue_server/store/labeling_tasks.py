"""Labeling tasks: queued once a sample, claimed with leases, finished only by the claim's owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import CursorResult, func
from sqlmodel import Session, col, select, update

from queue_server import models
from queue_server.core.policy import Decision, State
from queue_server.store import samples

Task = models.LabelingTask
Target = models.LabelStudioTarget

#: the title of the target that a task goes to
_title = func.coalesce(Task.route, models.Project.label_studio_title)


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
    """Queue a sample: a new row, or the one it has with generation + 1; a second look at it where that is decided.

    A withdrawn task keeps its Label Studio task where that is, which comes back into the inbox; a deleted one gets a
    new one.
    """
    assert sample.id is not None
    row = of_sample(session, sample.id)
    if decision.is_second_look and row is not None:
        look_again(session, sample, reason=decision.reason or "disputed", priority=decision.priority, now=now)
        return
    if row is None:
        row = Task(project_id=sample.project_id, sample_pk=sample.id, state=TaskState.WAITING, priority=0, tags=[])
        row.created_at = now
    else:
        row.generation += 1
        if row.state == TaskState.DELETED:
            row.label_studio_task_id = None
    row.reasons = list(decision.reasons)
    row.priority = decision.priority
    row.attempts = 0 if row.label_studio_task_id is None and row.generation == 1 else row.attempts
    _obey(row, decision)
    _wait(session, row, now=now)


def look_again(session: Session, sample: models.Sample, *, reason: str, priority: int, now: datetime) -> None:
    """Queue another look at an annotated sample: a new task in Label Studio, where the last one was, for one person.

    The tasks of the looks before stay there, with what was annotated in them.
    """
    assert sample.id is not None
    row = of_sample(session, sample.id)
    assert row is not None
    row.generation += 1
    row.look += 1
    row.label_studio_task_id = row.pushed_at = None
    row.reasons = [reason]
    row.priority = max(row.priority, priority)
    row.rank = float(row.priority)
    row.is_blind = False
    row.annotators = 1
    row.attempts = 0
    _wait(session, row, now=now)


def _obey(row: Task, decision: Decision) -> None:
    """Make a task as the decision orders; one that is in Label Studio stays where and as blind as it is there."""
    order = decision.order
    if row.label_studio_task_id is None:
        row.route = order.route.project
        row.is_blind = order.is_blind
    row.tab = order.route.tab
    row.rank = order.rank
    row.annotators = order.annotators
    row.tags = list(order.tags)


def _wait(session: Session, row: Task, *, now: datetime) -> None:
    row.state = TaskState.WAITING
    row.available_at = now
    row.is_stale = row.is_withdrawal_wanted = False
    row.lease_owner = row.lease_until = row.last_error = None
    session.add(row)
    session.flush()


def raise_task(session: Session, sample: models.Sample, decision: Decision) -> None:
    """Add a later match to the task that is there: its priority rises, its reasons and tags join.

    A blind one stays blind, each stays where it is, and a further look keeps its own reason.
    """
    assert sample.id is not None
    row = of_sample(session, sample.id)
    if row is None or row.state not in (TaskState.WAITING, TaskState.PUSHED):
        return
    row.is_withdrawal_wanted = False
    # Feedback that changes no reason still changes what the annotator is told: the count, the comment.
    row.is_stale = True
    row.revision += 1
    row.priority = max(row.priority, decision.priority)
    row.rank = max(row.rank, float(decision.priority))
    row.tags = list(dict.fromkeys([*(row.tags or ()), *decision.order.tags]))
    if row.look == 1:
        row.reasons = list(dict.fromkeys([*decision.reasons, *row.reasons]))
    if row.look == 1 and row.attempts == 0:
        # Label Studio is told with the task, and no later: its first annotator may be at it.
        row.annotators = max(row.annotators, decision.order.annotators)
    session.add(row)
    session.flush()


def is_first_look(session: Session, sample: models.Sample) -> bool:
    """Tell whether nobody has finished a look at a sample before the one that its task is for."""
    assert sample.id is not None
    row = of_sample(session, sample.id)
    return row is None or row.look == 1


def withdraw(session: Session, sample: models.Sample, *, now: datetime) -> bool:
    """Take a task back that nobody works on; False: it is in Label Studio, where the worker must look first.

    One that serves other samples too, or is a further look, is never taken back.
    """
    if _is_kept(session, sample):
        return False
    if withdraw_unpushed(session, sample):
        return True
    _update(
        session,
        update(Task)
        .where(col(Task.sample_pk) == sample.id, col(Task.state).in_([TaskState.WAITING, TaskState.PUSHED]))
        .values(is_withdrawal_wanted=True, revision=Task.revision + 1, available_at=now),
    )
    return False


def _is_kept(session: Session, sample: models.Sample) -> bool:
    others = select(models.Sample.id).where(models.Sample.duplicate_of == sample.id).limit(1)
    looks = select(Task.id).where(Task.sample_pk == sample.id, Task.look > 1)
    return any(session.exec(query).one_or_none() is not None for query in (others, looks))


def withdraw_unpushed(session: Session, sample: models.Sample) -> bool:
    """Take a task back that no push has tried yet; False: one has, or it must stay."""
    if _is_kept(session, sample):
        return False
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
    return result.rowcount == 1


def waiting_titles(session: Session, project_id: int) -> list[str]:
    """Return the titles of the targets that a project's waiting tasks go to."""
    query = (
        select(_title)
        .join(models.Project, col(models.Project.id) == Task.project_id)
        .where(Task.project_id == project_id, Task.state == TaskState.WAITING)
    )
    return sorted(session.exec(query.distinct()))


def waiting_tabs(session: Session, target: Target) -> list[str]:
    """Return the names of the tabs that a target's waiting and changed tasks are shown in."""
    query = (
        select(Task.tab)
        .join(models.Project, col(models.Project.id) == Task.project_id)
        .where(
            Task.project_id == target.project_id,
            (col(Task.state) == TaskState.WAITING) | col(Task.is_stale),
            _title == target.title,
            col(Task.tab).is_not(None),
        )
    )
    return sorted(tab for tab in session.exec(query.distinct()) if tab is not None)


def claim(session: Session, target: Target, *, owner: str, now: datetime, lease: timedelta, limit: int) -> Claim:
    """Claim waiting tasks that go to a target and whose image is there, the most urgent first."""
    ready = (
        select(Task.id)
        .join(models.Sample, col(models.Sample.id) == Task.sample_pk)
        .join(models.Project, col(models.Project.id) == Task.project_id)
        .where(
            Task.project_id == target.project_id,
            Task.state == TaskState.WAITING,
            _title == target.title,
            col(Task.available_at) <= now,
            col(Task.lease_until).is_(None) | (col(Task.lease_until) < now),
            col(models.Sample.image_sha256).is_not(None),
        )
        .order_by(col(Task.rank).desc(), col(Task.id))
        .limit(limit)
    )
    held = _take(session, ready, owner=owner, until=now + lease)
    # What is read from now on is pushed: only a change that comes later makes it stale.
    _update(session, update(Task).where(col(Task.id).in_(held.task_pks)).values(is_stale=False))
    return held


def claim_stale(session: Session, target: Target, *, owner: str, now: datetime, lease: timedelta, limit: int) -> Claim:
    """Claim a target's pushed tasks whose data in Label Studio is to be changed or taken back."""
    stale = (
        select(Task.id)
        .where(
            Task.project_id == target.project_id,
            Task.label_studio_project_id == target.label_studio_project_id,
            Task.state == TaskState.PUSHED,
            col(Task.is_stale) | col(Task.is_withdrawal_wanted),
            col(Task.available_at) <= now,
            col(Task.lease_until).is_(None) | (col(Task.lease_until) < now),
        )
        .order_by(col(Task.rank).desc(), col(Task.id))
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

    `owner` None adopts a task that was found there although its push never finished. The sample is locked first, as
    by those who decide on it: two orders would be a deadlock.
    """
    sample = samples.lock(session, session.get_one(Task, pushed.task_pk).sample_pk)
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
        .where(
            col(Task.id) == row.id,
            col(Task.label_studio_task_id) == row.label_studio_task_id,
            col(Task.state).in_([TaskState.PUSHED, TaskState.WITHDRAWN]),
        )
        .values(state=TaskState.DELETED, label_studio_task_id=None, lease_owner=None, lease_until=None),
    )
    return result.rowcount == 1


def in_label_studio(session: Session, target: Target) -> list[Task]:
    """Return the tasks that should be in a target's project."""
    query = select(Task).where(
        Task.project_id == target.project_id,
        Task.label_studio_project_id == target.label_studio_project_id,
        col(Task.label_studio_task_id).is_not(None),
    )
    return list(session.exec(query.order_by(col(Task.id))))


def _update(session: Session, statement) -> CursorResult[tuple[()]]:  # type: ignore[no-untyped-def]  # noqa: ANN001  # an UPDATE
    result: CursorResult[tuple[()]] = session.exec(statement.execution_options(synchronize_session=False))
    session.expire_all()
    return result
