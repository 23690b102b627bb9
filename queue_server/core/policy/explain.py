"""A decision in words: what each rule compared, what it drew, what its budget said, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from queue_server.core.policy.states import RuleOutcome, State

_STATES = {
    State.AWAITING_FEEDBACK: "waits for its user's answer",
    State.HELD: "is held until its budget's period ends, when the best are kept",
    State.QUEUED: "is queued for an annotator",
    State.PUSHED: "is in Label Studio",
    State.ANNOTATED: "is annotated",
}
_ARCHIVED = {
    "confirmed": "a user confirmed it",
    "affirmed": "nobody objected, and the model was confident",
    "not_sampled": "no rule took it",
    "duplicate": "another sample shows the same picture: its labeling task serves both",
    "over_budget": "a rule took it, but its budget had no room",
    "withdrawn": "what had queued it holds no longer",
    "skipped": "an annotator skipped it",
    "erased": "it was erased",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a decision is told from."""

    state: str
    reason: str | None
    inclusion_probability: float
    policy_version: int
    outcomes: Sequence[RuleOutcome]


def explain_decision(told: Told) -> str:
    """Return one or two sentences: where the sample is, why, and how likely one like it is looked at.

    >>> told = Told(state="queued", reason="x", inclusion_probability=0.01, policy_version=2, outcomes=())
    >>> explain_decision(told).partition(". ")[0]
    'It is queued for an annotator'
    """
    if told.state == State.ARCHIVED:
        where = f"Archived: {_archived(told)}."
    else:
        taken = [item.rule for item in told.outcomes if item.selected]
        because = f" by {_listed(taken)}" if taken else ""
        where = f"It {_STATES[State(told.state)]}{because}."
    chance = f"{told.inclusion_probability:.4g}"
    return f"{where} Under policy {told.policy_version} a sample like it is looked at with probability {chance}."


def _archived(told: Told) -> str:
    short = [f"{item.rule} ({account_in_words(item.over_budget)})" for item in told.outcomes if item.over_budget]
    if told.reason == "over_budget" and short:
        return f"there was no room for {_listed(short)}"
    return _ARCHIVED.get(told.reason or "", told.reason or "no reason")


def explain(outcome: RuleOutcome) -> str:
    """Return what one rule made of a sample, in a sentence.

    >>> explain(RuleOutcome(
    ...     rule="empty", strategy="empty", priority=50, matched=True, probability=0.2, draw=0.75, selected=False,
    ...     compared={"empty": True},
    ... ))
    'matches (empty yes); drew 0.75, not below 0.2: not taken'
    """
    compared = _compared(outcome.compared)
    if not outcome.matched:
        return f"does not match{compared}"
    return f"matches{compared}; {_drawn(outcome)}"


def _drawn(outcome: RuleOutcome) -> str:
    if outcome.draw is None:
        return "asked for by hand: taken"
    chance = outcome.probability if outcome.chance is None else outcome.chance
    assert chance is not None
    if outcome.draw >= chance:
        return f"drew {outcome.draw:.4g}, not below {chance:.4g}: not taken"
    drew = f"drew {outcome.draw:.4g}, below {chance:.4g}"
    if outcome.is_held:
        return f"{drew}: held until its budget's period ends"
    if outcome.selected:
        return f"{drew}{_kept(outcome, chance)}: taken"
    if outcome.over_budget is not None:
        return f"{drew}, but {account_in_words(outcome.over_budget)} had no room: not taken"
    return f"{drew}, but another rule had a task made first, so it counts for the probability alone"


def _kept(outcome: RuleOutcome, chance: float) -> str:
    share = (outcome.probability or 0.0) / chance
    return "" if share == 1 else f", and its budget left a chance of {share:.4g}"


def account_in_words(name: str) -> str:
    """Return the name of a budget's account as people say it.

    >>> account_in_words("rule:empty/reporter:anna")
    'the part of reporter anna in the budget of rule empty'
    """
    scope, _, own = name.rpartition("/") if "/" in name else ("", "", name)
    whole = f"the budget of {scope.replace(':', ' ', 1)}" if scope else "the policy's budget"
    kind, _, of = own.partition(":")
    if kind in ("stream", "reporter"):
        return f"the part of {kind} {of or 'none'} in {whole}"
    return f"the budget of rule {of}" if kind == "rule" else whole


def _compared(compared: Mapping[str, object]) -> str:
    if compared.get("in_scope") is False:
        return " (its labels or its condition leave this sample out)"
    parts = [f"{name.replace('_', ' ')} {_said(value)}" for name, value in compared.items()]
    return f" ({', '.join(parts)})" if parts else ""


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return _listed([str(item) for item in value]) if value else "none"
    return "none" if value is None else str(value)


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
