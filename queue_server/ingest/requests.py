"""Samples that a person asks for: one, all that a filter finds, or those that look like another."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from queue_server import models
from queue_server.backend import Backend
from queue_server.core.policy import Trigger
from queue_server.core.policy.conditions import Condition
from queue_server.core.policy.facts import Facts
from queue_server.errors import ProblemError
from queue_server.ingest.samples import Taken, answer_of
from queue_server.store import decisions, pictures, samples
from queue_server.store.candidates import bare_candidate
from queue_server.store.engine import reading, writing
from queue_server.store.samples import SampleFilter

#: so many of the newest are looked at for a condition
_LOOKED_AT = 20_000
_PAGE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which samples a person asks for, the newest first, or the most alike first."""

    narrowed: SampleFilter
    condition: Condition | None
    similar_to: UUID | None
    limit: int


def request_sample(backend: Backend, project_id: int, sample_id: UUID, *, reason: str, now: datetime) -> Taken:
    """Queue a sample because a person asks for it."""
    with writing(backend.engine) as session:
        sample = samples.find(session, project_id, sample_id, for_update=True)
        if sample is None:
            raise ProblemError(404, "no such sample: post it first")
        sample.request_reason = reason
        session.add(sample)
        session.flush()
        decisions.redecide(session, sample, trigger=Trigger.REQUEST, now=now)
        return answer_of(sample, is_new=False)


def request_many(backend: Backend, project_id: int, wanted: Wanted, *, reason: str, now: datetime) -> list[Taken]:
    """Queue all that is wanted, each in a transaction of its own; ProblemError 404 for an unknown likeness."""
    with reading(backend.engine) as session:
        found = _alike(session, project_id, wanted) if wanted.similar_to else _filtered(session, project_id, wanted)
        sample_ids = [sample.sample_id for sample in found]
    return [request_sample(backend, project_id, sample_id, reason=reason, now=now) for sample_id in sample_ids]


def _filtered(session: Session, project_id: int, wanted: Wanted) -> list[models.Sample]:
    found: list[models.Sample] = []
    for sample in _pages(session, project_id, wanted.narrowed):
        if wanted.condition is None or wanted.condition.holds(Facts(bare_candidate(session, sample))):
            found.append(sample)
        if len(found) == wanted.limit:
            break
    return found


def _pages(session: Session, project_id: int, narrowed: SampleFilter) -> Iterator[models.Sample]:
    after = None
    for _ in range(_LOOKED_AT // _PAGE):
        rows = samples.page(session, project_id, narrowed, after_pk=after, limit=_PAGE)
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def _alike(session: Session, project_id: int, wanted: Wanted) -> list[models.Sample]:
    assert wanted.similar_to is not None
    sample = samples.find(session, project_id, wanted.similar_to)
    if sample is None:
        raise ProblemError(404, "no such sample to look for others like it")
    return pictures.most_alike(session, sample, limit=wanted.limit)
