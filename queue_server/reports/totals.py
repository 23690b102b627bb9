"""What came, what users said of it, and where it went: counts that are quick to make."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from queue_server.store import counts, projects


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """What came, what users said of it, and where it went; each breakdown sums to `samples`, but for `feedback`."""

    project: str
    made_at: datetime
    samples: int
    by_state: dict[str, int]
    by_reason: dict[str, int]
    by_verdict: dict[str, int]
    by_model_version: dict[str, int]
    #: every verdict that was kept, several of one sample too
    feedback: dict[str, int]
    #: one line per combination
    cells: list[counts.SampleCount]


def totals(session: Session, *, project_id: int, now: datetime) -> Totals:
    """Count a project's samples by state, reason, verdict and model version."""
    cells = counts.by_state(session, project_id)
    return Totals(
        project=projects.get(session, project_id).name,
        made_at=now,
        samples=sum(cell.count for cell in cells),
        by_state=_total(cells, lambda cell: cell.state),
        by_reason=_total(cells, lambda cell: cell.reason or "none"),
        by_verdict=_total(cells, lambda cell: cell.verdict or "none"),
        by_model_version=_total(cells, lambda cell: cell.model_version or "none"),
        feedback=counts.feedback_by_verdict(session, project_id),
        cells=cells,
    )


def _total(cells: list[counts.SampleCount], key: Callable[[counts.SampleCount], str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for cell in cells:
        found[key(cell)] += cell.count
    return dict(sorted(found.items()))
