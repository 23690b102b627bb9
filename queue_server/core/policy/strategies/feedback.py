"""Strategies that look at what users say."""

import math
from collections.abc import Mapping
from datetime import datetime

from feedback_sdk.types import Verdict
from queue_server.core.policy.facts import best_trust
from queue_server.core.policy.parameters import Amount
from queue_server.core.policy.rules import Match, Rule, Strategy
from queue_server.core.policy.states import Candidate, Standing
from queue_server.core.policy.strategies.checks import in_order
from queue_server.core.policy.strategies.given import amount

#: how far a reporter's record moves a task's priority, up or down
_TRUST_POINTS = 20
#: how far it falls while one reporter objects to more and more: others come first
_FLOOD_POINTS = 10
_FLOOD_BEGINS = 10


def match_user_rejected(_rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a sample that a user rejected or corrected; reporters of a good record come first."""
    opinion = candidate.opinion
    compared: dict[str, object] = {"verdict": opinion.verdict}
    if opinion.is_disputed:
        compared["disputed"] = True
    return _by_users(candidate, opinion.is_objection, compared)


def match_user_corrected(_rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a sample of which a user said what is right instead."""
    verdict = candidate.opinion.verdict
    return _by_users(candidate, verdict is Verdict.CORRECTED, {"verdict": verdict})


def match_disputed(_rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match a sample on which reporters disagree."""
    is_disputed = candidate.opinion.is_disputed
    return _by_users(candidate, is_disputed, {"disputed": is_disputed})


def match_reporter_trust(rule: Rule, candidate: Candidate, _now: datetime) -> Match:
    """Match an objection whose best reporter is trusted as much as the rule says; an unknown one is not."""
    trust = best_trust(candidate)
    compared = {"trust": trust, "at_least": amount(rule, "at_least"), "at_most": amount(rule, "at_most")}
    is_within = trust is not None and amount(rule, "at_least") <= trust <= amount(rule, "at_most")
    return _by_users(candidate, candidate.opinion.is_objection and is_within, compared)


def _by_users(candidate: Candidate, matched: bool, compared: Mapping[str, object]) -> Match:  # noqa: FBT001  # an answer
    if not matched or not candidate.standings:
        return Match(matched=matched, compared=compared)
    shift = max(map(_priority_shift, candidate.standings.values()))
    trust = best_trust(candidate)
    return Match(matched=True, compared={**compared, "trust": trust, "priority_shift": shift}, priority_shift=shift)


def _priority_shift(standing: Standing) -> int:
    """Return how a reporter's record and their flood of objections move a task: up to ±10, then down to −10 more."""
    record = round(_TRUST_POINTS * (standing.trust - 0.5))
    flood = int(math.log2(max(1.0, standing.recent / _FLOOD_BEGINS)))
    return record - min(_FLOOD_POINTS, flood)


STRATEGIES: dict[str, Strategy] = {
    "user_rejected": Strategy(
        about="a user says that it looks wrong, or corrected it",
        match=match_user_rejected,
        priority=100,
        is_users=True,
    ),
    "user_corrected": Strategy(
        about="a user said what is right instead", match=match_user_corrected, priority=100, is_users=True
    ),
    "disputed": Strategy(about="reporters disagree", match=match_disputed, priority=100, is_users=True),
    "reporter_trust": Strategy(
        about="the best reporter who objects has a record within these bounds (0.5: no record yet)",
        match=match_reporter_trust,
        priority=100,
        is_users=True,
        check=in_order("at_least", "at_most"),
        parameters={
            "at_least": Amount(about="the lowest trust that matches", default=0.0),
            "at_most": Amount(about="the highest trust that matches", default=1.0),
        },
    ),
}
