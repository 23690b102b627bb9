"""At the end of a held budget's period, choose the best of what it holds."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from queue_server import models
from queue_server.backend import Backend
from queue_server.core.policy.budget import Spent, settle
from queue_server.core.policy.holding import Waiting, newest_allowance, shares_by_rule, waiting
from queue_server.store import budgets, projects
from queue_server.store.candidates import candidate_of
from queue_server.store.engine import reading, writing

#: the accounts that pay are those of the period that ends, so they are asked for just before its end
_JUST_BEFORE = timedelta(milliseconds=1)


def settle_ended(backend: Backend, *, now: datetime) -> int:
    """Choose among what each ended period holds; return how many samples were judged.

    1. Find periods that have ended. 2. Lock one and see that nobody settled it. 3. Rank what it holds, keep what the
    budget says of each sample, count what was given. The samples, due by now, are decided on one by one. Safe to run
    twice and to die anywhere.
    """
    with reading(backend.engine) as session:
        ended = budgets.ended(session, now)
    return sum(_settle_one(backend, period_pk, now) for period_pk in ended)


def _settle_one(backend: Backend, period_pk: int, now: datetime) -> int:
    with writing(backend.engine) as session:
        row = budgets.lock_period(session, period_pk)
        if row.settled_at is not None:
            return 0
        found = [item for sample in budgets.held_in(session, period_pk) if (item := _waiting(session, row, sample))]
        if not found:
            budgets.settle(session, row, shares={}, now=now)
            return 0
        _judge(session, row, found, now)
        return len(found)


def _waiting(session: Session, row: models.BudgetPeriod, sample: models.Sample) -> Waiting | None:
    assert sample.id is not None
    project = projects.get(session, sample.project_id)
    pinned = projects.policy(session, project, sample.policy_version).policy
    at = row.ends_at - _JUST_BEFORE
    candidate = replace(candidate_of(session, sample, pinned, now=at), ledger=None)
    return waiting(sample.id, candidate, pinned, account=row.account, at=at)


def _judge(session: Session, row: models.BudgetPeriod, found: list[Waiting], now: datetime) -> None:
    caps = {cap.account for item in found for cap in item.entry.caps}
    rows = budgets.lock(session, row.project_id, caps)
    spent = Spent(tasks=row.tasks, seconds=row.seconds)
    shares = settle([item.entry for item in found], newest_allowance(found), budgets.ledger_of(rows), spent=spent)
    for item in found:
        if shares[item.entry.key].is_taken:
            paying = [row, *(rows[account] for account in {cap.account for cap in item.entry.caps})]
            budgets.spend(session, paying, cost_seconds=item.entry.cost_seconds)
    given = {
        str(key): {rule: asdict(share) for rule, share in by_rule.items()}
        for key, by_rule in shares_by_rule(found, shares).items()
    }
    budgets.settle(session, row, shares=given, now=now)
