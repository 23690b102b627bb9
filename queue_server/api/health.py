"""Calls for those who run the server: alive, ready; and Label Studio's webhook."""

import hmac
from importlib.metadata import version

from flask import Blueprint, Response, request

from queue_server.api.answers import Health
from queue_server.api.endpoint import Answer, Call, backend, endpoint, now
from queue_server.errors import ProblemError
from queue_server.readiness import Readiness, check_readiness
from queue_server.store import projects
from queue_server.store.engine import reading, writing

blueprint = Blueprint("health", __name__)


def _open_call(method: str, path: str, summary: str, **more: object) -> Call:
    """Declare a call that needs no key."""
    values: dict[str, object] = {"scope": None, "takes_token": False, "query": None, "body": None, "problems": ()}
    return Call(method=method, path=path, summary=summary, **(values | more))  # type: ignore[arg-type]  # by name


@endpoint(blueprint, _open_call("GET", "/healthz", "Tell that the process is alive.", answers={200: Health}))
def healthz() -> Answer[Health]:
    """Answer at once."""
    return Answer(status=200, value=Health(service="lookswrong", version=version("lookswrong"), status="ok"))


@endpoint(
    blueprint,
    _open_call("GET", "/readyz", "Tell each dependency's state.", answers={200: Readiness, 503: Readiness}),
)
def readyz() -> Answer[Readiness]:
    """Check each part; 503 only where nothing works without it."""
    found = check_readiness(backend())
    return Answer(status=503 if found.status == "down" else 200, value=found)


@endpoint(
    blueprint,
    _open_call(
        "POST",
        "/v1/label-studio/<project>",
        "Take Label Studio's webhook: a hint that there is something to pull.",
        answers={204: None},
        problems=(401,),
        header="X-Lookswrong-Webhook",
        note="Needs the project's secret in the header `X-Lookswrong-Webhook`; the server registers it by itself.",
    ),
)
def label_studio_webhook(project: str) -> Response:
    """Note the hint and answer at once: Label Studio waits a second, and its annotator with it."""
    came = request.headers.get("X-Lookswrong-Webhook", "").encode()
    with reading(backend().engine) as session:
        found = projects.find(session, project)
    if found is None or not hmac.compare_digest(found.webhook_secret.encode(), came):
        raise ProblemError(401, "the header X-Lookswrong-Webhook must hold the project's secret")
    assert found.id is not None
    with writing(backend().engine) as session:
        projects.want_pull(session, found.id, now())
    return Response(status=204)
