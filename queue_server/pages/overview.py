"""The figures of one project, as its first page shows them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import render_template
from sqlmodel import Session

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.core.alerts import Status
from queue_server.core.policy import State
from queue_server.pages.charts import Chart, progress_chart
from queue_server.pages.frame import admin, backend, blueprint
from queue_server.readiness import check_readiness
from queue_server.reports import snapshots
from queue_server.reports.progress import Point, Progress
from queue_server.reports.quality import QualityReport
from queue_server.reports.totals import Totals
from queue_server.settings import Settings
from queue_server.store import alerts, counts, projects, targets
from queue_server.store.engine import reading
from queue_server.store.inbox import WAITING

_MEANINGS = {
    State.AWAITING_FEEDBACK: "The confirmation window is open: users may still say what they think.",
    State.HELD: "Chosen; waits until the budget's period ends.",
    State.QUEUED: "Chosen; goes to Label Studio with the next push.",
    State.PUSHED: "In Label Studio, waits for an annotator.",
    State.ANNOTATED: "An annotator has finished it.",
    State.ARCHIVED: "Needs no annotator.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One bar of a table; `percent` is of the table's sum."""

    name: str
    meaning: str
    count: int
    percent: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of the way from a prediction into a data set; `percent` is of the first."""

    name: str
    meaning: str
    count: int
    percent: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """What a project has got so far."""

    project: str
    task: str
    labels: tuple[str, ...]
    policy_version: int
    samples: int
    #: when they were counted; None: for this page
    counted_at: datetime | None
    feedback_count: int
    waiting: int
    steps: tuple[Step, ...]
    states: tuple[Line, ...]
    archived: tuple[Line, ...]
    queued: tuple[Line, ...]
    feedback: tuple[Line, ...]
    #: the name "" stands for samples without a prediction
    model_versions: tuple[Line, ...]
    #: None: no worker has made it yet
    quality: snapshots.Snapshot[QualityReport] | None
    chart: Chart | None
    #: names of alerts that are raised and that nobody has acknowledged
    firing: tuple[str, ...]
    #: what the chart shows, the latest week first
    points: tuple[Point, ...]
    #: the inbox in Label Studio; None: there is none yet
    inbox_url: str | None
    has_label_studio: bool
    public_url: str


@blueprint.get("/")
def show_overview() -> str:
    """Show the server's parts and the figures of the key's project."""
    caller = admin()
    with reading(backend().engine) as session:
        overview = read_overview(session, caller.project_id, settings=backend().settings)
    return render_template("pages/overview.html", overview=overview, readiness=check_readiness(backend()))


def read_overview(session: Session, project_id: int, *, settings: Settings) -> Overview:
    """Count what one project has; what takes long was counted by a worker."""
    project = projects.get(session, project_id)
    now = datetime.now(UTC)
    counted = snapshots.current(session, project_id, Totals, now=now)
    passed = snapshots.current(session, project_id, snapshots.Passed, now=now)
    report = counted.value
    queued = _total([cell for cell in report.cells if cell.state in WAITING], "reason")
    progress = snapshots.latest(session, project_id, Progress)
    return Overview(
        project=project.name,
        task=project.task,
        labels=tuple(project.labels),
        policy_version=project.policy_version,
        samples=report.samples,
        counted_at=counted.made_at if counted.made_at != now else None,
        feedback_count=sum(report.feedback.values()),
        waiting=sum(queued.values()),
        steps=_steps(report, passed.value),
        states=_lines({state: report.by_state.get(state, 0) for state in State}, _MEANINGS),
        archived=_lines(_total([cell for cell in report.cells if cell.state == State.ARCHIVED], "reason")),
        queued=_lines(queued),
        feedback=_lines({verdict: report.feedback.get(verdict, 0) for verdict in Verdict}),
        model_versions=_lines(_total(report.cells, "model_version")),
        quality=snapshots.latest(session, project_id, QualityReport),
        chart=progress_chart(progress.value) if progress is not None else None,
        firing=_firing(session, project_id, now),
        points=_points(progress.value) if progress is not None else (),
        inbox_url=inbox_url(targets.main(session, project), settings.label_studio_url),
        has_label_studio=bool(settings.label_studio_url),
        public_url=settings.public_url.rstrip("/"),
    )


def _firing(session: Session, project_id: int, now: datetime) -> tuple[str, ...]:
    return tuple(one.rule.name for one in alerts.of_project(session, project_id) if one.status(now) is Status.FIRING)


def _points(made: Progress) -> tuple[Point, ...]:
    return tuple(sorted(made.points, key=lambda point: (point.week, point.model_version), reverse=True))


def inbox_url(target: models.LabelStudioTarget | None, label_studio_url: str) -> str | None:
    """Return the address of a target's inbox in Label Studio; None until a worker has made it.

    >>> here = models.LabelStudioTarget(label_studio_project_id=7, label_studio_view_id=3)
    >>> inbox_url(here, "http://studio.example/")
    'http://studio.example/projects/7/data?tab=3'
    >>> inbox_url(None, "http://studio.example") is None
    True
    """
    if not label_studio_url or target is None or target.label_studio_project_id is None:
        return None
    tasks = f"{label_studio_url.rstrip('/')}/projects/{target.label_studio_project_id}/data"
    return tasks if target.label_studio_view_id is None else f"{tasks}?tab={target.label_studio_view_id}"


def _steps(report: Totals, passed: snapshots.Passed) -> tuple[Step, ...]:
    """Return the way from a prediction into a data set."""
    cells = report.cells
    counted = {
        "Predictions": ("samples with what a model said", _sum(cells, lambda cell: cell.model_version is not None)),
        "Feedback": ("of these, a user said something", _sum(cells, lambda cell: cell.verdict is not None)),
        "Queued": ("chosen for an annotator, ever", passed.queued),
        "Annotated": ("an annotator has finished it", _sum(cells, lambda cell: cell.state == State.ANNOTATED)),
        "Exported": ("annotated, in the largest data set", passed.exported),
    }
    first = max(counted["Predictions"][1], 1)
    return tuple(
        Step(name=name, meaning=meaning, count=count, percent=min(100.0, round(100 * count / first, 2)))
        for name, (meaning, count) in counted.items()
    )


def _sum(cells: Sequence[counts.SampleCount], is_meant: Callable[[counts.SampleCount], bool]) -> int:
    return sum(cell.count for cell in cells if is_meant(cell))


def _total(cells: Sequence[counts.SampleCount], attribute: str) -> dict[str, int]:
    """Sum cells by one of their attributes, the most frequent first; what has none comes under the empty name."""
    found: Counter[str] = Counter()
    for cell in cells:
        found[getattr(cell, attribute) or ""] += cell.count
    return dict(found.most_common())


def _lines(figures: Mapping[str, int], meanings: Mapping[State, str] | None = None) -> tuple[Line, ...]:
    whole = sum(figures.values()) or 1
    return tuple(
        Line(
            name=str(name),
            meaning=(meanings or {}).get(State(name), "") if meanings else "",
            count=count,
            percent=round(100 * count / whole, 2),
        )
        for name, count in figures.items()
    )
