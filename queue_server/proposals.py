"""What an annotator is shown of a sample, put together from its rows; push sends it, pull compares with it."""

from pydantic import TypeAdapter
from sqlmodel import Session

from feedback_sdk import types
from feedback_sdk.errors import ValidationError
from queue_server import models
from queue_server.auth import sign_image
from queue_server.core import geometry
from queue_server.core.proposals import Proposal, UserVerdict
from queue_server.settings import Settings
from queue_server.store import decisions, feedback, samples

_CORRECTION = TypeAdapter(types.Correction)


def proposal_of(session: Session, sample: models.Sample, task: models.LabelingTask, settings: Settings) -> Proposal:
    """Return the proposal for a sample whose image is stored; all coordinates are those of the stored image."""
    assert sample.id is not None
    assert sample.image_sha256 is not None
    image = session.get_one(models.Image, sample.image_sha256)
    said = decisions.read_prediction(samples.shown_prediction(session, sample.id))
    placed = geometry.place_prediction(said, width=image.width, height=image.height) if said is not None else None
    return Proposal(
        sample_id=str(sample.sample_id),
        image_url=image_url(settings, project_id=sample.project_id, sha256=image.sha256),
        width=image.width,
        height=image.height,
        prediction=placed,
        verdicts=_last_words(session, sample.id, said, image),
        priority=task.priority,
        rank=task.rank,
        reason=task.reasons[0] if task.reasons else "",
        reasons=task.reasons,
        model_version=sample.model_version,
        confidence=sample.confidence,
        generation=task.generation,
        look=task.look,
        tab=task.tab,
        is_blind=task.is_blind,
        tags=list(dict.fromkeys([*sample.tags, *(task.tags or ())])),
        stands_for=sample.stands_for + sample.collapsed,
    )


def image_url(settings: Settings, *, project_id: int, sha256: str) -> str:
    """Return the address under which Label Studio's page may fetch an image; it does not expire."""
    signature = sign_image(sha256, project_id=project_id, secret_keys=settings.secret_keys)
    base = settings.public_url.rstrip("/")
    return f"{base}/v1/images/{sha256}?project={project_id}&signature={signature}"


def _last_words(
    session: Session, sample_pk: int, said: types.Prediction | None, image: models.Image
) -> tuple[UserVerdict, ...]:
    """Return each reporter's latest verdict that counts, the oldest first."""
    rows = [row for row in feedback.of_sample(session, sample_pk) if row.fault is None]
    latest = {row.reporter: row for row in sorted(rows, key=lambda row: row.given_at)}
    return tuple(_user_verdict(row, said, image) for row in sorted(latest.values(), key=lambda row: row.given_at))


def _user_verdict(row: models.Feedback, said: types.Prediction | None, image: models.Image) -> UserVerdict:
    return UserVerdict(
        verdict=types.Verdict(row.verdict),
        reporter=row.reporter,
        correction=_placed(row, said, image),
        comment=row.comment,
    )


def _placed(row: models.Feedback, said: types.Prediction | None, image: models.Image) -> types.Correction | None:
    """Return a correction in the image's pixels; one that came before the image may not fit it, and is left out."""
    if row.correction is None:
        return None
    correction = _CORRECTION.validate_python(row.correction, strict=False)
    try:
        return geometry.place_correction(correction, said, width=image.width, height=image.height)
    except ValidationError:
        return None
