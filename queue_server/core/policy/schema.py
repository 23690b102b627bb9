"""A JSON Schema of a project's file, for editors: it says while one types what `reading` says afterwards."""

from collections.abc import Mapping

from feedback_sdk.types import Task
from queue_server.core.alerts.channels import channels_schema
from queue_server.core.alerts.reading import alerts_schema
from queue_server.core.policy.parameters import Json, Parameter, Span
from queue_server.core.policy.reading import ALLOWANCES, BUDGET, COMMON, NEAR, ROUTE, Strategies
from queue_server.core.policy.rules import SILENCE, Strategy
from queue_server.core.retraining import retraining_schema
from queue_server.core.slices import slices_schema
from queue_server.errors import PolicyError

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TITLE: Json = {"type": "string", "minLength": 3, "maxLength": 50, "description": "the title of a Label Studio project"}


def project_schema(strategies: Strategies) -> Json:
    """Return the JSON Schema (draft 2020-12) of a project's file with rules of these strategies.

    >>> project_schema({})["required"]
    ['project', 'task', 'labels']
    """
    return {
        "$schema": _DIALECT,
        "title": "A project of Looks Wrong",
        **_object(
            {
                "project": {
                    "type": "string",
                    "pattern": "^[a-z0-9][a-z0-9-]{0,99}$",
                    "description": "its name: lower-case letters, digits and hyphens",
                },
                "task": {"enum": [task.value for task in Task], "description": "what the model does"},
                "labels": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "minItems": 1,
                    "uniqueItems": True,
                    "description": "all labels that predictions and annotations use",
                },
                "multi_label": {"type": "boolean", "default": False, "description": "several classes may hold at once"},
                "confirmation_window": Span(
                    about="how long a user may take to answer: 90s, 15m, 24h or 7d", default="24h"
                ).schema(),
                "rules": {
                    "type": "array",
                    "items": {"$ref": "#/$defs/rule"},
                    "description": "every matching rule is recorded; the highest priority names the reason",
                },
                "budget": {"$ref": "#/$defs/budget"},
                "near_duplicates": _parameters(NEAR, about="which pictures count as one, beyond equal bytes"),
                "silence_affirms": SILENCE.schema(),
                "origins": {
                    "type": "array",
                    "items": {"type": "string"},
                    "uniqueItems": True,
                    "description": "pages that may post by token or publishable key: scheme://host[:port]; absent: any",
                },
                "label_studio": _object({"project": _TITLE}, required=("project",)),
                "slices": slices_schema(),
                "channels": channels_schema(),
                "alerts": alerts_schema(),
                "retraining": retraining_schema(),
            },
            required=("project", "task", "labels"),
        ),
        "$defs": {"rule": _rule(strategies), "budget": _budget(), "allowances": _object(_allowances())},
    }


def _rule(strategies: Strategies) -> Json:
    """Return what a rule may hold: the strategy says which further keys it takes."""
    about = "\n".join(f"{name}: {strategy.about}" for name, strategy in strategies.items())
    return {
        "type": "object",
        "properties": {"strategy": {"enum": list(strategies), "description": about}},
        "required": ["strategy"],
        "allOf": [
            {
                "if": {"properties": {"strategy": {"const": name}}, "required": ["strategy"]},
                "then": _rule_of(name, strategy),
            }
            for name, strategy in strategies.items()
        ],
    }


def _rule_of(name: str, strategy: Strategy) -> Json:
    own = _parameters(COMMON) if strategy.is_audit or strategy.is_by_hand else _with_budget()
    properties: Json = {"strategy": {"const": name, "description": strategy.about}}
    properties |= _properties(own) | {"route": _route()} | _properties(_parameters(strategy.parameters))
    priority = _properties(own)["priority"]
    assert isinstance(priority, dict)
    properties["priority"] = priority | {"default": strategy.priority}
    needed = [key for key, parameter in strategy.parameters.items() if _is_needed(key, parameter)]
    return _object(properties, required=("strategy", *needed))


def _is_needed(key: str, parameter: Parameter) -> bool:
    """Tell whether a file must give a parameter: whether reading nothing is refused."""
    try:
        parameter.read(key, None)
    except PolicyError:
        return True
    return False


def _with_budget() -> Json:
    return _object(_properties(_parameters(COMMON)) | {"budget": {"$ref": "#/$defs/budget"}})


def _route() -> Json:
    """Return where a rule's tasks may go; at least one of the two is given."""
    route = _properties(_parameters(ROUTE))
    return _object(route | {"project": _TITLE}) | {"minProperties": 1}


def _budget() -> Json:
    caps = {"$ref": "#/$defs/allowances"}
    shares = _properties(_parameters(BUDGET))
    limits = [*ALLOWANCES, "per_stream", "per_reporter"]
    found = _object(_allowances() | {"per_stream": caps, "per_reporter": caps} | shares)
    return found | {
        "anyOf": [{"required": [key]} for key in limits],
        "description": "how many labeling tasks, or minutes of annotators' time, may be made in a period (UTC)",
    }


def _allowances() -> Json:
    return {key: bound.schema() | {"description": f"{bound.about}, {key}"} for key, (_, bound) in ALLOWANCES.items()}


def _parameters(parameters: Mapping[str, Parameter], *, about: str = "") -> Json:
    found = _object({key: parameter.schema() for key, parameter in parameters.items()})
    return found | {"description": about} if about else found


def _properties(schema: Json) -> Json:
    found = schema["properties"]
    assert isinstance(found, dict)
    return found


def _object(properties: Json, *, required: tuple[str, ...] = ()) -> Json:
    found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | {"required": list(required)} if required else found
