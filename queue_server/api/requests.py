"""Calls by which a person asks for samples to be annotated."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar
from uuid import UUID

from flask import Blueprint

from feedback_sdk.bounds import Number, Text
from queue_server.api.answers import SampleTaken
from queue_server.api.endpoint import Answer, Body, BodyKind, Call, Instant, backend, caller, endpoint, now, read_body
from queue_server.auth import Scope
from queue_server.core.policy import State
from queue_server.core.policy.conditions import Condition, parse_condition
from queue_server.errors import FieldError, PolicyError, ProblemError
from queue_server.ingest.requests import Wanted, request_many, request_sample
from queue_server.ingest.samples import Taken
from queue_server.store.samples import SampleFilter

blueprint = Blueprint("requests", __name__)

_STRICT: dict[str, object] = {"extra": "forbid", "strict": True}
_LABEL = Text(at_most=200)


@dataclass(frozen=True, kw_only=True, slots=True)
class ManualRequest:
    """Why a person wants a sample annotated."""

    reason: Annotated[str, Text(at_least=1, at_most=500)]

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/samples/<uuid:sample_id>/request",
        summary="Queue a sample by hand.",
        scope=Scope.ADMIN,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON, value=ManualRequest),
        answers={200: SampleTaken},
        problems=(401, 403, 404, 413, 415, 422),
    ),
)
def post_request(sample_id: UUID) -> Answer[SampleTaken]:
    """Queue a sample because a person asks for it."""
    wanted = read_body(ManualRequest)
    taken = request_sample(backend(), caller().project_id, sample_id, reason=wanted.reason, now=now())
    return Answer(status=200, value=_answer(taken))


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestFilter:
    """What the samples must be; nothing given: any."""

    state: State | None = None
    model_version: Annotated[str, _LABEL] | None = None
    reason: Annotated[str, _LABEL] | None = None
    tag: Annotated[str, _LABEL] | None = None
    since: Instant | None = None
    #: a condition as in a policy's `where`
    where: Annotated[str, Text(at_least=1, at_most=2000)] | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT


@dataclass(frozen=True, kw_only=True, slots=True)
class ManyRequest:
    """Why a person wants samples annotated, and which: the newest of a filter, or the most like another sample."""

    reason: Annotated[str, Text(at_least=1, at_most=500)]
    filter: RequestFilter = field(default_factory=RequestFilter)
    #: the sample that they shall look like, whatever the filter says
    similar_to: UUID | None = None
    limit: Annotated[int, Number(at_least=1, at_most=1000)] = 100

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT


@dataclass(frozen=True, kw_only=True, slots=True)
class ManyTaken:
    """What became of the samples that were asked for."""

    samples: list[SampleTaken]


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/samples/request",
        summary="Queue by hand what a filter finds, or what looks like another sample.",
        scope=Scope.ADMIN,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON, value=ManyRequest),
        answers={200: ManyTaken},
        problems=(401, 403, 404, 413, 415, 422),
    ),
)
def post_requests() -> Answer[ManyTaken]:
    """Queue many samples because a person asks for them."""
    asked = read_body(ManyRequest)
    found = asked.filter
    if asked.similar_to is None and found == RequestFilter():
        fault = FieldError(field="filter", message="must say which samples, or similar_to what they look like")
        raise ProblemError(422, "no samples are asked for", (fault,))
    wanted = Wanted(
        narrowed=SampleFilter(
            state=found.state,
            model_version=found.model_version,
            reason=found.reason,
            tag=found.tag,
            since=found.since,
        ),
        condition=_condition(found.where),
        similar_to=asked.similar_to,
        limit=asked.limit,
    )
    taken = request_many(backend(), caller().project_id, wanted, reason=asked.reason, now=now())
    return Answer(status=200, value=ManyTaken(samples=[_answer(item) for item in taken]))


def _condition(text: str | None) -> Condition | None:
    if text is None:
        return None
    try:
        return parse_condition("filter.where", text)
    except PolicyError as error:
        faults = (FieldError(field=error.field, message=error.message),)
        raise ProblemError(422, "the condition is refused", faults) from error


def _answer(taken: Taken) -> SampleTaken:
    return SampleTaken(id=taken.sample_id, state=taken.state, image=taken.image)
