"""Calls that read: samples and images."""

import io
from dataclasses import dataclass
from typing import Annotated, ClassVar
from uuid import UUID

from flask import Blueprint, Response, send_file, url_for
from sqlmodel import Session

from feedback_sdk import types
from feedback_sdk.bounds import Number, Text
from queue_server import models
from queue_server.api.answers import (
    AnnotationAnswer,
    DecisionAnswer,
    FeedbackAnswer,
    HistoryAnswer,
    LabelingTaskAnswer,
    SampleAnswer,
    SamplePage,
    SampleSummary,
)
from queue_server.api.endpoint import Answer, Call, Instant, adapter, backend, bearer, caller, endpoint, read_query
from queue_server.auth import Caller, Scope, caller_of_key, is_image_signature, require, sign_image
from queue_server.core.outcome import Outcome
from queue_server.core.policy import RuleOutcome, State
from queue_server.core.policy.explain import Told, explain, explain_decision
from queue_server.errors import FieldError, ProblemError
from queue_server.ingest.samples import image_need
from queue_server.store import annotations, changes, decisions, feedback, labeling_tasks, samples
from queue_server.store.engine import reading
from queue_server.thumbnails import thumbnail

blueprint = Blueprint("queries", __name__)

_QUERY: dict[str, object] = {"extra": "forbid"}


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/samples/<uuid:sample_id>",
        summary="Read all that is known of a sample, with the decision's explanation.",
        scope=Scope.READ,
        takes_token=False,
        query=None,
        body=None,
        answers={200: SampleAnswer},
        problems=(401, 403, 404),
    ),
)
def get_sample(sample_id: UUID) -> Answer[SampleAnswer]:
    """Read one sample."""
    with reading(backend().engine) as session:
        row = samples.find(session, caller().project_id, sample_id)
        if row is None:
            raise ProblemError(404, "no such sample")
        return Answer(status=200, value=_sample_answer(session, row))


def _sample_answer(session: Session, row: models.Sample) -> SampleAnswer:
    assert row.id is not None
    decision = decisions.latest(session, row.id)
    predictions = samples.predictions(session, row.id)
    shown = [decisions.read_prediction(item) for item in predictions if item.is_shown]
    shadows = [decisions.read_prediction(item) for item in predictions if not item.is_shown]
    return SampleAnswer(
        id=row.sample_id,
        state=row.state,
        reason=row.reason,
        captured_at=row.captured_at,
        received_at=row.received_at,
        tags=row.tags,
        rule_tags=row.rule_tags or [],
        metadata=row.extra,
        subject=row.subject,
        stream=row.stream,
        capture_probability=row.capture_probability,
        stands_for=row.stands_for,
        image=image_need(row),
        image_url=_image_url(row),
        prediction=shown[0] if shown else None,
        shadow_predictions=[item for item in shadows if item is not None],
        decision=_decision_answer(decision) if decision else None,
        feedback=[_feedback_answer(item) for item in feedback.of_sample(session, row.id)],
        duplicate_of=_duplicate_of(session, row),
        collapsed=row.collapsed,
        shown_at=row.shown_at,
        labeling_task=_task_answer(labeling_tasks.of_sample(session, row.duplicate_of or row.id)),
        annotations=[_annotation_answer(item) for item in annotations.live(session, row.id)],
        history=[_history_answer(item) for item in changes.of_sample(session, row.id)],
    )


def _duplicate_of(session: Session, row: models.Sample) -> UUID | None:
    return session.get_one(models.Sample, row.duplicate_of).sample_id if row.duplicate_of is not None else None


def _history_answer(row: models.HistoryEntry) -> HistoryAnswer:
    return HistoryAnswer(
        state=row.state,
        reason=row.reason,
        verdict=types.Verdict(row.verdict) if row.verdict else None,
        outcome=Outcome(row.outcome) if row.outcome else None,
        at=row.at,
    )


def _image_url(row: models.Sample) -> str | None:
    if row.image_sha256 is None:
        return None
    settings = backend().settings
    signature = sign_image(row.image_sha256, project_id=row.project_id, secret_keys=settings.secret_keys)
    path = url_for("queries.GET /v1/images/<sha256>", sha256=row.image_sha256)
    return f"{settings.public_url.rstrip('/')}{path}?project={row.project_id}&signature={signature}"


def _decision_answer(row: models.Decision) -> DecisionAnswer:
    outcomes = [RuleOutcome(**rule) for rule in row.rules]
    told = Told(
        state=row.state,
        reason=row.reason,
        inclusion_probability=row.inclusion_probability,
        policy_version=row.policy_version,
        outcomes=outcomes,
    )
    rules = [{**_without_compared(item), "explanation": explain(item), **item.compared} for item in outcomes]
    return DecisionAnswer(
        trigger=row.trigger,
        state=row.state,
        reason=row.reason,
        explanation=explain_decision(told),
        policy_version=row.policy_version,
        inclusion_probability=row.inclusion_probability,
        decided_at=row.decided_at,
        rules=rules,
        budget=row.budget,
    )


def _without_compared(outcome: RuleOutcome) -> dict[str, object]:
    return {name: value for name, value in outcome._asdict().items() if name != "compared"}


def _feedback_answer(row: models.Feedback) -> FeedbackAnswer:
    correction = adapter(types.Correction).validate_python(row.correction, strict=False) if row.correction else None
    return FeedbackAnswer(
        id=row.feedback_id,
        verdict=types.Verdict(row.verdict),
        correction=correction,
        comment=row.comment,
        reporter=row.reporter,
        source=row.source,
        given_at=row.given_at,
        received_at=row.received_at,
        fault=row.fault,
    )


