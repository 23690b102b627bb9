"""What a policy's file may give a rule: each kind of value reads itself, and describes itself for editors.

Every kind has `read(path, value)`, which returns the value or raises PolicyError, and `schema()`, which returns its
JSON Schema. `value` None means that the file says nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeGuard

from queue_server.core.policy.conditions import Condition, parse_condition
from queue_server.core.policy.faults import Faults
from queue_server.errors import PolicyError

Json = dict[str, object]
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
#: of a time span: a calendar must hold what is so long ago
_LONGEST_DAYS = 3650


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """A limit: a number, or one that is taken from the traffic each day and frozen."""

    #: "number", "quantile" (of the scores) or "target_per_day" (so that about as many samples a day match)
    kind: str
    value: float


Value = float | str | bool | tuple[str, ...] | Mapping[str, float] | Threshold | Condition | None


class Parameter(Protocol):
    """One kind of value."""

    def read(self, path: str, value: object) -> Value:
        """Return the value within its bounds, or raise PolicyError."""

    def schema(self) -> Json:
        """Return its JSON Schema."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """A number within closed limits; without a default it must be given unless it is optional."""

    about: str
    at_least: float = 0.0
    at_most: float = 1.0
    default: float | None = None
    is_optional: bool = False
    is_whole: bool = False

    def read(self, path: str, value: object) -> Value:
        """Return the number, or raise PolicyError."""
        if value is None and (self.default is not None or self.is_optional):
            return None if self.default is None else float(self.default)
        kind = "a whole number" if self.is_whole else "a number"
        if not _is_number(value) or (self.is_whole and value % 1):
            raise PolicyError(path, f"must be {kind} from {self.at_least:g} to {self.at_most:g}, got {value!r}")
        if not self.at_least <= value <= self.at_most:
            raise PolicyError(path, f"must be from {self.at_least:g} to {self.at_most:g}, got {value}")
        return float(value)

    def schema(self) -> Json:
        """Return its JSON Schema."""
        kind = "integer" if self.is_whole else "number"
        found: Json = {"type": kind, "minimum": self.at_least, "maximum": self.at_most, "description": self.about}
        return found if self.default is None else found | {"default": self.default}


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of a few words."""

    about: str
    values: tuple[str, ...]
    default: str | None

    def read(self, path: str, value: object) -> Value:
        """Return the word, or raise PolicyError."""
        if value is None:
            return self.default
        if value not in self.values:
            raise PolicyError(path, f"must be one of {', '.join(self.values)}, got {value!r}")
        return str(value)

    def schema(self) -> Json:
        """Return its JSON Schema."""
        found: Json = {"enum": list(self.values), "description": self.about}
        return found if self.default is None else found | {"default": self.default}


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag:
    """True or false; false where nothing is said."""

    about: str

    def read(self, path: str, value: object) -> Value:
        """Return it, or raise PolicyError."""
        if value is None:
            return False
        if not isinstance(value, bool):
            raise PolicyError(path, f"must be true or false, got {value!r}")
        return value

    def schema(self) -> Json:
        """Return its JSON Schema."""
        return {"type": "boolean", "default": False, "description": self.about}


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """A text of 1 to 200 characters."""

    about: str
    is_optional: bool = False

    def read(self, path: str, value: object) -> Value:
        """Return the text, or raise PolicyError."""
        if value is None and self.is_optional:
            return None
        if not isinstance(value, str) or not 0 < len(value) <= 200 or "\x00" in value:
            raise PolicyError(path, f"must be a text of 1 to 200 characters, got {value!r}")
        return value

    def schema(self) -> Json:
        """Return its JSON Schema."""
        return {"type": "string", "minLength": 1, "maxLength": 200, "description": self.about}


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """A list of texts; empty where nothing is said."""

    about: str

    def read(self, path: str, value: object) -> Value:
        """Return the texts, or raise PolicyError."""
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            raise PolicyError(path, f"must be a list of texts, got {value!r}")
        return tuple(value)

    def schema(self) -> Json:
        """Return its JSON Schema."""
        return {"type": "array", "items": {"type": "string", "minLength": 1}, "description": self.about}


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A number from 0 to 1 for each of some labels; None where nothing is said."""

    about: str

    def read(self, path: str, value: object) -> Value:
        """Return the numbers by label, or raise PolicyError."""
        if value is None or value == {}:
            return None
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise PolicyError(path, f"must be a mapping of labels to numbers, got {value!r}")
        bound = Amount(about="")
        return {key: float(bound.read(f"{path}.{key}", item)) for key, item in value.items()}  # type: ignore[arg-type]  # a number

    def schema(self) -> Json:
        """Return its JSON Schema."""
        number = {"type": "number", "minimum": 0, "maximum": 1}
        return {"type": "object", "additionalProperties": number, "description": self.about}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A threshold: a number, `{quantile: q}` or `{target_per_day: n}`."""

    about: str
    at_least: float = 0.0
    at_most: float = 1.0
    default: float | None = None

    def read(self, path: str, value: object) -> Value:
        """Return the threshold, or raise PolicyError."""
        if value is None and self.default is not None:
            value = self.default
        if isinstance(value, Mapping):
            return self._read_taken(path, value)
        if not _is_number(value) or not self.at_least <= value <= self.at_most:
            raise PolicyError(
                path,
                f"must be a number from {self.at_least:g} to {self.at_most:g}, {{quantile: q}} or"
                f" {{target_per_day: n}}, got {value!r}",
            )
        return Threshold(kind="number", value=float(value))

    def _read_taken(self, path: str, value: Mapping[object, object]) -> Threshold:
        kinds = {"quantile": Amount(about=""), "target_per_day": Amount(about="", at_least=0.001, at_most=1e9)}
        if len(value) != 1 or set(value) - set(kinds):
            raise PolicyError(path, f"must be a number, {{quantile: q}} or {{target_per_day: n}}, got {dict(value)!r}")
        ((kind, given),) = value.items()
        amount = kinds[str(kind)].read(f"{path}.{kind}", given)
        assert isinstance(amount, float)
        return Threshold(kind=str(kind), value=amount)

    def schema(self) -> Json:
        """Return its JSON Schema."""
        number = {"type": "number", "minimum": self.at_least, "maximum": self.at_most}
        taken = [
            _only("quantile", {"type": "number", "minimum": 0, "maximum": 1}),
            _only("target_per_day", {"type": "number", "exclusiveMinimum": 0}),
        ]
        found: Json = {"oneOf": [number, *taken], "description": self.about}
        return found if self.default is None else found | {"default": self.default}


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """A condition, see `core.policy.conditions`."""

    about: str
    is_optional: bool = False

    def read(self, path: str, value: object) -> Value:
        """Return the condition, or raise PolicyError."""
        if value is None and self.is_optional:
            return None
        if not isinstance(value, str):
            raise PolicyError(path, f"must be a condition such as 'metadata.site == \"north\"', got {value!r}")
        return parse_condition(path, value)

    def schema(self) -> Json:
        """Return its JSON Schema."""
        return {"type": "string", "minLength": 1, "description": self.about}


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A time span such as 90s, 15m, 24h or 7d, read as seconds."""

    about: str
    default: str | None = None

    def read(self, path: str, value: object) -> Value:
        """Return the seconds, or raise PolicyError."""
        return read_seconds(path, self.default if value is None else value)

    def schema(self) -> Json:
        """Return its JSON Schema."""
        found: Json = {"type": ["string", "number"], "pattern": r"^\d+(\.\d+)?\s*[smhd]?$", "description": self.about}
        return found if self.default is None else found | {"default": self.default}


def read_all(
    path: str, item: Mapping[object, object], parameters: Mapping[str, Parameter], faults: Faults
) -> dict[str, Value]:
    """Return the value of each parameter, None where it is at fault, which is kept.

    >>> read_all("rule", {}, {"rate": Amount(about="", default=0.5)}, Faults())
    {'rate': 0.5}
    """
    return {
        key: faults.hear(lambda key=key, bound=bound: bound.read(f"{path}.{key}", item.get(key)))  # type: ignore[misc]  # bound now
        for key, bound in parameters.items()
    }


def read_seconds(path: str, value: object) -> float:
    """Read `90`, `"90s"`, `"15m"`, `"24h"` or `"7d"` as seconds, or raise PolicyError.

    >>> read_seconds("window", "24h")
    86400.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value).strip())
    if match is None or isinstance(value, bool):
        raise PolicyError(path, f"must be a time span such as 90s, 15m, 24h or 7d, got {value!r}")
    seconds = float(match[1]) * _UNITS[match[2] or "s"]
    if seconds > _LONGEST_DAYS * _UNITS["d"]:
        raise PolicyError(path, f"must be at most {_LONGEST_DAYS}d, got {value!r}")
    return seconds


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _only(name: str, schema: Json) -> Json:
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}
