"""The words of a policy: its rules in order, its budget, and what counts as the same picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from queue_server.core.policy.budget import Budget
from queue_server.core.policy.conditions import Condition
from queue_server.core.policy.draws import rule_salt
from queue_server.core.policy.parameters import Choice, Parameter, Value

if TYPE_CHECKING:
    from queue_server.core.policy.states import Candidate


#: fields of `Candidate` that are looked up only where a rule asks for them
NEEDS = ("novelty_bits", "stream_position", "shadows")


class Match(NamedTuple):
    """Whether a rule matches, and what it compared; a tuple, as a decision makes one of each rule."""

    matched: bool
    compared: Mapping[str, object] = MappingProxyType({})
    #: what was compared with the threshold; None: this sample has none
    score: float | None = None
    #: how much more, or less, urgent than the rule's own priority
    priority_shift: int = 0
    #: the rule's chance for this sample, where that is not 1
    rate: float = 1.0
    #: (k, n): of n equal parts of [0, 1) the draw falls into the k-th, whatever the sample's hash says
    cell: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Strategy:
    """One way to pick samples, with the parameters that a rule may give it."""

    #: one sentence: what it takes
    about: str
    match: "Callable[[Rule, Candidate, datetime], Match]"
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    priority: int = 50
    #: the audit: its draws are never withdrawn, collapsed or over budget, and never mean "not sampled"
    is_audit: bool = False
    #: it hangs on what users say: the accounts of those who object pay
    is_users: bool = False
    #: a person asked: no draw, no π
    is_by_hand: bool = False
    #: `labels` is what it looks for, not a filter on what it looks at
    reads_labels: bool = False
    #: what the store must look up for it, see `NEEDS`
    needs: frozenset[str] = frozenset()
    #: the number that `match_score` holds against the rule's threshold; None where a sample has none
    score: "Callable[[Rule, Candidate], float | None] | None" = None
    #: scores below the threshold match, not those at or above it
    is_low: bool = False
    #: given the parameters, what must hold between them, by parameter; None: they make sense together
    check: "Callable[[Mapping[str, Value]], tuple[str, str] | None] | None" = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """Where the tasks of a rule go in Label Studio; None: the project's main target, its inbox."""

    project: str | None = None
    tab: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule of a policy. Its name keys its salt: renaming a rule draws anew."""

    strategy: str
    kind: Strategy = field(repr=False)
    name: str
    priority: int
    #: a match is taken with this chance
    probability: float = 1.0
    #: only these labels count; empty: all
    labels: tuple[str, ...] = ()
    where: Condition | None = None
    #: given to every sample that matches
    tags: tuple[str, ...] = ()
    route: Route | None = None
    budget: Budget | None = None
    #: how many annotators look at what it takes
    annotators: int = 1
    parameters: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class NearDuplicates:
    """Which pictures count as one: hashes at most `distance` bits apart, arrived within `span_seconds`."""

    distance: int
    span_seconds: float
    #: only frames of one camera are compared
    is_same_stream: bool


class SilenceAffirms(StrEnum):
    """Which confident predictions are affirmed where nobody says anything until the window's end."""

    ALWAYS = "always"
    #: those that a page told us to have shown to their user
    SHOWN = "shown"


SILENCE = Choice(
    about="which confident predictions nobody's answer affirms at the window's end: all, or those told to be shown",
    values=tuple(word.value for word in SilenceAffirms),
    default=SilenceAffirms.ALWAYS.value,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The rules of one version, with the project's secret salt."""

    version: int
    rules: tuple[Rule, ...]
    salt: bytes = field(repr=False)
    budget: Budget | None = None
    near_duplicates: NearDuplicates | None = None
    silence_affirms: SilenceAffirms = SilenceAffirms.ALWAYS
    #: of each rule: what its draws are keyed by
    salts: tuple[bytes, ...] = field(init=False, repr=False)
    by_name: Mapping[str, Rule] = field(init=False, repr=False, compare=False)
    #: the tags of the rules that give any
    tagged: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    #: whether any rule has a budget, or all of them together
    is_limited: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = self.rules
        object.__setattr__(self, "salts", tuple(rule_salt(rule.name, self.salt) for rule in rules))
        object.__setattr__(self, "by_name", {rule.name: rule for rule in rules})
        object.__setattr__(self, "tagged", {rule.name: rule.tags for rule in rules if rule.tags})
        is_limited = self.budget is not None or any(rule.budget is not None for rule in rules)
        object.__setattr__(self, "is_limited", is_limited)

    @property
    def needs(self) -> frozenset[str]:
        """Return what must be looked up for a decision."""
        return frozenset().union(*(rule.kind.needs for rule in self.rules))
