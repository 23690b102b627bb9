"""Calls about slices: keep named filters, and see how good a model is in each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from flask import Blueprint, Response

from feedback_sdk.bounds import Text
from queue_server.api.endpoint import (
    Answer,
    Body,
    BodyKind,
    Call,
    Instant,
    backend,
    caller,
    endpoint,
    now,
    read_body,
)
from queue_server.api.reports import ReportQuery, made
from queue_server.auth import Scope
from queue_server.core.slices import Slice, read_slice
from queue_server.errors import PolicyError, ProblemError
from queue_server.reports import SlicesReport
from queue_server.store import slices
from queue_server.store.engine import reading, writing

blueprint = Blueprint("slices", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceBody:
    """Which samples belong to a slice: all that is said must hold."""

    #: a condition as in a policy's `where`, with `captured_at` and `metric.NAME` too
    where: Annotated[str, Text(at_least=1, at_most=2000)] | None = None
    model_version: Annotated[str, Text(at_most=200)] | None = None
    #: captured from then on
    since: Instant | None = None
    #: captured before then
    until: Instant | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceAnswer:
    """A slice as it is kept."""

    name: str
    where: str | None
    model_version: str | None
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceList:
    """All slices of a project."""

    slices: list[SliceAnswer]


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/slices",
        summary="List the slices.",
        scope=Scope.READ,
        takes_token=False,
        query=None,
        body=None,
        answers={200: SliceList},
        problems=(401, 403),
    ),
)
def list_slices() -> Answer[SliceList]:
    """Read the slices of the key's project, by name."""
    with reading(backend().engine) as session:
        found = slices.of_project(session, caller().project_id)
    return Answer(status=200, value=SliceList(slices=[_answer(one) for one in found]))


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/slices/<name>",
        summary="Read a slice.",
        scope=Scope.READ,
        takes_token=False,
        query=None,
        body=None,
        answers={200: SliceAnswer},
        problems=(401, 403, 404),
    ),
)
def get_slice(name: str) -> Answer[SliceAnswer]:
    """Read one slice."""
    with reading(backend().engine) as session:
        found = slices.find(session, caller().project_id, name)
    if found is None:
        raise ProblemError(404, "no such slice")
    return Answer(status=200, value=_answer(found))


@endpoint(
    blueprint,
    Call(
        method="PUT",
        path="/v1/slices/<name>",
        summary="Keep a slice under this name: 201 a new one, 200 in place of the one that was there.",
        scope=Scope.ADMIN,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON, value=SliceBody),
        answers={200: SliceAnswer, 201: SliceAnswer},
        problems=(401, 403, 413, 415, 422),
    ),
)
def put_slice(name: str) -> Answer[SliceAnswer]:
    """Keep a slice."""
    given = read_body(SliceBody)
    try:
        found = read_slice(
            name, where=given.where, model_version=given.model_version, since=given.since, until=given.until
        )
    except PolicyError as error:
        raise ProblemError(422, "the slice is refused", error.faults) from error
    with writing(backend().engine) as session:
        is_new = slices.keep(session, caller().project_id, found, now=now())
    return Answer(status=201 if is_new else 200, value=_answer(found))


@endpoint(
    blueprint,
    Call(
        method="DELETE",
        path="/v1/slices/<name>",
        summary="Remove a slice; no sample is touched.",
        scope=Scope.ADMIN,
        takes_token=False,
        query=None,
        body=None,
        answers={204: None},
        problems=(401, 403, 404),
    ),
)
def delete_slice(name: str) -> Response:
    """Remove a slice."""
    with writing(backend().engine) as session:
        if not slices.remove(session, caller().project_id, name):
            raise ProblemError(404, "no such slice")
    return Response(status=204)


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/reports/slices",
        summary="Read how good each model version is in each slice, and in which parts the latest errs most.",
        scope=Scope.READ,
        takes_token=False,
        query=ReportQuery,
        body=None,
        answers={200: SlicesReport},
        problems=(401, 403, 422),
    ),
)
def get_slices_report() -> Answer[SlicesReport]:
    """Compare the slices of the key's project, and search for the worst."""
    return Answer(status=200, value=made(SlicesReport, "slices"))


def _answer(found: Slice) -> SliceAnswer:
    return SliceAnswer(
        name=found.name,
        where=found.where.text if found.where is not None else None,
        model_version=found.model_version,
        since=found.since,
        until=found.until,
    )
