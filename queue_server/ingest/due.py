"""Decide on samples whose confirmation window, or whose budget's period, has ended."""

from datetime import datetime

from queue_server.backend import Backend
from queue_server.core.policy import Trigger
from queue_server.ingest.settling import settle_ended
from queue_server.store import budgets, decisions, samples
from queue_server.store.engine import reading, writing


def decide_due(backend: Backend, *, now: datetime, limit: int = 1000) -> int:
    """Decide on what is due by `now`, each sample in a transaction of its own; return how many.

    1. Settle the periods that have ended. 2. Find rows that are due. 3. Lock one and see that it still is. 4. Decide,
    which clears or moves the due time. Safe to run twice and to die anywhere: what was not decided stays due.
    """
    settle_ended(backend, now=now)
    with reading(backend.engine) as session:
        due = samples.due(session, now, limit)
    return sum(_decide_one(backend, sample_pk, now) for sample_pk in due)


def _decide_one(backend: Backend, sample_pk: int, now: datetime) -> bool:
    with writing(backend.engine) as session:
        sample = samples.lock(session, sample_pk)
        if sample.decide_after is None or sample.decide_after > now:
            return False
        if sample.held_in is not None and budgets.pending(session, sample, now=now) is not None:
            # Another worker is at it: to decide now would have the sample wait for the next period's end.
            return False
        trigger = Trigger.WINDOW_END if sample.held_in is None else Trigger.PERIOD_END
        decisions.redecide(session, sample, trigger=trigger, now=now)
        return True
