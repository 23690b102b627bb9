"""What the accounts of a budget spent, counted under a lock: eight workers at once spend no task too many.

Rows are locked in one order, after the sample and its picture, and until the transaction ends; a decision that is
rolled back has spent nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from queue_server import models
from queue_server.core.policy.budget import Account, Ledger, Period, Spent, period_end
from queue_server.store.upserts import insert_missing

Row = models.BudgetPeriod


def ledger(session: Session, project_id: int, accounts: Iterable[Account]) -> Ledger:
    """Return what the accounts have spent by now, without a lock."""
    return {_account(row): _spent(row) for row in _rows(session, project_id, set(accounts))}


def lock(session: Session, project_id: int, accounts: Iterable[Account]) -> dict[Account, Row]:
    """Return the accounts' rows, made where there are none, and keep others off them until the transaction ends."""
    wanted = sorted(set(accounts), key=lambda account: (account.name, account.period, account.starts_at))
    insert_missing(session, Row, [_fresh(project_id, account) for account in wanted])
    rows = _rows(session, project_id, set(wanted), is_locked=True)
    return {_account(row): row for row in rows}


def ledger_of(rows: dict[Account, Row]) -> Ledger:
    """Return what locked rows have spent."""
    return {account: _spent(row) for account, row in rows.items()}


def spend(session: Session, rows: Iterable[Row], *, cost_seconds: float) -> None:
    """Count one more task on each of these locked rows."""
    for row in rows:
        row.tasks += 1
        row.seconds += cost_seconds
        session.add(row)
    session.flush()


def hold(session: Session, project_id: int, account: Account) -> Row:
    """Return the locked period at whose end a sample is judged: this one, or the next if this was settled just now."""
    row = lock(session, project_id, [account])[account]
    if row.settled_at is not None:
        following = Account(account.name, account.period, period_end(account.period, account.starts_at))
        return hold(session, project_id, following)
    row.is_held = True
    session.add(row)
    session.flush()
    return row


def ended(session: Session, now: datetime) -> Sequence[int]:
    """Return the row ids of the periods that have ended while samples wait for it."""
    query = select(Row.id).where(Row.is_held, col(Row.ends_at) <= now, col(Row.settled_at).is_(None))
    return [pk for pk in session.exec(query.order_by(col(Row.ends_at))) if pk is not None]


def lock_period(session: Session, pk: int) -> Row:
    """Return one period and keep others off it until the transaction ends."""
    query = select(Row).where(Row.id == pk).with_for_update().execution_options(populate_existing=True)
    return session.exec(query).one()


def settle(session: Session, row: Row, *, shares: Mapping[str, object], now: datetime) -> None:
    """Record what the end of a locked period gave, by the samples' row ids; their own decisions follow."""
    row.shares = dict(shares)
    row.settled_at = now
    session.add(row)
    session.flush()


def held_in(session: Session, pk: int) -> list[models.Sample]:
    """Return the samples that wait for a period's end: for a task, or for their share in π."""
    query = select(models.Sample).where(models.Sample.held_in == pk)
    return list(session.exec(query.order_by(col(models.Sample.id))))


def pending(session: Session, sample: models.Sample, *, now: datetime) -> Row | None:
    """Return the period that holds a sample if it has ended without a word on what it gave."""
    row = session.get(Row, sample.held_in, populate_existing=True) if sample.held_in else None
    return row if row is not None and row.ends_at <= now and row.settled_at is None else None


def given(session: Session, sample: models.Sample) -> dict[str, object]:
    """Return what its period's end gave a held sample, by rule; empty while it waits."""
    row = session.get(Row, sample.held_in, populate_existing=True) if sample.held_in else None
    return dict((row.shares or {}).get(str(sample.id), {})) if row is not None else {}


def _rows(session: Session, project_id: int, accounts: set[Account], *, is_locked: bool = False) -> list[Row]:
    if not accounts:
        return []
    query = (
        select(Row)
        .where(
            Row.project_id == project_id,
            col(Row.account).in_({account.name for account in accounts}),
            col(Row.starts_at).in_({account.starts_at for account in accounts}),
        )
        .order_by(col(Row.account), col(Row.period), col(Row.starts_at))
    )
    if is_locked:
        query = query.with_for_update().execution_options(populate_existing=True)
    return [row for row in session.exec(query) if _account(row) in accounts]


def _account(row: Row) -> Account:
    return Account(row.account, Period(row.period), row.starts_at)


def _spent(row: Row) -> Spent:
    return Spent(tasks=row.tasks, seconds=row.seconds)


def _fresh(project_id: int, account: Account) -> dict[str, object]:
    return {
        "project_id": project_id,
        "account": account.name,
        "period": account.period.value,
        "starts_at": account.starts_at,
        "ends_at": period_end(account.period, account.starts_at),
        "tasks": 0,
        "seconds": 0.0,
        "is_held": False,
    }
