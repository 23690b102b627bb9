"""The call that brings verdicts: from back ends by key, from browsers by a per-sample token, without preflight."""

from dataclasses import dataclass, fields
from typing import Annotated

from flask import Blueprint, request

from feedback_sdk import types
from feedback_sdk.bounds import Text
from queue_server.api.answers import Accepted
from queue_server.api.endpoint import (
    Answer,
    Body,
    BodyKind,
    Call,
    backend,
    bearer,
    endpoint,
    now,
    read_json,
    require_media_type,
)
from queue_server.auth import Caller, Scope, caller_of_key, caller_of_token, require
from queue_server.ingest.feedback import take_feedback
from queue_server.store.engine import reading

blueprint = Blueprint("feedback", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PostedFeedback(types.Feedback):
    """Feedback as it is posted: a browser puts its token into the body.

    It inherits, against the house's habit, so that the wire type and its bounds stand in one place.
    """

    token: Annotated[str, Text(at_most=2000)] | None = None


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/feedback",
        summary="Post a verdict, with a key or with a per-sample token in the body.",
        scope=None,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON_OR_TEXT, value=PostedFeedback),
        answers={202: Accepted},
        problems=(401, 403, 409, 413, 415, 422),
        note="Needs a key with scope `ingest`, or a per-sample token as `token` in the body.",
    ),
)
def post_feedback() -> Answer[Accepted]:
    """Take one verdict; its sample may come later."""
    require_media_type("application/json", "text/plain")
    posted = read_json(PostedFeedback, request.get_data())
    caller = _caller(posted.token)
    given = types.Feedback(**{item.name: getattr(posted, item.name) for item in fields(types.Feedback)})
    take_feedback(backend(), caller, given, now=now())
    return Answer(status=202, value=Accepted(status="accepted"))


def _caller(token: str | None) -> Caller:
    with reading(backend().engine) as session:
        if token is not None:
            return caller_of_token(session, token, secret_keys=backend().settings.secret_keys, now=now())
        found = caller_of_key(session, bearer())
    require(found, Scope.INGEST)
    return found
