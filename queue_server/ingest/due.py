"""Decide on samples whose confirmation window has ended."""

from datetime import datetime

from queue_server.backend import Backend
from queue_server.core.policy import Trigger
from queue_server.store import decisions, samples
from queue_server.store.engine import reading, writing


def decide_due(backend: Backend, *, now: datetime, limit: int = 1000) -> int:
    """Decide on what is due by `now`, each sample in a transaction of its own; return how many.

    1. Find rows that are due. 2. Lock one and see that it still is. 3. Decide, which clears or moves the due time.
    Safe to run twice and to die anywhere: what was not decided stays due.
    """
    with reading(backend.engine) as session:
        due = samples.due(session, now, limit)
    return sum(_decide_one(backend, sample_pk, now) for sample_pk in due)


def _decide_one(backend: Backend, sample_pk: int, now: datetime) -> bool:
    with writing(backend.engine) as session:
        sample = samples.lock(session, sample_pk)
        if sample.decide_after is None or sample.decide_after > now:
            return False
        decisions.redecide(session, sample, trigger=Trigger.WINDOW_END, now=now)
        return True
