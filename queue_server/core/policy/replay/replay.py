"""Run a policy over the past: what it would have queued, when, and what its budgets would have had room for.

Two things are simpler than they were: how much a reporter objected in the 24 hours before moves no priority, and a
task that users take back late was never made.
"""

import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from queue_server.core.policy.budget import Account, Ledger, Share, Spent, period_end, settle
from queue_server.core.policy.decide import decide
from queue_server.core.policy.facts import applies
from queue_server.core.policy.holding import Waiting, newest_allowance, shares_by_rule, waiting
from queue_server.core.policy.replay.pictures import QueuedPictures
from queue_server.core.policy.replay.replayed import Ending, Replayed, Tally
from queue_server.core.policy.replay.stored import Stored
from queue_server.core.policy.replay.traffic import FrozenTraffic
from queue_server.core.policy.rules import Policy, Rule
from queue_server.core.policy.states import ArchiveReason, Candidate, Decision, RuleOutcome, State, Twin
from queue_server.core.policy.verdicts import Opinion

#: samples that wait for a later moment; of more the next is taken a little before its time, so that memory is bounded
_MOST_WAITING = 20_000
#: that are kept after their period, until there are more
_MOST_ACCOUNTS = 10_000
_JUST_BEFORE = timedelta(milliseconds=1)
_NOTHING = Spent()
_KEPT_STATES = (State.QUEUED, State.HELD)


@dataclass(kw_only=True, slots=True)
class _Pending:
    """A sample that a rule matched, on its way through the moments at which the policy would have looked at it."""

    stored: Stored
    #: as it is in the end, and as it was before anybody said anything
    candidate: Candidate
    silent: Candidate
    #: still to come, the latest first
    moments: list[datetime]
    state: State = State.AWAITING_FEEDBACK
    #: what budgets said of it, by rule
    shares: dict[str, Share] = field(default_factory=dict)
    #: at the end of whose period it hears whether it is kept or, where it has a task by another rule, its share in π
    held_in: Account | None = None
    #: its next moment is in the queue of all
    is_due: bool = False

    def known_at(self, moment: datetime) -> Candidate:
        """Return what users had said by a moment: nothing, or what counts in the end."""
        answered = self.stored.answered_at
        return self.candidate if answered is None or moment >= answered else self.silent

    def seen_at(self, moment: datetime, *, ledger: Ledger | None = None, twin: Twin | None = None) -> Candidate:
        """Return it as a decision at a moment would see it."""
        return replace(self.known_at(moment), state=self.state, shares=self.shares, ledger=ledger, twin=twin)


