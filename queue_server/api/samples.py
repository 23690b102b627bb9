"""Calls that bring samples, their images and further predictions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar
from uuid import UUID

from flask import Blueprint, request

from feedback_sdk import types
from feedback_sdk.bounds import Length
from feedback_sdk.types import ImageNeed
from queue_server.api.answers import BatchItem, BatchTaken, ImagesWanted, PredictionTaken, ProblemField, SampleTaken
from queue_server.api.endpoint import (
    Answer,
    Body,
    BodyKind,
    Call,
    backend,
    caller,
    endpoint,
    now,
    read_body,
    read_json,
    require_media_type,
)
from queue_server.auth import Scope
from queue_server.errors import FieldError, ProblemError
from queue_server.ingest.samples import Taken, image_needs, take_image, take_prediction, take_sample

blueprint = Blueprint("samples", __name__)

_INGEST_PROBLEMS = (401, 403, 409, 413, 415, 422)


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/samples",
        summary="Post a sample with its prediction, and its image now or later.",
        scope=Scope.INGEST,
        takes_token=True,
        query=None,
        body=Body(kind=BodyKind.MULTIPART, value=types.Sample),
        answers={200: SampleTaken, 201: SampleTaken},
        problems=_INGEST_PROBLEMS,
    ),
)
def post_sample() -> Answer[SampleTaken]:
    """Take one sample: 201 new, 200 the same again."""
    require_media_type("multipart/form-data")
    documents, images = _parts("sample"), request.files.getlist("image")
    if len(documents) != 1:
        raise _field_problem("sample", f"must be given once, as JSON, got {len(documents)} parts")
    if len(images) > 1:
        raise _field_problem("image", f"must be given at most once, got {len(images)} parts")
    sample = read_json(types.Sample, documents[0])
    _require_own_sample(sample.id)
    image = images[0].read() if images else None
    taken = take_sample(backend(), caller().project_id, sample, image=image, now=now())
    return Answer(status=201 if taken.is_new else 200, value=_answer(taken))


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/samples/batch",
        summary="Post many samples: each `sample` part is JSON, each `image` part's filename is its sample's id.",
        scope=Scope.INGEST,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.MULTIPART_MANY, value=types.Sample),
        answers={207: BatchTaken},
        problems=(401, 403, 413, 415, 422),
    ),
)
def post_batch() -> Answer[BatchTaken]:
    """Take many samples, each by itself: one that is refused leaves the others alone."""
    require_media_type("multipart/form-data")
    documents = _parts("sample")
    limit = backend().settings.max_batch_samples
    if not 1 <= len(documents) <= limit:
        raise _field_problem("sample", f"must be given 1 to {limit} times, got {len(documents)} parts")
    images = {(upload.filename or "").lower(): upload for upload in request.files.getlist("image")}
    results = []
    used = set()
    for document in documents:
        sample_id = _peek_id(document)
        upload = images.get(sample_id or "")
        used.add(sample_id)
        results.append(_take_one(document, upload.read() if upload else None, sample_id))
    results.extend(_orphans(set(images) - used))
    return Answer(status=207, value=BatchTaken(results=results))


def _orphans(names: set[str]) -> Iterator[BatchItem]:
    """Say which images were sent for no sample: they are not kept."""
    for name in sorted(names):
        fault = ProblemField(field="image", message=f"its filename must be the id of a sample sent along, got {name!r}")
        yield BatchItem(id=None, status=422, image=None, errors=[fault])


def _take_one(document: str, image: bytes | None, sample_id: str | None) -> BatchItem:
    try:
        sample = read_json(types.Sample, document)
        taken = take_sample(backend(), caller().project_id, sample, image=image, now=now())
    except ProblemError as problem:
        faults = problem.errors or (FieldError(field="", message=problem.title),)
        errors = [ProblemField(field=fault.field, message=fault.message) for fault in faults]
        return BatchItem(id=sample_id, status=problem.status, image=None, errors=errors)
    return BatchItem(id=str(sample.id), status=201 if taken.is_new else 200, image=taken.image, errors=[])


@dataclass(frozen=True, kw_only=True, slots=True)
class _OnlyId:
    id: UUID

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "ignore"}


def _peek_id(document: str) -> str | None:
    """Return a sample's id although the rest of it may be wrong: its image and its answer are found by it."""
    try:
        return str(read_json(_OnlyId, document).id)
    except ProblemError:
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedQuestion:
    """Samples that came without their image."""

    ids: Annotated[list[UUID], Length(at_least=1, at_most=1000)]

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/samples/wanted",
        summary="Ask which images are wanted of samples that came without.",
        scope=Scope.INGEST,
        takes_token=True,
        query=None,
        body=Body(kind=BodyKind.JSON, value=WantedQuestion),
        answers={200: ImagesWanted},
        problems=(401, 403, 413, 415, 422),
    ),
)
def post_wanted() -> Answer[ImagesWanted]:
    """Say of each sample whether its image is wanted, or is done with."""
    question = read_body(WantedQuestion)
    for sample_id in question.ids:
        _require_own_sample(sample_id)
    needs = image_needs(backend(), caller().project_id, question.ids)
    value = ImagesWanted(
        wanted=[sample_id for sample_id, need in needs.items() if need is ImageNeed.WANTED],
        stored=[sample_id for sample_id, need in needs.items() if need is ImageNeed.STORED],
    )
    return Answer(status=200, value=value)


