"""Which samples deserve a human, and why: `decide(candidate, policy, now)`.

`rules` holds the words of a policy and reads it, `strategies` what each rule looks at, `decide` weighs the rules and
moves the sample's state. The same sample and policy give the same decision: draws hash the sample's id.
"""

from queue_server.core.policy.decide import decide, rule_draw
from queue_server.core.policy.rules import Policy, Rule, parse_rules
from queue_server.core.policy.states import ArchiveReason, Candidate, Decision, RuleOutcome, State, Trigger
from queue_server.core.policy.verdicts import GivenVerdict, Opinion, opinion

__all__ = [
    "ArchiveReason",
    "Candidate",
    "Decision",
    "GivenVerdict",
    "Opinion",
    "Policy",
    "Rule",
    "RuleOutcome",
    "State",
    "Trigger",
    "decide",
    "opinion",
    "parse_rules",
    "rule_draw",
]
