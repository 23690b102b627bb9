"""Feedback, by key, by token or by a publishable key; it may come before its sample."""

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
from queue_server.store.feedback import Source

#: Verdicts of one reporter whose times are closer than this come in the order of their arrival: `age_ms` is in whole
#: milliseconds, and the network's jitter is larger than the time between two calls of an app.
NEAR_TIE = timedelta(seconds=1)
#: of one reporter on one sample by a token; of all together by publishable keys
MOST_ANSWERS = 20
_UNVERIFIED = "it came by a publishable key, which anybody can read off a page"


def take_feedback(backend: Backend, caller: Caller, given: types.Feedback, *, now: datetime) -> None:
    """Keep a verdict once, and decide anew on its sample.

    With a secret key, faults and conflicts are answered: ProblemError 409 or 422. With a token or a publishable key
    they are kept to ourselves: the answer must not tell whether a sample exists. What does not fit is stored and
    flagged; beyond MOST_ANSWERS nothing is stored.
    """
    given = _bound(caller, given)
    _store(backend, caller, given, now=now)


def _bound(caller: Caller, given: types.Feedback) -> types.Feedback:
    """Return feedback that names whom its token names; a publishable key stands for nobody."""
    token = caller.token
    if token is None:
        return replace(given, reporter=None) if caller.is_publishable else given
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
        if not caller.is_trusted and _has_said_enough(session, caller, given):
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
    if known.payload_sha256 != payload_sha256(given) and caller.is_trusted:
        fault = FieldError(field="id", message="must be new, this id was used for other feedback: make a new id")
        raise ProblemError(409, "feedback with this id and other content is here", (fault,))


def _has_said_enough(session: Session, caller: Caller, given: types.Feedback) -> bool:
    count = feedback.count_answers(
        session, caller.project_id, given.sample_id, reporter=given.reporter, source=_source(caller)
    )
    return count >= MOST_ANSWERS


def _source(caller: Caller) -> Source:
    if caller.is_publishable:
        return Source.PUBLISHABLE
    return Source.TOKEN if caller.token is not None else Source.KEY


def _fault(session: Session, caller: Caller, given: types.Feedback, sample: models.Sample | None) -> str | None:
    """Return why feedback does not count; with a secret key, raise that it does not fit as ProblemError 422."""
    if caller.is_publishable:
        return _UNVERIFIED
    if sample is None or given.correction is None:
        return None
    assert sample.id is not None
    prediction = decisions.read_prediction(samples.shown_prediction(session, sample.id))
    image = session.get(models.Image, sample.image_sha256) if sample.image_sha256 else None
    project = projects.get(session, caller.project_id)
    size = (image.width, image.height) if image else None
    faults = checks.correction_faults(given.correction, prediction, project=project, size=size)
    if caller.is_trusted:
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
        source=_source(caller),
        given_at=given_at,
        received_at=now,
        fault=fault,
    )


def payload_sha256(given: types.Feedback) -> str:
    """Return the hash of the canonical JSON without the age, which grows from retry to retry."""
    return hashlib.sha256(canonical_json(replace(given, age_ms=0))).hexdigest()