class Replay:
    """One policy, run over samples in the order in which they came.

    1. `take` each sample. 2. `finish` tells what became of all. Memory is bounded, whatever the number of samples.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        window_seconds: float,
        lead_seconds: Mapping[str, float] | None = None,
        on_queued: Callable[[int, str], None] | None = None,
    ) -> None:
        self._policy = policy
        self._rules = policy.by_name
        self._window = timedelta(seconds=window_seconds)
        self._lead_seconds = lead_seconds or {}
        self._on_queued = on_queued
        self._traffic = FrozenTraffic(policy)
        self._pictures = QueuedPictures(policy)
        #: whether what becomes of one sample hangs on when others are queued
        self._is_ordered = self._policy.is_limited or self._pictures.compares_hashes
        self._counts_streams = "stream_position" in policy.needs
        self._positions: dict[str | None, int] = {}
        self._ledger: dict[Account, Spent] = {}
        self._most_accounts = _MOST_ACCOUNTS
        self._held: dict[Account, dict[int, _Pending]] = {}
        self._waiting: list[tuple[datetime, bool, int, _Pending | Account]] = []
        self._numbers = itertools.count()
        self._tally = Tally(lead_seconds=self._lead_seconds)

    @property
    def looks_back(self) -> bool:
        """Tell whether the days before should be shown to `observe` first: the policy takes thresholds from them."""
        return self._traffic.is_taken

    def observe(self, stored: Stored) -> None:
        """Let a sample from before the stretch count in the figures that are taken from the traffic."""
        self._traffic.figures(stored)

    def take(self, stored: Stored) -> None:
        """Decide on the next sample, and first on what was due before it came."""
        self._advance(stored.received_at)
        candidate = self._candidate(stored)
        after = max(candidate.window_ends_at, stored.answered_at or stored.received_at)
        decision = decide(candidate, self._policy, after)
        wanting = [outcome for outcome in decision.rules if outcome.matched and self._is_wanting(outcome)]
        if not wanting:
            self._end(stored, decision, queued=False)
        elif self._is_ordered:
            self._await(stored, candidate, wanting, after)
        else:
            self._end_at_once(stored, candidate, decision, after)

    def finish(self) -> Replayed:
        """Decide on all that still waits, and return what became of every sample."""
        while self._waiting:
            self._step()
        return self._tally.replayed()

    def _candidate(self, stored: Stored) -> Candidate:
        position = None
        if self._counts_streams:
            position = self._positions.get(stored.candidate.stream, 0)
            self._positions[stored.candidate.stream] = position + 1
        return replace(
            stored.candidate,
            window_ends_at=stored.received_at + self._window,
            figures=self._traffic.figures(stored),
            novelty_bits=self._pictures.novelty_bits(stored),
            stream_position=position,
            lead_seconds=self._lead_seconds,
        )

    def _is_wanting(self, outcome: RuleOutcome) -> bool:
        """Tell whether a match may make a task, or asks a budget that is part of π."""
        return outcome.selected or outcome.is_held or (self._policy.is_limited and not outcome.is_audit)

    def _end_at_once(self, stored: Stored, candidate: Candidate, decision: Decision, after: datetime) -> None:
        twin = self._pictures.twin(stored, after)
        if twin is not None:
            decision = decide(replace(candidate, twin=twin), self._policy, after)
        if decision.state is State.QUEUED:
            self._pictures.add(stored, after)
        self._end(stored, decision, queued=decision.state is State.QUEUED)

    def _await(self, stored: Stored, candidate: Candidate, wanting: list[RuleOutcome], after: datetime) -> None:
        silent = candidate
        if stored.answered_at is not None:
            silent = replace(candidate, opinion=Opinion(), corrections=(), standings={})
        pending = _Pending(stored=stored, candidate=candidate, silent=silent, moments=[])
        moments = {self._first_match(pending, self._rules[outcome.rule], after) for outcome in wanting}
        if stored.answered_at is not None:
            moments.add(stored.answered_at)
        pending.moments = sorted(moments, reverse=True)
        self._push(pending.moments.pop(), pending)
        while len(self._waiting) > _MOST_WAITING:
            self._step()

    def _first_match(self, pending: _Pending, rule: Rule, after: datetime) -> datetime:
        """Return the first moment at which a rule would have been seen to match."""
        times = {pending.stored.received_at, pending.candidate.window_ends_at, pending.stored.answered_at or after}
        for moment in sorted(times):
            seen = pending.known_at(moment)
            if applies(rule, seen) and rule.kind.match(rule, seen, moment).matched:
                return moment
        return after

    def _push(self, moment: datetime, item: _Pending | Account) -> None:
        """Queue a moment up; where a period ends then, that comes first, as on the server."""
        if isinstance(item, _Pending):
            item.is_due = True
        heapq.heappush(self._waiting, (moment, isinstance(item, _Pending), next(self._numbers), item))

    def _advance(self, now: datetime) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            self._step()
        if len(self._ledger) > self._most_accounts:
            self._ledger = {
                account: spent
                for account, spent in self._ledger.items()
                if period_end(account.period, account.starts_at) > now
            }
            self._most_accounts = max(_MOST_ACCOUNTS, 2 * len(self._ledger))

    def _step(self) -> None:
        moment, _, _, item = heapq.heappop(self._waiting)
        if isinstance(item, Account):
            self._settle(item, moment)
        else:
            self._look(item, moment)

    def _look(self, pending: _Pending, moment: datetime) -> None:
        """Decide at one of a sample's moments; the last one says what became of it."""
        pending.is_due = False
        decision = self._decide(pending, moment)
        is_collapsed = decision.reason == ArchiveReason.DUPLICATE
        if pending.moments and not is_collapsed:
            self._push(pending.moments.pop(), pending)
        elif pending.held_in is None:
            self._end_pending(pending, decision)

    def _decide(self, pending: _Pending, moment: datetime) -> Decision:
        """Decide with what the accounts have spent and what is queued by then, and do what the decision says."""
        was_queued = pending.state is State.QUEUED
        twin = None if was_queued else self._pictures.twin(pending.stored, moment)
        decision = decide(pending.seen_at(moment, ledger=self._ledger, twin=twin), self._policy, moment)
        pending.shares |= decision.shares
        if decision.state is State.QUEUED and not was_queued:
            self._spend(decision.spends, decision.cost_seconds)
            self._pictures.add(pending.stored, moment)
        self._hold(pending, decision.held_in)
        pending.state = decision.state if decision.state in _KEPT_STATES else State.AWAITING_FEEDBACK
        return decision

    def _end_pending(self, pending: _Pending, decision: Decision) -> None:
        self._end(pending.stored, decision, queued=pending.state is State.QUEUED and bool(decision.reasons))

    def _hold(self, pending: _Pending, account: Account | None) -> None:
        """Let a sample wait for the end of an account's period, and of no other."""
        if pending.held_in is not None and pending.held_in != account:
            self._held.get(pending.held_in, {}).pop(pending.stored.key, None)
        pending.held_in = account
        if account is None:
            return
        if account not in self._held:
            self._held[account] = {}
            self._push(period_end(account.period, account.starts_at), account)
        self._held[account][pending.stored.key] = pending

    def _spend(self, accounts: tuple[Account, ...] | set[Account], cost_seconds: float) -> None:
        for account in accounts:
            spent = self._ledger.get(account, _NOTHING)
            self._ledger[account] = Spent(tasks=spent.tasks + 1, seconds=spent.seconds + cost_seconds)

    def _settle(self, account: Account, end: datetime) -> None:
        """Keep the best of what an account held, as the server does at a period's end."""
        held = self._held.pop(account, {})
        found = [item for pending in held.values() if (item := self._standing(pending, account, end)) is not None]
        shares: dict[int, dict[str, Share]] = {}
        if found:
            spent = self._ledger.get(account, _NOTHING)
            given = settle([item.entry for item in found], newest_allowance(found), self._ledger, spent=spent)
            for item in found:
                if given[item.entry.key].is_taken:
                    self._spend({account, *(cap.account for cap in item.entry.caps)}, item.entry.cost_seconds)
            shares = shares_by_rule(found, given)
        for key, pending in held.items():
            pending.shares |= shares.get(key, {})
            pending.held_in = None
            decision = self._decide(pending, end)
            if not pending.is_due and pending.held_in is None:
                self._end_pending(pending, decision)

    def _standing(self, pending: _Pending, account: Account, end: datetime) -> Waiting | None:
        at = end - _JUST_BEFORE
        return waiting(pending.stored.key, pending.seen_at(at), self._policy, account=account.name, at=at)

    def _end(self, stored: Stored, decision: Decision, *, queued: bool) -> None:
        reason = decision.reason if queued else None
        self._tally.add(
            stored,
            Ending(
                inclusion_probability=decision.inclusion_probability,
                reason=reason,
                annotators=decision.order.annotators,
                is_over_budget=not queued and any(outcome.over_budget for outcome in decision.rules),
                is_duplicate=not queued and decision.reason == ArchiveReason.DUPLICATE,
            ),
        )
        if reason is not None and self._on_queued is not None:
            self._on_queued(stored.key, reason)
