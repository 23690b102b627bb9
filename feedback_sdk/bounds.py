"""Bounds of wire values, declared once beside each field of `types`.

A bound is an `Annotated` marker. In the app `check` applies it without any dependency; on the server pydantic
reads the same marker through `__get_pydantic_core_schema__`, a duck-typed hook, and so gives errors their path
and OpenAPI its limits. Nothing here imports pydantic: its core schemas are plain dicts.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from feedback_sdk.errors import ValidationError

_CoreSchema = dict[str, object]
_Handler = Callable[[object], _CoreSchema]
_E = TypeVar("_E", bound=StrEnum)


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A finite number within closed limits; `above` is an open lower limit."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None

    def __get_pydantic_core_schema__(self, source: object, handler: _Handler) -> _CoreSchema:
        schema = dict(handler(source))
        limits = {"ge": self.at_least, "gt": self.above, "le": self.at_most}
        schema.update({name: limit for name, limit in limits.items() if limit is not None})
        return schema

    def check(self, field: str, value: object) -> None:
        """Raise ValidationError unless `value` is a number within the limits."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError(field, f"{field} must be a number, got {type(value).__name__}")
        if not math.isfinite(value):
            raise ValidationError(field, f"{field} must be finite, got {value}")
        if self.at_least is not None and value < self.at_least:
            raise ValidationError(field, f"{field} must be >= {self.at_least}, got {value}")
        if self.above is not None and value <= self.above:
            raise ValidationError(field, f"{field} must be > {self.above}, got {value}")
        if self.at_most is not None and value > self.at_most:
            raise ValidationError(field, f"{field} must be <= {self.at_most}, got {value}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A string of bounded length without NUL, which PostgreSQL cannot store."""

    at_least: int = 0
    at_most: int

    def __get_pydantic_core_schema__(self, source: object, handler: _Handler) -> _CoreSchema:
        return handler(source) | {
            "min_length": self.at_least,
            "max_length": self.at_most,
            "pattern": r"^[^\x00]*$",
        }

    def check(self, field: str, value: object) -> None:
        """Raise ValidationError unless `value` is such a string."""
        if not isinstance(value, str):
            raise ValidationError(field, f"{field} must be a string, got {type(value).__name__}")
        if not self.at_least <= len(value) <= self.at_most:
            raise ValidationError(
                field, f"{field} must have {self.at_least} to {self.at_most} characters, got {len(value)}"
            )
        if "\x00" in value:
            raise ValidationError(field, f"{field} must not hold the NUL character")


@dataclass(frozen=True, kw_only=True, slots=True)
class Length:
    """A sequence or mapping of bounded length.

    Pydantic shows the bound but does not apply it to a `Sequence`: each such field is checked in `__post_init__` too.
    """

    at_least: int = 0
    at_most: int

    def __get_pydantic_core_schema__(self, source: object, handler: _Handler) -> _CoreSchema:
        return handler(source) | {"min_length": self.at_least, "max_length": self.at_most}

    def check(self, field: str, size: int) -> None:
        """Raise ValidationError unless `size` is within the bounds."""
        if not self.at_least <= size <= self.at_most:
            raise ValidationError(field, f"{field} must have {self.at_least} to {self.at_most} items, got {size}")


_JSON_TEXT, _JSON_KEY, _JSON_NUMBER = Text(at_most=10_000), Text(at_most=200), Number()


@dataclass(frozen=True, slots=True)
class AwareTime:
    """A datetime with an offset: without one its instant is not known."""

    def __get_pydantic_core_schema__(self, source: object, handler: _Handler) -> _CoreSchema:
        return handler(source) | {"tz_constraint": "aware"}


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonObject:
    """A JSON object whose numbers are finite and whose strings hold no NUL, `max_depth` levels deep at most."""

    max_depth: int = 8
    max_values: int = 1000

    def __get_pydantic_core_schema__(self, source: object, handler: _Handler) -> _CoreSchema:
        function = {"type": "no-info", "function": self._checked}
        return {"type": "function-after", "function": function, "schema": handler(source)}

    def _checked(self, value: Mapping[str, object]) -> Mapping[str, object]:
        self.check("metadata", value)
        return value

    def check(self, field: str, value: object) -> None:
        """Raise ValidationError unless `value` is such an object."""
        if not isinstance(value, Mapping):
            raise ValidationError(field, f"{field} must be an object, got {type(value).__name__}")
        if self._count(field, value, 0) > self.max_values:
            raise ValidationError(field, f"{field} must hold at most {self.max_values} values")

    def _count(self, field: str, value: object, depth: int) -> int:
        if depth > self.max_depth:
            raise ValidationError(field, f"{field} must be nested at most {self.max_depth} levels deep")
        if isinstance(value, str):
            _JSON_TEXT.check(field, value)
        elif isinstance(value, bool) or value is None:
            pass
        elif isinstance(value, int | float):
            _JSON_NUMBER.check(field, value)
        elif isinstance(value, Mapping):
            for key in value:
                _JSON_KEY.check(f"{field} key", key)
            return 1 + sum(self._count(f"{field}.{key}", item, depth + 1) for key, item in value.items())
        elif isinstance(value, list | tuple):
            return 1 + sum(self._count(f"{field}.{i}", item, depth + 1) for i, item in enumerate(value))
        else:
            raise ValidationError(field, f"{field} must be a JSON value, got {type(value).__name__}")
        return 1


def settle(value: object, *names: str) -> None:
    """Make number fields of a frozen dataclass plain floats: a subclass, numpy's say, has texts of its own."""
    for name in names:
        number = getattr(value, name)
        if number is not None and type(number) is not float:
            object.__setattr__(value, name, float(number))


def freeze(value: object, name: str) -> None:
    """Make a sequence field of a frozen dataclass a tuple."""
    object.__setattr__(value, name, tuple(getattr(value, name)))


def check_optional(bound: Number | Text, field_name: str, value: object) -> None:
    """Check a value against its bound unless it is absent."""
    if value is not None:
        bound.check(field_name, value)


def check_time(field_name: str, value: datetime) -> None:
    """Raise ValidationError unless the time carries an offset and UTC can express it."""
    if value.utcoffset() is None:
        raise ValidationError(field_name, f"{field_name} must carry a time zone, got {value.isoformat()}")
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValidationError(
            field_name, f"{field_name} must be a time that UTC can express, got {value.isoformat()}"
        ) from None


def member(enum: type[_E], field_name: str, value: object) -> _E:
    """Return the member of the enum that a value names, or raise ValidationError."""
    try:
        return enum(value)  # type: ignore[arg-type]  # any value may come; enum refuses what it does not know
    except ValueError:
        known = ", ".join(member.value for member in enum)
        raise ValidationError(field_name, f"{field_name} must be one of {known}, got {value!r}") from None


#: a coordinate
PIXEL = Number(at_least=-1e6, at_most=1e6)


def check_corners(x_min: object, y_min: object, x_max: object, y_max: object) -> None:
    """Raise ValidationError unless a box has corners in order."""
    corners = {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}
    for name, value in corners.items():
        PIXEL.check(name, value)
    for low, high in (("x_min", "x_max"), ("y_min", "y_max")):
        if not corners[low] < corners[high]:  # type: ignore[operator]  # both were checked to be numbers
            raise ValidationError(low, f"{low} must be < {high}, got {corners[low]} and {corners[high]}")
