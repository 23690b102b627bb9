"""Decide on a sample and obey: the decision, the state, the history and the labeling task in one transaction."""

from dataclasses import asdict, replace
from datetime import datetime

from sqlmodel import Session, col, select, update

from feedback_sdk import types
from queue_server import models
from queue_server.core import policy
from queue_server.core.policy import ArchiveReason, Decision, Policy, State
from queue_server.core.policy.purse import accounts
from queue_server.store import annotations, budgets, changes, labeling_tasks, pictures, projects, samples
from queue_server.store.candidates import candidate_of, read_prediction

__all__ = ["latest", "read_prediction", "redecide", "weigh"]

_LIVE = (State.QUEUED, State.PUSHED)


def redecide(session: Session, sample: models.Sample, *, trigger: policy.Trigger, now: datetime) -> Decision:
    """Decide on a sample that this transaction holds, and do what the decision says.

    1. Weigh the rules of the pinned policy. 2. Where that would make a task or hold the sample, do so again with the
    picture and the budget's accounts locked. 3. Append the decision. 4. Change the state if it is still the one we
    saw. 5. Queue, raise or take back its labeling task, and spend.
    """
    assert sample.id is not None
    project = projects.get(session, sample.project_id)
    pinned = projects.policy(session, project, sample.policy_version).policy
    candidate, decision, rows = _decide(session, sample, pinned, trigger=trigger, now=now)
    period = None
    if decision.held_in is not None:
        # A period that has ended and that nobody has settled yet keeps what it holds.
        period = budgets.pending(session, sample, now=now) or budgets.hold(session, sample.project_id, decision.held_in)
    session.add(_decision_row(sample, decision, trigger=trigger, now=now))
    session.info.setdefault("decided", []).append((project.name, decision.state, decision.reason or ""))
    is_news = candidate.opinion.verdict != sample.verdict
    _update_figures(session, sample, candidate, decision, period, now=now)
    known = changes.last(session, sample.id) if is_news else None
    if _obey(session, sample, candidate, decision, now=now):
        paying = [row for account, row in rows.items() if account in decision.spends]
        budgets.spend(session, paying, cost_seconds=decision.cost_seconds)
    if known is not None and changes.last(session, sample.id).id == known.id:
        # The state stayed: what users say of it is a change all the same.
        changes.record(session, sample, now=now)
    return decision


def weigh(
    session: Session, sample: models.Sample, pinned: Policy, *, now: datetime
) -> tuple[policy.Candidate, Decision]:
    """Return what would be decided on a sample now; nothing is changed."""
    candidate = candidate_of(session, sample, pinned, now=now)
    return candidate, policy.decide(candidate, pinned, now)


def _decide(
    session: Session, sample: models.Sample, pinned: Policy, *, trigger: policy.Trigger, now: datetime
) -> tuple[policy.Candidate, Decision, dict[policy.Account, models.BudgetPeriod]]:
    candidate, decision = weigh(session, sample, pinned, now=now)
    is_new = decision.state is State.QUEUED and candidate.state not in _LIVE
    # An image that came after its sample may show what is queued already.
    is_seen_anew = trigger is policy.Trigger.IMAGE and candidate.state is State.QUEUED
    is_short = any(item.over_budget for item in decision.rules) and candidate.state not in _LIVE
    if not (is_new or is_seen_anew or is_short or decision.held_in is not None):
        return candidate, decision, {}
    pictures.lock(session, sample, pinned.near_duplicates)
    twin = pictures.twin(session, sample, pinned.near_duplicates, now=now)
    candidate = replace(candidate, twin=twin)
    rows = {}
    if pinned.is_limited and (is_new or decision.held_in is not None):
        rows = budgets.lock(session, sample.project_id, {*accounts(pinned, candidate, now), *decision.spends})
        candidate = replace(candidate, ledger=budgets.ledger_of(rows))
    return candidate, policy.decide(candidate, pinned, now), rows


def _decision_row(
    sample: models.Sample, decision: Decision, *, trigger: policy.Trigger, now: datetime
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
        rules=[outcome._asdict() | {"compared": dict(outcome.compared)} for outcome in decision.rules],
        budget=_budget_document(decision),
        decided_at=now,
    )


