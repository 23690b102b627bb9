"""The one JSON text of a wire value: equal values have equal bytes, so a repeat can be told from a change."""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID


def to_wire(value: object) -> object:
    """Return the JSON form of a wire value: defaults dropped, so equal values have equal JSON.

    >>> to_wire({"at": datetime(2026, 11, 20, tzinfo=UTC), "tags": ("a", "b")})
    {'at': '2026-11-20T00:00:00Z', 'tags': ['a', 'b']}
    """
    return value if value is None else _writer(type(value))(value)  # type: ignore[arg-type]  # types do hash


def canonical_json(value: object) -> bytes:
    """Return the one JSON text of a wire value: keys sorted, no spaces, UTF-8.

    >>> canonical_json({"y": 2.0, "x": 1.0})
    b'{"x":1.0,"y":2.0}'
    """
    text = json.dumps(to_wire(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


@cache
def _writer(cls: type) -> Callable[[Any], object]:
    """Return what turns values of a type into JSON's types; chosen once a type, for a capture writes many values."""
    if is_dataclass(cls):
        return _write_object
    for kind, write in _WRITERS.items():
        if issubclass(cls, kind):
            return write
    return lambda value: value


def _write_object(value: object) -> object:
    defaults = _defaults(type(value))  # type: ignore[arg-type]  # types do hash
    return {name: to_wire(item) for name, default in defaults if (item := getattr(value, name)) != default}


_WRITERS: dict[type, Callable[[Any], object]] = {
    StrEnum: lambda value: value.value,
    Mapping: lambda value: {str(key): to_wire(item) for key, item in value.items()},
    list: lambda value: [to_wire(item) for item in value],
    tuple: lambda value: [to_wire(item) for item in value],
    datetime: lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    UUID: str,
}


@cache
def _defaults(cls: type) -> tuple[tuple[str, object], ...]:
    """Return (name, default) of each field; a required field's default is MISSING, which equals no value."""
    assert is_dataclass(cls)
    return tuple(
        (item.name, item.default if item.default_factory is MISSING else item.default_factory()) for item in fields(cls)
    )
