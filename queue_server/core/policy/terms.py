"""What a condition is made of, once it is read; each term knows what it means for one sample.

`store.filters` says the same in SQL, and a test holds the two together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeGuard

#: what a condition may look at, by field; None stands for what a sample does not have
Facts = Mapping[str, object]

ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that the condition names itself."""

    value: object

    def of(self, _facts: Facts) -> object:
        """Return the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a sample, and the keys below it."""

    name: str
    keys: tuple[str, ...] = ()

    def of(self, facts: Facts) -> object:
        """Return what the sample has there."""
        found = facts.get(self.name)
        for key in self.keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


Operand = Literal | Field


@dataclass(frozen=True, slots=True)
class Equal:
    """Both are the same value."""

    left: Operand
    right: Operand

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds of a sample."""
        return _same(self.left.of(facts), self.right.of(facts))


@dataclass(frozen=True, slots=True)
class Order:
    """Both are numbers, or both times, in this order."""

    left: Operand
    right: Operand
    sign: str

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds of a sample."""
        one, other = self.left.of(facts), self.right.of(facts)
        if isinstance(one, datetime) and isinstance(other, datetime):
            return ORDERS[self.sign]((one - other).total_seconds(), 0.0)
        return _is_number(one) and _is_number(other) and ORDERS[self.sign](one, other)


@dataclass(frozen=True, slots=True)
class Contains:
    """A list holds a value."""

    group: Operand
    item: Operand

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds of a sample."""
        found, items = self.item.of(facts), self.group.of(facts)
        return _is_list(items) and any(_same(found, each) for each in items)


@dataclass(frozen=True, slots=True)
class Truth:
    """A value is true, and not only something."""

    operand: Operand

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds of a sample."""
        return self.operand.of(facts) is True


@dataclass(frozen=True, slots=True)
class Negation:
    """A term does not hold."""

    term: "Term"

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds of a sample."""
        return not self.term.holds(facts)


@dataclass(frozen=True, slots=True)
class Every:
    """All of these hold."""

    terms: tuple["Term", ...]

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds of a sample."""
        return all(term.holds(facts) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Some:
    """One of these holds."""

    terms: tuple["Term", ...]

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds of a sample."""
        return any(term.holds(facts) for term in self.terms)


Term = Equal | Order | Contains | Truth | Negation | Every | Some


def fields_of(term: Term) -> frozenset[Field]:
    """Return the fields that a term looks at.

    >>> fields_of(Negation(Truth(Field("metadata", ("is_test",)))))
    frozenset({Field(name='metadata', keys=('is_test',))})
    """
    match term:
        case Negation(inner):
            return fields_of(inner)
        case Every(terms) | Some(terms):
            return frozenset().union(*map(fields_of, terms))
        case Truth(operand):
            return _fields(operand)
        case Contains(group, item):
            return _fields(group, item)
        case Equal(left, right) | Order(left, right):
            return _fields(left, right)


def _fields(*operands: Operand) -> frozenset[Field]:
    return frozenset(one for one in operands if isinstance(one, Field))


def _same(one: object, other: object) -> bool:
    """Tell whether two values are equal; true is not 1, and lists and mappings equal nothing."""
    if isinstance(one, bool) is not isinstance(other, bool) or _is_list(one) or isinstance(one, Mapping):
        return False
    return one == other


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
