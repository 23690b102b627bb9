"""Figures for Prometheus: what the database holds, whether each part is there, and what all processes counted."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from queue_server import meters
from queue_server.api.endpoint import Call, backend, endpoint, now
from queue_server.readiness import check_readiness
from queue_server.store import alerts, counts, projects
from queue_server.store.engine import reading

blueprint = Blueprint("meters", __name__)


@endpoint(
    blueprint,
    Call(
        method="GET",
        path="/metrics",
        summary="Read Prometheus metrics.",
        scope=None,
        takes_token=False,
        query=None,
        body=None,
        answers={200: "text/plain"},
        problems=(),
    ),
)
def metrics() -> Response:
    """Read the figures; each process answers the same, and a database that is away costs its own figures alone."""
    up = {name: float(part.status == "ok") for name, part in check_readiness(backend()).parts.items()}
    found: list[GaugeMetricFamily] = []
    try:
        with reading(backend().engine) as session:
            for figures in (_overdue, _samples, _backlog, _budgets, _label_studio, _alerts):
                found += figures(session, now())
    except SQLAlchemyError:
        up["database"] = 0.0
    parts = _gauge("up", "Whether a part that the server depends on is there", "part")
    for name, value in up.items():
        parts.add_metric([name], value)
    text = generate_latest(_Shown([parts, *found])) + generate_latest(meters.registry())
    return Response(text, mimetype="text/plain; version=0.0.4")


class _Shown(CollectorRegistry):
    """Figures of this moment; the library's own gauges would be kept in the files that processes count into."""

    def __init__(self, figures: list[GaugeMetricFamily]) -> None:
        super().__init__()
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._figures


def _gauge(name: str, words: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"lookswrong_{name}", words, labels=labels)


def _overdue(session: Session, at: datetime) -> list[GaugeMetricFamily]:
    overdue = _gauge("overdue_decisions", "Samples whose decision is overdue")
    overdue.add_metric([], counts.overdue(session, at))
    return [overdue]


def _samples(session: Session, _at: datetime) -> list[GaugeMetricFamily]:
    samples = _gauge("samples", "Samples", "project", "state", "reason")
    feedback = _gauge("feedback", "Feedback kept", "project", "verdict")
    tasks = _gauge("labeling_tasks", "Labeling tasks", "project", "state")
    for name, project_id in _projects(session):
        by_reason: Counter[tuple[str, str]] = Counter()
        for cell in counts.by_state(session, project_id):
            by_reason[cell.state, cell.reason or ""] += cell.count
        for (state, reason), number in by_reason.items():
            samples.add_metric([name, state, reason], number)
        for verdict, number in counts.feedback_by_verdict(session, project_id).items():
            feedback.add_metric([name, verdict], number)
        for state, number in counts.labeling_tasks_by_state(session, project_id).items():
            tasks.add_metric([name, state], number)
    return [samples, feedback, tasks]


def _backlog(session: Session, at: datetime) -> list[GaugeMetricFamily]:
    backlog = _gauge("queue_backlog", "Labeling tasks that nobody has finished", "project", "state")
    oldest = _gauge("queue_oldest_seconds", "Since when the oldest of them waits", "project", "state")
    for name, project_id in _projects(session):
        for waiting in counts.backlog(session, project_id):
            backlog.add_metric([name, waiting.state], waiting.count)
            oldest.add_metric([name, waiting.state], (at - waiting.since).total_seconds())
    return [backlog, oldest]


def _budgets(session: Session, at: datetime) -> list[GaugeMetricFamily]:
    labels = ("project", "account", "period")
    tasks = _gauge("budget_tasks", "Tasks that a budget's account spent in its period", *labels)
    seconds = _gauge("budget_seconds", "Annotators' seconds that an account spent", *labels)
    names = {project_id: name for name, project_id in _projects(session)}
    for spent in counts.spent(session, at):
        place = [names[spent.project_id], spent.account, spent.period]
        tasks.add_metric(place, spent.tasks)
        seconds.add_metric(place, spent.seconds)
    return [tasks, seconds]


def _label_studio(session: Session, _at: datetime) -> list[GaugeMetricFamily]:
    failing = _gauge("label_studio_failing", "Projects in Label Studio where the last work failed", "project")
    for name, project_id in _projects(session):
        failing.add_metric([name], counts.failing_targets(session, project_id))
    return [failing]


def _alerts(session: Session, _at: datetime) -> list[GaugeMetricFamily]:
    firing = _gauge("alert_firing", "Whether an alert of the project's file fires", "project", "alert")
    for name, project_id in _projects(session):
        for alert in alerts.of_project(session, project_id):
            firing.add_metric([name, alert.rule.name], float(alert.standing.is_firing))
    return [firing]


def _projects(session: Session) -> list[tuple[str, int]]:
    return [(project.name, project.id) for project in projects.all_projects(session) if project.id is not None]