def _task_answer(row: models.LabelingTask | None) -> LabelingTaskAnswer | None:
    if row is None:
        return None
    base = backend().settings.label_studio_url.rstrip("/")
    is_there = base and row.label_studio_task_id is not None
    url = f"{base}/projects/{row.label_studio_project_id}/data?task={row.label_studio_task_id}" if is_there else None
    return LabelingTaskAnswer(
        state=row.state,
        generation=row.generation,
        priority=row.priority,
        reasons=row.reasons,
        tags=row.tags or [],
        look=row.look,
        route=row.route,
        tab=row.tab,
        is_blind=row.is_blind,
        annotators=row.annotators,
        label_studio_project_id=row.label_studio_project_id,
        label_studio_task_id=row.label_studio_task_id,
        url=url,
    )


def _annotation_answer(row: models.Annotation) -> AnnotationAnswer:
    return AnnotationAnswer(
        id=row.label_studio_annotation_id,
        annotator=row.annotator,
        updated_at=row.updated_at,
        lead_time_seconds=row.lead_time_seconds,
        look=row.look,
        is_blind=row.is_blind,
        is_skipped=row.is_skipped,
        is_ground_truth=row.is_ground_truth,
        annotation=row.document,
        model_difference=row.model_difference,
        user_difference=row.user_difference,
        fault=row.fault,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleQuery:
    """What a list of samples may be narrowed by."""

    state: State | None = None
    model_version: Annotated[str, Text(at_most=200)] | None = None
    reason: Annotated[str, Text(at_most=200)] | None = None
    tag: Annotated[str, Text(at_most=200)] | None = None
    since: Instant | None = None
    #: the `next_cursor` of the page before
    cursor: Annotated[int, Number(at_least=1, at_most=2**31 - 1)] | None = None
    limit: Annotated[int, Number(at_least=1, at_most=1000)] = 100

    __pydantic_config__: ClassVar[dict[str, object]] = _QUERY


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/samples",
        summary="List samples, the newest first.",
        scope=Scope.READ,
        takes_token=False,
        query=SampleQuery,
        body=None,
        answers={200: SamplePage},
        problems=(401, 403, 422),
    ),
)
def list_samples() -> Answer[SamplePage]:
    """List a page of samples."""
    query = read_query(SampleQuery)
    narrowed = samples.SampleFilter(
        state=query.state, model_version=query.model_version, reason=query.reason, tag=query.tag, since=query.since
    )
    with reading(backend().engine) as session:
        rows = samples.page(session, caller().project_id, narrowed, after_pk=query.cursor, limit=query.limit + 1)
    shown = rows[: query.limit]
    cursor = str(shown[-1].id) if len(rows) > query.limit else None
    return Answer(status=200, value=SamplePage(samples=[_summary(row) for row in shown], next_cursor=cursor))


def _summary(row: models.Sample) -> SampleSummary:
    return SampleSummary(
        id=row.sample_id,
        state=row.state,
        reason=row.reason,
        model_version=row.model_version,
        verdict=row.verdict,
        confidence=row.confidence,
        inclusion_probability=row.inclusion_probability,
        tags=row.tags,
        captured_at=row.captured_at,
        received_at=row.received_at,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageQuery:
    """The signature of an image's URL; a key with scope read will do too."""

    project: Annotated[int, Number(at_least=1, at_most=2**31 - 1)] | None = None
    signature: Annotated[str, Text(at_most=200)] | None = None
    #: of a smaller copy, in pixels; one at least as wide is sent where the image is wider than that
    width: Annotated[int, Number(at_least=1, at_most=960)] | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = _QUERY


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/images/<sha256>",
        summary="Read a stored image, by its signed URL or with a key.",
        scope=None,
        takes_token=False,
        query=ImageQuery,
        body=None,
        answers={200: "image/*", 304: None},
        problems=(401, 403, 404, 422),
        note="Needs the signature of a signed address, or a key with scope `read`.",
    ),
)
def get_image(sha256: str) -> Response:
    """Send an image; its bytes never change, so a browser may keep it."""
    query = read_query(ImageQuery)
    project_id = _image_project(sha256, query)
    with reading(backend().engine) as session:
        image = samples.project_has_image(session, project_id, sha256)
    if image is None:
        raise ProblemError(404, "no such image in this project")
    content, media_type, etag = _content(image, query.width)
    response = send_file(io.BytesIO(content), mimetype=media_type, etag=etag, conditional=True)
    response.cache_control.private = True
    response.cache_control.max_age = 31_536_000
    response.cache_control.immutable = True
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _content(image: models.Image, width: int | None) -> tuple[bytes, str, str]:
    """Return an image's bytes, or those of a smaller copy, with their media type and what names them."""
    small = thumbnail(backend().blobs, image.sha256, width=width) if width is not None else None
    if small is not None:
        return small, "image/jpeg", f"{image.sha256}-{width}"
    return backend().blobs.get(image.sha256), image.media_type, image.sha256


def _image_project(sha256: str, query: ImageQuery) -> int:
    """Return the project for which this request may see the image, or raise ProblemError 401 or 403."""
    if query.signature is None:
        found = _reader()
        return found.project_id
    if query.project is None:
        fault = FieldError(field="project", message="must be given along with the signature")
        raise ProblemError(422, "the query is refused", (fault,))
    secret_keys = backend().settings.secret_keys
    if not is_image_signature(sha256, project_id=query.project, signature=query.signature, secret_keys=secret_keys):
        raise ProblemError(403, "the signature must be one of this server's: `lookswrong doctor --fix` renews URLs")
    return query.project


def _reader() -> Caller:
    with reading(backend().engine) as session:
        found = caller_of_key(session, bearer())
    require(found, Scope.READ)
    return found
