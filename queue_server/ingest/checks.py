"""Checks of what came against the project and the image, as faults by field."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace

from feedback_sdk.types import Correction, Prediction, Sample, Task
from feedback_sdk.wire import canonical_json
from queue_server import models
from queue_server.backend import Backend
from queue_server.core import geometry, labels
from queue_server.errors import FieldError, ImageError, ProblemError
from queue_server.images import CheckedImage, check_image
from queue_server.models import is_instant

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def require_sound(title: str, faults: Iterable[FieldError]) -> None:
    """Raise ProblemError 422 if there are faults."""
    found = tuple(faults)
    if found:
        raise ProblemError(422, title, found)


def below(prefix: str, faults: Iterable[FieldError]) -> tuple[FieldError, ...]:
    """Return the faults with their fields below a prefix."""
    return tuple(FieldError(field=f"{prefix}.{fault.field}", message=fault.message) for fault in faults)


def checked_image(backend: Backend, content: bytes, *, declared_sha256: str | None) -> CheckedImage:
    """Return the image to store, or raise ProblemError 413 or 422."""
    limit = backend.settings.max_image_bytes
    if len(content) > limit:
        fault = FieldError(field="image", message=f"must have at most {limit} bytes, got {len(content)}")
        raise ProblemError(413, "the image is too large", (fault,))
    came = hashlib.sha256(content).hexdigest()
    if declared_sha256 is not None and declared_sha256 != came:
        message = f"must be the SHA-256 of the image that was sent, {came}, got {declared_sha256}"
        raise ProblemError(
            422, "the image is not the one announced", (FieldError(field="image_sha256", message=message),)
        )
    try:
        return check_image(content, max_pixels=backend.settings.max_image_pixels)
    except ImageError as error:
        raise ProblemError(422, "the image is refused", (FieldError(field="image", message=str(error)),)) from error


def sample_faults(sample: Sample) -> tuple[FieldError, ...]:
    """Return the faults of a sample itself: a time without an instant, a hash that no image could have."""
    found = []
    if not is_instant(sample.captured_at):
        message = f"must be a time of the years 1 to 9999 in UTC, got {sample.captured_at.isoformat()}"
        found.append(FieldError(field="captured_at", message=message))
    if sample.image_sha256 is not None and not _SHA256.fullmatch(sample.image_sha256):
        message = f"must be 64 lower-case hexadecimal digits, got {sample.image_sha256!r}"
        found.append(FieldError(field="image_sha256", message=message))
    return tuple(found)


def prediction_faults(
    prediction: Prediction, project: models.Project, size: tuple[int, int] | None
) -> tuple[FieldError, ...]:
    """Return the faults of a prediction; its geometry is checked against `size`, else its own image size."""
    found = labels.prediction_faults(prediction, task=Task(project.task), labels=project.labels)
    frame = size or prediction.image_size
    if frame is None:
        return found
    return found + geometry.faults(prediction, width=frame[0], height=frame[1])


def correction_faults(
    correction: Correction | None,
    prediction: Prediction | None,
    *,
    project: models.Project,
    size: tuple[int, int] | None,
) -> tuple[FieldError, ...]:
    """Return the faults of a correction of this prediction."""
    if correction is None:
        return ()
    found = labels.correction_faults(correction, labels=project.labels)
    frame = size or correction.image_size or (prediction.image_size if prediction else None)
    if frame is None:
        return found
    return found + geometry.correction_faults(correction, prediction, width=frame[0], height=frame[1])


def payload_sha256(value: Sample | Prediction) -> str:
    """Return the hash of the canonical JSON; the image's own hash is compared apart, as it may come later."""
    content = replace(value, image_sha256=None) if isinstance(value, Sample) else value
    return hashlib.sha256(canonical_json(content)).hexdigest()
