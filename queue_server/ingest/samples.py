"""Samples, their images, further predictions, and requests by hand."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import TypeAdapter
from sqlmodel import Session

from feedback_sdk import types
from feedback_sdk.types import ImageNeed
from feedback_sdk.wire import to_wire
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.metrics import VERSION as METRICS_VERSION
from queue_server.core.policy import ArchiveReason, Policy, State, Trigger
from queue_server.core.uncertainty import confidence
from queue_server.errors import FieldError, ProblemError
from queue_server.images import CheckedImage
from queue_server.ingest import checks
from queue_server.store import changes, decisions, feedback, measuring, projects, samples, showings, streams
from queue_server.store.engine import reading, writing

_CORRECTION = TypeAdapter(types.Correction)


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of a sample that was sent."""

    sample_id: UUID
    is_new: bool
    state: str
    image: ImageNeed


def take_sample(
    backend: Backend, project_id: int, sample: types.Sample, *, image: bytes | None, now: datetime
) -> Taken:
    """Store a sample once and decide on it.

    1. The same again: answer from the row, before any decoding. 2. Check all of it. 3. Write the image's bytes.
    4. In one transaction: the rows, the feedback that waited for it, the decision.
    """
    checks.require_sound("the sample is refused", checks.sample_faults(sample))
    with reading(backend.engine) as session:
        project = projects.get(session, project_id)
        known = samples.find(session, project_id, sample.id)
        if known is not None and not _lacks_image(known, image):
            return _same_again(known, sample, image)
    checked = checks.checked_image(backend, image, declared_sha256=sample.image_sha256) if image is not None else None
    if sample.prediction is not None:
        size = (checked.width, checked.height) if checked else None
        faults = checks.prediction_faults(sample.prediction, project, size)
        checks.require_sound("the prediction is refused", checks.below("prediction", faults))
    if checked is not None:
        backend.blobs.put(checked.content)
    return _store(backend, project_id, sample, image=image, checked=checked, now=now)


def _lacks_image(known: models.Sample, image: bytes | None) -> bool:
    return known.image_sha256 is None and image is not None


def _store(
    backend: Backend,
    project_id: int,
    sample: types.Sample,
    *,
    image: bytes | None,
    checked: CheckedImage | None,
    now: datetime,
) -> Taken:
    with writing(backend.engine) as session:
        samples.serialize(session, sample.id)
        known = samples.find(session, project_id, sample.id, for_update=True)
        if known is not None:
            taken = _same_again(known, sample, image)
            if checked is not None and known.image_sha256 is None:
                _attach(session, known, checked, sent_sha256=_sha256(image), now=now)
                return answer_of(known, is_new=False)
            return taken
        project = projects.get(session, project_id)
        row = _insert(session, project, sample, image=image, checked=checked, now=now)
        _take_parked(session, project, row, checked)
        decisions.redecide(session, row, trigger=Trigger.ARRIVAL, now=now)
        return answer_of(row, is_new=True)


def _same_again(known: models.Sample, sample: types.Sample, image: bytes | None) -> Taken:
    """Answer a repeat, or raise ProblemError 409: an id's content never changes."""
    _check_not_erased(known)
    if known.payload_sha256 != checks.payload_sha256(sample):
        fault = FieldError(field="id", message="must be new, this id was used for other content: make a new id")
        raise ProblemError(409, "a sample with this id and other content is here", (fault,))
    came = _sha256(image) or sample.image_sha256
    if came is not None and known.sent_image_sha256 not in (None, came):
        fault = FieldError(
            field="image", message=f"must be the one with SHA-256 {known.sent_image_sha256}, got {came}: make a new id"
        )
        raise ProblemError(409, "a sample with this id and another image is here", (fault,))
    return answer_of(known, is_new=False)


def _check_not_erased(known: models.Sample) -> None:
    if is_erased(known):
        raise ProblemError(409, "this sample was erased", (FieldError(field="id", message="must be new"),))


