"""What an app may hand to the client, turned into wire values: mappings, numpy numbers, tuples, texts of ids."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from time import time_ns
from typing import TypeVar
from uuid import UUID, uuid4

from feedback_sdk import types
from feedback_sdk.errors import ValidationError
from feedback_sdk.wire import wire_text

_Part = TypeVar("_Part")
#: the default of `tags`, known by its identity
NO_TAGS: Sequence[str] = ()
_PARTS: Mapping[str, type[object]] = {
    "boxes": types.Box,
    "polygons": types.Polygon,
    "masks": types.Mask,
    "keypoints": types.Keypoint,
}


def uuid_or_new(value: object) -> UUID:
    """Return the id that was given, or a new one."""
    return uuid4() if value is None else uuid(value)


def uuid(value: object) -> UUID:
    """Return an id given as UUID or text.

    >>> uuid("00000000-0000-0000-0000-000000000001").int
    1
    """
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value if isinstance(value, str) else "")
    except ValueError:
        came = "another text" if isinstance(value, str) else _name(value)
        raise ValidationError("id", f"id must be a UUID or its text, got {came}") from None


def new_id() -> tuple[str, bytes]:
    """Return a new random UUID (version 4) as text and as bytes; uuid4 takes three times as long."""
    while True:
        try:
            raw = _ids.pop()  # one step: no two threads get the same
            break
        except IndexError:
            _ids.extend(_drawn_ids())
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}", raw


def _drawn_ids() -> list[bytes]:
    """Return random ids: one call of the system for many takes a tenth of the time of a call for each."""
    drawn = bytearray(os.urandom(16 * _IDS_AT_ONCE))
    drawn[6::16] = bytes(byte & 0x0F | 0x40 for byte in drawn[6::16])
    drawn[8::16] = bytes(byte & 0x3F | 0x80 for byte in drawn[8::16])
    return [bytes(drawn[start : start + 16]) for start in range(0, len(drawn), 16)]


#: A draw costs some 50 µs: no more than one capture in 256 pays for it.
_IDS_AT_ONCE = 256
_ids: list[bytes] = []
if hasattr(os, "register_at_fork"):  # not on Windows; a child must not give out its parent's ids
    os.register_at_fork(after_in_child=_ids.clear)


def id_pair(value: object) -> tuple[str, bytes]:
    """Return a given id as text and as bytes."""
    given = uuid(value)
    return str(given), given.bytes


def sample_text(  # the fields of a sample
    sample_id: str,
    prediction: types.Prediction | None,
    *,
    captured_at: object,
    tags: object,
    metadata: object,
    subject: str | None,
    stream: str | None,
    capture_probability: float,
    stands_for: int,
    embedding: object,
) -> str:
    """Return the canonical JSON of a sample; what says nothing but its prediction, as most do, needs no checks."""
    is_plain = (
        tags is NO_TAGS
        and metadata is subject is stream is embedding is captured_at is None
        and capture_probability == 1.0
        and stands_for == 1
    )
    if is_plain:
        said = "" if prediction is None else f',"prediction":{prediction.wire_text()}'
        return f'{{"captured_at":"{now_text()}","id":"{sample_id}"{said}}}'
    return wire_text(
        types.Sample(
            id=UUID(sample_id),
            captured_at=time_or_now(captured_at),
            prediction=prediction,
            tags=_tags(tags),
            metadata=_metadata(metadata),
            subject=subject,
            stream=stream,
            capture_probability=capture_probability,
            stands_for=stands_for,
            embedding=_embedding(embedding),
        )
    )


def now_text() -> str:
    """Return this instant as JSON has it, to the microsecond; all but the fraction is made once a second."""
    second, nanoseconds = divmod(time_ns(), 1_000_000_000)
    known, text = _second[0]
    if known != second:
        text = datetime.fromtimestamp(second, UTC).isoformat()[:19]
        _second[0] = second, text  # one assignment: threads see both or neither
    return f"{text}.{nanoseconds // 1000:06d}Z"


_second: list[tuple[int, str]] = [(0, "1970-01-01T00:00:00")]


def time_or_now(value: object) -> datetime:
    """Return the time that was given, or this instant."""
    if value is None:
        return datetime.now(UTC)
    if not isinstance(value, datetime):
        raise ValidationError("captured_at", f"captured_at must be a datetime, got {_name(value)}")
    return value


def _tags(value: object) -> Sequence[str]:
    """Return tags; a single text is refused, since it would pass as a sequence of letters."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValidationError("tags", f"tags must be a sequence of strings, got {_name(value)}")
    return tuple(value)


