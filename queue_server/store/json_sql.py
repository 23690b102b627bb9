"""Look into JSON columns in SQL: what the two databases say differently, each once.

Documents are `JSON` columns, texts in SQLite and `json` in PostgreSQL, as the driver wrote them: keys keep their order.
"""

# ruff: noqa: S608  # nothing that came from outside becomes part of these texts: it is bound
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import JSON, Boolean, ColumnElement, Float, Text, cast, literal, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _Value(FunctionElement[Any]):
    """A value of a JSON node, see `_SQL`."""

    inherit_cache = True


class _At(_Value):
    type = JSON()
    name = "json_at"
    inherit_cache = True


class _Kind(_Value):
    """One of null, text, number, true, false, array, object; null where nothing is there."""

    type = Text()
    name = "json_kind"
    inherit_cache = True


class _Text(_Value):
    type = Text()
    name = "json_text"
    inherit_cache = True


class _Number(_Value):
    """Only of a number: a database may work out both sides of an AND."""

    type = Float()
    name = "json_number"
    inherit_cache = True


class _Holds(_Value):
    """Tell whether a list holds what the condition on its items (`{1}`, of the item `item.node`) says."""

    type = Boolean()
    name = "json_holds"
    inherit_cache = True


_OBJECT_LISTS = ("boxes", "polygons", "masks", "keypoints")
_SQLITE_LABELS = " UNION ALL ".join(
    [
        *(
            f"SELECT json_extract(o.value, '$.label') AS label FROM json_each({{0}}, '$.{name}') AS o"
            " WHERE o.type = 'object'"
            for name in _OBJECT_LISTS
        ),
        (
            "SELECT c.key FROM json_each({0}, '$.classes') AS c"
            " WHERE json_extract({0}, '$.multi_label') AND c.value >= 0.5"
        ),
        (
            "SELECT key FROM (SELECT c.key FROM json_each({0}, '$.classes') AS c WHERE c.key IS NOT NULL"
            " AND NOT coalesce(json_extract({0}, '$.multi_label'), 0) ORDER BY c.value DESC, c.id LIMIT 1)"
        ),
    ]
)
_NAMES = ", ".join(f"'{name}'" for name in _OBJECT_LISTS)
_CLASSES = "CASE json_typeof({0} -> 'classes') WHEN 'object' THEN {0} -> 'classes' ELSE '{{}}'::json END"
_POSTGRES_CLASSES = (
    f"SELECT c.key AS label FROM json_each_text({_CLASSES}) AS c"
    " WHERE ({0} ->> 'multi_label')::boolean AND c.value::float8 >= 0.5 UNION ALL"
    f" (SELECT c.key FROM json_each_text({_CLASSES}) WITH ORDINALITY AS c(key, value, place) WHERE NOT"
    " coalesce(({0} ->> 'multi_label')::boolean, false) ORDER BY c.value::float8 DESC, c.place LIMIT 1)"
)
_POSTGRES_LABELS = (
    "SELECT o.value ->> 'label' AS label FROM json_each({0}) AS d(key, value) CROSS JOIN LATERAL json_array_elements("
    f"CASE WHEN d.key IN ({_NAMES}) AND json_typeof(d.value) = 'array' THEN d.value ELSE '[]'::json END) AS o(value)"
    f" UNION ALL {_POSTGRES_CLASSES}"
)


class _Labels(_Value):
    """`core.uncertainty.predicted_labels` of a prediction's document; one may come twice."""

    type = JSON()
    name = "predicted_labels"
    inherit_cache = True


class _Names(_Value):
    """Tell whether a prediction's document names the label `{1}`."""

    type = Boolean()
    name = "names_label"
    inherit_cache = True


def _sums(one: str) -> str:
    return " + ".join(f"coalesce({one.replace('NAME', name)}, 0)" for name in _OBJECT_LISTS)


def _first(one: str) -> str:
    return "coalesce(" + ", ".join(one.replace("NAME", name) for name in _OBJECT_LISTS) + ")"


_SQLITE_LENGTH = "CASE json_type({0}, '$.NAME') WHEN 'array' THEN json_array_length({0}, '$.NAME') END"
_POSTGRES_LENGTH = "CASE json_typeof({0} -> 'NAME') WHEN 'array' THEN json_array_length({0} -> 'NAME') END"


class _Count(_Value):
    """`core.uncertainty.object_count` of a prediction's document."""

    type = Float()
    name = "object_count"
    inherit_cache = True


