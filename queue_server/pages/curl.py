"""One curl for each call of the OpenAPI document, with a shell variable for all that only the reader knows."""

import re
from collections.abc import Iterator

from queue_server.models import Document

_KEY = "Authorization: Bearer $LOOKSWRONG_API_KEY"
_FILES = {"application/zip": "data-set.zip", "image/*": "image"}


def curl(method: str, path: str, operation: Document, *, base_url: str) -> str:
    """Return the command of a call, an argument to a line.

    >>> curl("get", "/healthz", {"responses": {}}, base_url="http://127.0.0.1:8500")
    'curl http://127.0.0.1:8500/healthz'
    """
    address = base_url + re.sub(r"\{(\w+)\}", lambda found: _variable(found[1]), path)
    arguments = [*_method(method, operation), *_headers(operation), *_body(operation), *_output(operation)]
    return " \\\n  ".join([f"curl {_quoted(address)}", *arguments])


def _method(method: str, operation: Document) -> Iterator[str]:
    implied = "post" if "requestBody" in operation else "get"
    if method != implied and not _is_file(operation):
        yield f"-X {method.upper()}"


def _headers(operation: Document) -> Iterator[str]:
    if any("key" in way for way in operation.get("security", [])):
        yield f'-H "{_KEY}"'
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "header":
            yield f'-H "{parameter["name"]}: {_variable(parameter["name"])}"'


def _body(operation: Document) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        parts = content["multipart/form-data"]["schema"]["properties"]
        yield "-F 'sample=<sample.json;type=application/json'"
        is_many = parts["image"].get("type") == "array"
        yield '-F "image=@photo.jpg;filename=$SAMPLE_ID"' if is_many else "-F image=@photo.jpg"
    elif "application/json" in content:
        yield "-H 'Content-Type: application/json'"
        yield "-d @body.json"
    elif content:
        yield "-T photo.jpg"


def _output(operation: Document) -> Iterator[str]:
    for media_type in operation["responses"].get("200", {}).get("content", {}):
        if media_type in _FILES:
            yield f"-o {_FILES[media_type]}"


def _is_file(operation: Document) -> bool:
    """Tell whether curl sends a file as it is, which it does with PUT."""
    return "application/octet-stream" in operation.get("requestBody", {}).get("content", {})


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name).upper()


def _quoted(address: str) -> str:
    return f'"{address}"' if "$" in address else address
