"""The call that streams a data set."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from flask import Blueprint, Response

from feedback_sdk.bounds import Text
from queue_server.api.endpoint import Call, backend, caller, endpoint, now, read_query
from queue_server.auth import Scope
from queue_server.core.datasets import FORMATS, parse_include
from queue_server.errors import ExportError, FieldError, ProblemError
from queue_server.export import prepare, zip_stream

blueprint = Blueprint("exports", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportQuery:
    """What an export holds besides annotators' work."""

    #: a comma-separated list of `confirmed` and `affirmed`
    include: Annotated[str, Text(at_most=100)] = ""

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/exports/<format_name>",
        summary="Export a data set with its images as a zip file.",
        scope=Scope.READ,
        takes_token=False,
        query=ExportQuery,
        body=None,
        answers={200: "application/zip"},
        problems=(401, 403, 404, 422),
        path_values={"format_name": tuple(FORMATS)},
    ),
)
def get_export(format_name: str) -> Response:
    """Stream a data set; its immutable id is in the header and in its manifest."""
    if format_name not in FORMATS:
        raise ProblemError(404, f"no such format, must be one of {', '.join(FORMATS)}")
    query = read_query(ExportQuery)
    try:
        include = parse_include(query.include)
        prepared = prepare(backend(), caller().project_id, format_name=format_name, include=include, now=now())
    except ExportError as error:
        fault = FieldError(field="include" if "include" in str(error) else "format_name", message=str(error))
        raise ProblemError(422, "the export is refused", (fault,)) from error
    response = Response(zip_stream(backend(), prepared), mimetype="application/zip")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="lookswrong-{format_name}-{prepared.export_id}.zip"'
    )
    response.headers["X-Lookswrong-Export"] = str(prepared.export_id)
    return response
