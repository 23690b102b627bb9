"""The one JSON text of a wire value: equal values have equal bytes, so a repeat can be told from a change.

Text is written straight from the values: an app pays for it with every capture. A type may bring its own `wire_text`,
where it is captured by the hundred; that must give what the general writer gives.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any
from uuid import UUID

#: JSON text of a string, quotes included.
quoted: Callable[[str], str] = encode_basestring


def to_wire(value: object) -> object:
    """Return the JSON form of a wire value: defaults dropped, so equal values have equal JSON.

    >>> to_wire({"at": datetime(2026, 11, 20, tzinfo=UTC), "tags": ("a", "b")})
    {'at': '2026-11-20T00:00:00Z', 'tags': ['a', 'b']}
    """
    return value if value is None else _former(type(value))(value)  # type: ignore[arg-type]  # types do hash


def canonical_json(value: object) -> bytes:
    """Return the one JSON text of a wire value: keys sorted, no spaces, UTF-8, numbers finite.

    >>> canonical_json({"y": 2.0, "x": 1.0})
    b'{"x":1.0,"y":2.0}'
    """
    return wire_text(value).encode()


def wire_text(value: object) -> str:
    """Return the canonical JSON as text.

    >>> wire_text(float("nan"))
    Traceback (most recent call last):
    ValueError: Out of range float values are not JSON compliant
    """
    return _WRITERS[type(value)](value)


class _Writers(dict[type, Callable[[Any], str]]):
    """What turns values of a type into JSON text; chosen once a type."""

    def __missing__(self, cls: type) -> Callable[[Any], str]:
        self[cls] = _writer(cls)
        return self[cls]


def _writer(cls: type) -> Callable[[Any], str]:
    if is_dataclass(cls):
        own: Callable[[Any], str] = getattr(cls, "wire_text", None) or object_writer(cls)
        return own
    for kind, write in _KINDS.items():
        if issubclass(cls, kind):
            return write
    return json.dumps


def object_writer(cls: type) -> Callable[[object], str]:
    """Return what writes values of a dataclass, field by field."""
    named = sorted(_defaults(cls))
    keys = tuple(f'"{name}":' for name, _ in named)
    defaults = tuple(default for _, default in named)
    values_of = attrgetter(*(name for name, _ in named))
    writers = _WRITERS

    def write(value: object) -> str:
        items = zip(keys, defaults, values_of(value), strict=True)
        parts = [
            key + writers[type(item)](item) for key, default, item in items if item is not default and item != default
        ]
        return "{" + ",".join(parts) + "}"

    return write


def _write_float(value: float) -> str:
    # json's rule: what is no number has no JSON
    return float.__repr__(value) if value - value == 0 else json.dumps(value, allow_nan=False)


def _write_sequence(values: list[object] | tuple[object, ...]) -> str:
    writers = _WRITERS
    return "[" + ",".join([writers[type(item)](item) for item in values]) + "]"


def _write_mapping(mapping: Mapping[object, object]) -> str:
    texts = {str(key): wire_text(item) for key, item in mapping.items()}
    return "{" + ",".join([f"{quoted(key)}:{texts[key]}" for key in sorted(texts)]) + "}"


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


#: in the order in which they are asked: a StrEnum is a str, a bool an int
_KINDS: dict[type, Callable[[Any], str]] = {
    StrEnum: lambda value: quoted(value.value),
    str: quoted,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    float: _write_float,
    Mapping: _write_mapping,
    list: _write_sequence,
    tuple: _write_sequence,
    datetime: lambda value: f'"{_time(value)}"',
    UUID: lambda value: f'"{value}"',
}
_WRITERS = _Writers()


@cache
def _former(cls: type) -> Callable[[Any], object]:
    """Return what turns values of a type into JSON's types."""
    if is_dataclass(cls):
        return _form_object
    for kind, form in _FORMS.items():
        if issubclass(cls, kind):
            return form
    return lambda value: value


def _form_object(value: object) -> object:
    defaults = _defaults(type(value))  # type: ignore[arg-type]  # types do hash
    return {name: to_wire(item) for name, default in defaults if (item := getattr(value, name)) != default}


_FORMS: dict[type, Callable[[Any], object]] = {
    StrEnum: lambda value: value.value,
    Mapping: lambda value: {str(key): to_wire(item) for key, item in value.items()},
    list: lambda value: [to_wire(item) for item in value],
    tuple: lambda value: [to_wire(item) for item in value],
    datetime: _time,
    UUID: str,
}


@cache
def _defaults(cls: type) -> tuple[tuple[str, object], ...]:
    """Return (name, default) of each field; a required field's default is MISSING, which equals no value."""
    assert is_dataclass(cls)
    return tuple(
        (item.name, item.default if item.default_factory is MISSING else item.default_factory()) for item in fields(cls)
    )
