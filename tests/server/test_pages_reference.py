"""The OpenAPI document in words."""

import pytest

from queue_server.api import changes, exports, feedback, health, queries, samples
from queue_server.api.openapi import openapi
from queue_server.pages.reference import NamedType, Operation, Reference, phrase, read_reference

REGISTERED = (changes, exports, feedback, health, queries, samples)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return read_reference(openapi())


def said(schema: dict[str, object]) -> str:
    return "".join(words.text for words in phrase(schema))


def call(reference: Reference, name: str) -> Operation:
    (found,) = [operation for operation in reference.operations if f"{operation.method} {operation.path}" == name]
    return found


def named(reference: Reference, name: str) -> NamedType:
    (found,) = [item for item in reference.types if item.name == name]
    return found


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "any value"),
        ({"type": "null"}, "null"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "integer"}, "integer"),
        ({"type": "integer", "minimum": 0, "maximum": 10_000}, "integer 0 to 10,000"),
        ({"type": "number", "minimum": -1e6, "maximum": 1e6}, "number −1,000,000 to 1,000,000"),
        ({"type": "number", "minimum": 0.25}, "number at least 0.25"),
        ({"type": "number", "maximum": 1}, "number at most 1"),
        ({"type": "number", "exclusiveMinimum": 0.0, "maximum": 1.0}, "number above 0, at most 1"),
        ({"type": "string"}, "string"),
        ({"type": "string", "minLength": 0}, "string"),
        ({"type": "string", "minLength": 0, "maxLength": 20}, "string of at most 20 characters"),
        ({"type": "string", "minLength": 1, "maxLength": 20}, "string of 1 to 20 characters"),
        ({"type": "string", "minLength": 64, "maxLength": 64}, "string of 64 characters"),
        ({"type": "string", "format": "uuid"}, "string (uuid)"),
        ({"type": "string", "format": "binary"}, "bytes"),
        ({"type": "string", "enum": ["a", "b"]}, 'one of "a", "b"'),
        ({"type": "array"}, "array of any value"),
        ({"type": "array", "items": {"type": "string"}}, "array of string"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 9}, "array of 1 to 9 string"),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "number"}]}, "[integer, number]"),
        ({"type": "object"}, "object"),
        ({"type": "object", "additionalProperties": True}, "object"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object {name: integer}"),
        ({"type": "object", "patternProperties": {"^.*$": {"type": "number"}}}, "object {name: number}"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"$ref": "#/components/schemas/Box"}, "Box"),
    ],
)
def test_schema_is_said_in_words(schema: dict[str, object], words: str) -> None:
    assert said(schema) == words


def test_type_within_a_type_is_linked() -> None:
    schema = {"anyOf": [{"type": "array", "items": {"$ref": "#/components/schemas/Box"}}, {"type": "null"}]}
    assert [words.links_to for words in phrase(schema) if words.links_to] == ["Box"]


def test_empty_document_has_nothing_to_show() -> None:
    assert read_reference({"paths": {}, "components": {"schemas": {}}}) == Reference(operations=(), types=())


def test_what_an_app_sends_comes_first_and_probes_last(reference: Reference) -> None:
    paths = [operation.path for operation in reference.operations]
    assert paths[0] == "/v1/samples"
    assert paths.index("/v1/feedback") < paths.index("/v1/exports/{format_name}") < paths.index("/healthz")


@pytest.mark.parametrize(
    ("name", "access"),
    [
        ("POST /v1/samples", "Needs a key with scope `ingest`, or the sample's own token of scope `s`."),
        ("GET /v1/samples", "Needs a key with scope `read`."),
        ("POST /v1/samples/{sample_id}/request", "Needs a key with scope `admin`."),
        (
            "POST /v1/feedback",
            "Needs a key with scope `ingest`, or in the body a token as `token` or a publishable key as `key`.",
        ),
        ("GET /healthz", "Needs no key."),
    ],
)
def test_call_says_who_may_make_it(reference: Reference, name: str, access: str) -> None:
    assert call(reference, name).access == access


def test_parameters_say_where_they_stand_and_their_default(reference: Reference) -> None:
    found = {member.name: member for member in call(reference, "GET /v1/samples").parameters}
    assert (found["limit"].place, found["limit"].is_required, found["limit"].default) == ("query", False, "100")
    (sample_id,) = call(reference, "GET /v1/samples/{sample_id}").parameters
    assert (sample_id.place, sample_id.is_required, sample_id.default) == ("path", True, None)


def test_form_shows_its_parts_and_json_its_type(reference: Reference) -> None:
    (form,) = call(reference, "POST /v1/samples").bodies
    assert [(part.name, part.is_required) for part in form.members] == [("sample", True), ("image", False)]
    json_body, text_body = call(reference, "POST /v1/feedback").bodies
    assert [words.links_to for words in json_body.phrase] == ["PostedFeedback"]
    assert (text_body.media_type, text_body.members) == ("text/plain", ())


def test_answers_show_their_type_or_their_media_type_or_nothing(reference: Reference) -> None:
    image = {reply.status: reply for reply in call(reference, "GET /v1/images/{sha256}").replies}
    assert (image["200"].contents[0].media_type, image["200"].contents[0].phrase) == ("image/*", ())
    assert image["304"].contents == ()
    assert image["404"].contents[0].phrase[0].links_to == "Problem"


def test_type_shows_its_first_paragraph_and_its_fields(reference: Reference) -> None:
    found = named(reference, "PostedFeedback")
    assert "\n" not in found.description
    assert {member.name: member.is_required for member in found.members}["verdict"]


def test_type_that_is_no_object_shows_its_values(reference: Reference) -> None:
    found = named(reference, "Verdict")
    assert (found.members, found.phrase[0].text) == ((), 'one of "confirmed", "rejected", "corrected"')
