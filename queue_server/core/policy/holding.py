"""How a sample that a held budget keeps waiting stands among the others of its period."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from queue_server.core.policy.budget import USUAL_SECONDS, Allowance, Held, Share, caps
from queue_server.core.policy.decide import decide
from queue_server.core.policy.draws import rule_draw
from queue_server.core.policy.purse import holding, payer
from queue_server.core.policy.rules import Policy
from queue_server.core.policy.states import Candidate, State


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A held sample, the rules that wait, and the limit of the period under its own version of the policy."""

    entry: Held
    rules: tuple[str, ...]
    #: of those, the ones that joined the task which another rule had made
    joined: frozenset[str]
    allowance: Allowance
    policy_version: int


def waiting(key: int, candidate: Candidate, policy: Policy, *, account: str, at: datetime) -> Waiting | None:
    """Return how a sample waits in an account at a moment of its period; None: nothing of it waits any more.

    `candidate` comes without a ledger: the period's end looks at the accounts of all samples together. One that is no
    longer held has a task by another rule, and waits for its share in π alone.

    >>> from uuid import UUID
    >>> from queue_server.core.policy import Opinion, Policy, State
    >>> none = Policy(version=1, rules=(), salt=b"salt")
    >>> someone = Candidate(
    ...     sample_id=UUID(int=1), state=State.HELD, prediction=None, opinion=Opinion(), window_ends_at=datetime.max
    ... )
    >>> waiting(1, someone, none, account="all", at=datetime.min) is None
    True
    """
    decision = decide(candidate, policy, at)
    rules = policy.by_name
    is_served = candidate.state is not State.HELD
    held = []
    for outcome in decision.rules:
        known = candidate.shares.get(outcome.rule)
        is_waiting = outcome.is_held or (is_served and outcome.matched and (known is None or known.is_pending))
        found = holding(rules[outcome.rule], policy) if is_waiting and outcome.rule in rules else None
        if found is not None and found[0] == account:
            held.append((outcome, found[1]))
    if not held:
        return None
    best, budget = max(held, key=lambda item: item[0].priority)
    entry = Held(
        key=key,
        priority=best.priority,
        draw=rule_draw(candidate.sample_id, f"{account}/held", policy.salt),
        cost_seconds=candidate.lead_seconds.get(best.rule, USUAL_SECONDS),
        caps=tuple(caps(payer(rules[best.rule], candidate, policy), at)),
        is_served=is_served,
    )
    return Waiting(
        entry=entry,
        rules=tuple(outcome.rule for outcome, _ in held),
        joined=frozenset(name for name, share in candidate.shares.items() if share.is_pending and share.is_taken),
        allowance=budget.allowances[0],
        policy_version=policy.version,
    )


def newest_allowance(found: Sequence[Waiting]) -> Allowance:
    """Return the limit of the newest version of the policy among the samples that wait; there is at least one."""
    return max(found, key=lambda item: item.policy_version).allowance


def shares_by_rule(found: Sequence[Waiting], shares: dict[int, Share]) -> dict[int, dict[str, Share]]:
    """Return what the period's end gave each sample, for each of its rules that waited.

    >>> shares_by_rule([], {})
    {}
    """
    return {
        item.entry.key: {rule: _share_of(rule, item, shares[item.entry.key]) for rule in item.rules} for item in found
    }


def _share_of(rule: str, item: Waiting, share: Share) -> Share:
    """Return what a period's end gave a rule; one that joined a task stays with it."""
    return replace(share, is_taken=True) if rule in item.joined else share
