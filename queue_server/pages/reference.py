"""The OpenAPI document as values that a page can show: calls, fields and types in words."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queue_server.models import Document
from queue_server.pages.curl import curl

_SCHEMAS = "#/components/schemas/"
#: what an app sends comes first, what a probe asks last
_ORDER = ("/v1/samples", "/v1/feedback", "/v1/", "/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """A piece of a type in words; `links_to` names the type that it stands for."""

    text: str
    links_to: str | None = None


Phrase = tuple[Words, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One named value: a parameter, a part of a form, a field of a type."""

    name: str
    #: of a parameter: path, query or header
    place: str
    phrase: Phrase
    is_required: bool
    #: as JSON; None: it has none
    default: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """One way in which a body or an answer is written: as members of a form, or as one value."""

    media_type: str
    phrase: Phrase
    members: tuple[Member, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a call may answer."""

    status: str
    meaning: str
    contents: tuple[Content, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One call."""

    anchor: str
    method: str
    path: str
    summary: str
    access: str
    #: the command line that makes it
    curl: str
    parameters: tuple[Member, ...]
    bodies: tuple[Content, ...]
    replies: tuple[Reply, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedType:
    """One schema of the document; `phrase` where it is no object."""

    name: str
    description: str
    members: tuple[Member, ...]
    phrase: Phrase


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """The whole document."""

    operations: tuple[Operation, ...]
    types: tuple[NamedType, ...]


def read_reference(document: Document, *, base_url: str = "http://127.0.0.1:8500") -> Reference:
    """Read an OpenAPI document: its calls in the order of use, its types by name."""
    paths = sorted(document["paths"].items(), key=lambda item: (_rank(item[0]), item[0]))
    return Reference(
        operations=tuple(
            _operation(method, path, operation, base_url=base_url)
            for path, methods in paths
            for method, operation in methods.items()
        ),
        types=tuple(_named_type(name, schema) for name, schema in sorted(document["components"]["schemas"].items())),
    )


def phrase(schema: Document) -> Phrase:
    """Return a JSON schema in words.

    >>> [words.text for words in phrase({"type": "integer", "minimum": 0, "maximum": 9})]
    ['integer 0 to 9']
    >>> phrase({"$ref": "#/components/schemas/Box"})[0].links_to
    'Box'
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_SCHEMAS)
        return (Words(text=name, links_to=name),)
    if "anyOf" in schema:
        return _joined([phrase(member) for member in schema["anyOf"]], " or ")
    if "enum" in schema:
        return (Words(text="one of " + ", ".join(json.dumps(value) for value in schema["enum"])),)
    kind = schema.get("type", "any value")
    return _KINDS[kind](schema) if kind in _KINDS else (Words(text=kind),)


def _number(schema: Document) -> Phrase:
    limits = _range(schema, "minimum", "maximum", above=schema.get("exclusiveMinimum"))
    return (Words(text=f"{schema['type']} {limits}" if limits else schema["type"]),)


def _string(schema: Document) -> Phrase:
    if schema.get("format") == "binary":
        return (Words(text="bytes"),)
    kind = f"string ({schema['format']})" if "format" in schema else "string"
    limits = _range(schema, "minLength", "maxLength")
    return (Words(text=f"{kind} of {limits} characters" if limits else kind),)


def _array(schema: Document) -> Phrase:
    if "prefixItems" in schema:
        members = _joined([phrase(member) for member in schema["prefixItems"]], ", ")
        return (Words(text="["), *members, Words(text="]"))
    limits = _range(schema, "minItems", "maxItems")
    return (Words(text=f"array of {limits} " if limits else "array of "), *phrase(schema.get("items", {})))


def _object(schema: Document) -> Phrase:
    values = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
    if not isinstance(values, dict):
        return (Words(text="object"),)
    return (Words(text="object {name: "), *phrase(values), Words(text="}"))


_KINDS: dict[str, Callable[[Document], Phrase]] = {
    "integer": _number,
    "number": _number,
    "string": _string,
    "array": _array,
    "object": _object,
}


def _range(schema: Document, low_name: str, high_name: str, *, above: float | None = None) -> str:
    """Say a schema's bounds; the empty string where it has none, or one that every length meets."""
    low, high = schema.get(low_name), schema.get(high_name)
    if low == 0 and low_name != "minimum":
        low = None
    if low is not None and high is not None:
        return _figure(low) if low == high else f"{_figure(low)} to {_figure(high)}"
    limits = {"above": above, "at least": low, "at most": high}
    return ", ".join(f"{words} {_figure(limit)}" for words, limit in limits.items() if limit is not None)


def _figure(value: float) -> str:
    return f"{int(value):,}".replace("-", "−") if value == int(value) else f"{value:g}"


def _joined(phrases: Sequence[Phrase], separator: str) -> Phrase:
    joined: list[Words] = []
    for index, member in enumerate(phrases):
        joined += [Words(text=separator), *member] if index else member
    return tuple(joined)


def _rank(path: str) -> int:
    return next(rank for rank, start in enumerate(_ORDER) if path.startswith(start))


def _operation(method: str, path: str, operation: Document, *, base_url: str) -> Operation:
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        access=operation.get("description") or _open_access(operation),
        curl=curl(method, path, operation, base_url=base_url),
        parameters=tuple(_parameter(value) for value in operation["parameters"]),
        bodies=_contents(operation.get("requestBody", {})),
        replies=tuple(
            Reply(status=status, meaning=reply["description"], contents=_contents(reply))
            for status, reply in operation["responses"].items()
        ),
    )


def _open_access(operation: Document) -> str:
    if "401" in operation["responses"]:
        return "Needs no scope of its own: the call checks who sends it."
    return "Needs no key."


def _parameter(value: Document) -> Member:
    return _member(value["name"], value["schema"], place=value["in"], is_required=value["required"])


def _member(name: str, schema: Document, *, is_required: bool, place: str = "") -> Member:
    default = json.dumps(schema["default"]) if "default" in schema else None
    return Member(name=name, place=place, phrase=phrase(schema), is_required=is_required, default=default)


def _members(schema: Document) -> tuple[Member, ...]:
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    return tuple(_member(name, value, is_required=name in required) for name, value in properties.items())


def _contents(body: Document) -> tuple[Content, ...]:
    return tuple(_content(media_type, value.get("schema")) for media_type, value in body.get("content", {}).items())


def _content(media_type: str, schema: Document | None) -> Content:
    return Content(
        media_type=media_type, phrase=phrase(schema) if schema else (), members=_members(schema) if schema else ()
    )


def _named_type(name: str, schema: Document) -> NamedType:
    members = _members(schema)
    # The first paragraph is for those who use the type, the rest for those who change it.
    description = schema.get("description", "").split("\n\n")[0]
    return NamedType(name=name, description=description, members=members, phrase=() if members else phrase(schema))
