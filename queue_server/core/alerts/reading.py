"""Read alerts from a project's file, and write them back as documents that read the same for ever."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TypeGuard

from queue_server.core.alerts.figures import FEATURE_PREFIX, FIGURES, METRIC_PREFIX, kind_of
from queue_server.core.alerts.rules import AlertRule, Limits
from queue_server.core.metrics import CUSTOM, METRICS
from queue_server.core.policy.faults import Faults, nearest, refuse_unknown
from queue_server.core.policy.parameters import Amount, Json, Name, Names, Parameter, Span, Value, read_all
from queue_server.errors import PolicyError

_LARGEST = 1e12
_METRICS = tuple(f"{METRIC_PREFIX}{name}" for name in METRICS)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}", re.ASCII)
_MOST_ALERTS = 200
#: a figure over no time at all, or a reminder at each look, is a slip of the pen
_SHORTEST_SECONDS = 60.0
#: what an alert may say beside its limits
ALERT: Mapping[str, Parameter] = {
    "for": Span(about="how long the figure must be beyond, or back, before anybody is told", default="0s"),
    "slice": Name(about="of the samples of this slice alone", is_optional=True),
    "model_version": Name(about="of this version; the latest where it is not given", is_optional=True),
    "channels": Names(about="who is told, by the names of channels"),
}
#: spans of at least a minute; None where nothing is said
SPANS: Mapping[str, str] = {
    "over": "the stretch that the figure is of",
    "every": "how often it is said again while it lasts; never where it is not given",
}
_LIMIT = Amount(about="the limit", at_least=-_LARGEST, at_most=_LARGEST)
SIDES = ("below", "above", "outside")


def parse_alerts(value: object, *, channels: Collection[str]) -> tuple[AlertRule, ...]:
    """Return the alerts of a project's file, or raise PolicyError with the path of all that is wrong.

    >>> (rule,) = parse_alerts([{"name": "fell", "figure": "accuracy", "below": 0.9}], channels=[])
    >>> rule.limits.at_least
    0.9
    """
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST_ALERTS:
        raise PolicyError("alerts", f"must be a list of at most {_MOST_ALERTS} alerts, got {value!r}")
    faults = Faults()
    rules: list[AlertRule] = []
    for index, item in enumerate(value):
        path = f"alerts.{index}"
        rule = faults.hear(lambda path=path, item=item: _parse(path, item, channels))  # type: ignore[misc]  # bound now
        if rule is not None and any(rule.name == other.name for other in rules):
            faults.add(f"{path}.name", f"must be unique, {rule.name!r} is taken")
        elif rule is not None:
            rules.append(rule)
    faults.check()
    return tuple(rules)


def _parse(path: str, item: object, channels: Collection[str]) -> AlertRule:
    if not isinstance(item, Mapping):
        raise PolicyError(path, f"must be a mapping with name, figure and a limit, got {item!r}")
    faults = Faults()
    known = ("name", "figure", *SIDES, "clear", *ALERT, *SPANS)
    refuse_unknown(path, item, known, faults)
    name = faults.hear(lambda: _name(f"{path}.name", item.get("name")))
    figure = faults.hear(lambda: _figure(f"{path}.figure", item.get("figure")))
    said = read_all(path, item, ALERT, faults)
    spans = {key: faults.hear(lambda key=key: _span(f"{path}.{key}", item.get(key))) for key in SPANS}  # type: ignore[misc]  # bound now
    limits = faults.hear(lambda: _limits(path, item))
    told = said["channels"] if isinstance(said["channels"], tuple) else ()
    check_channels(f"{path}.channels", told, channels, faults)
    if figure is not None:
        _check_stretch(path, figure, item, faults)
    faults.check()
    assert name is not None
    assert figure is not None
    assert limits is not None
    return AlertRule(
        name=name,
        figure=figure,
        limits=limits[0],
        clear=limits[1],
        hold_seconds=_number(said["for"]),
        given_over_seconds=spans["over"],
        slice=_text(said["slice"]),
        model_version=_text(said["model_version"]),
        channels=told,
        remind_seconds=spans["every"],
    )


def check_channels(path: str, told: Iterable[str], channels: Collection[str], faults: Faults) -> None:
    """Add a fault for each channel that the file does not have.

    >>> faults = Faults()
    >>> check_channels("alerts.0.channels", ["opps"], ["ops"], faults)
    >>> bool(faults)
    True
    """
    for channel in told:
        if channel not in channels:
            must = f"must name channels of this file, {', '.join(channels) or 'none'}"
            faults.add(path, f"{must}, got {channel!r}{nearest(channel, channels)}")


def _check_stretch(path: str, figure: str, item: Mapping[object, object], faults: Faults) -> None:
    kind = kind_of(figure)
    if kind is not None and kind.over_seconds is None:
        for key in ("over", "slice", "model_version"):
            if item.get(key) is not None:
                faults.add(f"{path}.{key}", f"must not be given: {figure} is of all that is there now")


def _name(path: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise PolicyError(path, f"must be a text of 1 to 100 letters, digits, spaces, dots, _ and -, got {value!r}")
    return value


def _figure(path: str, value: object) -> str:
    if not isinstance(value, str) or kind_of(value) is None:
        must = f"must be one of {', '.join(FIGURES)}, {FEATURE_PREFIX}NAME or {METRIC_PREFIX}NAME"
        raise PolicyError(path, f"{must}, got {value!r}{nearest(str(value), (*FIGURES, *_METRICS))}")
    return value


def _span(path: str, value: object) -> float | None:
    if value is None:
        return None
    seconds = Span(about="").read(path, value)
    assert isinstance(seconds, float)
    if seconds < _SHORTEST_SECONDS:
        raise PolicyError(path, f"must be at least {_SHORTEST_SECONDS:g}s, got {value!r}")
    return seconds


def _limits(path: str, item: Mapping[object, object]) -> tuple[Limits, Limits]:
    """Return what is expected, and within what an alert is over: no wider than that, so that it cannot flap."""
    given = [side for side in SIDES if item.get(side) is not None]
    if len(given) != 1:
        raise PolicyError(path, f"must hold one of {', '.join(SIDES)}, got {', '.join(given) or 'none'}")
    (side,) = given
    limits = _read_limits(f"{path}.{side}", side, item[side])
    if item.get("clear") is None:
        return limits, limits
    clear = _read_limits(f"{path}.clear", side, item["clear"])
    if not _is_within(clear, limits):
        raise PolicyError(f"{path}.clear", f"must lie on the good side of {side}, {item[side]}, got {item['clear']}")
    return limits, clear


def _read_limits(path: str, side: str, value: object) -> Limits:
    if side == "outside":
        if not isinstance(value, list) or len(value) != 2:
            raise PolicyError(path, f"must be a list of two numbers, got {value!r}")
        low, high = (_number(_LIMIT.read(f"{path}.{index}", one)) for index, one in enumerate(value))
        if low > high:
            raise PolicyError(path, f"must have the lower number first, got {value!r}")
        return Limits(at_least=low, at_most=high)
    number = _number(_LIMIT.read(path, value))
    return Limits(at_least=number) if side == "below" else Limits(at_most=number)


def _is_within(inner: Limits, outer: Limits) -> bool:
    ends = (inner.at_least, inner.at_most)
    return all(end is None or outer.holds(end) for end in ends)


def _is_text(value: Value) -> TypeGuard[str]:
    return isinstance(value, str)


def _text(value: Value) -> str | None:
    return value if _is_text(value) else None


def _number(value: Value) -> float:
    assert isinstance(value, float)
    return value


def alert_document(rule: AlertRule) -> Json:
    """Return an alert as a document from which the same is read.

    >>> given = {"name": "long", "figure": "queue.backlog", "above": 100.0}
    >>> alert_document(parse_alerts([given], channels=[])[0]) == given | {"clear": 100.0, "for": 0.0}
    True
    """
    side = "outside" if None not in (rule.limits.at_least, rule.limits.at_most) else None
    side = side or ("below" if rule.limits.at_least is not None else "above")
    found: Json = {"name": rule.name, "figure": rule.figure, side: _ends(rule.limits), "clear": _ends(rule.clear)}
    optional: Mapping[str, object] = {
        "for": rule.hold_seconds,
        "over": rule.given_over_seconds,
        "slice": rule.slice,
        "model_version": rule.model_version,
        "channels": list(rule.channels) or None,
        "every": rule.remind_seconds,
    }
    return found | {key: value for key, value in optional.items() if value is not None}


def _ends(limits: Limits) -> object:
    ends = [end for end in (limits.at_least, limits.at_most) if end is not None]
    return ends if len(ends) == 2 else ends[0]


def alerts_schema() -> Json:
    """Return the JSON Schema of alerts.

    >>> alerts_schema()["type"]
    'array'
    """
    number = {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
    pair: Json = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    open_ended = f"^({re.escape(FEATURE_PREFIX)}|{re.escape(METRIC_PREFIX + CUSTOM)}).+"
    named = {"type": "string", "pattern": open_ended}
    span = Span(about="").schema()
    properties: Json = {
        "name": {"type": "string", "pattern": f"^{_NAME.pattern}$", "description": "what it is called"},
        "figure": {"anyOf": [{"enum": [*FIGURES, *_METRICS]}, named], "description": "what is watched"},
        "below": number | {"description": "raised below it"},
        "above": number | {"description": "raised above it"},
        "outside": pair | {"description": "raised outside of these two"},
        "clear": {"anyOf": [number, pair], "description": "over once it is back so far; else at the limit itself"},
        **{key: one.schema() for key, one in ALERT.items()},
        **{key: span | {"description": about} for key, about in SPANS.items()},
    }
    return {
        "type": "array",
        "maxItems": _MOST_ALERTS,
        "description": "which figures are watched, and who is told",
        "items": {
            "type": "object",
            "properties": properties,
            "required": ["name", "figure"],
            "oneOf": [{"required": [side]} for side in SIDES],
            "additionalProperties": False,
        },
    }
