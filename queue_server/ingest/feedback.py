"""Feedback, by key or by token; it may come before its sample."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import Session

from feedback_sdk import types
from feedback_sdk.wire import canonical_json, to_wire
from queue_server import models
from queue_server.auth import Caller
from queue_server.backend import Backend
from queue_server.core.policy import Trigger
from queue_server.errors import FieldError, ProblemError
from queue_server.ingest import checks
from queue_server.store import decisions, feedback, projects, samples
from queue_server.store.engine import writing

#: Verdicts of one reporter whose times are closer than this come in the order of their arrival: `age_ms` is in whole
#: milliseconds, and the network's jitter is larger than the time between two calls of an app.
NEAR_TIE = timedelta(seconds=1)


def take_feedback(backend: Backend, caller: Caller, given: types.Feedback, *, now: datetime) -> None:
    """Keep a verdict once, and decide anew on its sample.

    With a key, faults and conflicts are answered: ProblemError 409 or 422. With a token they are kept to ourselves:
    the answer must not tell whether a sample exists. What does not fit is stored and flagged.
    """
    given = _bound_to_token(caller, given)
    _store(backend, caller, given, now=now)


def _bound_to_token(caller: Caller, given: types.Feedback) -> types.Feedback:
    token = caller.token
    if token is None:
        return given
    if given.sample_id != token.sample_id:
        fault = FieldError(field="sample_id", message="must be the sample that the token was made for")
        raise ProblemError(403, "the token is for another sample", (fault,))
    return replace(given, reporter=token.reporter or None)


def _store(backend: Backend, caller: Caller, given: types.Feedback, *, now: datetime) -> None:
    with writing(backend.engine) as session:
        samples.serialize(session, given.sample_id)
        sample = samples.find(session, caller.project_id, given.sample_id, for_update=True)
        known = feedback.find(session, caller.project_id, given.id)
        if known is not None:
            _check_same(known, given, caller)
            return
        fault = _fault(session, caller, given, sample)
        given_at = _given_at(session, caller, given, now=now)
        row = _row(caller, given, sample, fault=fault, given_at=given_at, now=now)
        session.add(row)
        session.flush()
        if sample is not None and fault is None:
            is_late = now >= sample.window_ends_at
            trigger = Trigger.LATE_FEEDBACK if is_late else Trigger.VERDICT
            decisions.redecide(session, sample, trigger=trigger, now=now)


def _check_same(known: models.Feedback, given: types.Feedback, caller: Caller) -> None:
    if known.payload_sha256 != payload_sha256(given) and caller.token is None:
        fault = FieldError(field="id", message="must be new, this id was used for other feedback: make a new id")
        raise ProblemError(409, "feedback with this id and other content is here", (fault,))


def _fault(session: Session, caller: Caller, given: types.Feedback, sample: models.Sample | None) -> str | None:
    """Return why feedback does not fit its sample; with a key, raise that as ProblemError 422."""
    if sample is None or given.correction is None:
        return None
    assert sample.id is not None
    prediction = decisions.read_prediction(samples.shown_prediction(session, sample.id))
    image = session.get(models.Image, sample.image_sha256) if sample.image_sha256 else None
    project = projects.get(session, caller.project_id)
    size = (image.width, image.height) if image else None
    faults = checks.correction_faults(given.correction, prediction, project=project, size=size)
    if caller.token is None:
        checks.require_sound("the correction is refused", checks.below("correction", faults))
    return "; ".join(f"{fault.field}: {fault.message}" for fault in faults) or None


def _given_at(session: Session, caller: Caller, given: types.Feedback, *, now: datetime) -> datetime:
    """Return when the user said it; after what the same reporter said within NEAR_TIE of it and came before it."""
    # A clock may be wrong and an answer years old: its time is bounded by what a database can hold.
    given_at = now - timedelta(milliseconds=min(given.age_ms, 10 * 365 * 86_400_000))
    tied = feedback.last_given_at(
        session, caller.project_id, given.sample_id, reporter=given.reporter, since=given_at, before=given_at + NEAR_TIE
    )
    return tied + timedelta(microseconds=1) if tied is not None else given_at


def _row(
    caller: Caller,
    given: types.Feedback,
    sample: models.Sample | None,
    *,
    fault: str | None,
    given_at: datetime,
    now: datetime,
) -> models.Feedback:
    correction = to_wire(given.correction) if given.correction else None
    assert correction is None or isinstance(correction, dict)
    return models.Feedback(
        project_id=caller.project_id,
        feedback_id=given.id,
        sample_id=given.sample_id,
        sample_pk=sample.id if sample else None,
        payload_sha256=payload_sha256(given),
        verdict=given.verdict,
        correction=correction,
        comment=given.comment,
        reporter=given.reporter,
        source="token" if caller.token else "key",
        given_at=given_at,
        received_at=now,
        fault=fault,
    )


def payload_sha256(given: types.Feedback) -> str:
    """Return the hash of the canonical JSON without the age, which grows from retry to retry."""
    return hashlib.sha256(canonical_json(replace(given, age_ms=0))).hexdigest()
