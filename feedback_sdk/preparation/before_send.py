"""The app's last word on what goes out: `before_send` sees each capture and feedback, and may change or drop it.

It runs on the sender's thread. What it returns is read anew as the wire's types, so nothing invalid leaves; what it
returns for one capture must be the same whenever it is asked, as an id's content never changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from json import loads
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from feedback_sdk import arguments
from feedback_sdk.errors import PreparationError, ValidationError, place_of
from feedback_sdk.types import Feedback, Sample
from feedback_sdk.wire import canonical_json

_Text = TypeVar("_Text")


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """A sample as it is about to be sent, with its image file: encoded, and made smaller where that is wanted.

    Coordinates are those of the prediction's `image_size`, where it is given, else of the image itself. A hook that
    hides the left upper quarter of each image, and what its users wrote:

    .. code-block:: python

        def before_send(shown: Capture | Feedback) -> Capture | Feedback | None:
            if isinstance(shown, Feedback):
                return replace(shown, comment=None)
            if shown.image is None:
                return shown
            with Image.open(BytesIO(shown.image)) as file:
                image = ImageOps.exif_transpose(file).convert("RGB")
            region = (0, 0, image.width // 2, image.height // 2)
            image.paste(image.crop(region).filter(ImageFilter.GaussianBlur(12)), region)
            hidden = BytesIO()
            image.save(hidden, "JPEG", quality=90)
            return replace(shown, image=hidden.getvalue())
    """

    sample: Sample
    image: bytes | None = None


BeforeSend: TypeAlias = Callable[[Capture | Feedback], Capture | Feedback | None]


def ask_of_sample(before_send: BeforeSend, text: bytes, *, image: bytes) -> tuple[bytes, bytes] | None:
    """Return a sample's JSON and image as the app wants them sent, None where it wants them dropped.

    Raises PreparationError where `before_send` raises or returns what cannot be sent.
    """
    shown = Capture(sample=_sample(loads(text)), image=image or None)
    return _checked(lambda: before_send(shown), _read_capture(shown))


def ask_of_feedback(before_send: BeforeSend, text: bytes) -> bytes | None:
    """Return a feedback's JSON as the app wants it sent, None where it wants it dropped; raises as for a sample."""
    shown = _feedback(loads(text))
    return _checked(lambda: before_send(shown), _read_feedback(shown))


def _checked(ask: Callable[[], object], read: Callable[[object], _Text]) -> _Text | None:
    """Ask the app and read its answer; whatever is wrong with either becomes a PreparationError."""
    try:
        answer = ask()
    except Exception as error:  # the boundary: the app's own function
        raise PreparationError(f"before_send must not raise, got {_said(error)}") from error
    if answer is None:
        return None
    try:
        return read(answer)
    except Exception as error:  # the boundary: a value of the app's, whatever it is
        raise PreparationError(f"before_send must return what the wire allows, got {_said(error)}") from error


def _said(error: Exception) -> str:
    """Return what may be told of an error: our own messages name fields and bounds, others may hold anything."""
    return (
        f"this: {error.message}" if isinstance(error, ValidationError) else f"{type(error).__name__}{place_of(error)}"
    )


def _read_capture(shown: Capture) -> Callable[[object], tuple[bytes, bytes]]:
    def read(answer: object) -> tuple[bytes, bytes]:
        if not isinstance(answer, Capture):
            raise ValidationError("", f"a Capture must come for a Capture, got {type(answer).__name__}")
        if not isinstance(answer.image, bytes | None):
            raise ValidationError("image", f"image must be bytes or None, got {type(answer.image).__name__}")
        sample = _sample(loads(canonical_json(replace(answer.sample, image_sha256=None))))
        if sample.id != shown.sample.id:
            raise ValidationError("id", f"id must stay {shown.sample.id}, got {sample.id}")
        return canonical_json(sample), answer.image or b""

    return read


def _read_feedback(shown: Feedback) -> Callable[[object], bytes]:
    def read(answer: object) -> bytes:
        if not isinstance(answer, Feedback):
            raise ValidationError("", f"a Feedback must come for a Feedback, got {type(answer).__name__}")
        said = _feedback(loads(canonical_json(answer)))
        if (said.id, said.sample_id) != (shown.id, shown.sample_id):
            raise ValidationError("id", f"id and sample_id must stay as they are, got others for {shown.id}")
        return canonical_json(said)

    return read


def _sample(fields: Mapping[str, Any]) -> Sample:
    prediction = fields.get("prediction")
    own = {
        "id": UUID(fields["id"]),
        "captured_at": datetime.fromisoformat(fields["captured_at"]),
        "prediction": None if prediction is None else arguments.prediction(prediction),
    }
    return Sample(**{**fields, **own})


def _feedback(fields: Mapping[str, Any]) -> Feedback:
    names = ("count", "label", "boxes", "points", "image_size")
    said = fields.get("correction")
    own = {
        "id": UUID(fields["id"]),
        "sample_id": UUID(fields["sample_id"]),
        "correction": None if said is None else arguments.correction(**{name: said.get(name) for name in names}),
    }
    return Feedback(**{**fields, **own})
