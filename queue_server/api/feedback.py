"""The call that brings verdicts: from back ends by key, from pages by token or publishable key, without preflight."""

from dataclasses import dataclass, fields
from typing import Annotated

from flask import Blueprint

from feedback_sdk import types
from feedback_sdk.bounds import Text
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
from queue_server.ingest.feedback import take_feedback
from queue_server.store.engine import reading

blueprint = Blueprint("feedback", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PostedFeedback(types.Feedback):
    """Feedback as it is posted: a page puts its token, or its publishable key, into the body.

    It inherits, against the house's habit, so that the wire type and its bounds stand in one place.
    """

    token: Annotated[str, Text(at_most=2000)] | None = None
    #: a publishable one; what comes by it is kept, and does not count
    key: Annotated[str, Text(at_most=300)] | None = None


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/feedback",
        summary="Post a verdict, with a key, or with a per-sample token or a publishable key in the body.",
        scope=None,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON_OR_TEXT, value=PostedFeedback),
        answers={202: Accepted},
        problems=(401, 403, 409, 413, 415, 422, 429),
        note="Needs a key with scope `ingest`, or in the body a token as `token` or a publishable key as `key`.",
    ),
)
def post_feedback() -> Answer[Accepted]:
    """Take one verdict; its sample may come later."""
    require_media_type("application/json", "text/plain")
    posted = read_post(PostedFeedback)
    caller = _caller(posted)
    given = types.Feedback(**{item.name: getattr(posted, item.name) for item in fields(types.Feedback)})
    with even_time(caller):
        take_feedback(backend(), caller, given, now=now())
    return Answer(status=202, value=Accepted(status="accepted"))


def _caller(posted: PostedFeedback) -> Caller:
    if posted.token is not None and posted.key is not None:
        fault = FieldError(field="key", message="must not be given along with a token")
        raise ProblemError(422, "the request does not fit the wire format", (fault,))
    if posted.token is not None or posted.key is not None:
        return admit("feedback", token=posted.token, key=posted.key)
    with reading(backend().engine) as session:
        found = caller_of_key(session, bearer())
    require(found, Scope.INGEST)
    return found
