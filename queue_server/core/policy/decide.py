"""Weigh the rules and move the sample's state."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from feedback_sdk.types import Verdict
from queue_server.core.policy.budget import (
    USUAL_SECONDS,
    Account,
    Share,
)
from queue_server.core.policy.draws import draw, rule_draw
from queue_server.core.policy.facts import applies
from queue_server.core.policy.purse import Purse, holding
from queue_server.core.policy.rules import Match, Policy, Route, Rule, SilenceAffirms
from queue_server.core.policy.states import ArchiveReason, Candidate, Decision, Order, RuleOutcome, State
from queue_server.core.uncertainty import confidence

#: A person who asks for a sample outranks every rule but a user's objection.
REQUEST_PRIORITY = 90
#: A finished look is not undone by a rule, and what was erased stays so.
_CLOSED_REASONS = (ArchiveReason.ERASED, ArchiveReason.DUPLICATE, ArchiveReason.SKIPPED)
_LIVE = (State.QUEUED, State.PUSHED)
#: A task that is there does not wait for a period's end, nor does a second look at a finished one.
_NEVER_HELD = (*_LIVE, State.ANNOTATED)
_OUT_OF_SCOPE = Match(matched=False, compared={"in_scope": False})
_NO_ORDER = Order()
_NO_ROUTE = Route()


def decide(candidate: Candidate, policy: Policy, now: datetime) -> Decision:
    """Decide what becomes of a sample under the policy pinned at its arrival.

    1. Every rule says whether it matches, draws, and asks its budget for room.
    2. π = 1 − ∏(1 − pᵢ) over all matching rules, whether or not the sample was queued already.
    3. A rule that took it queues it; else it is held, or a confirmation or the window's end archives it.
    """
    purse = Purse(candidate, policy, now)
    weighed = [_weigh(rule, salt, candidate, purse, now) for rule, salt in zip(policy.rules, policy.salts, strict=True)]
    if candidate.is_requested and not any(outcome.strategy == "requested" for outcome, _ in weighed):
        weighed.append((_REQUESTED, None))
    outcomes = tuple([outcome for outcome, _ in weighed])
    matched = [item for item in outcomes if item.matched]
    taken = sorted([item for item in matched if item.selected], key=lambda item: -item.priority)
    held = sorted([item for item in matched if item.is_held], key=lambda item: -item.priority)
    state, reason = _next_state(candidate, matched, taken, purse, now)
    if reason is ArchiveReason.DUPLICATE and not taken:
        taken = _wanting(matched, taken)
    if reason is ArchiveReason.AFFIRMED and not _is_seen(candidate, policy):
        reason = ArchiveReason.NOT_SAMPLED
    is_second_look = candidate.state is State.ANNOTATED and state is State.QUEUED
    is_new = state is State.QUEUED and candidate.state not in _LIVE
    reasons = ("disputed",) if is_second_look else tuple([_reason(item, candidate) for item in taken])
    tags = _tags(policy, matched)
    cost = candidate.lead_seconds.get(reasons[0], USUAL_SECONDS) if reasons else USUAL_SECONDS
    return Decision(
        state=state,
        reason=reason,
        priority=next((item.priority for item in (taken or held)), 0),
        reasons=reasons,
        is_withdrawal=state in _LIVE and not taken,
        inclusion_probability=_inclusion_probability(matched, candidate, policy),
        rules=outcomes,
        tags=tags,
        order=_order(policy, taken, tags, candidate) if taken else _NO_ORDER,
        shares=_shares(weighed, is_live=state in _LIVE),
        spends=purse.spends(taken) if is_new else (),
        cost_seconds=cost,
        held_in=_held_in(policy, _waiting(candidate, policy, state, weighed, held), now),
        is_second_look=is_second_look,
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


def _weigh(
    rule: Rule, salt: bytes, candidate: Candidate, purse: Purse, now: datetime
) -> tuple[RuleOutcome, Share | None]:
    kind = rule.kind
    is_in_scope = not (rule.labels or rule.where) or applies(rule, candidate)
    match = kind.match(rule, candidate, now) if is_in_scope else _OUT_OF_SCOPE
    if not match.matched or kind.is_by_hand:
        return _undrawn(rule, match), None
    is_live = candidate.state in _LIVE
    chance = rule.probability * match.rate
    number = _number(candidate, salt, match)
    is_drawn = number < chance
    share, is_held = purse.share(rule), False
    if purse.is_limited:
        is_held = share is None and candidate.state not in _NEVER_HELD and purse.is_holding(rule)
        if is_live and rule.name not in candidate.shares:
            share = _joined(share, is_holding=purse.is_holding(rule))
    outcome = RuleOutcome(
        rule=rule.name,
        strategy=rule.strategy,
        priority=min(1000, max(0, rule.priority + match.priority_shift)),
        matched=True,
        probability=chance if share is None else chance * share.probability,
        draw=number,
        selected=is_drawn and not is_held and (share is None or share.is_taken),
        is_audit=kind.is_audit,
        is_users=kind.is_users,
        score=match.score,
        is_held=is_drawn and is_held,
        over_budget=share.full if share is not None and is_drawn and not share.is_taken else None,
        compared=match.compared,
        chance=chance,
    )
    return outcome, share


def _joined(share: Share | None, *, is_holding: bool) -> Share | None:
    """Return the share of a rule that first matches a sample which has its task: that costs nothing, and is raised."""
    if share is None:
        return Share(probability=1.0, is_taken=True, is_pending=True) if is_holding else None
    return replace(share, is_taken=True)


def _number(candidate: Candidate, salt: bytes, match: Match) -> float:
    number = draw(candidate.sample_id, salt)
    if match.cell is None:
        return number
    index, cells = match.cell
    return (index + number) / cells


def _undrawn(rule: Rule, match: Match) -> RuleOutcome:
    """Return the outcome of a rule that does not match, or that a person's asking matches."""
    kind, matched = rule.kind, match.matched
    chance = None if matched else rule.probability * match.rate
    # In the order of the fields: most rules of a decision do not match, and naming them takes twice the time.
    said = (rule.name, rule.strategy, rule.priority, matched, chance, None, matched)
    return RuleOutcome(*said, kind.is_audit, kind.is_users, match.score, False, None, match.compared)  # noqa: FBT003