@endpoint(
    blueprint,
    Call(
        method="PUT",
        path="/v1/samples/<uuid:sample_id>/image",
        summary="Send the image of a sample that came without.",
        scope=Scope.INGEST,
        takes_token=True,
        query=None,
        body=Body(kind=BodyKind.BYTES),
        answers={200: SampleTaken, 201: SampleTaken},
        problems=(401, 403, 404, 409, 413, 422),
    ),
)
def put_image(sample_id: UUID) -> Answer[SampleTaken]:
    """Take a sample's image: 201 new, 200 it was there."""
    _require_own_sample(sample_id)
    taken = take_image(backend(), caller().project_id, sample_id, image=request.get_data(), now=now())
    return Answer(status=201 if taken.is_new else 200, value=_answer(taken))


@endpoint(
    blueprint,
    Call(
        method="POST",
        path="/v1/samples/<uuid:sample_id>/predictions",
        summary="Post another model version's prediction on the same sample.",
        scope=Scope.INGEST,
        takes_token=False,
        query=None,
        body=Body(kind=BodyKind.JSON, value=types.Prediction),
        answers={200: PredictionTaken, 201: PredictionTaken},
        problems=(401, 403, 404, 409, 413, 415, 422),
    ),
)
def post_prediction(sample_id: UUID) -> Answer[PredictionTaken]:
    """Take a further prediction: 201 new, 200 the same again."""
    prediction = read_body(types.Prediction)
    is_new = take_prediction(backend(), caller().project_id, sample_id, prediction=prediction, now=now())
    value = PredictionTaken(sample_id=sample_id, model_version=prediction.model_version)
    return Answer(status=201 if is_new else 200, value=value)


def _parts(name: str) -> list[str]:
    """Return the text of a multipart field, whether or not the client gave it a filename."""
    files = [upload.read().decode("utf-8", "replace") for upload in request.files.getlist(name)]
    return request.form.getlist(name) + files


def _require_own_sample(sample_id: UUID) -> None:
    token = caller().token
    if token is not None and token.sample_id != sample_id:
        raise ProblemError(403, "the token is for another sample")


def _field_problem(field: str, message: str) -> ProblemError:
    return ProblemError(422, "the request does not fit the wire format", (FieldError(field=field, message=message),))


def _answer(taken: Taken) -> SampleTaken:
    return SampleTaken(id=taken.sample_id, state=taken.state, image=taken.image)
