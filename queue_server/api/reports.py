"""Calls that answer how good a model is."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from flask import Blueprint, Response

from feedback_sdk.bounds import Text
from queue_server.api.endpoint import Answer, Call, Instant, backend, caller, endpoint, now, read_query
from queue_server.auth import Scope
from queue_server.errors import ProblemError
from queue_server.reports import REPORTS, Narrowed, QualityReport, make_report, strata_csv
from queue_server.store.engine import reading

blueprint = Blueprint("reports", __name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportQuery:
    """Of which samples the figures of each model version are."""

    model_version: Annotated[str, Text(at_most=200)] | None = None
    #: captured from then on; absent: in the last 30 days
    since: Instant | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}

    @property
    def narrowed(self) -> Narrowed:
        """Return it as a report takes it."""
        return Narrowed(model_version=self.model_version, since=self.since)


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/reports/<name>",
        summary="Read a report.",
        scope=Scope.READ,
        takes_token=False,
        query=ReportQuery,
        body=None,
        answers={200: QualityReport},
        problems=(401, 403, 404, 422),
        path_values={"name": tuple(REPORTS)},
    ),
)
def get_report(name: str) -> Answer[QualityReport]:
    """Make one report of the key's project."""
    if name not in REPORTS:
        raise ProblemError(404, f"no such report, must be one of {', '.join(REPORTS)}")
    narrowed = read_query(ReportQuery).narrowed
    with reading(backend().engine) as session:
        made = make_report(session, name, project_id=caller().project_id, now=now(), narrowed=narrowed)
    return Answer(status=200, value=made)


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/reports/strata",
        summary="Read the strata from which each version's accuracy can be reproduced, as CSV.",
        scope=Scope.READ,
        takes_token=False,
        query=ReportQuery,
        body=None,
        answers={200: "text/csv"},
        problems=(401, 403, 422),
    ),
)
def get_strata() -> Response:
    """Make the strata of the key's project."""
    narrowed = read_query(ReportQuery).narrowed
    with reading(backend().engine) as session:
        text = strata_csv(session, narrowed, project_id=caller().project_id, now=now())
    return Response(text, mimetype="text/csv")
