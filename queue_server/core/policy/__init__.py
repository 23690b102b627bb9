"""Which samples deserve a human, and why: `decide(candidate, policy, now)`.

`parameters` and `conditions` are the words of a policy's file, `reading` reads it into `rules`. `strategies` say what
each rule looks at, `budget` how much may be spent, `decide` weighs the rules and moves the sample's state. The same
sample and policy give the same decision: draws hash the sample's id (`draws`).
"""

from queue_server.core.policy.budget import Account, Share, Spent
from queue_server.core.policy.decide import decide
from queue_server.core.policy.draws import rule_draw
from queue_server.core.policy.reading import parse_policy, parse_rules
from queue_server.core.policy.rules import Match, Policy, Rule, Strategy
from queue_server.core.policy.states import (
    ArchiveReason,
    Candidate,
    Decision,
    RuleOutcome,
    Standing,
    State,
    Trigger,
    Twin,
)
from queue_server.core.policy.strategies import STRATEGIES
from queue_server.core.policy.verdicts import GivenVerdict, Opinion, opinion

__all__ = [
    "STRATEGIES",
    "Account",
    "ArchiveReason",
    "Candidate",
    "Decision",
    "GivenVerdict",
    "Match",
    "Opinion",
    "Policy",
    "Rule",
    "RuleOutcome",
    "Share",
    "Spent",
    "Standing",
    "State",
    "Strategy",
    "Trigger",
    "Twin",
    "decide",
    "opinion",
    "parse_policy",
    "parse_rules",
    "rule_draw",
]
