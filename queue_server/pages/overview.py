"""The figures of one project, as its page shows them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel import Session

from feedback_sdk.types import Verdict
from queue_server import models
from queue_server.core.policy import State
from queue_server.reports import totals
from queue_server.settings import Settings
from queue_server.store import counts, projects, targets

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
class Overview:
    """What a project has got so far."""

    project: str
    task: str
    labels: tuple[str, ...]
    policy_version: int
    samples: int
    feedback_count: int
    waiting: int
    states: tuple[Line, ...]
    archived: tuple[Line, ...]
    queued: tuple[Line, ...]
    feedback: tuple[Line, ...]
    #: the name "" stands for samples without a prediction
    model_versions: tuple[Line, ...]
    #: the inbox in Label Studio; None: there is none yet
    inbox_url: str | None
    has_label_studio: bool
    public_url: str


def read_overview(session: Session, project_id: int, *, settings: Settings) -> Overview:
    """Count what one project has."""
    project = projects.get(session, project_id)
    report = totals(session, project_id=project_id, now=datetime.now(UTC))
    queued = counts.queued_by_reason(session, project_id)
    return Overview(
        project=project.name,
        task=project.task,
        labels=tuple(project.labels),
        policy_version=project.policy_version,
        samples=report.samples,
        feedback_count=sum(report.feedback.values()),
        waiting=sum(queued.values()),
        states=_lines({state: report.by_state.get(state, 0) for state in State}, _MEANINGS),
        archived=_lines(_total([cell for cell in report.cells if cell.state == State.ARCHIVED], "reason")),
        queued=_lines(queued),
        feedback=_lines({verdict: report.feedback.get(verdict, 0) for verdict in Verdict}),
        model_versions=_lines(_total(report.cells, "model_version")),
        inbox_url=inbox_url(targets.main(session, project), settings.label_studio_url),
        has_label_studio=bool(settings.label_studio_url),
        public_url=settings.public_url.rstrip("/"),
    )


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


def _total(cells: Sequence[counts.SampleCount], attribute: str) -> dict[str, int]:
    """Sum cells by one of their attributes, the most frequent first; what has none comes under the empty name."""
    totals: Counter[str] = Counter()
    for cell in cells:
        totals[getattr(cell, attribute) or ""] += cell.count
    return dict(totals.most_common())


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
