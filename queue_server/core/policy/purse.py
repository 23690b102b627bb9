"""What a policy's budgets say to one sample: worked out once, however many rules ask."""

from collections.abc import Sequence
from datetime import datetime

from queue_server.core.policy.budget import USUAL_SECONDS, Account, Budget, Cap, Payer, Share, caps, full
from queue_server.core.policy.rules import Policy, Rule
from queue_server.core.policy.states import Candidate, RuleOutcome, State

_OPEN = Share(probability=1.0, is_taken=True)


class Purse:
    """The budgets of a policy, as one sample meets them at one moment."""

    def __init__(self, candidate: Candidate, policy: Policy, now: datetime) -> None:
        self._candidate = candidate
        self._policy = policy
        self._now = now
        #: whether any rule must ask
        self.is_limited = policy.is_limited or bool(candidate.shares)
        #: rules without a budget of their own meet the same accounts
        self._known: dict[tuple[bool, float], Account | None] = {}
        self._shared: dict[bool, list[Cap]] = {}

    def share(self, rule: Rule) -> Share | None:
        """Return what the budget says; None: there is none, nobody has looked, or its period's end will tell."""
        if not self.is_limited:
            return None
        known = self._candidate.shares.get(rule.name)
        if known is not None:
            return known
        is_free = rule.kind.is_audit or (rule.budget is None and self._policy.budget is None)
        if is_free or self._candidate.ledger is None:
            return None
        account = self._full(rule)
        if account is not None:
            return Share(probability=0.0, is_taken=False, full=account.name)
        return None if holding(rule, self._policy) is not None else _OPEN

    def has_room_for_users(self, taken: Sequence[RuleOutcome]) -> bool:
        """Tell whether a rule that looks at what users say took a sample and may pay for another look at it."""
        names = {item.rule for item in taken if item.is_users}
        rules = [rule for rule in self._policy.rules if rule.name in names]
        return any(self._candidate.ledger is None or self._full(rule) is None for rule in rules)

    def is_holding(self, rule: Rule) -> bool:
        """Tell whether a match of this rule waits for a period's end."""
        return holding(rule, self._policy) is not None

    def _full(self, rule: Rule) -> Account | None:
        cost = self._candidate.lead_seconds.get(rule.name, USUAL_SECONDS)
        key = (rule.kind.is_users, cost)
        if rule.budget is None and key in self._known:
            return self._known[key]
        assert self._candidate.ledger is not None
        account = full(self._caps(rule), self._candidate.ledger, cost_seconds=cost)
        if rule.budget is None:
            self._known[key] = account
        return account

    def _caps(self, rule: Rule) -> list[Cap]:
        if rule.budget is not None:
            return caps(payer(rule, self._candidate, self._policy), self._now)
        found = self._shared.get(rule.kind.is_users)
        if found is None:
            found = self._shared[rule.kind.is_users] = caps(payer(rule, self._candidate, self._policy), self._now)
        return found

    def spends(self, taken: Sequence[RuleOutcome]) -> tuple[Account, ...]:
        """Return the accounts that pay for a new task; what a period's end gave is paid already."""
        is_paid = taken and taken[0].rule in self._candidate.shares and self._candidate.state is not State.ANNOTATED
        if not taken or is_paid:
            return ()
        policy, now = self._policy, self._now
        found: dict[Account, None] = {}
        if best := policy.by_name.get(taken[0].rule):
            found |= dict.fromkeys([cap.account for cap in self._caps(best)])
        if policy.budget is not None:
            names = ("all", "audit") if any(item.is_audit for item in taken) else ("all",)
            for allowance in policy.budget.allowances:
                for name in names:
                    found[Account(name, allowance.period, allowance.period.start(now))] = None
        return tuple(found)


def payer(rule: Rule, candidate: Candidate, policy: Policy) -> Payer:
    """Return for whom a task of this rule would be made."""
    return Payer(
        rule=rule.name,
        rule_budget=rule.budget,
        policy_budget=policy.budget,
        stream=candidate.stream,
        reporters=tuple(candidate.standings) if rule.kind.is_users else (),
    )


def holding(rule: Rule, policy: Policy) -> tuple[str, Budget] | None:
    """Return the held budget, with its account's name, that a match of this rule waits for."""
    if rule.kind.is_audit or rule.kind.is_by_hand:
        return None
    if rule.budget is not None and rule.budget.is_held:
        return f"rule:{rule.name}", rule.budget
    return ("all", policy.budget) if policy.budget is not None and policy.budget.is_held else None


def accounts(policy: Policy, candidate: Candidate, now: datetime) -> frozenset[Account]:
    """Return every account that a decision on this sample may ask about."""
    found = [cap for rule in policy.rules for cap in caps(payer(rule, candidate, policy), now)]
    reserves = [cap.reserved for cap in found if cap.reserved is not None]
    return frozenset(cap.account for cap in (*found, *reserves))
