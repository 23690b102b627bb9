"""Put together what a decision may look at; what no rule of the policy needs is not fetched."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter
from sqlmodel import Session

from feedback_sdk import types
from queue_server import models
from queue_server.core import policy
from queue_server.core.policy import ArchiveReason, Policy, Share, State
from queue_server.core.policy.parameters import Threshold
from queue_server.core.policy.purse import accounts
from queue_server.store import annotations, budgets, feedback, figures, pictures, reporters, samples

_PREDICTION = TypeAdapter(types.Prediction)
_CORRECTION = TypeAdapter(types.Correction)


def read_prediction(row: models.Prediction | None) -> types.Prediction | None:
    """Return the wire value that a row holds."""
    return _PREDICTION.validate_python(row.document, strict=False) if row else None


def candidate_of(session: Session, sample: models.Sample, pinned: Policy, *, now: datetime) -> policy.Candidate:
    """Return a sample as its policy may look at it."""
    assert sample.id is not None
    is_archived = sample.state == State.ARCHIVED
    said = feedback.of_sample(session, sample.id)
    opinion = policy.opinion(feedback.verdicts_of(said))
    found = replace(
        bare_candidate(session, sample),
        state=State(sample.state),
        archive_reason=ArchiveReason(sample.reason) if is_archived and sample.reason else None,
        opinion=opinion,
        is_requested=sample.request_reason is not None,
        corrections=[
            _CORRECTION.validate_python(row.correction, strict=False)
            for row in feedback.last_words(said)
            if row.correction is not None
        ],
        shares=_shares(session, sample),
    )
    found = _with_needed(session, sample, found, pinned)
    if opinion.is_objection:
        found = _with_reporters(session, sample, found, said, now=now)
    return with_ledger(session, sample, found, pinned, now=now)


def bare_candidate(session: Session, sample: models.Sample) -> policy.Candidate:
    """Return a sample with what its prediction and its app say, before anybody said anything of it."""
    assert sample.id is not None
    return policy.Candidate(
        sample_id=sample.sample_id,
        state=State.AWAITING_FEEDBACK,
        prediction=read_prediction(samples.shown_prediction(session, sample.id)),
        opinion=policy.Opinion(),
        window_ends_at=sample.window_ends_at,
        tags=sample.tags,
        metadata=sample.extra,
        stream=sample.stream,
        subject=sample.subject,
        quality=_quality(session, sample),
        stream_position=sample.stream_position,
        is_shown=sample.shown_at is not None,
    )


def with_ledger(
    session: Session, sample: models.Sample, candidate: policy.Candidate, pinned: Policy, *, now: datetime
) -> policy.Candidate:
    """Return the candidate with what the policy's accounts have spent, as far as can be seen without a lock."""
    if not pinned.is_limited:
        return candidate
    wanted = accounts(pinned, candidate, now)
    return replace(
        candidate,
        ledger=budgets.ledger(session, sample.project_id, wanted),
        lead_seconds=figures.lead_seconds(session, sample.project_id),
    )


def _shares(session: Session, sample: models.Sample) -> dict[str, Share]:
    """Return what the budget said before, and at the end of the period that held the sample."""
    known = {**(sample.shares or {}), **budgets.given(session, sample)}
    return {name: Share(**share) for name, share in known.items()}


def _quality(session: Session, sample: models.Sample) -> Mapping[str, float]:
    image = session.get(models.Image, sample.image_sha256) if sample.image_sha256 else None
    return (image.quality if image is not None else None) or {}


def _with_needed(
    session: Session, sample: models.Sample, candidate: policy.Candidate, pinned: Policy
) -> policy.Candidate:
    """Return the candidate with what only some strategies look at."""
    assert sample.id is not None
    if "shadows" in pinned.needs:
        rows = [row for row in samples.predictions(session, sample.id) if not row.is_shown]
        shadows = [prediction for row in rows if (prediction := read_prediction(row)) is not None]
        candidate = replace(candidate, shadows=shadows)
    if "novelty_bits" in pinned.needs:
        spans = [rule.parameters["span"] for rule in pinned.rules if "novelty_bits" in rule.kind.needs]
        longest = max(span for span in spans if isinstance(span, float))
        bits = pictures.nearest_queued_bits(session, sample, span_seconds=longest)
        candidate = replace(candidate, novelty_bits=bits)
    if needs_figures(pinned):
        known = figures.known(
            session,
            sample.project_id,
            policy_version=pinned.version,
            model_version=sample.model_version,
            at=sample.received_at,
        )
        candidate = replace(candidate, figures=known)
    return candidate


def needs_figures(pinned: Policy) -> bool:
    """Tell whether a policy takes numbers from the traffic."""
    if pinned.budget is not None:
        return True
    values = [value for rule in pinned.rules for value in rule.parameters.values()]
    is_taken = any(isinstance(value, Threshold) and value.kind != "number" for value in values)
    return is_taken or any(rule.parameters.get("rare_first") is True for rule in pinned.rules)


def _with_reporters(
    session: Session,
    sample: models.Sample,
    candidate: policy.Candidate,
    said: list[models.Feedback],
    *,
    now: datetime,
) -> policy.Candidate:
    assert sample.id is not None
    names = [row.reporter for row in feedback.last_words(said) if row.reporter and row.verdict != "confirmed"]
    return replace(
        candidate,
        standings=reporters.standings(session, sample.project_id, names, sample_pk=sample.id, now=now),
        is_annotation_disputed=sample.state == State.ANNOTATED and annotations.is_disputed(session, sample, now=now),
    )
