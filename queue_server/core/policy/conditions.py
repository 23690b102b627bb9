"""A small typed language in which a rule says to which samples it applies.

    metadata.site == "north" and (tags has "night" or model_version in ["v7", "v8"]) and not confidence < 0.5

Fields: `model_version`, `stream`, `subject`, `verdict` (texts), `tags`, `labels` (lists of texts), `confidence`,
`count`, `trust` (numbers), `metadata.KEY.KEY…` and `quality.NAME`. Comparisons `== != < <= > >=`, `in` and `not in` a
list, `has` (a list holds a text); `and`, `or`, `not`, parentheses. Literals: numbers, texts in quotes, `true`,
`false`, `none`, lists. A field that a sample does not have is `none`; whatever orders it, or orders values of two
kinds, is false; lists and mappings equal nothing. Nothing is evaluated as code.

Slices and searches look at more (`SLICE_FIELDS`, `SEARCH_FIELDS`): `metric.NAME`, and `captured_at`, which is ordered
against a time in quotes, such as '2026-11-20' or '2026-11-20T12:00Z'.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from feedback_sdk.types import Verdict
from queue_server.core.metrics.definitions import CUSTOM, METRICS
from queue_server.core.policy.faults import nearest
from queue_server.core.policy.terms import (
    ORDERS,
    Contains,
    Equal,
    Every,
    Facts,
    Field,
    Literal,
    Negation,
    Operand,
    Order,
    Some,
    Term,
    Truth,
)
from queue_server.errors import PolicyError

#: field -> what it holds; a mapping holds more fields, of any kind
Fields = Mapping[str, type]

#: what a rule may look at: it is known when a sample is decided on
RULE_FIELDS: Fields = {
    **dict.fromkeys(("model_version", "stream", "subject", "verdict"), str),
    **dict.fromkeys(("tags", "labels"), list),
    **dict.fromkeys(("confidence", "count", "trust"), float),
    **dict.fromkeys(("metadata", "quality"), dict),
}
#: what a slice may look at; nothing in it hangs on whether an annotator came to see a sample
SLICE_FIELDS: Fields = {
    **{name: kind for name, kind in RULE_FIELDS.items() if name != "trust"},
    "captured_at": datetime,
    "metric": dict,
}
#: what a search of samples may look at
SEARCH_FIELDS: Fields = {**SLICE_FIELDS, **dict.fromkeys(("state", "reason", "outcome"), str), "rule_tags": list}

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?P<text>"[^"]*"|'[^']*')"""
    r"""|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)|(?P<word>[A-Za-z_][\w.\-]*))"""
)
_CONSTANTS: Mapping[str, object] = {"true": True, "false": False, "none": None}
_WORDS = ("and", "or", "not", "in", "has")
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read; `text` is what the file says."""

    text: str
    term: Term

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds of a sample.

        >>> parse_condition("where", "tags has 'night' and not count < 3").holds({"tags": ["night"], "count": 3})
        True
        """
        return self.term.holds(facts)


def parse_condition(path: str, text: str, *, fields: Fields = RULE_FIELDS) -> Condition:
    """Read a condition on these fields, or raise PolicyError that says where it stops making sense.

    >>> parse_condition("where", "metadata.site == 'north'").holds({"metadata": {"site": "south"}})
    False
    """
    return Condition(text, _Reader(path, text, fields).read())


def shown_fields(fields: Fields) -> tuple[str, ...]:
    """Return the fields as a person writes them.

    >>> shown_fields({"tags": list, "metadata": dict})
    ('tags', 'metadata.NAME')
    """
    return tuple(f"{name}.NAME" if kind is dict else name for name, kind in fields.items())


