"""The API's description is complete and true: whatever is sent, no answer is a 5xx or undocumented."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from queue_server.api.openapi import openapi
from queue_server.auth import Scope, make_key
from queue_server.store.engine import writing
from tests.server.conftest import NOW, Server, jpeg, sample

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


DESCRIBED = schemathesis.openapi.from_dict(openapi())
OPERATIONS = {result.ok().label: result.ok() for result in DESCRIBED.get_all_operations()}
OPEN = ("GET /policy.schema.json", "GET /healthz", "GET /readyz", "GET /metrics")


@pytest.fixture
def key(each_server: Server) -> str:
    """A key that may do everything, on a server that holds a sample."""
    with writing(each_server.backend.engine) as session:
        secret_keys = each_server.backend.settings.secret_keys
        text = make_key(
            session,
            each_server.project,
            scopes=[Scope.INGEST, Scope.READ, Scope.ADMIN],
            secret_keys=secret_keys,
            now=NOW,
        )
    each_server.post(sample(), jpeg())
    return text


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_answer_is_an_error_of_ours_or_undocumented(label: str, each_server: Server, key: str) -> None:
    headers = {} if label in OPEN else {"Authorization": f"Bearer {key}"}

    # Every example meets the same server: what one leaves there is part of what the next one finds.
    @given(case=OPERATIONS[label].as_strategy())
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def send(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=each_server.url, headers=headers, checks=CHECKS)

    send()


def test_every_call_of_the_wire_is_described() -> None:
    calls = {(method.upper(), path) for path, methods in openapi()["paths"].items() for method in methods}
    assert calls == {
        ("POST", "/v1/samples"),
        ("POST", "/v1/samples/batch"),
        ("POST", "/v1/samples/wanted"),
        ("GET", "/v1/samples/changes"),
        ("PUT", "/v1/samples/{sample_id}/image"),
        ("POST", "/v1/samples/{sample_id}/predictions"),
        ("POST", "/v1/samples/{sample_id}/request"),
        ("POST", "/v1/samples/request"),
        ("POST", "/v1/feedback"),
        ("POST", "/v1/shown"),
        ("GET", "/v1/samples/{sample_id}"),
        ("GET", "/v1/samples"),
        ("GET", "/v1/images/{sha256}"),
        ("POST", "/v1/policy/replay"),
        ("GET", "/policy.schema.json"),
        ("GET", "/v1/alerts"),
        ("POST", "/v1/alerts/{name}"),
        ("GET", "/v1/retraining"),
        ("GET", "/v1/reports/{name}"),
        ("GET", "/v1/reports/drift"),
        ("GET", "/v1/reports/strata"),
        ("GET", "/v1/reports/metrics"),
        ("GET", "/v1/reports/slices"),
        ("GET", "/v1/slices"),
        ("GET", "/v1/slices/{name}"),
        ("PUT", "/v1/slices/{name}"),
        ("DELETE", "/v1/slices/{name}"),
        ("GET", "/v1/model-versions"),
        ("PUT", "/v1/model-versions/{version}"),
        ("GET", "/v1/model-cards/{version}"),
        ("GET", "/v1/model-cards/{version}/markdown"),
        ("GET", "/v1/model-cards/{version}/html"),
        ("GET", "/v1/exports/{format_name}"),
        ("POST", "/v1/label-studio/{project}"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
    }


def test_every_route_of_the_wire_is_described(server: Server) -> None:
    described = openapi()["paths"]["/v1/samples"]["post"]["requestBody"]["content"]
    assert set(described) == {"multipart/form-data"}
    assert server.open.get("/openapi.json").json() == openapi()
