"""One declaration per call: `@endpoint(...)` checks the caller, validates what came, and remembers it for OpenAPI."""

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Generic, TypeVar, cast

from flask import Blueprint, Response, current_app, g, request
from pydantic import AfterValidator, TypeAdapter
from pydantic import ValidationError as PydanticError

from feedback_sdk.bounds import AwareTime
from feedback_sdk.errors import ValidationError
from queue_server.auth import Caller, Scope, caller_of_key, caller_of_token, require
from queue_server.backend import Backend
from queue_server.errors import FieldError, ProblemError
from queue_server.models import is_instant
from queue_server.store.engine import reading

T = TypeVar("T")


class BodyKind(StrEnum):
    """How a call's body is sent."""

    JSON = "application/json"
    #: JSON without preflight, for browsers
    JSON_OR_TEXT = "text/plain"
    #: a `sample` part with JSON and an `image` part with a file
    MULTIPART = "multipart/form-data"
    #: the same, many of both
    MULTIPART_MANY = "multipart/form-data; many"
    BYTES = "application/octet-stream"


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """What a call takes."""

    kind: BodyKind
    #: what its JSON is validated into; None: bytes
    value: type | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Generic[T]):
    """What a call answers."""

    status: int
    value: T


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of the wire, as OpenAPI shows it."""

    method: str
    path: str
    summary: str
    #: what the key must be allowed; None: no key
    scope: Scope | None
    #: a per-sample token of scope `s` will do too
    takes_token: bool
    query: type | None
    body: Body | None
    #: the JSON, or the media type, that a status comes with
    answers: Mapping[int, type | str | None]
    problems: tuple[int, ...]
    #: what a path parameter matches, where it is not free
    path_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: a header that it needs
    header: str = ""
    #: who may call it, where that is not the scope alone
    note: str = ""


CALLS: list[Call] = []

_ADAPTERS: dict[object, object] = {}


def _check_instant(value: datetime) -> datetime:
    if not is_instant(value):
        raise ValueError(f"must be a time of the years 1 to 9999 in UTC, got {value.isoformat()}")
    return value


#: a time in a query
Instant = Annotated[datetime, AwareTime(), AfterValidator(_check_instant)]


def endpoint(blueprint: Blueprint, call: Call) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Register a handler for a call; it is handed the path's values, returns an Answer or a Response."""
    CALLS.append(call)

    def decorate(handler: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(handler)
        def view(**path: object) -> Response:
            if call.scope is not None:
                g.caller = _authenticate(call)
            result = handler(**path)
            return to_response(result) if isinstance(result, Answer) else result  # type: ignore[return-value]  # a Response

        name = f"{call.method} {call.path}".replace(".", "_")  # Flask takes a dot for that of a blueprint
        blueprint.add_url_rule(call.path, name, view, methods=[call.method])
        return handler

    return decorate


def backend() -> Backend:
    """Return what this process stands on."""
    value = current_app.extensions["lookswrong"]
    assert isinstance(value, Backend)
    return value


def caller() -> Caller:
    """Return who sent this request."""
    value = g.caller
    assert isinstance(value, Caller)
    return value


def now() -> datetime:
    """Return the server's clock."""
    return datetime.now(UTC)


def _authenticate(call: Call) -> Caller:
    """Return who sent the request, or raise ProblemError 401 or 403."""
    text = bearer()
    assert call.scope is not None
    with reading(backend().engine) as session:
        if text.startswith("v1.") and call.takes_token:
            found = caller_of_token(session, text, secret_keys=backend().settings.secret_keys, now=now())
            if found.token is None or found.token.scope != "s":
                raise ProblemError(403, "the token must have scope s to upload its sample")
            return found
        found = caller_of_key(session, text)
    require(found, call.scope)
    return found


def bearer() -> str:
    """Return the request's key: a bearer, or the password of Basic for people with a browser."""
    if request.authorization is not None:
        if request.authorization.type == "bearer" and request.authorization.token:
            return request.authorization.token
        if request.authorization.type == "basic" and request.authorization.password:
            return request.authorization.password
    raise ProblemError(401, "a key must be given: Authorization: Bearer lw_<id>_<secret>")


def adapter(value: type[T]) -> TypeAdapter[T]:
    """Return the validator of a type, made once."""
    if value not in _ADAPTERS:
        _ADAPTERS[value] = TypeAdapter(value)
    return cast("TypeAdapter[T]", _ADAPTERS[value])


def read_query(value: type[T], *, repeatable: Collection[str] = ()) -> T:
    """Return the query string as the dataclass it must fit, or raise ProblemError 422; a repeatable name is a list."""
    repeated = [name for name in request.args if name not in repeatable and len(request.args.getlist(name)) > 1]
    if repeated:
        faults = tuple(FieldError(field=name, message="must be given once") for name in repeated)
        raise ProblemError(422, "the query is refused", faults)
    try:
        lists = {name: request.args.getlist(name) for name in repeatable}
        return adapter(value).validate_python(request.args.to_dict() | lists, strict=False)
    except PydanticError as error:
        raise ProblemError(422, "the query is refused", field_errors(error)) from error


def read_json(value: type[T], content: bytes | str, *, prefix: str = "") -> T:
    """Return JSON as the dataclass it must fit, or raise ProblemError 413 or 422."""
    limit = backend().settings.max_json_bytes
    if len(content) > limit:
        fault = FieldError(field=prefix or "body", message=f"must have at most {limit} bytes, got {len(content)}")
        raise ProblemError(413, "the JSON is too large", (fault,))
    try:
        return adapter(value).validate_json(content)
    except PydanticError as error:
        raise ProblemError(422, "the request does not fit the wire format", field_errors(error, prefix)) from error


def read_body(value: type[T]) -> T:
    """Return the request's JSON body, or raise ProblemError 413, 415 or 422."""
    require_media_type("application/json")
    return read_json(value, request.get_data())


def require_media_type(*allowed: str) -> None:
    """Raise ProblemError 415 unless the request's body is one of these."""
    if request.mimetype not in allowed:
        fault = FieldError(field="Content-Type", message=f"must be {' or '.join(allowed)}, got {request.mimetype!r}")
        raise ProblemError(415, "the body's type is not taken here", (fault,))


def field_errors(error: PydanticError, prefix: str = "") -> tuple[FieldError, ...]:
    """Return a validation's faults, each with the path of its field."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        path = [str(part) for part in item["loc"] if _is_path_part(part)]
        cause = item.get("ctx", {}).get("error")
        message = item["msg"].removeprefix("Value error, ")
        if isinstance(cause, ValidationError):
            message = cause.message
            if path and path[-1] == cause.field.partition(".")[0]:
                path.pop()
            path.append(cause.field)
        found.append(FieldError(field=".".join([prefix, *path] if prefix else path) or "body", message=message))
    return tuple(found)


def _is_path_part(part: int | str) -> bool:
    """Tell a field's name from pydantic's names of the members of a union."""
    return isinstance(part, int) or not ("[" in part or "(" in part or part == "constrained-str")


def to_response(answer: Answer[object]) -> Response:
    """Return an answer as JSON."""
    content = adapter(type(answer.value)).dump_json(answer.value)
    return Response(content, status=answer.status, mimetype="application/json")
