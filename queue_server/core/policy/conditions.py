"""A small typed language in which a rule says to which samples it applies.

    metadata.site == "north" and (tags has "night" or model_version in ["v7", "v8"]) and not confidence < 0.5

Fields: `model_version`, `stream`, `subject`, `verdict` (texts), `tags`, `labels` (lists of texts), `confidence`,
`count`, `trust` (numbers), `metadata.KEY.KEY…` and `quality.NAME`. Comparisons `== != < <= > >=`, `in` and `not in` a
list, `has` (a list holds a text); `and`, `or`, `not`, parentheses. Literals: numbers, texts in quotes, `true`,
`false`, `none`, lists. A field that a sample does not have is `none`; whatever orders it, or orders values of two
kinds, is false. Nothing is evaluated as code.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from feedback_sdk.types import Verdict
from queue_server.errors import PolicyError

#: what a condition may look at, by field; None stands for what a sample does not have
Facts = Mapping[str, object]
_Test = Callable[[Facts], object]

#: fields by what they hold
_TEXTS = ("model_version", "stream", "subject", "verdict")
_LISTS = ("tags", "labels")
_NUMBERS = ("confidence", "count", "trust")
#: fields that hold more fields, of any kind
_TREES = ("metadata", "quality")
FIELDS = (*_TEXTS, *_LISTS, *_NUMBERS, *(f"{name}.NAME" for name in _TREES))

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?P<text>"[^"]*"|'[^']*')"""
    r"""|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)|(?P<word>[A-Za-z_][\w.\-]*))"""
)
_CONSTANTS: Mapping[str, object] = {"true": True, "false": False, "none": None}
_WORDS = ("and", "or", "not", "in", "has")
_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read; `text` is what the file says."""

    text: str
    _test: _Test = field(repr=False, compare=False)

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds of a sample.

        >>> parse_condition("where", "tags has 'night' and not count < 3").holds({"tags": ["night"], "count": 3})
        True
        """
        return self._test(facts) is True


def parse_condition(path: str, text: str) -> Condition:
    """Read a condition, or raise PolicyError that says where it stops making sense.

    >>> parse_condition("where", "metadata.site == 'north'").holds({"metadata": {"site": "south"}})
    False
    """
    return Condition(text, _Reader(path, text).read())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Operand:
    """A literal or a field; `kind` is None where only the sample can tell."""

    value: _Test
    kind: type | None
    said: str


