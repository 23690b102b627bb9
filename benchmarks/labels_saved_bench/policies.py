"""The policies that are compared, as the files that a project would give."""

from collections.abc import Mapping, Sequence

Document = Mapping[str, object]

#: the rules of the README's example
DEFAULT_RULES: Sequence[Document] = (
    {"strategy": "user_rejected", "priority": 100},
    {"strategy": "unconfirmed_low_confidence", "threshold": 0.6, "priority": 60},
    {"strategy": "empty", "probability": 0.2, "priority": 50},
    {"strategy": "random", "rate": 0.01, "priority": 10},
)
RANDOM = "random"
#: rules that look at what users say: each is measured alone
_OF_USERS: Mapping[str, Document] = {
    "user_rejected": {"strategy": "user_rejected"},
    "user_corrected": {"strategy": "user_corrected"},
    "disputed": {"strategy": "disputed"},
    "reporter_trust": {"strategy": "reporter_trust", "at_least": 0.6},
}
COUNT_DISAGREES = "count_disagrees"
DEFAULT = "default"
DEFAULT_HELD = "default, held"
TARGET_HELD = "target, held"
UNSURE_FIRST_HELD = "unsure first, held"
#: what the policies' names stand for
ABOUT: Mapping[str, str] = {
    **{name: f"the rule {name} alone, without a budget" for name in _OF_USERS},
    COUNT_DISAGREES: "the rule count_disagrees alone, against the user's count, where objects are counted",
    DEFAULT: "the README's example, without a budget: as many annotations as its rules take",
    DEFAULT_HELD: "the README's example with a held budget per day",
    TARGET_HELD: "the same, its threshold a target_per_day of the whole budget instead of 0.6",
    UNSURE_FIRST_HELD: "taps on predictions below 0.9 first; other taps level with low confidence, so that a "
    "reporter's record decides which comes first; the threshold is a target_per_day",
}


def strategy_rules(per_day: int, samples: int, *, is_classification: bool, has_shadows: bool) -> Sequence[Document]:
    """Return one rule for each strategy that needs no user, at a threshold that takes about `per_day` of a day.

    Strategies without such a threshold keep a fixed one: they take what they take.

    >>> [rule["strategy"] for rule in strategy_rules(5, 100, is_classification=True, has_shadows=True)][-2:]
    ['variance', 'model_disagreement']
    """
    target = {"target_per_day": per_day}
    rules: list[Document] = [
        {"strategy": RANDOM, "rate": min(1.0, per_day / samples)},
        {"strategy": "every_nth", "n": max(1, round(samples / per_day))},
        {"strategy": "confidence_below", "threshold": target},
        {"strategy": "unconfirmed_low_confidence", "threshold": 0.6},
        {"strategy": "confidence_band", "low": 0.4, "high": 0.6},
        {"strategy": "close_to_threshold", "threshold": 0.5, "epsilon": 0.1, "top_class_only": True},
    ]
    if is_classification:
        measures = ("entropy", "margin", "least_confidence", "variance")
        rules += [{"strategy": measure, "threshold": target} for measure in measures]
    else:
        rules += _object_rules(target)
    return [*rules, {"strategy": "model_disagreement"}] if has_shadows else rules


def _object_rules(target: Document) -> Sequence[Document]:
    """Return the rules that look at an image's objects; of one confidence each, all measures rank them alike."""
    pooled = [
        {"strategy": "entropy", "name": f"entropy, {how}", "threshold": target, "aggregate": how}
        for how in ("mean", "max", "min", "sum")
    ]
    lowest = [
        {"strategy": "confidence_below", "name": f"confidence_below, {how}", "threshold": target, "aggregate": how}
        for how in ("min", "product")
    ]
    return [
        *pooled,
        *lowest,
        {"strategy": "expected_count_error", "threshold": target},
        {"strategy": "count_outside", "more_than": 8},
        {"strategy": "empty"},
    ]


def policies(per_day: int, *, is_counted: bool) -> Mapping[str, Document]:
    """Return the policies that listen to users, by name; where objects are counted users may say how many there are.

    >>> list(policies(100, is_counted=True)) == list(ABOUT)
    True
    """
    held = {"per_day": per_day, "mode": "held"}
    rejected, low, *others = DEFAULT_RULES
    target = {**low, "threshold": {"target_per_day": per_day}}
    unsure = {**rejected, "name": "rejected_unsure", "where": "confidence < 0.9"}
    level: Sequence[Document] = ({**rejected, "priority": 70}, {**target, "priority": 70})
    alone = {name: {"rules": [rule]} for name, rule in _OF_USERS.items()}
    counted = {COUNT_DISAGREES: {"rules": [{"strategy": COUNT_DISAGREES, "against": "user"}]}} if is_counted else {}
    return {
        **alone,
        **counted,
        DEFAULT: {"rules": DEFAULT_RULES},
        DEFAULT_HELD: {"rules": DEFAULT_RULES, "budget": held},
        TARGET_HELD: {"rules": [rejected, target, *others], "budget": held},
        UNSURE_FIRST_HELD: {"rules": [unsure, *level, *others], "budget": held},
    }
