"""Read the slices that a project's file names."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from functools import partial

from queue_server.core.policy.faults import Faults, nearest
from queue_server.core.policy.parameters import Json
from queue_server.core.slices.slices import Slice, read_slice
from queue_server.errors import PolicyError

_KEYS = ("where", "model_version", "since", "until")
_MOST = 200


def read_slices(value: object) -> tuple[Slice, ...]:
    """Return the slices of a file: name -> a condition, or a mapping of what must hold; or raise PolicyError.

    >>> [found.name for found in read_slices({"night": "tags has 'night'"})]
    ['night']
    """
    if value is None:
        return ()
    if not isinstance(value, Mapping) or len(value) > _MOST:
        must = f"must be a mapping of at most {_MOST} names to conditions"
        raise PolicyError("slices", f"{must}, got {str(value)[:100]!r}")
    faults = Faults()
    found = [faults.hear(partial(_slice, str(name), said)) for name, said in value.items()]
    faults.check()
    return tuple(one for one in found if one is not None)


def _slice(name: str, said: object) -> Slice:
    path = f"slices.{name}"
    given = {"where": said} if isinstance(said, str) else said
    if not isinstance(given, Mapping):
        raise PolicyError(path, f"must be a condition or a mapping of {', '.join(_KEYS)}, got {said!r}")
    faults = Faults()
    for key in given:
        if key not in _KEYS:
            hint = nearest(str(key), _KEYS)
            faults.add(f"{path}.{key}", f"is not known here, must be one of {', '.join(_KEYS)}{hint}")
    where, version = (faults.hear(partial(_text, f"{path}.{key}", given.get(key))) for key in _KEYS[:2])
    since, until = (faults.hear(partial(_moment, f"{path}.{key}", given.get(key))) for key in _KEYS[2:])
    faults.check()
    try:
        return read_slice(name, where=where, model_version=version, since=since, until=until)
    except PolicyError as error:
        whole = isinstance(said, str)
        faults_here = [replace(one, field=path if whole else f"{path}.{one.field}") for one in error.faults]
        raise PolicyError.of(faults_here) from error


def slices_schema() -> Json:
    """Return their JSON Schema.

    >>> sorted(slices_schema()["additionalProperties"]["anyOf"][1]["properties"])
    ['model_version', 'since', 'until', 'where']
    """
    text: Json = {"type": "string", "minLength": 1}
    whole: Json = {"type": "object", "properties": dict.fromkeys(_KEYS, text), "additionalProperties": False}
    return {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9][a-z0-9-]{0,99}$"},
        "additionalProperties": {"anyOf": [text, whole]},
        "description": "named parts of the stream, to see how good the model is in each: name -> condition",
    }


def _text(path: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise PolicyError(path, f"must be a text, got {value!r}")
    return value


def _moment(path: str, value: object) -> datetime | None:
    """Return a time; YAML may have read it as one, or as a day."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PolicyError(path, f"must be a time such as 2026-11-20T12:00Z, got {value!r}") from error
    if isinstance(found, datetime):
        return (found if found.utcoffset() is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(found, date):
        return datetime.combine(found, time(tzinfo=UTC))
    if found is not None:
        raise PolicyError(path, f"must be a time such as 2026-11-20T12:00Z, got {value!r}")
    return None
