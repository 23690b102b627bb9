"""The feed of changes: what became of samples, for apps that tell their users."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar
from uuid import UUID

from flask import Blueprint

from feedback_sdk.bounds import Length, Number, Text
from feedback_sdk.types import Verdict
from queue_server.api.answers import ChangeAnswer, ChangePage
from queue_server.api.endpoint import Answer, Call, Instant, backend, caller, endpoint, read_query
from queue_server.auth import Scope
from queue_server.core.outcome import Outcome
from queue_server.errors import FieldError, ProblemError
from queue_server.store import changes
from queue_server.store.changes import Change
from queue_server.store.engine import reading, writing

blueprint = Blueprint("changes", __name__)

#: a position, without a sign or leading zeros, that a database can hold
_CURSOR = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeQuery:
    """Where the feed goes on; by default at its beginning. At most one of `after`, `since` and `id`."""

    #: the `cursor` of the page before
    after: Annotated[str, Text(at_least=1, at_most=100)] | None = None
    #: changes of this time and later
    since: Instant | None = None
    #: repeatable: the latest change of each of these samples
    id: Annotated[list[UUID], Length(at_most=50)] = field(default_factory=list)
    limit: Annotated[int, Number(at_least=1, at_most=1000)] = 100

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/samples/changes",
        summary="Follow what becomes of samples: their changes, the oldest first.",
        scope=Scope.READ,
        takes_token=False,
        query=ChangeQuery,
        body=None,
        answers={200: ChangePage},
        problems=(401, 403, 422),
    ),
)
def list_changes() -> Answer[ChangePage]:
    """Answer a page of the feed, or the latest change of some samples; then the cursor is the feed's end."""
    query = read_query(ChangeQuery, repeatable=("id",))
    _check_start(query)
    project_id = caller().project_id
    _publish(project_id)
    with reading(backend().engine) as session:
        if query.id:
            # The end is read first: a change between the two comes again rather than never.
            end = changes.end(session, project_id)
            return _page(changes.latest(session, project_id, query.id), cursor=end)
        after = _position(query.after) if query.after is not None else 0
        if query.since is not None:
            after = changes.before(session, project_id, query.since)
        found = changes.page(session, project_id, after=after, limit=query.limit)
        if not found and after > changes.end(session, project_id):
            raise _bad_cursor("one beyond its end: start again with `since`")
    last = found[-1][1].position if found else after
    assert last is not None
    return _page(found, cursor=last)


def _publish(project_id: int) -> None:
    """Give each change its place in the feed before anybody reads it."""
    while True:
        with reading(backend().engine) as session:
            if not changes.is_unpublished(session, project_id):
                return
        with writing(backend().engine) as session:
            changes.publish(session, project_id)


def _check_start(query: ChangeQuery) -> None:
    given = [name for name in ("after", "since", "id") if getattr(query, name)]
    if len(given) > 1:
        fault = FieldError(field=given[0], message=f"must be given alone, got {' and '.join(given)}")
        raise ProblemError(422, "the query is refused", (fault,))


def _position(cursor: str) -> int:
    if not _CURSOR.fullmatch(cursor):
        raise _bad_cursor("another text")
    return int(cursor)


def _bad_cursor(got: str) -> ProblemError:
    fault = FieldError(field="after", message=f"must be the cursor of a page of this feed, got {got}")
    return ProblemError(422, "the query is refused", (fault,))


def _page(found: Sequence[Change], *, cursor: int) -> Answer[ChangePage]:
    return Answer(status=200, value=ChangePage(changes=[_change(*item) for item in found], cursor=str(cursor)))


def _change(sample_id: UUID, row: changes.Row) -> ChangeAnswer:
    return ChangeAnswer(
        id=sample_id,
        state=row.state,
        reason=row.reason,
        verdict=Verdict(row.verdict) if row.verdict else None,
        outcome=Outcome(row.outcome) if row.outcome else None,
        at=row.at,
    )
