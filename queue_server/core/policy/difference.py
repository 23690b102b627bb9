"""What one policy says otherwise than another: rules by their names, each with the parameters that changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from queue_server.core.policy.parameters import Json
from queue_server.core.policy.reading import PolicyText, budget_document, near_duplicates_document, rule_document

#: what a key said before and says now; None: it said nothing
Change = tuple[object, object]
Changes = Mapping[str, Change]


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyDifference:
    """What changed from one policy to another; all empty: nothing did."""

    #: names of rules, in the order of their file
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    #: rule's name -> key -> what it said and says
    changed: Mapping[str, Changes] = field(default_factory=dict)
    #: the rules that both have stand in another order, which breaks ties of priority
    is_reordered: bool = False
    budget: Changes = field(default_factory=dict)
    near_duplicates: Changes = field(default_factory=dict)
    #: what stands at the top of the file
    other: Changes = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Tell whether both say the same.

        >>> PolicyDifference().is_empty
        True
        """
        return self == PolicyDifference()

    def lines(self) -> list[str]:
        """Return it for people, a line for each change.

        >>> PolicyDifference(added=("empty",)).lines()
        ['+ rule empty']
        """
        found = [f"- rule {name}" for name in self.removed] + [f"+ rule {name}" for name in self.added]
        for name, changes in self.changed.items():
            found += _lines(f"rule {name}: ", changes)
        found += _lines("budget: ", self.budget) + _lines("near_duplicates: ", self.near_duplicates)
        found += _lines("", self.other)
        return found + (["~ the rules' order"] if self.is_reordered else [])


def difference(old: PolicyText, new: PolicyText) -> PolicyDifference:
    """Return what changed; defaults that one file leaves unsaid and the other writes out are the same.

    >>> difference(PolicyText(rules=()), PolicyText(rules=())).is_empty
    True
    """
    before = {rule.name: rule_document(rule) for rule in old.rules}
    after = {rule.name: rule_document(rule) for rule in new.rules}
    kept = [name for name in after if name in before]
    return PolicyDifference(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed={name: found for name in kept if (found := _changes(before[name], after[name]))},
        is_reordered=kept != [name for name in before if name in after],
        budget=_changes(budget_document(old.budget), budget_document(new.budget)),
        near_duplicates=_changes(
            near_duplicates_document(old.near_duplicates), near_duplicates_document(new.near_duplicates)
        ),
        other=_changes({"silence_affirms": old.silence_affirms}, {"silence_affirms": new.silence_affirms}),
    )


def _changes(old: Json | None, new: Json | None) -> dict[str, Change]:
    before, after = old or {}, new or {}
    keys = dict.fromkeys((*before, *after))
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def _lines(prefix: str, changes: Changes) -> list[str]:
    return [f"~ {prefix}{key} {_said(old)} → {_said(new)}" for key, (old, new) in changes.items()]


def _said(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