def _budget_document(decision: Decision) -> dict[str, object] | None:
    if not decision.shares and decision.held_in is None:
        return None
    return {
        "shares": {name: asdict(share) for name, share in decision.shares.items()},
        "spends": [f"{account.name} per {account.period}" for account in decision.spends],
        "held_in": f"{decision.held_in.name} per {decision.held_in.period}" if decision.held_in else None,
        "cost_seconds": decision.cost_seconds,
    }


def _update_figures(
    session: Session,
    sample: models.Sample,
    candidate: policy.Candidate,
    decision: Decision,
    period: models.BudgetPeriod | None,
    *,
    now: datetime,
) -> None:
    """Keep the latest figures on the sample itself; the window's end is due once, a held period's end too."""
    assert sample.id is not None
    verdict = candidate.opinion.verdict
    outcome = None
    if sample.state == State.ANNOTATED:
        task = types.Task(projects.get(session, sample.project_id).task)
        outcome = annotations.outcome_of(session, sample.id, verdict=verdict, task=task)
    due = [sample.window_ends_at] if now < sample.window_ends_at else []
    shares = {name: asdict(share) for name, share in {**candidate.shares, **decision.shares}.items()}
    session.exec(
        update(models.Sample)
        .where(col(models.Sample.id) == sample.id)
        .values(
            verdict=verdict,
            outcome=outcome,
            is_disputed=candidate.opinion.is_disputed,
            priority=max(sample.priority, decision.priority),
            inclusion_probability=decision.inclusion_probability,
            decide_after=min([*due, period.ends_at] if period is not None else due, default=None),
            rule_tags=list(decision.tags) or None,
            shares=shares or None,
            held_in=period.id if period is not None else None,
        )
        .execution_options(synchronize_session=False)
    )
    session.refresh(sample)


def _obey(
    session: Session, sample: models.Sample, candidate: policy.Candidate, decision: Decision, *, now: datetime
) -> bool:
    """Do what a decision says; True: there is a new task to be paid for."""
    was_live = sample.state in _LIVE
    if decision.is_withdrawal:
        if labeling_tasks.withdraw(session, sample, now=now):
            samples.move(session, sample, state=State.ARCHIVED, reason=ArchiveReason.WITHDRAWN, now=now)
        return False
    if decision.reason == ArchiveReason.DUPLICATE and decision.state is State.ARCHIVED:
        _collapse(session, sample, candidate, decision, was_live=was_live, now=now)
        return False
    if was_live:
        labeling_tasks.raise_task(session, sample, decision)
        # A further look keeps the reason for which it is taken.
        if decision.priority >= sample.priority and labeling_tasks.is_first_look(session, sample):
            samples.move(session, sample, state=State(sample.state), reason=decision.reason, now=now)
        return False
    if decision.state is State.ANNOTATED:
        return False
    moved = samples.move(session, sample, state=decision.state, reason=decision.reason, now=now)
    if moved and decision.state is State.QUEUED:
        labeling_tasks.queue(session, sample, decision, now=now)
        return True
    return False


def _collapse(
    session: Session,
    sample: models.Sample,
    candidate: policy.Candidate,
    decision: Decision,
    *,
    was_live: bool,
    now: datetime,
) -> None:
    """Let another sample's task serve this one: it rises, and this one's reasons join it."""
    if was_live and not labeling_tasks.withdraw_unpushed(session, sample):
        return
    if candidate.twin is not None:
        pictures.link(session, sample, candidate.twin.key)
    samples.move(session, sample, state=State.ARCHIVED, reason=ArchiveReason.DUPLICATE, now=now)
    if sample.duplicate_of is not None and decision.reasons:
        other = session.get_one(models.Sample, sample.duplicate_of)
        labeling_tasks.raise_task(session, other, decision)


def latest(session: Session, sample_pk: int) -> models.Decision | None:
    """Return the last decision on a sample."""
    query = select(models.Decision).where(models.Decision.sample_pk == sample_pk)
    return session.exec(query.order_by(col(models.Decision.id).desc()).limit(1)).one_or_none()
