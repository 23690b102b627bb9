"""What a file says of a model version: how it was made, what it was trained on, how it is run."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from uuid import UUID

from queue_server.core.policy.faults import Faults, nearest
from queue_server.errors import PolicyError

#: of a file: what each key holds
KEYS: Mapping[str, str] = {
    "version": "its name, as the app sends it in model_version",
    "architecture": "what it is",
    "hyperparameters": "a mapping of names to values",
    "trained_on": "the id of the export that it was trained on",
    "metrics": "a mapping of names to numbers, as measured before it was deployed",
    "deployment": "a list of steps",
    "maintenance": "a list of notes",
}
_LONGEST_NAME = 200
_LONGEST_TEXT = 10_000
_MOST_ITEMS = 200
_DEEPEST = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """What was registered of a model version."""

    version: str
    architecture: str | None = None
    hyperparameters: Mapping[str, object] = field(default_factory=dict)
    trained_on: UUID | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    deployment: tuple[str, ...] = ()
    maintenance: tuple[str, ...] = ()


def read_registered(document: object) -> Registered:
    """Read what a file holds, or raise PolicyError with the path of all that is wrong.

    >>> read_registered({"version": "v8", "metrics": {"ap": 0.61}}).metrics
    {'ap': 0.61}
    """
    if not isinstance(document, Mapping):
        raise PolicyError("", f"the file must hold a mapping with version, got {str(document)[:100]!r}")
    faults = Faults()
    for key in document:
        if key not in KEYS:
            faults.add(str(key), f"is not known here, must be one of {', '.join(KEYS)}{nearest(str(key), KEYS)}")
    version = faults.hear(lambda: _name(document.get("version")))
    architecture = faults.hear(lambda: _optional_text("architecture", document.get("architecture")))
    hyperparameters = faults.hear(lambda: _mapping("hyperparameters", document.get("hyperparameters")))
    trained_on = faults.hear(lambda: _export("trained_on", document.get("trained_on")))
    metrics = faults.hear(lambda: _metrics(document.get("metrics"), faults))
    deployment = faults.hear(lambda: _texts("deployment", document.get("deployment")))
    maintenance = faults.hear(lambda: _texts("maintenance", document.get("maintenance")))
    faults.check()
    return Registered(
        version=version or "",
        architecture=architecture,
        hyperparameters=hyperparameters or {},
        trained_on=trained_on,
        metrics=metrics or {},
        deployment=deployment or (),
        maintenance=maintenance or (),
    )


def registered_document(found: Registered) -> dict[str, object]:
    """Return it as a JSON document that reads the same.

    >>> read_registered(registered_document(Registered(version="v8"))) == Registered(version="v8")
    True
    """
    document = asdict(found)
    trained_on = str(found.trained_on) if found.trained_on is not None else None
    return document | {
        "trained_on": trained_on,
        "deployment": list(found.deployment),
        "maintenance": list(found.maintenance),
    }


def _name(value: object) -> str:
    text = _text("version", value)
    if len(text) > _LONGEST_NAME:
        raise PolicyError("version", f"must have at most {_LONGEST_NAME} characters, got {len(text)}")
    return text


def _text(field_name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        hint = ": put it into quotes" if isinstance(value, int | float) else ""
        raise PolicyError(field_name, f"must be a text, got {value!r}{hint}")
    if len(value) > _LONGEST_TEXT or "\x00" in value:
        must = f"must have at most {_LONGEST_TEXT} characters and no NUL"
        raise PolicyError(field_name, f"{must}, got {len(value)} characters")
    return value


def _optional_text(field_name: str, value: object) -> str | None:
    return _text(field_name, value) if value is not None else None


def _texts(field_name: str, value: object) -> tuple[str, ...]:
    """Return a list of texts; one text is a list of one."""
    if value is None:
        return ()
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or len(items) > _MOST_ITEMS:
        raise PolicyError(field_name, f"must be a list of at most {_MOST_ITEMS} texts, got {str(value)[:100]!r}")
    return tuple(_text(f"{field_name}.{index}", item) for index, item in enumerate(items))


def _mapping(field_name: str, value: object) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise PolicyError(field_name, f"must be a mapping of names to values, got {str(value)[:100]!r}")
    _check_json(field_name, value, _DEEPEST)
    return dict(value)


def _check_json(path: str, value: object, depth: int) -> None:
    """Refuse what JSON cannot hold, and what nobody reads."""
    if isinstance(value, Mapping | list) and (depth == 0 or len(value) > _MOST_ITEMS):
        raise PolicyError(path, f"must have at most {_MOST_ITEMS} items, {_DEEPEST} levels deep")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_json(f"{path}.{_text(path, key)}", item, depth - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(f"{path}.{index}", item, depth - 1)
    elif isinstance(value, str):
        if value:
            _text(path, value)
    elif not (value is None or isinstance(value, bool) or _is_number(value)):
        raise PolicyError(path, f"must be a text, a number, true, false or null, got {value!r}")


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _metrics(value: object, faults: Faults) -> dict[str, float]:
    given = _mapping("metrics", value)
    for name, found in given.items():
        if not _is_number(found):
            faults.add(f"metrics.{name}", f"must be a finite number, got {found!r}")
    return {name: float(found) for name, found in given.items() if isinstance(found, int | float) and _is_number(found)}


def _export(field_name: str, value: object) -> UUID | None:
    if value is None:
        return None
    try:
        return UUID(str(value))
    except ValueError as error:
        raise PolicyError(field_name, f"must be the id of an export, got {value!r}") from error
