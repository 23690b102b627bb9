"""What each rule of a policy brought to annotators, what they found in it, and what that cost."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from feedback_sdk.types import Task
from queue_server.core.annotation import Difference
from queue_server.core.outcome import is_model_right
from queue_server.core.policy.budget import USUAL_SECONDS
from queue_server.store import caught, projects

#: how far back samples came
SPAN = timedelta(days=90)
#: a page that was left open over lunch is no work
_LONGEST_SECONDS = 900.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleFigures:
    """What came of the samples of one reason, the rule of the highest priority that took them."""

    reason: str
    queued: int
    annotated: int
    #: annotations that changed what the model said
    errors: int
    annotator_minutes: float

    @property
    def minutes_per_error(self) -> float | None:
        """Return what finding one error of the model took; None: none was found."""
        return self.annotator_minutes / self.errors if self.errors else None


@dataclass(frozen=True, kw_only=True, slots=True)
class RulesReport:
    """What each reason brought, the one that queued most first."""

    since: datetime
    rules: list[RuleFigures]


def rules_report(session: Session, *, project_id: int, now: datetime) -> RulesReport:
    """Add up the samples of the last 90 days by their reason."""
    since = now - SPAN
    task = Task(projects.get(session, project_id).task)
    queued = Counter(caught.queued(session, project_id, since=since))
    differences: dict[str, dict[int, Difference]] = {}
    seconds: Counter[str] = Counter()
    for found in caught.findings(session, project_id, since=since):
        differences.setdefault(found.reason, {})[found.sample_pk] = found.difference
        spent = found.seconds if found.seconds is not None else USUAL_SECONDS
        seconds[found.reason] += spent if spent <= _LONGEST_SECONDS else USUAL_SECONDS  # type: ignore[assignment]  # a counter of seconds
    return RulesReport(
        since=since,
        rules=[
            RuleFigures(
                reason=reason,
                queued=count,
                annotated=len(differences.get(reason, {})),
                errors=sum(is_model_right(one, task=task) is False for one in differences.get(reason, {}).values()),
                annotator_minutes=seconds[reason] / 60,
            )
            for reason, count in queued.most_common()
        ],
    )