def _metadata(value: object) -> Mapping[str, object]:
    """Return metadata as plain JSON values."""
    plain = _plain(value) if value is not None else {}
    if not isinstance(plain, Mapping):
        raise ValidationError("metadata", f"metadata must be a mapping, got {_name(value)}")
    return plain


def _embedding(value: object) -> Sequence[float] | None:
    """Return an embedding as plain finite numbers; a flat numpy array will do."""
    plain = _plain(value)
    if plain is None:
        return None
    if not isinstance(plain, list | tuple) or not all(isinstance(x, int | float) and math.isfinite(x) for x in plain):
        raise ValidationError("embedding", f"embedding must be a flat sequence of finite numbers, got {_name(value)}")
    return plain


def prediction(
    value: object,
    *,
    model_version: str | None = None,
    labels: Sequence[str] | Mapping[int, str] | None = None,
    task: str | None = None,
    image_size: types.Size | None = None,
) -> types.Prediction:
    """Return a prediction given as itself, as a mapping with the wire's names, or as a model's package gives it.

    >>> prediction({"model_version": "v1", "task": "counting", "count": 3}).count
    3
    """
    if isinstance(value, types.Prediction):
        return value
    if not (isinstance(value, Mapping) and "task" in value):
        from feedback_sdk.adapters import prediction_of

        if model_version is None:
            raise ValidationError("model_version", f"model_version must be given with a {_name(value)}, got none")
        return prediction_of(value, model_version=model_version, labels=labels, task=task, image_size=image_size)
    fields = {str(name): _plain(item) for name, item in value.items()}
    fields.setdefault("model_version", model_version)
    for name, part in _PARTS.items():
        if fields.get(name) is not None:
            fields[name] = _built(name, fields[name], part)
    return _made("prediction", fields, types.Prediction)


def correction(
    *, count: object, label: str | None, boxes: object, points: object, image_size: object
) -> types.Correction:
    """Return a correction; its points may be (x, y) pairs and its boxes mappings."""
    fields = {
        "count": _plain(count),
        "label": label,
        "boxes": None if boxes is None else _built("boxes", boxes, types.BoxCorrection),
        "points": None if points is None else _built("points", _plain(points), types.Point),
        "image_size": _plain(image_size),
    }
    return _made("correction", fields, types.Correction)


def _built(name: str, items: object, part: type[_Part]) -> list[_Part]:
    """Return parts given as themselves, as mappings or, for points, as pairs; an error names the item."""
    if isinstance(items, str | Mapping) or not isinstance(items, Iterable):
        raise ValidationError(name, f"{name} must be a sequence, got {_name(items)}")
    return [_part(f"{name}.{index}", item, part) for index, item in enumerate(items)]


def _part(name: str, item: object, part: type[_Part]) -> _Part:
    if isinstance(item, part):
        return item
    if part is types.Point and isinstance(item, list | tuple) and len(item) == 2:
        item = {"x": item[0], "y": item[1]}
    if not isinstance(item, Mapping):
        raise ValidationError(name, f"{name} must be a {part.__name__} or a mapping, got {_name(item)}")
    fields = {str(key): _plain(value) for key, value in item.items()}
    if isinstance(rle := fields.get("rle"), Mapping):
        fields["rle"] = _made(f"{name}.rle", rle, types.Rle)
    return _made(name, fields, part)


def _made(name: str, fields: Mapping[str, object], part: Callable[..., _Part]) -> _Part:
    try:
        return part(**fields)
    except ValidationError as error:
        raise ValidationError(f"{name}.{error.field}", f"{name}: {error.message}") from None
    except TypeError as error:  # a name that the wire does not know, or one that is missing
        raise ValidationError(name, f"{name} must have the fields of the wire, got: {error}") from None


def _plain(value: object) -> object:
    """Return numpy's numbers and arrays, tensors too, as Python's own; all else as it is."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else value


def _name(value: object) -> str:
    return type(value).__name__
