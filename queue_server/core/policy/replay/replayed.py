"""What a policy would have done with the past, added up."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from queue_server.core.policy.budget import USUAL_SECONDS
from queue_server.core.policy.replay.caught import Caught, Errors
from queue_server.core.policy.replay.stored import Stored


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """The samples that came on one day (UTC)."""

    samples: int = 0
    #: by the policy that was replayed
    queued: int = 0
    really_queued: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What a policy would have queued, at which cost, and what it would have seen."""

    samples: int
    #: the first and the last arrival; None: nothing came
    since: datetime | None
    until: datetime | None
    #: by reason, the rule of the highest priority
    queued: Mapping[str, int]
    #: of annotators, by reason, at the time that each reason's tasks take them
    annotator_minutes: Mapping[str, float]
    #: would have been queued, had a budget had room
    over_budget: int
    #: served by the labeling task of another sample of the same picture
    duplicates: int
    #: the policies of their time could never have queued these: their π was 0
    never_visible: int
    #: of these, the policy gives so many a chance
    newly_visible: int
    queued_by_both: int
    queued_only_here: int
    queued_only_then: int
    errors_caught: Caught
    by_day: Mapping[str, Day]

    @property
    def queued_in_all(self) -> int:
        """Return how many samples would have been queued."""
        return sum(self.queued.values())

    @property
    def minutes_in_all(self) -> float:
        """Return the minutes of annotators' time that they would have taken."""
        return sum(self.annotator_minutes.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What became of one sample in a replay."""

    inclusion_probability: float
    #: why it is queued; None: it is not
    reason: str | None = None
    annotators: int = 1
    is_over_budget: bool = False
    is_duplicate: bool = False


@dataclass(kw_only=True, slots=True)
class Tally:
    """Adds up what becomes of each sample."""

    lead_seconds: Mapping[str, float]
    _queued: Counter[str] = field(default_factory=Counter)
    _seconds: Counter[str] = field(default_factory=Counter)
    _totals: Counter[str] = field(default_factory=Counter)
    #: day -> samples, queued, really queued
    _days: dict[str, list[int]] = field(default_factory=dict)
    _errors: Errors = field(default_factory=Errors)
    _since: datetime | None = None
    _until: datetime | None = None

    def add(self, stored: Stored, ending: Ending) -> None:
        """Count one sample."""
        at = stored.received_at
        self._since = at if self._since is None else min(self._since, at)
        self._until = at if self._until is None else max(self._until, at)
        is_queued = ending.reason is not None
        if ending.reason is not None:
            self._queued[ending.reason] += 1
            seconds = self.lead_seconds.get(ending.reason, USUAL_SECONDS) * ending.annotators
            self._seconds[ending.reason] += seconds  # type: ignore[assignment]  # a counter of seconds
        day = self._days.setdefault(at.date().isoformat(), [0, 0, 0])
        day[0] += 1
        day[1] += is_queued
        day[2] += stored.was_queued
        self._totals.update(name for name, holds in _flags(stored, ending, is_queued) if holds)
        if stored.is_model_right is False:
            self._errors.add(stored, ending.inclusion_probability)

    def replayed(self) -> Replayed:
        """Return it all."""
        return Replayed(
            samples=sum(day[0] for day in self._days.values()),
            since=self._since,
            until=self._until,
            queued=dict(self._queued.most_common()),
            annotator_minutes={reason: self._seconds[reason] / 60.0 for reason, _ in self._queued.most_common()},
            errors_caught=self._errors.caught(),
            by_day={
                name: Day(samples=samples, queued=queued, really_queued=really)
                for name, (samples, queued, really) in sorted(self._days.items())
            },
            **{name: self._totals[name] for name in _TOTALS},
        )


_TOTALS = (
    "over_budget",
    "duplicates",
    "never_visible",
    "newly_visible",
    "queued_by_both",
    "queued_only_here",
    "queued_only_then",
)


def _flags(stored: Stored, ending: Ending, is_queued: bool) -> tuple[tuple[str, bool], ...]:  # noqa: FBT001  # an answer
    was_hidden = stored.inclusion_probability <= 0
    return (
        ("over_budget", ending.is_over_budget),
        ("duplicates", ending.is_duplicate),
        ("never_visible", was_hidden),
        ("newly_visible", was_hidden and ending.inclusion_probability > 0),
        ("queued_by_both", is_queued and stored.was_queued),
        ("queued_only_here", is_queued and not stored.was_queued),
        ("queued_only_then", stored.was_queued and not is_queued),
    )
