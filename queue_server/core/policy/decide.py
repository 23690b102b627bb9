"""Weigh the rules and move the sample's state."""

import hashlib
import hmac
import math
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from feedback_sdk.types import Verdict
from queue_server.core.policy.rules import Policy, Rule
from queue_server.core.policy.states import ArchiveReason, Candidate, Decision, RuleOutcome, State
from queue_server.core.policy.strategies import STRATEGIES
from queue_server.core.uncertainty import confidence

#: A person who asks for a sample outranks every rule but a user's objection.
REQUEST_PRIORITY = 90
#: A finished look is not undone by a rule, and what was erased stays so.
_CLOSED_REASONS = (ArchiveReason.ERASED, ArchiveReason.DUPLICATE, ArchiveReason.SKIPPED)


def rule_draw(sample_id: UUID, rule_name: str, salt: bytes) -> float:
    """Return the number in [0, 1) with which a rule draws for a sample: the same on every retry.

    >>> rule_draw(UUID(int=1), "random", b"salt") == rule_draw(UUID(int=1), "random", b"salt")
    True
    """
    rule_salt = hmac.digest(salt, rule_name.encode(), "sha256")
    digest = hashlib.sha256(rule_salt + sample_id.bytes).digest()
    return int.from_bytes(digest[:8]) / 2**64


def decide(candidate: Candidate, policy: Policy, now: datetime) -> Decision:
    """Decide what becomes of a sample under the policy pinned at its arrival.

    1. Every rule says whether it matches, and draws.
    2. π = 1 − ∏(1 − pᵢ) over all matching rules, whether or not the sample was queued already.
    3. A rule that took it queues it; else a confirmation or the window's end archives it.
    """
    outcomes = [_apply(rule, candidate, policy, now) for rule in policy.rules]
    probability = 1.0 - math.prod(1.0 - (item.probability or 0.0) for item in outcomes if item.matched)
    if candidate.is_requested:
        outcomes.append(_REQUESTED)
    taken = sorted((item for item in outcomes if item.selected), key=lambda item: -item.priority)
    state, reason = _next_state(candidate, outcomes, taken, now)
    return Decision(
        state=state,
        reason=reason,
        priority=taken[0].priority if taken else 0,
        reasons=tuple(_reason(item, candidate) for item in taken),
        is_withdrawal=state in (State.QUEUED, State.PUSHED) and not taken,
        inclusion_probability=probability,
        rules=tuple(outcomes),
    )


_REQUESTED = RuleOutcome(
    rule="requested",
    strategy="requested",
    priority=REQUEST_PRIORITY,
    matched=True,
    probability=None,
    draw=None,
    selected=True,
)


def _apply(rule: Rule, candidate: Candidate, policy: Policy, now: datetime) -> RuleOutcome:
    match = STRATEGIES[rule.strategy].match(rule, candidate, now)
    rate = rule.parameters.get("rate", 1.0)
    assert isinstance(rate, float)
    probability = rule.probability * rate
    draw = rule_draw(candidate.sample_id, rule.name, policy.salt)
    return RuleOutcome(
        rule=rule.name,
        strategy=rule.strategy,
        priority=rule.priority,
        matched=match.matched,
        probability=probability,
        draw=draw,
        selected=match.matched and draw < probability,
        compared=match.compared,
    )


def _reason(outcome: RuleOutcome, candidate: Candidate) -> str:
    if outcome.strategy == "user_rejected" and candidate.opinion.is_disputed:
        return "disputed"
    return outcome.rule


def _next_state(
    candidate: Candidate, outcomes: Sequence[RuleOutcome], taken: Sequence[RuleOutcome], now: datetime
) -> tuple[State, str | None]:
    """Return the state from now on and its reason; a task to be withdrawn keeps its state until it is."""
    if candidate.state is State.ANNOTATED or candidate.archive_reason in _CLOSED_REASONS:
        return candidate.state, candidate.archive_reason
    is_live = candidate.state in (State.QUEUED, State.PUSHED)
    if taken or is_live:
        return candidate.state if is_live else State.QUEUED, _reason(taken[0], candidate) if taken else None
    if candidate.archive_reason is ArchiveReason.WITHDRAWN:
        return State.ARCHIVED, ArchiveReason.WITHDRAWN
    if candidate.opinion.verdict is Verdict.CONFIRMED:
        return State.ARCHIVED, ArchiveReason.CONFIRMED
    if now < candidate.window_ends_at:
        return State.AWAITING_FEEDBACK, None
    return State.ARCHIVED, _silent_reason(candidate, outcomes)


def _silent_reason(candidate: Candidate, outcomes: Sequence[RuleOutcome]) -> ArchiveReason:
    """Silence affirms a confident prediction only; a rule that matched and drew no lot says "not sampled"."""
    lost_draw = any(item.matched and not STRATEGIES[item.strategy].is_audit for item in outcomes)
    is_unsure = confidence(candidate.prediction) is None
    if lost_draw or is_unsure or candidate.opinion.is_objection:
        return ArchiveReason.NOT_SAMPLED
    return ArchiveReason.AFFIRMED