#: function -> database -> SQL; `{0}` is the node, `{1}` what else is given
_SQL: Mapping[str, Mapping[str, str]] = {
    "json_at": {"sqlite": "({0} -> {1})", "postgresql": "({0} -> {1})"},
    "json_kind": {
        "sqlite": (
            "(CASE coalesce(json_type({0}), 'null') WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number'"
            " ELSE coalesce(json_type({0}), 'null') END)"
        ),
        "postgresql": (
            "(CASE coalesce(json_typeof({0}), 'null') WHEN 'string' THEN 'text' WHEN 'boolean' THEN {0} #>> '{{}}'"
            " ELSE coalesce(json_typeof({0}), 'null') END)"
        ),
    },
    "json_text": {"sqlite": "({0} ->> '$')", "postgresql": "({0} #>> '{{}}')"},
    "json_number": {
        "sqlite": "(CASE WHEN json_type({0}) IN ('integer', 'real') THEN {0} ->> '$' END)",
        "postgresql": "(CASE WHEN json_typeof({0}) = 'number' THEN ({0} #>> '{{}}')::double precision END)",
    },
    "json_holds": {
        "sqlite": (
            "EXISTS (SELECT 1 FROM (SELECT CASE found.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'"
            " WHEN 'array' THEN '[]' WHEN 'object' THEN '[]'"
            " ELSE json_quote(found.value) END AS node FROM json_each("
            "CASE WHEN json_type({0}) = 'array' THEN {0} ELSE '[]' END) AS found) AS item WHERE {1})"
        ),
        "postgresql": (
            "EXISTS (SELECT 1 FROM json_array_elements("
            "CASE WHEN json_typeof({0}) = 'array' THEN {0} ELSE '[]'::json END) AS item(node) WHERE {1})"
        ),
    },
    "predicted_labels": {
        "sqlite": f"(SELECT json_group_array(label) FROM ({_SQLITE_LABELS}))",
        "postgresql": f"(SELECT json_agg(label) FROM ({_POSTGRES_LABELS}) AS named)",
    },
    "names_label": {
        "sqlite": f"EXISTS (SELECT 1 FROM ({_SQLITE_LABELS}) WHERE label = {{1}})",
        # Only lists of objects hold a `label` that is a text. A path is ten times as quick as a query for each row.
        "postgresql": (
            "(jsonb_path_exists({0}::jsonb, '$.*[*].label ? (@ == $label)', jsonb_build_object('label', {1}))"
            f" OR EXISTS (SELECT 1 FROM ({_POSTGRES_CLASSES}) AS named WHERE label = {{1}}))"
        ),
    },
    "object_count": {
        "sqlite": (
            f"coalesce(json_extract({{0}}, '$.count'), CASE WHEN {_first(_SQLITE_LENGTH)} IS NOT NULL"
            f" THEN {_sums(_SQLITE_LENGTH)} END)"
        ),
        "postgresql": (
            f"coalesce(({{0}} ->> 'count')::float8, CASE WHEN {_first(_POSTGRES_LENGTH)} IS NOT NULL"
            f" THEN {_sums(_POSTGRES_LENGTH)} END)"
        ),
    },
}


def _compile(element: _Value, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401  # SQLAlchemy's own signature
    parts = [compiler.process(clause, **kw) for clause in element.clauses]
    return _SQL[element.name][compiler.dialect.name].format(*parts)


for _kind in (_At, _Kind, _Text, _Number, _Holds, _Labels, _Names, _Count):
    compiles(_kind)(_compile)


def at(document: ColumnElement[Any], keys: tuple[str, ...]) -> ColumnElement[Any]:
    """Return the node below these keys; keys of mappings alone, a list has none."""
    node = document
    for key in keys:
        node = _At(node, _key(key))
    return node


class _Key(FunctionElement[str]):
    """A key as each database's `->` takes it: a number would be an index."""

    type = Text()
    name = "json_key"
    inherit_cache = True


@compiles(_Key, "sqlite")
def _sqlite_key(element: _Key, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401  # as above
    return "('$.\"' || " + compiler.process(element.clauses, **kw) + " || '\"')"


@compiles(_Key, "postgresql")
def _postgres_key(element: _Key, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401  # as above
    return "CAST(" + compiler.process(element.clauses, **kw) + " AS TEXT)"


def _key(key: str) -> ColumnElement[str]:
    return _Key(literal(key, Text()))


def kind(node: ColumnElement[Any]) -> ColumnElement[str]:
    """Return null, text, number, true, false, array or object."""
    return _Kind(node)


def text(node: ColumnElement[Any]) -> ColumnElement[str]:
    """Return a node's text."""
    return _Text(node)


def number(node: ColumnElement[Any]) -> ColumnElement[float]:
    """Return a node's number; NULL where it is none."""
    return _Number(node)


def holds(node: ColumnElement[Any], test: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Tell whether a node is a list with an item that passes the test."""
    return _Holds(node, test(literal_column("item.node", JSON())))


def predicted_labels(document: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the labels that a prediction names, as a JSON list."""
    return _Labels(document)


def names_label(document: ColumnElement[Any], label: str) -> ColumnElement[bool]:
    """Tell whether a prediction names a label."""
    return _Names(document, cast(literal(label, Text()), Text()))


def object_count(document: ColumnElement[Any]) -> ColumnElement[float]:
    """Return how many objects a prediction counts."""
    return _Count(document)