def _insert(
    session: Session,
    project: models.Project,
    sample: types.Sample,
    *,
    image: bytes | None,
    checked: CheckedImage | None,
    now: datetime,
) -> models.Sample:
    assert project.id is not None
    pinned = projects.policy(session, project, project.policy_version)
    prediction = sample.prediction
    if checked is not None:
        samples.keep_image(session, _image_row(checked, now))
    position = streams.next_position(session, project.id, sample.stream) if _counts_streams(pinned.policy) else None
    row = models.Sample(
        project_id=project.id,
        sample_id=sample.id,
        payload_sha256=checks.payload_sha256(sample),
        captured_at=sample.captured_at,
        received_at=now,
        tags=list(sample.tags),
        extra=dict(sample.metadata),
        subject=sample.subject,
        stream=sample.stream,
        capture_probability=sample.capture_probability,
        stands_for=sample.stands_for,
        stream_position=position,
        embedding=list(sample.embedding) if sample.embedding is not None else None,
        sent_image_sha256=_sha256(image) or sample.image_sha256,
        image_sha256=checked.sha256 if checked else None,
        model_version=prediction.model_version if prediction else None,
        confidence=confidence(prediction),
        policy_version=pinned.policy.version,
        state=State.AWAITING_FEEDBACK,
        window_ends_at=now + timedelta(seconds=pinned.confirmation_window_seconds),
        shown_at=showings.take_parked(session, project.id, sample.id),
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    changes.record(session, row, now=now)
    if prediction is not None:
        session.add(_prediction_row(row, prediction, is_shown=True, now=now))
    session.flush()
    measuring.keep_arrived(session, row, prediction)
    return row


def _counts_streams(pinned: Policy) -> bool:
    return "stream_position" in pinned.needs


def _prediction_row(
    sample: models.Sample, prediction: types.Prediction, *, is_shown: bool, now: datetime
) -> models.Prediction:
    document = to_wire(prediction)
    assert sample.id is not None
    assert isinstance(document, dict)
    return models.Prediction(
        sample_pk=sample.id,
        model_version=prediction.model_version,
        document=document,
        payload_sha256=checks.payload_sha256(prediction),
        is_shown=is_shown,
        received_at=now,
    )


def _image_row(checked: CheckedImage, now: datetime) -> models.Image:
    return models.Image(
        sha256=checked.sha256,
        width=checked.width,
        height=checked.height,
        media_type=checked.media_type,
        size_bytes=len(checked.content),
        perceptual_hash=checked.perceptual_hash,
        quality=dict(checked.quality),
        measured=METRICS_VERSION,
        created_at=now,
    )


def _take_parked(
    session: Session, project: models.Project, sample: models.Sample, checked: CheckedImage | None
) -> None:
    """Tie feedback that came first to its sample; what does not fit it is kept and flagged."""
    assert sample.id is not None
    assert project.id is not None
    prediction = decisions.read_prediction(samples.shown_prediction(session, sample.id))
    size = (checked.width, checked.height) if checked else None
    for row in feedback.parked(session, project.id, sample.sample_id):
        correction = _CORRECTION.validate_python(row.correction, strict=False) if row.correction else None
        faults = checks.correction_faults(correction, prediction, project=project, size=size)
        said = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        feedback.attach(session, row, sample_pk=sample.id, fault=said or None)


def take_image(backend: Backend, project_id: int, sample_id: UUID, *, image: bytes, now: datetime) -> Taken:
    """Store the image of a sample that came without."""
    with reading(backend.engine) as session:
        known = samples.find(session, project_id, sample_id)
        if known is None:
            raise ProblemError(404, "no such sample: post it first")
        _check_not_erased(known)
        project = projects.get(session, project_id)
        assert known.id is not None
        prediction = decisions.read_prediction(samples.shown_prediction(session, known.id))
    if known.sent_image_sha256 not in (None, _sha256(image)):
        message = f"must be the one with SHA-256 {known.sent_image_sha256}, got {_sha256(image)}"
        raise ProblemError(409, "the sample is of another image", (FieldError(field="image", message=message),))
    if known.image_sha256 is not None:
        return answer_of(known, is_new=False)
    checked = checks.checked_image(backend, image, declared_sha256=None)
    if prediction is not None:
        faults = checks.prediction_faults(prediction, project, (checked.width, checked.height))
        checks.require_sound("the image does not fit the prediction", checks.below("prediction", faults))
    backend.blobs.put(checked.content)
    with writing(backend.engine) as session:
        row = samples.find(session, project_id, sample_id, for_update=True)
        assert row is not None
        _check_not_erased(row)
        is_new = row.image_sha256 is None
        if is_new:
            _attach(session, row, checked, sent_sha256=_sha256(image), now=now)
        return answer_of(row, is_new=is_new)


def _attach(
    session: Session, sample: models.Sample, checked: CheckedImage, *, sent_sha256: str | None, now: datetime
) -> None:
    """Give a sample its image, and decide anew: rules may look at it, and it may show what is queued already."""
    samples.keep_image(session, _image_row(checked, now))
    samples.attach_image(session, sample, image_sha256=checked.sha256, sent_sha256=sent_sha256)
    measuring.keep_changed(session, sample)
    decisions.redecide(session, sample, trigger=Trigger.IMAGE, now=now)


def take_prediction(
    backend: Backend, project_id: int, sample_id: UUID, *, prediction: types.Prediction, now: datetime
) -> bool:
    """Store another model version's prediction on a sample; False: the same again."""
    with writing(backend.engine) as session:
        sample = samples.find(session, project_id, sample_id, for_update=True)
        if sample is None:
            raise ProblemError(404, "no such sample: post it first")
        assert sample.id is not None
        image = session.get(models.Image, sample.image_sha256) if sample.image_sha256 else None
        size = (image.width, image.height) if image else None
        faults = checks.prediction_faults(prediction, projects.get(session, project_id), size)
        checks.require_sound("the prediction is refused", faults)
        for known in samples.predictions(session, sample.id):
            if known.model_version == prediction.model_version:
                if known.payload_sha256 == checks.payload_sha256(prediction):
                    return False
                fault = FieldError(field="model_version", message="must be new for this sample: it predicted otherwise")
                raise ProblemError(409, "this model version has predicted on this sample", (fault,))
        session.add(_prediction_row(sample, prediction, is_shown=sample.model_version is None, now=now))
        if sample.model_version is None:
            _show(session, sample, prediction)
        session.flush()
        if sample.model_version == prediction.model_version:
            measuring.keep_changed(session, sample)
        decisions.redecide(session, sample, trigger=Trigger.PREDICTION, now=now)
        return True


def _show(session: Session, sample: models.Sample, prediction: types.Prediction) -> None:
    """Let the first prediction on a sample that came without one be the one that its figures show."""
    sample.model_version = prediction.model_version
    sample.confidence = confidence(prediction)
    session.add(sample)


def answer_of(sample: models.Sample, *, is_new: bool) -> Taken:
    """Return what became of a sample."""
    return Taken(sample_id=sample.sample_id, is_new=is_new, state=sample.state, image=image_need(sample))


def image_need(sample: models.Sample) -> ImageNeed:
    """Return what the server says of a sample's image."""
    if sample.image_sha256 is not None:
        return ImageNeed.STORED
    if sample.state == State.ARCHIVED:
        return ImageNeed.NOT_WANTED
    return ImageNeed.NOT_YET if sample.state == State.AWAITING_FEEDBACK else ImageNeed.WANTED


def image_needs(backend: Backend, project_id: int, sample_ids: Sequence[UUID]) -> dict[UUID, ImageNeed]:
    """Return what is said of the images of the samples that are known, in the order asked.

    An erased sample counts as stored: its image can never be taken any more.
    """
    with reading(backend.engine) as session:
        known = samples.find_many(session, project_id, sample_ids)
    return {
        sample_id: ImageNeed.STORED if is_erased(known[sample_id]) else image_need(known[sample_id])
        for sample_id in sample_ids
        if sample_id in known
    }


def is_erased(sample: models.Sample) -> bool:
    """Tell whether a sample's content was erased, for good."""
    return sample.state == State.ARCHIVED and sample.reason == ArchiveReason.ERASED


def _sha256(content: bytes | None) -> str | None:
    return hashlib.sha256(content).hexdigest() if content is not None else None
