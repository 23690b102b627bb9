"""Calls about policies: run another one over the past; the schema of a project's file, for editors."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from flask import Blueprint, Response

from feedback_sdk.bounds import Number
from queue_server import models, policy_file, replay
from queue_server.api.endpoint import Answer, Body, BodyKind, Call, Instant, backend, caller, endpoint, read_body
from queue_server.auth import Scope
from queue_server.core.policy.replay import Caught, Day
from queue_server.core.policy.schema import project_schema
from queue_server.errors import FieldError, PolicyError, ProblemError
from queue_server.plugins import strategies
from queue_server.replay import MOST_SAMPLES, USUAL_SAMPLES, Outcome, Proposed, Span
from queue_server.store import projects
from queue_server.store.engine import reading

blueprint = Blueprint("policy", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayRequest:
    """A policy, and the samples to run it over: of these times, the last so many."""

    #: a project's file as YAML, or the same as an object; project, task and labels may be left out
    policy: str | dict[str, object]
    since: Instant | None = None
    #: before then
    until: Instant | None = None
    limit: Annotated[int, Number(at_least=1, at_most=MOST_SAMPLES)] = USUAL_SAMPLES

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayAnswer:
    """What the policy would have made of the samples."""

    samples: int
    #: of that stretch, of which the last `limit` were looked at
    samples_in_all: int
    #: the first and the last arrival; null: nothing came
    since: datetime | None
    until: datetime | None
    #: by reason, the rule of the highest priority
    queued: dict[str, int]
    annotator_minutes: dict[str, float]
    #: would have been queued, had a budget had room
    over_budget: int
    #: served by the labeling task of another sample of the same picture
    duplicates: int
    #: the policies of their time could never have queued these
    never_visible: int
    #: of these, the policy gives so many a chance
    newly_visible: int
    queued_by_both: int
    queued_only_here: int
    queued_only_then: int
    #: weighted by the chance with which each error came to be known, with its interval of 95%
    errors_caught: Caught
    by_day: dict[str, Day]


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/policy/replay",
        summary="Run another policy over stored samples: what it would have queued, and which known errors it catches.",
        scope=Scope.ADMIN,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON, value=ReplayRequest),
        answers={200: ReplayAnswer},
        problems=(401, 403, 413, 415, 422),
    ),
)
def replay_policy() -> Answer[ReplayAnswer]:
    """Replay a policy over the key's project; nothing is changed."""
    asked = read_body(ReplayRequest)
    with reading(backend().engine) as session:
        project = projects.get(session, caller().project_id)
    proposed = _proposed(asked.policy, project)
    span = Span(since=asked.since, until=asked.until, limit=asked.limit)
    return Answer(status=200, value=_answer(replay.run(backend(), project, [proposed], span=span)))


def _proposed(given: str | dict[str, object], project: models.Project) -> Proposed:
    """Read a policy, with what it leaves out taken from the project; or raise ProblemError 422."""
    own = {"project": project.name, "task": project.task, "labels": list(project.labels)}
    try:
        if isinstance(given, str):
            parsed = policy_file.parse(given, defaults=own)
        else:
            parsed = policy_file.parse_document({**own, **given})
    except PolicyError as error:
        raise ProblemError(422, "the policy is refused", tuple(map(_below_policy, error.faults))) from error
    return Proposed(text=parsed.policy, confirmation_window_seconds=parsed.confirmation_window_seconds)


def _below_policy(fault: FieldError) -> FieldError:
    message = f"line {fault.line}: {fault.message}" if fault.line is not None else fault.message
    return FieldError(field=f"policy.{fault.field}" if fault.field else "policy", message=message)


def _answer(outcome: Outcome) -> ReplayAnswer:
    (replayed,) = outcome.replayed
    return ReplayAnswer(
        samples=replayed.samples,
        samples_in_all=outcome.samples_in_all,
        since=replayed.since,
        until=replayed.until,
        queued=dict(replayed.queued),
        annotator_minutes=dict(replayed.annotator_minutes),
        over_budget=replayed.over_budget,
        duplicates=replayed.duplicates,
        never_visible=replayed.never_visible,
        newly_visible=replayed.newly_visible,
        queued_by_both=replayed.queued_by_both,
        queued_only_here=replayed.queued_only_here,
        queued_only_then=replayed.queued_only_then,
        errors_caught=replayed.errors_caught,
        by_day=dict(replayed.by_day),
    )


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/policy.schema.json",
        summary="Read a JSON Schema of a project's file, for editors.",
        scope=None,
        takes_token=False,
        query=None,
        body=None,
        answers={200: "application/schema+json"},
        problems=(),
    ),
)
def get_schema() -> Response:
    """Send the schema, with the strategies that are installed here."""
    return Response(json.dumps(project_schema(strategies()), indent=1), mimetype="application/schema+json")
