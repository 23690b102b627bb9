"""Of which samples a report is."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from feedback_sdk.types import Task
from queue_server.core.policy.conditions import Condition
from queue_server.core.policy.terms import Every
from queue_server.core.slices import Slice
from queue_server.errors import PolicyError
from queue_server.store import projects, quality, slices

#: how far back samples were captured, where nothing is said
USUAL_SPAN = timedelta(days=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Narrowed:
    """Of which samples the figures are."""

    model_version: str | None = None
    #: captured from then on; None: as the slice says, else in the last 30 days
    since: datetime | None = None
    #: the name of one
    slice: str | None = None


def matured(session: Session, narrowed: Narrowed, *, project_id: int, now: datetime) -> quality.Matured:
    """Return which samples an estimate looks at; the version that is asked for is left to the report.

    Raises PolicyError for a slice that is not there.
    """
    task = Task(projects.get(session, project_id).task)
    known = _slice(session, project_id, narrowed.slice) if narrowed.slice is not None else None
    since = narrowed.since or (known.since if known else None) or now - USUAL_SPAN
    found = quality.Matured(project_id=project_id, task=task, now=now, since=since)
    return within(found, known) if known else found


def within(wanted: quality.Matured, found: Slice) -> quality.Matured:
    """Return the samples that belong to a slice too."""
    return replace(
        wanted,
        since=max([at for at in (wanted.since, found.since) if at is not None], default=None),
        until=min([at for at in (wanted.until, found.until) if at is not None], default=None),
        model_version=found.model_version or wanted.model_version,
        where=_both(wanted.where, found.where),
    )


def _both(one: Condition | None, other: Condition | None) -> Condition | None:
    if one is None or other is None:
        return one or other
    return Condition(f"({one.text}) and ({other.text})", Every((one.term, other.term)))


def _slice(session: Session, project_id: int, name: str) -> Slice:
    found = slices.find(session, project_id, name)
    if found is None:
        there = ", ".join(one.name for one in slices.of_project(session, project_id)) or "none yet"
        raise PolicyError("slice", f"must be a slice of the project, got {name!r}; there are {there}")
    return found
