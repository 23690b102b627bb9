"""What is said of an alert: what is, what was expected, over which time, from how much, and where to look."""

from dataclasses import dataclass
from datetime import datetime

from queue_server.core.alerts.figures import FigureNow, Unit
from queue_server.core.alerts.rules import AlertRule, Limits
from queue_server.core.alerts.standing import Event
from queue_server.core.policy.parameters import Json

_VERBS = {
    Event.FIRED: "is",
    Event.REMINDED: "is still",
    Event.RESOLVED: "is back at",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What a channel says: for people a title and lines, for programs a document."""

    title: str
    lines: tuple[str, ...]
    link: str
    document: Json

    @property
    def text(self) -> str:
        """Return all of it as one text.

        >>> Message(title="t", lines=("a", "b"), link="http://x", document={}).text
        'a\\nb\\nhttp://x'
        """
        return "\n".join((*self.lines, self.link))


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """When and of what something is said."""

    project: str
    event: Event
    incident: int
    #: the model version that the figure is of, where it is of one
    model_version: str | None
    #: since when the figure has been as it is, beyond or back
    since: datetime | None
    at: datetime
    link: str


def message(rule: AlertRule, figure: FigureNow, occasion: Occasion) -> Message:
    """Return what is said of an alert.

    >>> limits = Limits(at_least=0.9)
    >>> rule = AlertRule(name="fell", figure="accuracy", limits=limits, clear=limits)
    >>> at = datetime(2026, 11, 20)
    >>> occasion = Occasion(
    ...     project="pills", event=Event.FIRED, incident=1, model_version="v8", since=at, at=at, link="http://x"
    ... )
    >>> message(rule, FigureNow(value=0.812, low=0.77, high=0.85, n=312), occasion).title
    'pills: accuracy is 81.2 %, expected at least 90 %'
    """
    kind = rule.kind
    value = say(figure.value, kind.unit)
    expected = say_limits(rule.limits, kind.unit)
    return Message(
        title=f"{occasion.project}: {rule.figure} {_VERBS[occasion.event]} {value}, expected {expected}",
        lines=_lines(rule, figure, occasion),
        link=occasion.link,
        document=_document(rule, figure, occasion),
    )


def _lines(rule: AlertRule, figure: FigureNow, occasion: Occasion) -> tuple[str, ...]:
    unit = rule.kind.unit
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f" ({say(figure.low, unit)} to {say(figure.high, unit)})"
    parts = [
        f"model version {occasion.model_version}" if occasion.model_version else "",
        f"slice {rule.slice}" if rule.slice else "",
        f"n = {figure.n}" if figure.n else "",
    ]
    of = "".join(f", {part}" for part in parts if part)
    stretch = "now" if figure.since is None else f"{_time(figure.since)} to {_time(occasion.at)} UTC"
    since = f", so since {_time(occasion.since)} UTC" if occasion.since is not None else ""
    return (
        f"{rule.name}: {rule.kind.about}",
        f"is: {say(figure.value, unit)}{interval}{of}",
        f"expected: {say_limits(rule.limits, unit)}",
        f"time: {stretch}{since}",
    )


def _document(rule: AlertRule, figure: FigureNow, occasion: Occasion) -> Json:
    return {
        "kind": "alert",
        "event": occasion.event.value,
        "project": occasion.project,
        "alert": rule.name,
        "incident": occasion.incident,
        "figure": rule.figure,
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "n": figure.n,
        "since": _iso(figure.since),
        "at": _iso(occasion.at),
        "so_since": _iso(occasion.since),
        "expected": {"at_least": rule.limits.at_least, "at_most": rule.limits.at_most},
        "model_version": occasion.model_version,
        "slice": rule.slice,
        "link": occasion.link,
    }


def _iso(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time is not None else None


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


_SPANS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


def say(value: float | None, unit: Unit) -> str:
    """Return a figure as people say it.

    >>> say(0.8125, Unit.SHARE), say(5400.0, Unit.SECONDS), say(12.0, Unit.COUNT), say(None, Unit.COUNT)
    ('81.2 %', '1.5 h', '12', 'not known')
    """
    if value is None:
        return "not known"
    if unit is Unit.SHARE:
        return f"{round(value * 100, 1):g} %"
    if unit is Unit.COUNT:
        return f"{value:.0f}"
    if unit is Unit.SECONDS:
        for seconds, name in _SPANS:
            if value >= seconds:
                return f"{round(value / seconds, 1):g} {name}"
        return f"{value:.0f} s"
    return f"{value:.3g}"


def say_limits(limits: Limits, unit: Unit) -> str:
    """Return what is expected as people say it.

    >>> say_limits(Limits(at_least=1, at_most=5), Unit.COUNT)
    '1 to 5'
    """
    if limits.at_least is not None and limits.at_most is not None:
        return f"{say(limits.at_least, unit)} to {say(limits.at_most, unit)}"
    if limits.at_least is not None:
        return f"at least {say(limits.at_least, unit)}"
    return f"at most {say(limits.at_most, unit)}"
