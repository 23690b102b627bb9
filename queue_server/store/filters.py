"""Conditions as SQL: which samples a slice or a search means. `core.policy.terms` says the same of one sample."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, literal, not_, or_, select, true
from sqlmodel import SQLModel, col

from queue_server import models
from queue_server.core.metrics.definitions import CUSTOM, METRICS
from queue_server.core.policy.conditions import Condition
from queue_server.core.policy.terms import (
    Contains,
    Equal,
    Every,
    Field,
    Literal,
    Negation,
    Operand,
    Order,
    Some,
    Term,
    Truth,
)
from queue_server.models import UtcDateTime
from queue_server.models.metrics import CustomMetric, SampleMetric
from queue_server.store import json_sql

Sample, Prediction, Image = models.Sample, models.Prediction, models.Image
Test = ColumnElement[bool]


def matches(condition: Condition) -> Test:
    """Return a condition as SQL over `models.Sample`: never NULL, and the same on both databases."""
    return _test(condition.term)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """What an operand may be, and its value as each of these; a test of another kind is false."""

    is_none: Test
    is_text: Test
    is_number: Test
    is_time: Test
    is_true: Test
    is_false: Test
    value: ColumnElement[Any]
    text: ColumnElement[str]
    number: ColumnElement[float]
    #: a JSON list to look into; None: it is no list
    items: ColumnElement[Any] | None = None


def _test(term: Term) -> Test:
    if isinstance(term, Negation):
        return not_(_test(term.term))
    if isinstance(term, Every | Some):
        join = and_ if isinstance(term, Every) else or_
        return join(*map(_test, term.terms))
    return _plain(term)


def _plain(term: Truth | Equal | Order | Contains) -> Test:
    match term:
        case Truth(operand):
            return _shape(operand).is_true
        case Equal(left, right):
            return _same(_shape(left), _shape(right))
        case Order(left, right, sign):
            return _order(_shape(left), _shape(right), _ORDERS[sign])
        case Contains(group, item):
            return _contains(group, item)


def _same(one: _Shape, other: _Shape) -> Test:
    return or_(
        and_(one.is_none, other.is_none),
        and_(one.is_text, other.is_text, one.text == other.text),
        and_(one.is_number, other.is_number, one.number == other.number),
        and_(one.is_time, other.is_time, one.value == other.value),
        and_(one.is_true, other.is_true),
        and_(one.is_false, other.is_false),
    )


_ORDERS: Mapping[str, Callable[[ColumnElement[Any], ColumnElement[Any]], Test]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _order(one: _Shape, other: _Shape, order: Callable[[ColumnElement[Any], ColumnElement[Any]], Test]) -> Test:
    return or_(
        and_(one.is_number, other.is_number, order(one.number, other.number)),
        and_(one.is_time, other.is_time, order(one.value, other.value)),
    )


def _contains(group: Operand, item: Operand) -> Test:
    if isinstance(group, Literal):
        values = group.value if isinstance(group.value, tuple) else ()
        return or_(false(), *(_same(_shape(item), _literal(value)) for value in values))
    if group.name == "labels":
        return _labels_hold(item)
    items = _shape(group).items
    return json_sql.holds(items, lambda node: _same(_shape(item), _node(node))) if items is not None else false()


def _labels_hold(item: Operand) -> Test:
    """Tell whether the prediction names a label; within the subquery on it, which is quicker than around it."""
    if isinstance(item, Literal) and isinstance(item.value, str) and "\x00" not in item.value:
        return _prediction(json_sql.names_label(_document(), item.value))
    labels = json_sql.predicted_labels(_document())
    return _prediction(json_sql.holds(labels, lambda node: _same(_shape(item), _node(node))))


def _shape(operand: Operand) -> _Shape:
    return _literal(operand.value) if isinstance(operand, Literal) else _field(operand)


def _made(value: ColumnElement[Any], **tests: Test) -> _Shape:
    """Return a shape of one kind: what is not said is false."""
    kinds = ("is_none", "is_text", "is_number", "is_time", "is_true", "is_false")
    return _Shape(**{name: tests.get(name, false()) for name in kinds}, value=value, text=value, number=value)


def _literal(value: object) -> _Shape:
    if value is None:
        return _made(literal(None), is_none=true())
    if isinstance(value, bool):
        return _made(literal(value), **{"is_true" if value else "is_false": true()})
    if isinstance(value, datetime):
        return _made(literal(value, UtcDateTime()), is_time=true())
    if isinstance(value, float):
        return _made(literal(value), is_number=true())
    # No sample holds a NUL, and PostgreSQL refuses to be asked for one.
    is_text = isinstance(value, str) and "\x00" not in value
    return _made(literal(value if is_text else ""), **({"is_text": true()} if is_text else {}))


def _field(field: Field) -> _Shape:
    return _FIELDS[field.name](field.keys)


def _column(value: ColumnElement[Any], kind: str) -> _Shape:
    return _made(value, is_none=value.is_(None), **{kind: value.is_not(None)})


def _of(table: type[SQLModel], name: str) -> ColumnElement[Any]:
    column: ColumnElement[Any] = getattr(table, name)
    return column


def _node(node: ColumnElement[Any]) -> _Shape:
    kind = json_sql.kind(node)
    return _Shape(
        is_none=kind == "null",
        is_text=kind == "text",
        is_number=kind == "number",
        is_time=false(),
        is_true=kind == "true",
        is_false=kind == "false",
        value=node,
        text=json_sql.text(node),
        number=json_sql.number(node),
        items=node,
    )


def _document() -> ColumnElement[Any]:
    return _of(Prediction, "document")


def _prediction(test: Test) -> Test:
    """Tell whether something holds of the prediction that was shown."""
    query = select(literal(1)).where(col(Prediction.sample_pk) == col(Sample.id), col(Prediction.is_shown), test)
    return query.correlate(Sample).exists()


def _count(_keys: tuple[str, ...]) -> _Shape:
    query = select(json_sql.object_count(_document())).where(
        col(Prediction.sample_pk) == col(Sample.id), col(Prediction.is_shown)
    )
    return _column(query.correlate(Sample).scalar_subquery(), "is_number")


def _quality(keys: tuple[str, ...]) -> _Shape:
    query = select(json_sql.at(_of(Image, "quality"), keys)).where(col(Image.sha256) == col(Sample.image_sha256))
    return _node(query.correlate(Sample).scalar_subquery())


def _metric(keys: tuple[str, ...]) -> _Shape:
    (name,) = keys
    if name in METRICS:
        query = select(_of(SampleMetric, name)).where(col(SampleMetric.sample_pk) == col(Sample.id))
    else:
        query = select(_of(CustomMetric, "value")).where(
            col(CustomMetric.sample_pk) == col(Sample.id), col(CustomMetric.name) == name.removeprefix(CUSTOM)
        )
    return _column(query.correlate(Sample).scalar_subquery(), "is_number")


def _text_field(name: str) -> Callable[[tuple[str, ...]], _Shape]:
    return lambda _keys: _column(_of(Sample, name), "is_text")


_FIELDS: Mapping[str, Callable[[tuple[str, ...]], _Shape]] = {
    **{
        name: _text_field(name)
        for name in ("model_version", "stream", "subject", "verdict", "state", "reason", "outcome")
    },
    "confidence": lambda _keys: _column(_of(Sample, "confidence"), "is_number"),
    "captured_at": lambda _keys: _column(_of(Sample, "captured_at"), "is_time"),
    "count": _count,
    "tags": lambda _keys: _node(_of(Sample, "tags")),
    "rule_tags": lambda _keys: _node(_of(Sample, "rule_tags")),
    "metadata": lambda keys: _node(json_sql.at(_of(Sample, "extra"), keys)),
    "quality": _quality,
    "metric": _metric,
}
