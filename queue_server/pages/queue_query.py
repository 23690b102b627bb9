"""What the address of the queue's page asks for: a filter, an order, a place; what is wrong in it is said."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from werkzeug.datastructures import MultiDict

from feedback_sdk.types import Verdict
from queue_server.core.policy import State
from queue_server.core.policy.conditions import SEARCH_FIELDS, Condition, parse_condition
from queue_server.errors import PolicyError
from queue_server.models import is_instant
from queue_server.store.inbox import WAITING, InboxFilter, Order, Place, Range

#: as many rows of figures as the form has
RANGES = 2
_LONGEST = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the page is to show."""

    narrowed: InboxFilter
    order: Order
    after: Place | None = None
    similar_to: UUID | None = None
    #: the condition as it was typed
    where: str = ""
    #: what could not be read of it
    faults: tuple[str, ...] = ()
    #: the query without a place, as (name, value)
    query: tuple[tuple[str, str], ...] = ()

    def query_with(self, **more: str) -> str:
        """Return the query of another page of the same filter.

        >>> Asked(narrowed=InboxFilter(), order=Order(), query=(("tag", "a b"),)).query_with(after="3:7")
        'tag=a+b&after=3%3A7'
        """
        return urlencode([*self.query, *more.items()])


class _Reader:
    """Reads the query's values, and gathers what is wrong in them."""

    def __init__(self, given: "MultiDict[str, str]") -> None:
        self.given = given
        self.faults: list[str] = []

    def text(self, name: str) -> str | None:
        value = self.given.get(name, "").strip()
        if len(value) > _LONGEST or "\x00" in value:
            self.faults.append(f"{name} must have at most {_LONGEST} characters and no zero byte")
            return None
        return value or None

    def number(self, name: str, text: str) -> float | None:
        if not text.strip():
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.faults.append(f"{name} must be a number, got {text[:40]!r}")
            return None
        return value

    def time(self, name: str) -> datetime | None:
        text = self.given.get(name, "").strip()
        if not text:
            return None
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            self.faults.append(f"{name} must be a day or a time such as 2026-11-25, got {text[:40]!r}")
            return None
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return aware if is_instant(aware) else None

    def members(self, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
        values = tuple(dict.fromkeys(value for value in self.given.getlist(name) if value))
        if unknown := [value for value in values if value not in allowed]:
            self.faults.append(f"{name} must be one of {', '.join(allowed)}, got {unknown[0][:40]!r}")
        return tuple(value for value in values if value in allowed)

    def identity(self, name: str) -> UUID | None:
        text = self.given.get(name, "").strip()
        try:
            return UUID(text) if text else None
        except ValueError:
            self.faults.append(f"{name} must be a sample's id, got {text[:40]!r}")
            return None

    def condition(self, name: str) -> Condition | None:
        text = self.given.get(name, "").strip()
        if not text:
            return None
        try:
            return parse_condition(name, text[:2000], fields=SEARCH_FIELDS)
        except PolicyError as error:
            self.faults.append(f"the condition {error.message}")
            return None


def read_asked(given: "MultiDict[str, str]", *, figures: Sequence[str]) -> Asked:
    """Read a query; without any it asks for what waits."""
    reader = _Reader(given)
    states = reader.members("state", tuple(State))
    is_plain = not any(name not in ("sort", "after", "requested") for name in given)
    narrowed = InboxFilter(
        states=WAITING if is_plain else states,
        model_version=reader.text("model_version"),
        reason=reader.text("reason"),
        tag=reader.text("tag"),
        stream=reader.text("stream"),
        verdict=next(iter(reader.members("verdict", tuple(Verdict))), None),
        before=reader.time("before"),
        ranges=_ranges(reader, figures),
        where=reader.condition("where"),
    )
    kept = [(name, value) for name, value in given.items(multi=True) if name not in ("after", "requested") and value]
    return Asked(
        narrowed=narrowed,
        order=_order(reader, figures),
        after=_place(given.get("after", "")),
        similar_to=reader.identity("similar_to"),
        where=given.get("where", "").strip()[:2000],
        faults=tuple(reader.faults),
        query=tuple(kept),
    )


def _ranges(reader: _Reader, figures: Sequence[str]) -> tuple[Range, ...]:
    """Read the rows of figures; one without limits narrows nothing, but asks for samples that have the figure."""
    names = reader.given.getlist("figure")[:RANGES]
    lows, highs = reader.given.getlist("low"), reader.given.getlist("high")
    found = []
    for index, name in enumerate(names):
        if not name:
            continue
        if name not in figures:
            reader.faults.append(f"figure must be one of this project's, got {name[:40]!r}")
            continue
        low, high = (
            reader.number(of, given[index] if index < len(given) else "")
            for of, given in (("low", lows), ("high", highs))
        )
        found.append(Range(name=name, low=low, high=high))
    return tuple(found)


def _order(reader: _Reader, figures: Sequence[str]) -> Order:
    """Read `figure` or `-figure`: with a minus the largest comes first."""
    text = reader.given.get("sort", "") or "-received_at"
    name = text.removeprefix("-")
    if name != "received_at" and name not in figures:
        reader.faults.append(f"sort must be one of this project's figures, got {name[:40]!r}")
        return Order()
    return Order(name=name, is_descending=text.startswith("-"))


def place_text(place: Place) -> str:
    """Return a place as the address carries it.

    >>> place_text(Place(0.25, 7)), place_text(Place(None, 7))
    ('0.25:7', ':7')
    """
    return f"{'' if place.value is None else repr(float(place.value))}:{place.pk}"


def _place(text: str) -> Place | None:
    value, _, pk = text.rpartition(":")
    try:
        return Place(float(value) if value else None, int(pk))
    except ValueError:
        return None
