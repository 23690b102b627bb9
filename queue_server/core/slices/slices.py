"""A named, saved filter over what was known of a sample when it came."""

import re
from dataclasses import dataclass
from datetime import datetime

from queue_server.core.metrics.definitions import METRICS, Of
from queue_server.core.policy.conditions import SLICE_FIELDS, Condition, parse_condition
from queue_server.core.policy.faults import Faults
from queue_server.core.policy.terms import fields_of
from queue_server.errors import PolicyError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """Which samples belong to it: all of what is said must hold; None says nothing."""

    name: str
    where: Condition | None = None
    model_version: str | None = None
    #: captured from then on
    since: datetime | None = None
    #: captured before then
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            message = f"must be before until, got {self.since.isoformat()} and {self.until.isoformat()}"
            raise PolicyError("since", message)


def read_slice(
    name: str,
    *,
    where: str | None = None,
    model_version: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Slice:
    """Read a slice as a person wrote it, or raise PolicyError with all that is wrong.

    >>> read_slice("night-shift", where="tags has 'night'").where.holds({"tags": ["night"]})
    True
    """
    faults = Faults()
    if not _NAME.fullmatch(name):
        faults.add("name", f"must be lower-case letters, digits and hyphens, at most 100, got {name!r}")
    condition = None
    if where is not None:
        condition = faults.hear(lambda: _condition(where))
    faults.check()
    return Slice(name=name, where=condition, model_version=model_version, since=since, until=until)


def _condition(text: str) -> Condition:
    """Read a condition, or refuse one by which only annotated samples could belong to the slice."""
    found = parse_condition("where", text, fields=SLICE_FIELDS)
    for field in fields_of(found.term):
        metric = METRICS.get(field.keys[0]) if field.name == "metric" else None
        if metric is not None and metric.of is Of.ANNOTATION:
            message = "must hang on what is known of every sample: annotations are made of the few that were queued"
            raise PolicyError("where", f"{message}, got metric.{metric.name}")
    return found