def _waiting(
    candidate: Candidate,
    policy: Policy,
    state: State,
    weighed: Sequence[tuple[RuleOutcome, Share | None]],
    held: Sequence[RuleOutcome],
) -> Sequence[RuleOutcome]:
    """Return the rules for which a period's end has a word to say, the highest first.

    Where another rule has a task made, the audit above all, they wait for their share in its π alone.
    """
    if state is State.HELD:
        return held
    if candidate.ledger is None or state not in _LIVE or not policy.is_limited:
        return ()
    by_name = policy.by_name
    found = [
        item
        for item, share in weighed
        if item.matched and (share is None or share.is_pending)
        if item.rule in by_name and holding(by_name[item.rule], policy)
    ]
    return sorted(found, key=lambda item: -item.priority)


def _shares(weighed: Sequence[tuple[RuleOutcome, Share | None]], *, is_live: bool) -> dict[str, Share]:
    """Return what the budget said, by rule; what waits for a period's end while another rule has a task is pending."""
    found = {item.rule: share for item, share in weighed if share is not None}
    if is_live:
        pending = Share(probability=1.0, is_taken=False, is_pending=True)
        found |= {item.rule: pending for item, share in weighed if share is None and item.is_held}
    return found


def _held_in(policy: Policy, held: Sequence[RuleOutcome], now: datetime) -> Account | None:
    if not held:
        return None
    found = holding(policy.by_name[held[0].rule], policy)
    assert found is not None
    name, budget = found
    return Account(name, budget.period, budget.period.start(now))


def _inclusion_probability(matched: Sequence[RuleOutcome], candidate: Candidate, policy: Policy) -> float:
    chances = [item.probability or 0.0 for item in matched]
    if candidate.shares and policy.budget is not None and policy.budget.is_held:
        chances = _settled_together(matched, candidate.shares)
    return 1.0 - math.prod([1.0 - chance for chance in chances])


def _settled_together(matched: Sequence[RuleOutcome], shares: Mapping[str, Share]) -> list[float]:
    """Return the chances where one period's end decided for all rules that waited for it: its share counts once.

    A rule that matched and drew no lot would have waited for the same.
    """
    alone = [item.probability or 0.0 for item in matched if item.is_audit or item.probability is None]
    usual = next((shares[item.rule].probability for item in matched if item.rule in shares), 1.0)
    missed: dict[float, float] = {}
    for item in matched:
        if item.is_audit or item.probability is None:
            continue
        share = shares[item.rule].probability if item.rule in shares else usual
        drawn = item.probability / share if item.rule in shares and share > 0 else item.probability
        missed[share] = missed.get(share, 1.0) * (1.0 - drawn)
    return alone + [share * (1.0 - lost) for share, lost in missed.items()]


def _tags(policy: Policy, matched: Sequence[RuleOutcome]) -> tuple[str, ...]:
    if not policy.tagged:
        return ()
    return tuple(dict.fromkeys(tag for item in matched for tag in policy.tagged.get(item.rule, ())))


def _order(policy: Policy, taken: Sequence[RuleOutcome], tags: tuple[str, ...], candidate: Candidate) -> Order:
    chosen = [policy.by_name[item.rule] for item in taken if item.rule in policy.by_name]
    return Order(
        route=next((rule.route for rule in chosen if rule.route is not None), _NO_ROUTE),
        is_blind=any(_is_blind(rule, candidate, policy) for rule in chosen),
        annotators=max([rule.annotators for rule in chosen], default=1),
        rank=_rank(policy, taken, candidate),
        tags=tags,
    )


