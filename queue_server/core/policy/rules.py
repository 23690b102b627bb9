"""The words of a policy: rules in order, and reading them from a project's file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from queue_server.errors import PolicyError

if TYPE_CHECKING:
    from queue_server.core.policy.strategies import Strategy

Value = float | str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A number that a rule must or may give its strategy."""

    at_least: float
    at_most: float
    default: float | None = None

    def read(self, field_name: str, value: object) -> Value:
        """Return the value within its bounds, or raise PolicyError."""
        if value is None and self.default is not None:
            return self.default
        if value is None or isinstance(value, bool) or not isinstance(value, int | float):
            raise PolicyError(field_name, f"must be a number from {self.at_least} to {self.at_most}, got {value!r}")
        if not self.at_least <= value <= self.at_most:
            raise PolicyError(field_name, f"must be from {self.at_least} to {self.at_most}, got {value}")
        return float(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of a few words."""

    values: tuple[str, ...]
    default: str | None

    def read(self, field_name: str, value: object) -> Value:
        """Return the word, or raise PolicyError."""
        if value is None:
            return self.default
        if value not in self.values:
            raise PolicyError(field_name, f"must be one of {', '.join(self.values)}, got {value!r}")
        return str(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule of a policy. Its name keys its salt: renaming a rule draws anew."""

    strategy: str
    name: str
    priority: int
    probability: float = 1.0
    parameters: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The rules of one version, with the project's secret salt."""

    version: int
    rules: tuple[Rule, ...]
    salt: bytes = field(repr=False)


def parse_rules(document: Sequence[object], strategies: "Mapping[str, Strategy]") -> tuple[Rule, ...]:
    """Return the rules that a project file lists, or raise PolicyError with the path of what is wrong.

    >>> parse_rules([], {})
    ()
    """
    rules = tuple(_parse_rule(f"rules.{index}", item, strategies) for index, item in enumerate(document))
    names = [rule.name for rule in rules]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise PolicyError(f"rules.{index}.name", f"must be unique, {name!r} is taken: give this rule a name")
    return rules


def _parse_rule(path: str, item: object, strategies: "Mapping[str, Strategy]") -> Rule:
    if not isinstance(item, Mapping):
        raise PolicyError(path, f"must be a mapping with a strategy, got {item!r}")
    given = dict(item)
    strategy_name = str(given.pop("strategy", ""))
    strategy = strategies.get(strategy_name)
    if strategy is None:
        raise PolicyError(f"{path}.strategy", f"must be one of {', '.join(strategies)}, got {strategy_name!r}")
    name = given.pop("name", strategy_name)
    if not isinstance(name, str) or not 0 < len(name) <= 100:
        raise PolicyError(f"{path}.name", f"must be a text of 1 to 100 characters, got {name!r}")
    priority = _read_priority(f"{path}.priority", given.pop("priority", strategy.priority))
    probability = Parameter(at_least=0.0, at_most=1.0, default=1.0).read(
        f"{path}.probability", given.pop("probability", None)
    )
    parameters = {key: bound.read(f"{path}.{key}", given.pop(key, None)) for key, bound in strategy.parameters.items()}
    for key in given:
        known = ", ".join(("name", "priority", "probability", *strategy.parameters))
        raise PolicyError(f"{path}.{key}", f"is not known to {strategy_name}, must be one of {known}")
    assert isinstance(probability, float)
    return Rule(strategy=strategy_name, name=name, priority=priority, probability=probability, parameters=parameters)


def _read_priority(path: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1000:
        raise PolicyError(path, f"must be a whole number from 0 to 1000, got {value!r}")
    return value
