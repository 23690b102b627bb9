"""The call that tells that a result was shown to its user: where nobody saw it, silence affirms nothing."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar
from uuid import UUID

from flask import Blueprint

from feedback_sdk.bounds import Number, Text
from queue_server.api.answers import Accepted
from queue_server.api.end_users import admit, even_time, read_post
from queue_server.api.endpoint import (
    Answer,
    Body,
    BodyKind,
    Call,
    backend,
    bearer,
    endpoint,
    now,
    require_media_type,
)
from queue_server.auth import Caller, Scope, caller_of_key, require
from queue_server.errors import FieldError, ProblemError
from queue_server.ingest.shown import take_showing
from queue_server.store.engine import reading

blueprint = Blueprint("shown", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PostedShowing:
    """That a result was shown; with a token the sample is the token's."""

    sample_id: UUID | None = None
    token: Annotated[str, Text(at_most=2000)] | None = None
    #: how long ago, as of sending
    age_ms: Annotated[int, Number(at_least=0, at_most=10**12)] = 0

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/shown",
        summary="Tell that a result was shown to its user, with a key or with a per-sample token in the body.",
        scope=None,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON_OR_TEXT, value=PostedShowing),
        answers={202: Accepted},
        problems=(401, 403, 413, 415, 422, 429),
        note="Needs a key with scope `ingest` and a `sample_id`, or a per-sample token as `token` in the body.",
    ),
)
def post_shown() -> Answer[Accepted]:
    """Note the first time that a sample's result was shown; the sample may come later."""
    require_media_type("application/json", "text/plain")
    posted = read_post(PostedShowing)
    caller = admit("shown", token=posted.token) if posted.token is not None else _key_caller()
    sample_id = _sample_id(posted, caller)
    shown_at = now() - timedelta(milliseconds=min(posted.age_ms, 10 * 365 * 86_400_000))
    with even_time(caller):
        take_showing(backend(), caller.project_id, sample_id, shown_at=shown_at)
    return Answer(status=202, value=Accepted(status="accepted"))


def _key_caller() -> Caller:
    with reading(backend().engine) as session:
        found = caller_of_key(session, bearer())
    require(found, Scope.INGEST)
    return found


def _sample_id(posted: PostedShowing, caller: Caller) -> UUID:
    if caller.token is None:
        if posted.sample_id is None:
            fault = FieldError(field="sample_id", message="must be given along with a key")
            raise ProblemError(422, "the request does not fit the wire format", (fault,))
        return posted.sample_id
    if posted.sample_id not in (None, caller.token.sample_id):
        fault = FieldError(field="sample_id", message="must be the sample that the token was made for")
        raise ProblemError(403, "the token is for another sample", (fault,))
    return caller.token.sample_id
