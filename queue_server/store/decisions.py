"""Decide on a sample and obey: the decision, the state, the history and the labeling task in one transaction."""

from dataclasses import asdict
from datetime import datetime

from pydantic import TypeAdapter
from sqlmodel import Session, col, select, update

from feedback_sdk import types
from queue_server import models
from queue_server.core import policy
from queue_server.core.policy import ArchiveReason, State
from queue_server.store import annotations, changes, feedback, labeling_tasks, projects, samples

_PREDICTION = TypeAdapter(types.Prediction)


def read_prediction(row: models.Prediction | None) -> types.Prediction | None:
    """Return the wire value that a row holds."""
    return _PREDICTION.validate_python(row.document, strict=False) if row else None


def redecide(session: Session, sample: models.Sample, *, trigger: policy.Trigger, now: datetime) -> policy.Decision:
    """Decide on a sample that this transaction holds, and do what the decision says.

    1. Weigh the rules of the pinned policy. 2. Append the decision. 3. Change the state if it is still the one we
    saw. 4. Queue, raise or take back its labeling task.
    """
    assert sample.id is not None
    project = projects.get(session, sample.project_id)
    pinned = projects.policy(session, project, sample.policy_version)
    candidate = _candidate(session, sample)
    decision = policy.decide(candidate, pinned.policy, now)
    session.add(_decision_row(sample, decision, trigger=trigger, now=now))
    is_news = candidate.opinion.verdict != sample.verdict
    _update_figures(session, sample, candidate, decision, now=now)
    known = changes.last(session, sample.id) if is_news else None
    _obey(session, sample, decision, now=now)
    if known is not None and changes.last(session, sample.id).id == known.id:
        # The state stayed: what users say of it is a change all the same.
        changes.record(session, sample, now=now)
    return decision


def _candidate(session: Session, sample: models.Sample) -> policy.Candidate:
    assert sample.id is not None
    is_archived = sample.state == State.ARCHIVED
    return policy.Candidate(
        sample_id=sample.sample_id,
        state=State(sample.state),
        archive_reason=ArchiveReason(sample.reason) if is_archived and sample.reason else None,
        prediction=read_prediction(samples.shown_prediction(session, sample.id)),
        opinion=policy.opinion(feedback.verdicts(session, sample.id)),
        window_ends_at=sample.window_ends_at,
        is_requested=sample.request_reason is not None,
    )


def _decision_row(
    sample: models.Sample, decision: policy.Decision, *, trigger: policy.Trigger, now: datetime
) -> models.Decision:
    assert sample.id is not None
    return models.Decision(
        sample_pk=sample.id,
        trigger=trigger,
        policy_version=sample.policy_version,
        state=decision.state,
        reason=decision.reason,
        priority=decision.priority,
        inclusion_probability=decision.inclusion_probability,
        rules=[asdict(outcome) for outcome in decision.rules],
        decided_at=now,
    )


def _update_figures(
    session: Session,
    sample: models.Sample,
    candidate: policy.Candidate,
    decision: policy.Decision,
    *,
    now: datetime,
) -> None:
    """Keep the latest figures on the sample itself; the window's end is due once."""
    assert sample.id is not None
    verdict = candidate.opinion.verdict
    outcome = None
    if sample.state == State.ANNOTATED:
        task = types.Task(projects.get(session, sample.project_id).task)
        outcome = annotations.outcome_of(session, sample.id, verdict=verdict, task=task)
    session.exec(
        update(models.Sample)
        .where(col(models.Sample.id) == sample.id)
        .values(
            verdict=verdict,
            outcome=outcome,
            is_disputed=candidate.opinion.is_disputed,
            priority=max(sample.priority, decision.priority),
            inclusion_probability=decision.inclusion_probability,
            decide_after=sample.window_ends_at if now < sample.window_ends_at else None,
        )
        .execution_options(synchronize_session=False)
    )
    session.refresh(sample)


def _obey(session: Session, sample: models.Sample, decision: policy.Decision, *, now: datetime) -> None:
    was_live = sample.state in (State.QUEUED, State.PUSHED)
    if decision.is_withdrawal:
        if labeling_tasks.withdraw(session, sample, now=now):
            samples.move(session, sample, state=State.ARCHIVED, reason=ArchiveReason.WITHDRAWN, now=now)
        return
    if was_live:
        labeling_tasks.raise_task(session, sample, decision)
        if decision.priority >= sample.priority:
            samples.move(session, sample, state=State(sample.state), reason=decision.reason, now=now)
        return
    if decision.state is State.ANNOTATED:
        return
    moved = samples.move(session, sample, state=decision.state, reason=decision.reason, now=now)
    if moved and decision.state is State.QUEUED:
        labeling_tasks.queue(session, sample, decision, now=now)


def latest(session: Session, sample_pk: int) -> models.Decision | None:
    """Return the last decision on a sample."""
    query = select(models.Decision).where(models.Decision.sample_pk == sample_pk)
    return session.exec(query.order_by(col(models.Decision.id).desc()).limit(1)).one_or_none()