FIELDS = shown_fields(RULE_FIELDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """A literal or a field as it was read; `kind` is None where only the sample can tell."""

    operand: Operand
    kind: type | None
    said: str


class _Reader:
    """A recursive descent over the tokens of one condition."""

    def __init__(self, path: str, text: str, fields: Fields) -> None:
        self._path = path
        self._text = text
        self._fields = fields
        self._tokens = self._split()
        self._at = 0
        self._depth = 0

    def read(self) -> Term:
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

    def _either(self) -> Term:
        terms = [self._both()]
        while self._take("or"):
            terms.append(self._both())
        return terms[0] if len(terms) == 1 else Some(tuple(terms))

    def _both(self) -> Term:
        terms = [self._negation()]
        while self._take("and"):
            terms.append(self._negation())
        return terms[0] if len(terms) == 1 else Every(tuple(terms))

    def _negation(self) -> Term:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PolicyError(self._path, f"must be nested at most {_DEEPEST} deep, got more")
        try:
            if self._take("not"):
                return Negation(self._negation())
            if self._take("("):
                term = self._either()
                if not self._take(")"):
                    raise self._refusal("a closing parenthesis")
                return term
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Term:
        left = self._operand()
        sign = self._peek()
        if sign == "not" and self._tokens[self._at + 1 : self._at + 2] == ["in"]:
            self._at += 2
            return Negation(self.membership(left, self._operand()))
        compare = _COMPARISONS.get(sign or "")
        if compare is not None and sign is not None:
            self._at += 1
            return compare(self, left, self._operand(), sign)
        if left.kind not in (None, bool):
            raise self._refusal("a comparison")
        return Truth(left.operand)

    def _operand(self) -> _Said:
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

    def _literal(self) -> _Said:
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

    def _list(self) -> _Said:
        items: list[object] = []
        while not self._take("]"):
            item = self._literal()
            if self._peek() != "]" and not self._take(","):
                raise self._refusal("a comma or a closing bracket")
            items.append(item.operand.of({}))
        return _Said(operand=Literal(tuple(items)), kind=list, said="a list")

    def _field(self, name: str) -> _Said:
        head, _, rest = name.partition(".")
        if rest and self._fields.get(head) is dict:
            if head == "metric":
                return self._metric(rest, name)
            return _Said(operand=Field(head, tuple(rest.split("."))), kind=None, said=name)
        kind = self._fields.get(name, dict)
        if kind is dict:
            raise PolicyError(self._path, f"must use the fields {', '.join(shown_fields(self._fields))}, got {name!r}")
        return _Said(operand=Field(name), kind=kind, said=name)

    def _metric(self, metric: str, name: str) -> _Said:
        """Return a metric; its name may hold a dot itself, and of custom ones only the database knows."""
        if metric not in METRICS and not metric.startswith(CUSTOM):
            hint = nearest(metric, METRICS) or f", or {CUSTOM}NAME"
            raise PolicyError(self._path, f"must be a metric that there is, got {name!r}{hint}")
        return _Said(operand=Field("metric", (metric,)), kind=float, said=name)

    def equality(self, left: _Said, right: _Said, sign: str) -> Term:
        left, right = self._as_times(left, right)
        kinds = {left.kind, right.kind}
        if list in kinds:
            raise PolicyError(self._path, f"must compare lists with `has` or `in`, got {left.said} and {right.said}")
        if len(kinds - {None, type(None)}) > 1:
            raise PolicyError(self._path, f"must compare values of one kind, got {left.said} and {right.said}")
        self._check_verdict(left, right)
        equal = Equal(left.operand, right.operand)
        return equal if sign == "==" else Negation(equal)

    def _check_verdict(self, left: _Said, right: _Said) -> None:
        """Refuse a verdict that nobody can give: the condition would never hold."""
        for field_side, other in ((left, right), (right, left)):
            said = other.operand.of({}) if field_side.said == "verdict" and other.said[:1] in "\"'" else None
            if said is not None and said not in set(Verdict):
                raise PolicyError(self._path, f"must compare verdict with {', '.join(Verdict)}, got {said!r}")

    def _as_times(self, left: _Said, right: _Said) -> tuple[_Said, _Said]:
        """Return both, a text that stands beside a time read as one."""
        if datetime not in (left.kind, right.kind):
            return left, right
        return self._as_time(left), self._as_time(right)

    def _as_time(self, said: _Said) -> _Said:
        if said.kind is not str or not isinstance(said.operand, Literal):
            return said
        try:
            found = datetime.fromisoformat(str(said.operand.value))
            moment = (found if found.utcoffset() is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise PolicyError(self._path, f"must be a time such as '2026-11-20T12:00Z', got {said.said}") from error
        return _Said(operand=Literal(moment), kind=datetime, said=said.said)

    def order(self, left: _Said, right: _Said, sign: str) -> Term:
        left, right = self._as_times(left, right)
        kind = datetime if datetime in (left.kind, right.kind) else float
        what = "times" if kind is datetime else "numbers"
        for said in (left, right):
            if said.kind not in (None, kind):
                raise PolicyError(self._path, f"must order {what} with {sign}, got {said.said}")
        return Order(left.operand, right.operand, sign)

    def membership(self, item: _Said, group: _Said, _sign: str = "in") -> Term:
        if group.kind not in (None, list):
            raise PolicyError(self._path, f"must look into a list with `in` and `has`, got {group.said}")
        return Contains(group.operand, item.operand)

    def holding(self, group: _Said, item: _Said, _sign: str) -> Term:
        return self.membership(item, group)


_COMPARISONS: Mapping[str, Callable[[_Reader, _Said, _Said, str], Term]] = {
    "in": _Reader.membership,
    "has": _Reader.holding,
    "==": _Reader.equality,
    "!=": _Reader.equality,
    **dict.fromkeys(ORDERS, _Reader.order),
}


def _literal(value: object, said: str) -> _Said:
    return _Said(operand=Literal(value), kind=type(value), said=said)
