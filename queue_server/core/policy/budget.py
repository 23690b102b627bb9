"""How many labeling tasks may be made, and in whose favour, in a minute, an hour or a day (UTC).

A budget is a set of accounts, each with limits per period: `all` for the policy, `rule:NAME`, `stream:NAME`,
`reporter:NAME`, and `audit` for the share that the audit spends. A decision says which accounts it would spend from;
the shell counts, under a lock, and tells what was spent.
"""

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

#: what an annotator takes for a task until it has been measured
USUAL_SECONDS = 60.0
#: of a budget that says nothing else: the part that the audit alone may use, and the most that one reporter may
AUDIT_SHARE = 0.2
REPORTER_SHARE = 0.5


class Period(StrEnum):
    """A stretch of the calendar in UTC."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    # Enum's own runs in Python, and each account that is looked up holds a period.
    __hash__ = str.__hash__

    @property
    def seconds(self) -> float:
        """Return how long it lasts.

        >>> Period.HOUR.seconds
        3600.0
        """
        return _SECONDS[self]

    def start(self, now: datetime) -> datetime:
        """Return when the one that holds `now` began.

        >>> Period.HOUR.start(datetime(2026, 11, 20, 12, 34, tzinfo=UTC)).isoformat()
        '2026-11-20T12:00:00+00:00'
        """
        return _start(_SECONDS[self], now.timestamp() // _SECONDS[self])


@functools.lru_cache(maxsize=64)  # decisions ask for the same few again and again; one object's hash is taken once
def _start(seconds: float, number: float) -> datetime:
    """Return when the period of this number began; the epoch's days begin with the calendar's, in UTC."""
    return datetime.fromtimestamp(seconds * number, UTC)


_SECONDS = {Period.MINUTE: 60.0, Period.HOUR: 3600.0, Period.DAY: 86_400.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """What may be spent in each period of a kind; None: no limit."""

    period: Period
    tasks: int | None = None
    #: of annotators' time
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The limits of a rule, or of all rules together."""

    allowances: tuple[Allowance, ...]
    #: at the period's end the best are kept, instead of the first that come
    is_held: bool = False
    per_stream: tuple[Allowance, ...] = ()
    per_reporter: tuple[Allowance, ...] = ()
    audit_share: float = AUDIT_SHARE
    #: no reporter gets more than this of each limit
    reporter_share: float = REPORTER_SHARE
    #: taken once: decisions look up by it
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        limits = (self.allowances, self.is_held, self.per_stream, self.per_reporter)
        object.__setattr__(self, "_hash", hash((limits, self.audit_share, self.reporter_share)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def period(self) -> Period:
        """Return the period of a held budget: it has one."""
        return self.allowances[0].period


class Account(NamedTuple):
    """One counter: an account's name in one period; a tuple, as decisions look up many."""

    name: str
    period: Period
    starts_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What an account spent so far in its period."""

    tasks: int = 0
    seconds: float = 0.0


class Cap(NamedTuple):
    """An account with its limits at this moment."""

    account: Account
    tasks: float | None
    seconds: float | None
    #: the part of the limits that is kept for another account, unless that has spent more by now
    reserved: "Cap | None" = None


#: what each account spent, as the shell counted
Ledger = Mapping[Account, Spent]
_NOTHING = Spent()


@dataclass(frozen=True, kw_only=True, slots=True)
class Payer:
    """For whom a task is made: what decides which accounts pay."""

    rule: str
    rule_budget: Budget | None
    policy_budget: Budget | None
    stream: str | None = None
    #: who objected, where a rule looked at that
    reporters: tuple[str, ...] = ()


def caps(payer: Payer, now: datetime) -> list[Cap]:
    """Return every account that a task of this payer must find room in.

    A held budget's own limits are not among them: they are applied at the period's end.

    >>> day = Budget(allowances=(Allowance(period=Period.DAY, tasks=5),))
    >>> payer = Payer(rule="empty", rule_budget=day, policy_budget=None)
    >>> [cap.account.name for cap in caps(payer, datetime(2026, 11, 20, tzinfo=UTC))]
    ['rule:empty']
    """
    found: list[Cap] = []
    minute = now.timestamp() // _SECONDS[Period.MINUTE]
    for scope, budget in ((f"rule:{payer.rule}", payer.rule_budget), ("all", payer.policy_budget)):
        if budget is not None:
            found += _caps_of(scope, budget, payer.stream, payer.reporters, minute)
    return found


@functools.lru_cache(maxsize=4096)  # within a minute the samples of one stream meet the same accounts
def _caps_of(
    scope: str, budget: Budget, stream: str | None, reporters: tuple[str, ...], minute: float
) -> tuple[Cap, ...]:
    prefix = "" if scope == "all" else f"{scope}/"
    has_reserve = scope == "all" and budget.audit_share > 0
    found: list[Cap] = []
    for allowance in () if budget.is_held else budget.allowances:
        start = _start_in(allowance, minute)
        reserved = _part(allowance, budget.audit_share, "audit", start) if has_reserve else None
        found.append(_cap(allowance, scope, start, reserved))
        if budget.reporter_share < 1:
            found += [
                _part(allowance, budget.reporter_share, f"{prefix}reporter:{reporter}", start, at_least=1)
                for reporter in reporters
            ]
    for allowance in budget.per_stream:
        found.append(_cap(allowance, f"{prefix}stream:{stream or ''}", _start_in(allowance, minute)))
    for allowance in budget.per_reporter:
        start = _start_in(allowance, minute)
        found += [_cap(allowance, f"{prefix}reporter:{reporter}", start) for reporter in reporters]
    return tuple(found)


def _start_in(allowance: Allowance, minute: float) -> datetime:
    seconds = _SECONDS[allowance.period]
    return _start(seconds, minute * _SECONDS[Period.MINUTE] // seconds)


def _cap(allowance: Allowance, name: str, start: datetime, reserved: Cap | None = None) -> Cap:
    return Cap(Account(name, allowance.period, start), allowance.tasks, allowance.seconds, reserved)


def _part(allowance: Allowance, share: float, name: str, start: datetime, *, at_least: int = 0) -> Cap:
    """Return the part of a limit that is one account's own."""
    tasks = None if allowance.tasks is None else max(at_least, int(allowance.tasks * share))
    seconds = None if allowance.seconds is None else allowance.seconds * share
    return Cap(Account(name, allowance.period, start), tasks, seconds)


def full(found: Iterable[Cap], ledger: Ledger, *, cost_seconds: float) -> Account | None:
    """Return the first account without room for another task of this cost; None: there is room.

    >>> day = Budget(allowances=(Allowance(period=Period.DAY, tasks=0),), audit_share=0)
    >>> payer = Payer(rule="empty", rule_budget=day, policy_budget=None)
    >>> full(caps(payer, datetime(2026, 11, 20, tzinfo=UTC)), {}, cost_seconds=60).name
    'rule:empty'
    """
    for cap in found:
        spent = ledger.get(cap.account, _NOTHING)
        kept_tasks, kept_seconds = _still_reserved(cap.reserved, ledger) if cap.reserved else (0.0, 0.0)
        if cap.tasks is not None and spent.tasks + kept_tasks + 1 > cap.tasks:
            return cap.account
        if cap.seconds is not None and spent.seconds + kept_seconds + cost_seconds > cap.seconds:
            return cap.account
    return None


def _still_reserved(reserved: Cap, ledger: Ledger) -> tuple[float, float]:
    """Return what of a reserve is not spent yet; what is spent of it is counted with the rest."""
    spent = ledger.get(reserved.account, _NOTHING)
    return max(0.0, (reserved.tasks or 0) - spent.tasks), max(0.0, (reserved.seconds or 0.0) - spent.seconds)


def audit_room(budget: Budget) -> float | None:
    """Return how many tasks an hour are the audit's own; None: no limit on tasks.

    >>> audit_room(Budget(allowances=(Allowance(period=Period.DAY, tasks=240),), audit_share=0.1))
    1.0
    """
    rooms = [
        allowance.tasks * budget.audit_share * Period.HOUR.seconds / allowance.period.seconds
        for allowance in budget.allowances
        if allowance.tasks is not None
    ]
    return min(rooms, default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What a budget said of a sample when a rule first matched it: kept, so that a later look changes nothing."""

    #: the chance that the budget left: 1 with room, 0 without; at a held period's end 1 above the cut, slots/ties at it
    probability: float
    is_taken: bool
    #: the account that had no room
    full: str | None = None
    #: another rule has a task made, and the period's end will tell the chance
    is_pending: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A sample that waits for a period's end."""

    key: int
    priority: int
    #: breaks ties; uniform in [0, 1)
    draw: float
    cost_seconds: float = USUAL_SECONDS
    #: further accounts in which it must find room, with their limits
    caps: tuple[Cap, ...] = field(default=())
    #: another rule had a task made for it: it takes no room here, and is told its chance for its π alone
    is_served: bool = False


def settle(held: Iterable[Held], allowance: Allowance, ledger: Ledger, *, spent: Spent) -> dict[int, Share]:
    """Keep the best of what was held in a period: by priority, ties at random; return each sample's share.

    Above the cut the probability is 1, at it slots/ties, below it 0. Those that find no room in an account of their
    own (a stream's, a reporter's) make room for the next.

    >>> day = Allowance(period=Period.DAY, tasks=1)
    >>> waiting = [Held(key=1, priority=10, draw=0.5), Held(key=2, priority=60, draw=0.9)]
    >>> {key: share.is_taken for key, share in settle(waiting, day, {}, spent=Spent()).items()}
    {2: True, 1: False}
    """
    books = {account: [entry.tasks, entry.seconds] for account, entry in ledger.items()}
    book = [spent.tasks, spent.seconds]
    shares: dict[int, Share] = {}
    is_closed = False
    ranked = sorted(held, key=lambda each: (-each.priority, each.draw, each.key))
    for _, group in itertools.groupby(ranked, key=lambda each: each.priority):
        equals = list(group)
        waiting = [item for item in equals if not item.is_served]
        room = 0 if is_closed else _room(allowance, book, equals)
        for item in equals:
            if item.is_served:
                shares[item.key] = _share_of_served(item, books, room, len(waiting), is_closed=is_closed)
        is_closed = _keep_best(waiting, allowance, books, book, shares, is_closed=is_closed)
    return shares


def _keep_best(
    waiting: Sequence[Held],
    allowance: Allowance,
    books: dict[Account, list[float]],
    book: list[float],
    shares: dict[int, Share],
    *,
    is_closed: bool,
) -> bool:
    """Keep those of one priority while there is room, in the order of their draws; return whether it is used up."""
    tied: dict[frozenset[Account], list[int]] = {}
    for item in waiting:
        tied.setdefault(frozenset([cap.account for cap in item.caps]), []).append(item.key)
        own = _full_own(item, books)
        if own is not None:
            shares[item.key] = Share(probability=0.0, is_taken=False, full=own)
            continue
        is_closed = is_closed or _is_over(allowance, book[0] + 1, book[1] + item.cost_seconds)
        shares[item.key] = Share(probability=1.0, is_taken=not is_closed, full="all" if is_closed else None)
        if not is_closed:
            book[0], book[1] = book[0] + 1, book[1] + item.cost_seconds
            _charge(item, books)
    shares |= _tied(shares, list(tied.values()))
    return is_closed


def _room(allowance: Allowance, book: Sequence[float], equals: Sequence[Held]) -> float:
    """Return for how many tasks like these there is room."""
    cost = max(item.cost_seconds for item in equals)
    by_tasks = math.inf if allowance.tasks is None else allowance.tasks - book[0]
    by_seconds = math.inf if allowance.seconds is None else (allowance.seconds - book[1]) // cost
    return max(0.0, min(by_tasks, by_seconds))


def _share_of_served(
    item: Held, books: Mapping[Account, list[float]], room: float, waiting: int, *, is_closed: bool
) -> Share:
    """Return how a sample would have fared that another rule had a task made for.

    Had it waited, its own task would not have been spent, and one more would have waited.
    """
    own = _full_own(item, books)
    if is_closed or own is not None:
        return Share(probability=0.0, is_taken=False, full=own or "all")
    chance = min(1.0, (room + 1) / (waiting + 1))
    return Share(probability=chance, is_taken=False, full=None if chance == 1.0 else "all")


def _full_own(item: Held, books: Mapping[Account, list[float]]) -> str | None:
    for cap in item.caps:
        spent = books.get(cap.account, [0, 0.0])
        if _is_over(cap, spent[0] + 1, spent[1] + item.cost_seconds):
            return cap.account.name
    return None


def _is_over(limit: Allowance | Cap, tasks: float, seconds: float) -> bool:
    return (limit.tasks is not None and tasks > limit.tasks) or (limit.seconds is not None and seconds > limit.seconds)


def _charge(item: Held, books: dict[Account, list[float]]) -> None:
    for account in {cap.account for cap in item.caps}:
        book = books.setdefault(account, [0, 0.0])
        book[0] += 1
        book[1] += item.cost_seconds


def _tied(shares: Mapping[int, Share], ties: Sequence[Sequence[int]]) -> dict[int, Share]:
    """Give those that tied the same chance: how many of them were kept, of how many.

    `ties` are those of one priority, by the accounts of their own: where such an account ran out, only those that
    share it had the same chance, else all had.
    """
    found = dict(shares)
    short = [keys for keys in ties if any(shares[key].full not in (None, "all") for key in keys)]
    others = [key for keys in ties if keys not in short for key in keys]
    for keys in (*short, others):
        for key in keys:
            chance = sum(shares[other].is_taken for other in keys) / len(keys)
            found[key] = replace(shares[key], probability=chance)
    return found


def period_end(period: Period, starts_at: datetime) -> datetime:
    """Return when a period that began then ends.

    >>> period_end(Period.MINUTE, datetime(2026, 11, 20, tzinfo=UTC)).isoformat()
    '2026-11-20T00:01:00+00:00'
    """
    return starts_at + timedelta(seconds=period.seconds)
