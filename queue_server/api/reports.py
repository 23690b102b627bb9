"""Calls that answer how good a model is."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeVar

from flask import Blueprint, Response

from feedback_sdk.bounds import Text
from queue_server.api.endpoint import Answer, Call, Instant, backend, caller, endpoint, now, read_query
from queue_server.auth import Scope
from queue_server.errors import PolicyError, ProblemError
from queue_server.reports import DriftReport, MetricsReport, Narrowed, QualityReport, make_report, strata_csv
from queue_server.store.engine import reading

blueprint = Blueprint("reports", __name__)

T = TypeVar("T")
#: those with a call of their own stand beside theirs
_PLAIN = ("quality",)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportQuery:
    """Of which samples the figures of each model version are."""

    model_version: Annotated[str, Text(at_most=200)] | None = None
    #: captured from then on; absent: as the slice says, else in the last 30 days
    since: Instant | None = None
    #: the name of one
    slice: Annotated[str, Text(at_most=100)] | None = None

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}

    @property
    def narrowed(self) -> Narrowed:
        """Return it as a report takes it."""
        return Narrowed(model_version=self.model_version, since=self.since, slice=self.slice)


def made(kind: type[T], name: str) -> T:
    """Return a report of the key's project, narrowed as the query says, or raise ProblemError 422."""
    narrowed = read_query(ReportQuery).narrowed
    try:
        with reading(backend().engine) as session:
            found = make_report(session, name, project_id=caller().project_id, now=now(), narrowed=narrowed)
    except PolicyError as error:
        raise ProblemError(422, "the query is refused", error.faults) from error
    assert isinstance(found, kind)
    return found


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
        path_values={"name": _PLAIN},
    ),
)
def get_report(name: str) -> Answer[QualityReport]:
    """Make one report of the key's project."""
    if name not in _PLAIN:
        raise ProblemError(404, f"no such report, must be one of {', '.join(_PLAIN)}")
    return Answer(status=200, value=made(QualityReport, name))


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/reports/drift",
        summary="Read how a model version's samples of now differ from its reference; `since` is 7 days ago if absent.",
        scope=Scope.READ,
        takes_token=False,
        query=ReportQuery,
        body=None,
        answers={200: DriftReport},
        problems=(401, 403, 422),
    ),
)
def get_drift() -> Answer[DriftReport]:
    """Compare the samples of the key's project."""
    return Answer(status=200, value=made(DriftReport, "drift"))


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/v1/reports/metrics",
        summary="Read how each metric of the samples lies, which are odd, and what is wrong with which.",
        scope=Scope.READ,
        takes_token=False,
        query=ReportQuery,
        body=None,
        answers={200: MetricsReport},
        problems=(401, 403, 422),
    ),
)
def get_metrics() -> Answer[MetricsReport]:
    """Describe the samples of the key's project."""
    return Answer(status=200, value=made(MetricsReport, "metrics"))


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
    try:
        with reading(backend().engine) as session:
            text = strata_csv(session, narrowed, project_id=caller().project_id, now=now())
    except PolicyError as error:
        raise ProblemError(422, "the query is refused", error.faults) from error
    return Response(text, mimetype="text/csv")
