"""Which numbers a policy takes from the traffic, and how: thresholds, the audit's rate, labels' shares."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from feedback_sdk.types import Prediction
from queue_server.core.policy.budget import audit_room
from queue_server.core.policy.parameters import Threshold
from queue_server.core.policy.rules import Policy, Rule
from queue_server.core.uncertainty import predicted_labels

#: of fewer samples no threshold is made
ENOUGH_SCORES = 30
#: lies above every score
_BEYOND = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """What came of one model version before a day began."""

    #: the scores of the samples that a rule looks at, of those that have one
    scores: Sequence[float]
    #: how many samples were looked at for them
    looked_at: int
    #: how many samples came a day
    per_day: float


def taken_thresholds(policy: Policy) -> Iterator[tuple[Rule, Threshold]]:
    """Yield the rules whose threshold is taken from the traffic.

    >>> list(taken_thresholds(Policy(version=1, rules=(), salt=b"salt")))
    []
    """
    for rule in policy.rules:
        limit = rule.parameters.get("threshold")
        if isinstance(limit, Threshold) and limit.kind != "number" and rule.kind.score is not None:
            yield rule, limit


def threshold_from(rule: Rule, limit: Threshold, traffic: Traffic) -> float | None:
    """Return the number that a rule's threshold is for a day; None: too little came to say.

    `quantile`: that quantile of the scores. `target_per_day`: so that as many of a day's samples lie beyond it, were
    the day like those before.

    >>> from queue_server.core.policy import STRATEGIES, parse_rules
    >>> (rule,) = parse_rules([{"strategy": "entropy", "threshold": {"quantile": 0.9}}], STRATEGIES)
    >>> traffic = Traffic(scores=[i / 100 for i in range(100)], looked_at=100, per_day=100)
    >>> threshold_from(rule, rule.parameters["threshold"], traffic)
    0.9
    """
    ordered = sorted(traffic.scores)
    if len(ordered) < ENOUGH_SCORES:
        return None
    if limit.kind == "quantile":
        return ordered[min(len(ordered) - 1, int(limit.value * len(ordered)))]
    scored_per_day = traffic.per_day * len(ordered) / max(1, traffic.looked_at)
    wanted = min(len(ordered), round(limit.value / scored_per_day * len(ordered)))
    if rule.kind.is_low:
        return ordered[wanted] if wanted < len(ordered) else ordered[-1] + _BEYOND
    return ordered[-wanted] if wanted else ordered[-1] + _BEYOND


def audit_rates(policy: Policy, arrived: int) -> Mapping[str, float]:
    """Return each audit rule's rate for an hour, after one in which so many samples came.

    A surge lowers it to what the audit's share of the budget holds; it never rises above the policy's own.

    >>> audit_rates(Policy(version=1, rules=(), salt=b"salt"), 10)
    {}
    """
    room = audit_room(policy.budget) if policy.budget is not None else None
    audits = [(rule, rate) for rule in policy.rules if rule.kind.is_audit and (rate := _rate(rule)) > 0]
    drawn = sum(rate for _, rate in audits) * arrived
    if room is None or drawn <= room or not math.isfinite(room):
        return {rule.name: rate for rule, rate in audits} if room is not None else {}
    return {rule.name: rate * room / drawn for rule, rate in audits}


def _rate(rule: Rule) -> float:
    rate = rule.parameters.get("rate")
    return rate if isinstance(rate, float) else 0.0


def label_shares(predictions: Iterable[Prediction]) -> Mapping[str, float]:
    """Return in which share of the predictions each label is named.

    >>> label_shares([])
    {}
    """
    counted: Counter[str] = Counter()
    total = 0
    for prediction in predictions:
        total += 1
        counted.update(predicted_labels(prediction))
    return {label: count / total for label, count in counted.items()}


def wants_label_shares(rule: Rule) -> bool:
    """Tell whether a rule puts rare labels first."""
    return rule.parameters.get("rare_first") is True
