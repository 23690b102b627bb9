"""OpenAPI, generated from the declared calls and the wire types."""

import functools
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Literal

from pydantic import TypeAdapter

from queue_server.api.answers import Problem
from queue_server.api.endpoint import CALLS, Body, BodyKind, Call, adapter

Json = dict[str, Any]

_TITLES = {
    200: "OK",
    201: "New.",
    202: "Accepted.",
    204: "Noted.",
    207: "One result each, in order.",
    304: "Not changed.",
    400: "The request is not HTTP as it must be.",
    401: "No key, or not a valid one.",
    403: "The key may not do this.",
    404: "There is none.",
    409: "This id was used for other content.",
    413: "Too large.",
    415: "The body's type is not taken here.",
    422: "A field is wrong; `errors` names it.",
    429: "Too often; try again after `Retry-After` seconds.",
    503: "A part is down; try again later.",
}
_TEMPLATE = "#/components/schemas/{model}"


@functools.cache
def openapi() -> Json:
    """Return the OpenAPI 3.1 document of all calls that are declared by now."""
    schemas, references = _schemas(CALLS)
    paths: dict[str, Json] = {}
    for call in CALLS:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", call.path)
        paths.setdefault(path, {})[call.method.lower()] = _operation(call, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Looks Wrong",
            "version": version("lookswrong"),
            "description": "Post predictions and what users say of them; read back what became of them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "lw_<id>_<secret>, of one project"}
            },
        },
    }


def _schemas(calls: list[Call]) -> tuple[Json, Mapping[type, Json]]:
    """Return the named schemas, and for each type the reference to its own."""
    values: dict[type, None] = {Problem: None}
    for call in calls:
        values |= dict.fromkeys(answer for answer in call.answers.values() if isinstance(answer, type))
        if call.body is not None and call.body.value is not None:
            values[call.body.value] = None
    inputs: list[tuple[type, Literal["validation"], TypeAdapter[Any]]] = [
        (value, "validation", adapter(value)) for value in values
    ]
    found, document = TypeAdapter.json_schemas(inputs, ref_template=_TEMPLATE)
    return document.get("$defs", {}), {value: found[value, "validation"] for value in values}


def _operation(call: Call, references: Mapping[type, Json]) -> Json:
    operation: Json = {
        "operationId": f"{call.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', call.path.lower()).strip('_')}",
        "summary": call.summary,
        "parameters": [*_path_parameters(call), *_query_parameters(call), *_header_parameters(call)],
        "responses": _responses(call, references),
        "security": _security(call),
    }
    if call.note or call.scope is not None:
        needs = f"Needs a key with scope `{call.scope}`" if call.scope is not None else ""
        token = ", or the sample's own token of scope `s`" if call.takes_token else ""
        operation["description"] = call.note or f"{needs}{token}."
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(call.body, references)}
    return operation


def _path_parameters(call: Call) -> list[Json]:
    parameters = []
    for kind, name in re.findall(r"<(?:(\w+):)?(\w+)>", call.path):
        schema: Json = {"type": "string", "format": "uuid"} if kind == "uuid" else {"type": "string"}
        if name in call.path_values:
            schema["enum"] = list(call.path_values[name])
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    return parameters


def _security(call: Call) -> list[Json]:
    """Say whether a key is needed, or will do: a token, a signature or a header stands in for it."""
    if call.scope is not None:
        return [{"key": []}]
    return [{"key": []}, {}] if 401 in call.problems and not call.header else [{}]


def _header_parameters(call: Call) -> list[Json]:
    # Not required: without it the call answers 401, as described.
    schema = {"type": "string"}
    return [{"name": call.header, "in": "header", "required": False, "schema": schema}] if call.header else []


def _query_parameters(call: Call) -> list[Json]:
    if call.query is None:
        return []
    document = adapter(call.query).json_schema()
    properties: Json = _inlined(document["properties"], document.get("$defs", {}))
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in properties.items()]


def _inlined(value: Any, definitions: Json) -> Any:  # noqa: ANN401  # any JSON
    """Return a schema with its definitions in place: a parameter's schema has no room for them."""
    if isinstance(value, list):
        return [_inlined(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _inlined(definitions[value["$ref"].removeprefix("#/$defs/")], definitions)
    return {key: _inlined(item, definitions) for key, item in value.items()}


def _responses(call: Call, references: Mapping[type, Json]) -> Json:
    responses: Json = {}
    for status, answer in call.answers.items():
        responses[str(status)] = {"description": _TITLES[status]}
        if isinstance(answer, str):
            responses[str(status)]["content"] = {answer: {}}
        elif answer is not None:
            responses[str(status)]["content"] = {"application/json": {"schema": references[answer]}}
    problem = {"application/problem+json": {"schema": references[Problem]}}
    for status in sorted({*call.problems, 400, 503}):
        if str(status) not in responses:
            responses[str(status)] = {"description": _TITLES[status], "content": problem}
    return responses


def _content(body: Body, references: Mapping[type, Json]) -> Json:
    if body.kind is BodyKind.BYTES or body.value is None:
        return {BodyKind.BYTES.value: {"schema": {"type": "string", "format": "binary"}}}
    schema = references[body.value]
    if body.kind is BodyKind.JSON:
        return {"application/json": {"schema": schema}}
    if body.kind is BodyKind.JSON_OR_TEXT:
        return {"application/json": {"schema": schema}, "text/plain": {"schema": {"type": "string"}}}
    image: Json = {"type": "string", "format": "binary"}
    if body.kind is BodyKind.MULTIPART_MANY:
        sample: Json = {"type": "array", "items": schema, "minItems": 1, "maxItems": 100}
        properties: Json = {"sample": sample, "image": {"type": "array", "items": image}}
    else:
        properties = {"sample": schema, "image": image}
    form: Json = {"type": "object", "properties": properties, "required": ["sample"]}
    encoding = {"sample": {"contentType": "application/json"}, "image": {"contentType": "image/*"}}
    return {"multipart/form-data": {"schema": form, "encoding": encoding}}
