"""Where an alert stands, and what one look at its figure, or one word of a person, makes of it.

A figure must be beyond its limit for `hold_seconds` before the alert is raised, and back within the clearing limit for
as long before it is over: between the two nothing changes, so it cannot flap. Each incident is told once when it is
raised and once when it is over; in between only where a rule asks for reminders, or a snooze ends.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from queue_server.core.alerts.figures import FigureNow
from queue_server.core.alerts.rules import AlertRule


class Status(StrEnum):
    """What a person sees of an alert."""

    #: never raised
    QUIET = "quiet"
    #: beyond its limit, and not for long enough
    PENDING = "pending"
    FIRING = "firing"
    #: somebody knows
    ACKNOWLEDGED = "acknowledged"
    #: nobody is to be told until a time
    SNOOZED = "snoozed"
    #: not looked at
    DISABLED = "disabled"
    RESOLVED = "resolved"


class Event(StrEnum):
    """What happened to an alert; the first three may be told."""

    FIRED = "fired"
    REMINDED = "reminded"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    DISABLED = "disabled"
    ENABLED = "enabled"


class Action(StrEnum):
    """What a person may do with an alert."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    DISABLE = "disable"
    ENABLE = "enable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where an alert stands."""

    #: how often it was raised
    incident: int = 0
    is_firing: bool = False
    is_disabled: bool = False
    #: since when the figure has been beyond the limit, while the alert is not raised
    beyond_since: datetime | None = None
    #: since when it has been back, while it is
    clear_since: datetime | None = None
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None
    snoozed_until: datetime | None = None
    #: the last incident that was told, and when it was last told
    told_incident: int = 0
    told_at: datetime | None = None

    def status(self, now: datetime) -> Status:
        """Return what a person sees.

        >>> Standing().status(datetime(2026, 11, 20))
        <Status.QUIET: 'quiet'>
        """
        if self.is_disabled:
            return Status.DISABLED
        if self.is_snoozed(now):
            return Status.SNOOZED
        if self.is_firing:
            return Status.ACKNOWLEDGED if self.acknowledged_at is not None else Status.FIRING
        if self.beyond_since is not None:
            return Status.PENDING
        return Status.RESOLVED if self.incident else Status.QUIET

    def is_snoozed(self, now: datetime) -> bool:
        """Tell whether nobody is to be told.

        >>> Standing().is_snoozed(datetime(2026, 11, 20))
        False
        """
        return self.snoozed_until is not None and now < self.snoozed_until


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What became of an alert: where it stands now, what happened, and whether people are to hear of it."""

    standing: Standing
    event: Event | None = None
    is_told: bool = False


def look(standing: Standing, rule: AlertRule, figure: FigureNow, *, now: datetime) -> Turn:
    """Return what a look at the figure makes of an alert; a figure that is not known changes nothing.

    >>> from queue_server.core.alerts.rules import Limits
    >>> most = Limits(at_most=100)
    >>> rule = AlertRule(name="long", figure="queue.backlog", limits=most, clear=most)
    >>> look(Standing(), rule, FigureNow(value=120), now=datetime(2026, 11, 20)).event
    <Event.FIRED: 'fired'>
    """
    if standing.is_disabled:
        return Turn(standing=standing)
    if not standing.is_firing:
        return _look_at_quiet(standing, rule, figure, now)
    if figure.value is not None:
        since = (standing.clear_since or now) if rule.is_clear(figure) else None
        standing = replace(standing, clear_since=since)
        if since is not None and _is_long_enough(since, rule, now):
            return _resolve(standing, now)
    return _remind(standing, rule, now)


def _look_at_quiet(standing: Standing, rule: AlertRule, figure: FigureNow, now: datetime) -> Turn:
    if figure.value is None:
        return Turn(standing=standing)
    since = (standing.beyond_since or now) if rule.is_beyond(figure) else None
    standing = replace(standing, beyond_since=since)
    if since is None or not _is_long_enough(since, rule, now):
        return Turn(standing=standing)
    is_told = not standing.is_snoozed(now)
    fired = replace(
        standing,
        incident=standing.incident + 1,
        is_firing=True,
        fired_at=now,
        resolved_at=None,
        acknowledged_at=None,
        beyond_since=None,
    )
    return Turn(standing=_told(fired, now) if is_told else fired, event=Event.FIRED, is_told=is_told)


def _is_long_enough(since: datetime, rule: AlertRule, now: datetime) -> bool:
    return now - since >= timedelta(seconds=rule.hold_seconds)


def _told(standing: Standing, now: datetime) -> Standing:
    return replace(standing, told_incident=standing.incident, told_at=now)


def _resolve(standing: Standing, now: datetime) -> Turn:
    """End an incident; those who heard of it hear that too, though it be snoozed: they need not look any more."""
    is_told = standing.told_incident == standing.incident
    over = replace(standing, is_firing=False, clear_since=None, acknowledged_at=None, resolved_at=now)
    return Turn(standing=over, event=Event.RESOLVED, is_told=is_told)


def _remind(standing: Standing, rule: AlertRule, now: datetime) -> Turn:
    """Say again what lasts: after a snooze once, and as often as the rule asks while nobody acknowledged it."""
    if standing.is_snoozed(now) or standing.acknowledged_at is not None:
        return Turn(standing=standing)
    is_untold = standing.told_incident != standing.incident
    is_over = standing.snoozed_until is not None
    pause = timedelta(seconds=rule.remind_seconds) if rule.remind_seconds is not None else None
    is_due = pause is not None and standing.told_at is not None and now - standing.told_at >= pause
    if not (is_untold or is_over or is_due):
        return Turn(standing=standing)
    return Turn(standing=replace(_told(standing, now), snoozed_until=None), event=Event.REMINDED, is_told=True)


def why_not(standing: Standing, action: Action) -> str | None:
    """Return why a person cannot do this now; None: they can.

    >>> why_not(Standing(), Action.ACKNOWLEDGE)
    'must be firing to be acknowledged'
    """
    if action is Action.ACKNOWLEDGE and not standing.is_firing:
        return "must be firing to be acknowledged"
    if standing.is_disabled and action is Action.SNOOZE:
        return "must be enabled to be snoozed"
    return None


def act(standing: Standing, action: Action, *, now: datetime, until: datetime | None = None) -> Turn:
    """Return what a person's word makes of an alert; nobody is told, as they know. `until`: of a snooze.

    What is so already stays as it is. An alert that is enabled again is looked at as if it were new.

    >>> act(Standing(), Action.DISABLE, now=datetime(2026, 11, 20)).standing.is_disabled
    True
    """
    return _ACTIONS[action](standing, now, until)


def _acknowledge(standing: Standing, now: datetime, _until: datetime | None) -> Turn:
    if standing.acknowledged_at is not None:
        return Turn(standing=standing)
    known = replace(_told(standing, now), acknowledged_at=now, snoozed_until=None)
    return Turn(standing=known, event=Event.ACKNOWLEDGED)


def _snooze(standing: Standing, _now: datetime, until: datetime | None) -> Turn:
    return Turn(standing=replace(standing, snoozed_until=until, acknowledged_at=None), event=Event.SNOOZED)


def _disable(standing: Standing, now: datetime, _until: datetime | None) -> Turn:
    if standing.is_disabled:
        return Turn(standing=standing)
    # An open incident ends here: nobody looks whether it lasts.
    ended = now if standing.is_firing else standing.resolved_at
    return Turn(standing=replace(afresh(standing), is_disabled=True, resolved_at=ended), event=Event.DISABLED)


def _enable(standing: Standing, _now: datetime, _until: datetime | None) -> Turn:
    if not standing.is_disabled:
        return Turn(standing=standing)
    return Turn(standing=replace(standing, is_disabled=False), event=Event.ENABLED)


_ACTIONS = {
    Action.ACKNOWLEDGE: _acknowledge,
    Action.SNOOZE: _snooze,
    Action.DISABLE: _disable,
    Action.ENABLE: _enable,
}


def afresh(standing: Standing) -> Standing:
    """Return an alert with nothing raised, pending or snoozed; its incidents are still counted.

    >>> afresh(Standing(incident=3, is_firing=True)).incident
    3
    """
    return Standing(incident=standing.incident, told_incident=standing.told_incident, resolved_at=standing.resolved_at)