def _rank(policy: Policy, taken: Sequence[RuleOutcome], candidate: Candidate) -> float:
    """Return a task's place in the inbox: an audit's hangs on its hash alone, so that what is reached of it is fair."""
    own = float(taken[0].priority)
    if not any(item.is_audit for item in taken):
        return own
    highest = max(rule.priority for rule in policy.rules)
    return max(own, highest * rule_draw(candidate.sample_id, "rank", policy.salt))


def _is_blind(rule: Rule, candidate: Candidate, policy: Policy) -> bool:
    """Tell whether an audit draw is to be looked at without the prediction; drawn by a salt of its own."""
    share = rule.parameters.get("blind")
    if not rule.kind.is_audit or not isinstance(share, float) or share <= 0:
        return False
    return rule_draw(candidate.sample_id, f"{rule.name}/blind", policy.salt) < share


def _reason(outcome: RuleOutcome, candidate: Candidate) -> str:
    if outcome.strategy == "user_rejected" and candidate.opinion.is_disputed:
        return "disputed"
    return outcome.rule


def _next_state(
    candidate: Candidate,
    matched: Sequence[RuleOutcome],
    taken: Sequence[RuleOutcome],
    purse: Purse,
    now: datetime,
) -> tuple[State, str | None]:
    """Return the state from now on and its reason; a task to be withdrawn keeps its state until it is."""
    if candidate.state is State.ANNOTATED:
        is_wanted = candidate.is_annotation_disputed and purse.has_room_for_users(taken)
        return (State.QUEUED, "disputed") if is_wanted else (State.ANNOTATED, None)
    if candidate.archive_reason in _CLOSED_REASONS:
        return candidate.state, candidate.archive_reason
    if candidate.state in _LIVE:
        if candidate.state is State.QUEUED and _is_collapsed(candidate, taken):
            # Its image came after it, and shows what is queued already.
            return State.ARCHIVED, ArchiveReason.DUPLICATE
        return candidate.state, _reason(taken[0], candidate) if taken else None
    return _state_of_waiting(candidate, matched, taken, now)


def _state_of_waiting(
    candidate: Candidate, matched: Sequence[RuleOutcome], taken: Sequence[RuleOutcome], now: datetime
) -> tuple[State, str | None]:
    if _is_collapsed(candidate, _wanting(matched, taken)):
        return State.ARCHIVED, ArchiveReason.DUPLICATE
    if taken:
        return State.QUEUED, _reason(taken[0], candidate)
    if held := [item for item in matched if item.is_held]:
        return State.HELD, max(held, key=lambda item: item.priority).rule
    return _without_a_task(candidate, matched, now)


def _wanting(matched: Sequence[RuleOutcome], taken: Sequence[RuleOutcome]) -> list[RuleOutcome]:
    """Return the rules that drew a sample, the highest first; to join a task that is there needs no room."""
    found = [*taken] or [item for item in matched if item.is_held or item.over_budget]
    return sorted(found, key=lambda item: -item.priority)


def _without_a_task(candidate: Candidate, matched: Sequence[RuleOutcome], now: datetime) -> tuple[State, str | None]:
    if candidate.archive_reason is ArchiveReason.WITHDRAWN:
        return State.ARCHIVED, ArchiveReason.WITHDRAWN
    if candidate.opinion.verdict is Verdict.CONFIRMED:
        return State.ARCHIVED, ArchiveReason.CONFIRMED
    if now < candidate.window_ends_at:
        return State.AWAITING_FEEDBACK, None
    return State.ARCHIVED, _silent_reason(candidate, matched)


def _is_collapsed(candidate: Candidate, taken: Sequence[RuleOutcome]) -> bool:
    """Tell whether the twin's task serves this sample: for the same bytes always, else not for an audit or by hand."""
    if candidate.twin is None or not taken:
        return False
    return candidate.twin.is_exact or not any(item.is_audit or item.probability is None for item in taken)


def _is_seen(candidate: Candidate, policy: Policy) -> bool:
    """Tell whether silence can be an answer: nobody objects to what nobody saw."""
    return candidate.is_shown or policy.silence_affirms is SilenceAffirms.ALWAYS


def _silent_reason(candidate: Candidate, matched: Sequence[RuleOutcome]) -> ArchiveReason:
    """Silence affirms a confident prediction only; a rule that matched and drew no lot says "not sampled"."""
    if any(item.over_budget for item in matched):
        return ArchiveReason.OVER_BUDGET
    lost_draw = any(not item.is_audit for item in matched)
    if lost_draw or candidate.opinion.is_objection or confidence(candidate.prediction) is None:
        return ArchiveReason.NOT_SAMPLED
    return ArchiveReason.AFFIRMED
