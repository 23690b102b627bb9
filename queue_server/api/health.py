"""Calls for those who run the server: alive, ready, metrics, the API's description; and Label Studio's webhook."""

import hmac
from importlib.metadata import version

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from queue_server.api.answers import Health
from queue_server.api.endpoint import Answer, Call, backend, endpoint, now
from queue_server.errors import ProblemError
from queue_server.readiness import Readiness, check_readiness
from queue_server.store import counts, projects
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


@endpoint(blueprint, _open_call("GET", "/metrics", "Read Prometheus metrics.", answers={200: "text/plain"}))
def metrics() -> Response:
    """Read figures from the database, so they are right with any number of processes."""
    registry = CollectorRegistry()
    figures = {
        "samples": Gauge("lookswrong_samples", "Samples", ["project", "state", "reason"], registry=registry),
        "feedback": Gauge("lookswrong_feedback", "Feedback kept", ["project", "verdict"], registry=registry),
        "tasks": Gauge("lookswrong_labeling_tasks", "Labeling tasks", ["project", "state"], registry=registry),
    }
    overdue = Gauge("lookswrong_overdue_decisions", "Samples whose decision is overdue", registry=registry)
    with reading(backend().engine) as session:
        overdue.set(counts.overdue(session, now()))
        for project in projects.all_projects(session):
            assert project.id is not None
            for cell in counts.by_state(session, project.id):
                figures["samples"].labels(project.name, cell.state, cell.reason or "").inc(cell.count)
            for verdict, count in counts.feedback_by_verdict(session, project.id).items():
                figures["feedback"].labels(project.name, verdict).set(count)
            for state, count in counts.labeling_tasks_by_state(session, project.id).items():
                figures["tasks"].labels(project.name, state).set(count)
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")


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
