"""COCO's twelve numbers of each model version in production, to hold beside those that its training printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from queue_server.core.model_quality import CocoFigures, Observation, coco_figures, strata
from queue_server.reports.narrowed import Narrowed, matured
from queue_server.store import condensed, projects


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionCoco:
    """The twelve numbers of a version, over all that came."""

    model_version: str
    #: how many annotated images they stand on: those whose boxes have confidences
    annotated: int
    figures: CocoFigures


@dataclass(frozen=True, kw_only=True, slots=True)
class CocoReport:
    """The twelve numbers of each version, the latest first; the report `quality` has intervals."""

    project: str
    made_at: datetime
    versions: list[VersionCoco]


def coco_report(session: Session, narrowed: Narrowed, *, project_id: int, now: datetime) -> CocoReport:
    """Weigh annotated images as the report of quality does; none are counted of tasks without boxes."""
    by_version = condensed.by_version(session, matured(session, narrowed, project_id=project_id, now=now))
    return CocoReport(
        project=projects.get(session, project_id).name,
        made_at=now,
        versions=[
            _version(name, found) for name, found in by_version.items() if narrowed.model_version in (None, name)
        ],
    )


def _version(name: str, observed: Sequence[Observation]) -> VersionCoco:
    known = [
        (one.judged.compared, weight)
        for stratum in strata(observed)
        for one, weight in stratum.weights
        if one.judged is not None and one.judged.compared is not None
    ]
    sure = [(both, weight) for both, weight in known if all(box.confidence is not None for box in both[0])]
    figures = coco_figures([both for both, _ in sure], weights=[weight for _, weight in sure])
    return VersionCoco(model_version=name, annotated=len(sure), figures=figures)