class _Reader:
    """A recursive descent over the tokens of one condition."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._tokens = self._split()
        self._at = 0
        self._depth = 0

    def read(self) -> _Test:
        found = self._either()
        if self._peek() is not None:
            raise self._refusal("the end, `and` or `or`")
        return found

    def _split(self) -> list[str]:
        tokens, at = [], 0
        text = self._text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise PolicyError(self._path, f"must be a condition, got {text[at:].strip()!r} at character {at + 1}")
            tokens.append(match[0].strip())
            at = match.end()
        if not tokens:
            raise PolicyError(self._path, "must be a condition, got nothing")
        return tokens

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def _refusal(self, wanted: str) -> PolicyError:
        token = self._peek()
        got = "the end" if token is None else repr(token)
        return PolicyError(self._path, f"must have {wanted} here, got {got} in {self._text!r}")

    def _either(self) -> _Test:
        tests = [self._both()]
        while self._take("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda facts: any(test(facts) is True for test in tests)

    def _both(self) -> _Test:
        tests = [self._negation()]
        while self._take("and"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else lambda facts: all(test(facts) is True for test in tests)

    def _negation(self) -> _Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PolicyError(self._path, f"must be nested at most {_DEEPEST} deep, got more")
        try:
            if self._take("not"):
                test = self._negation()
                return lambda facts: test(facts) is not True
            if self._take("("):
                test = self._either()
                if not self._take(")"):
                    raise self._refusal("a closing parenthesis")
                return test
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> _Test:
        left = self._operand()
        sign = self._peek()
        if sign == "not" and self._tokens[self._at + 1 : self._at + 2] == ["in"]:
            self._at += 2
            test = self._membership(left, self._operand())
            return lambda facts: not test(facts)
        if sign == "in":
            self._at += 1
            return self._membership(left, self._operand())
        if sign == "has":
            self._at += 1
            return self._membership(self._operand(), left)
        if sign in ("==", "!="):
            self._at += 1
            return self._equality(left, self._operand(), is_equal=sign == "==")
        if sign is not None and sign in _ORDERS:
            self._at += 1
            return self._order(left, self._operand(), sign)
        if left.kind not in (None, bool):
            raise self._refusal("a comparison")
        return left.value

    def _operand(self) -> _Operand:
        token = self._peek()
        if token is None or token in _WORDS or token in ("(", ")", "]", ","):
            raise self._refusal("a field, a number or a text in quotes")
        assert token is not None
        if token == "[":  # noqa: S105  # a bracket
            self._at += 1
            return self._list()
        if token not in _CONSTANTS and (token[0].isalpha() or token[0] == "_"):
            self._at += 1
            return self._field(token)
        return self._literal()

    def _literal(self) -> _Operand:
        token = self._peek() or ""
        if token in _CONSTANTS:
            found = _literal(_CONSTANTS[token], token)
        elif token[:1] in ("'", '"'):
            found = _literal(token[1:-1], token)
        elif token[:1].isdigit() or token[:1] == "-":
            found = _literal(float(token), token)
        else:
            raise self._refusal("a number, a text in quotes, true, false or none")
        self._at += 1
        return found

    def _list(self) -> _Operand:
        items: list[object] = []
        while not self._take("]"):
            item = self._literal()
            if self._peek() != "]" and not self._take(","):
                raise self._refusal("a comma or a closing bracket")
            items.append(item.value({}))
        return _Operand(value=lambda _facts: items, kind=list, said="a list")

    def _field(self, name: str) -> _Operand:
        head, _, rest = name.partition(".")
        if head in _TREES and rest:
            keys = rest.split(".")
            return _Operand(value=lambda facts: _walk(facts.get(head), keys), kind=None, said=name)
        kinds: Mapping[str, type] = (
            dict.fromkeys(_TEXTS, str) | dict.fromkeys(_LISTS, list) | dict.fromkeys(_NUMBERS, float)
        )
        if name not in kinds:
            raise PolicyError(self._path, f"must use the fields {', '.join(FIELDS)}, got {name!r}")
        return _Operand(value=lambda facts: facts.get(name), kind=kinds[name], said=name)

    def _equality(self, left: _Operand, right: _Operand, *, is_equal: bool) -> _Test:
        kinds = {left.kind, right.kind}
        if list in kinds:
            raise PolicyError(self._path, f"must compare lists with `has` or `in`, got {left.said} and {right.said}")
        if len(kinds - {None, type(None)}) > 1:
            raise PolicyError(self._path, f"must compare values of one kind, got {left.said} and {right.said}")
        self._check_verdict(left, right)
        return lambda facts: _same(left.value(facts), right.value(facts)) is is_equal

    def _check_verdict(self, left: _Operand, right: _Operand) -> None:
        """Refuse a verdict that nobody can give: the condition would never hold."""
        for field_side, other in ((left, right), (right, left)):
            said = other.value({}) if field_side.said == "verdict" and other.said[:1] in "\"'" else None
            if said is not None and said not in set(Verdict):
                raise PolicyError(self._path, f"must compare verdict with {', '.join(Verdict)}, got {said!r}")

    def _order(self, left: _Operand, right: _Operand, sign: str) -> _Test:
        for operand in (left, right):
            if operand.kind not in (None, float):
                raise PolicyError(self._path, f"must order numbers with {sign}, got {operand.said}")
        order = _ORDERS[sign]

        def test(facts: Facts) -> bool:
            one, other = left.value(facts), right.value(facts)
            return _is_number(one) and _is_number(other) and order(one, other)

        return test

    def _membership(self, item: _Operand, group: _Operand) -> _Test:
        if group.kind not in (None, list):
            raise PolicyError(self._path, f"must look into a list with `in` and `has`, got {group.said}")

        def test(facts: Facts) -> bool:
            found, items = item.value(facts), group.value(facts)
            if not isinstance(items, Sequence) or isinstance(items, str):
                return False
            return any(_same(found, each) for each in items)

        return test


def _literal(value: object, said: str) -> _Operand:
    return _Operand(value=lambda _facts: value, kind=type(value), said=said)


def _walk(tree: object, keys: Sequence[str]) -> object:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _same(one: object, other: object) -> bool:
    """Tell whether two values are equal; true is not 1."""
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
