"""How good each model version is in production, and what that stands on."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlmodel import Session

from feedback_sdk.types import Task
from queue_server.core.model_quality import (
    Anchoring,
    Comparison,
    Observation,
    Stratum,
    Through,
    VersionQuality,
    anchoring,
    compare,
    strata,
    version_quality,
)
from queue_server.core.reliability import Reliability, reliability
from queue_server.reports.drift import drift_report
from queue_server.reports.narrowed import Narrowed, matured
from queue_server.reports.totals import Totals, totals
from queue_server.store import condensed, quality


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityReport(Totals):
    """What came and where it went, in all; and how good each model version is, over samples of some time.

    The figures go by when a sample was captured, and only over samples whose confirmation window has ended, as they
    stood then.
    """

    #: the figures are of samples that were captured from then on
    since: datetime
    #: the latest first
    versions: list[VersionQuality]
    #: the latest version that is shown with the one before it; null: there is none
    comparison: Comparison | None
    #: whether annotators say the same of a sample that several looked at: its classes, else its number of objects
    annotators: Reliability
    #: whether reporters do: object or confirm
    reporters: Reliability
    #: how far pre-annotations pull annotators, by the audits that were shown and those that were blind
    anchoring: Anchoring


def quality_report(session: Session, narrowed: Narrowed, *, project_id: int, now: datetime) -> QualityReport:
    """Estimate how good each model version is, beside what came in all."""
    wanted = matured(session, narrowed, project_id=project_id, now=now)
    by_version = condensed.by_version(session, wanted)
    shown = [name for name in by_version if narrowed.model_version in (None, name)]
    # Confidences tell of a classifier while its data is like what was annotated; of earlier versions none comes now.
    drifted = _drifted(session, narrowed, shown[:1], project_id=project_id, now=now) if _expects(wanted) else set()
    said = quality.voices(session, wanted)
    came = condensed.came(session, wanted) if _expects(wanted) else {}
    base = totals(session, project_id=project_id, now=now)
    return QualityReport(
        **{field.name: getattr(base, field.name) for field in fields(base)},
        since=wanted.since or now,
        versions=[
            version_quality(by_version[name], task=wanted.task, came=came.get(name), is_drifted=name in drifted)
            for name in shown
        ],
        comparison=_comparison(by_version, shown[0]) if shown else None,
        annotators=reliability(said.annotators),
        reporters=reliability(said.reporters),
        anchoring=anchoring([one for found in by_version.values() for one in found]),
    )


def _expects(wanted: quality.Matured) -> bool:
    return wanted.task is Task.CLASSIFICATION


def _drifted(
    session: Session, narrowed: Narrowed, versions: Sequence[str], *, project_id: int, now: datetime
) -> set[str]:
    """Return which of the versions see other data now than their reference."""
    asked = {version: replace(narrowed, model_version=version, since=None) for version in versions}
    return {
        version
        for version, one in asked.items()
        if drift_report(session, one, project_id=project_id, now=now).is_drifted
    }


def _comparison(by_version: dict[str, list[Observation]], name: str) -> Comparison | None:
    names = list(by_version)
    earlier = names[names.index(name) + 1 :]
    return compare(by_version[name], by_version[earlier[0]]) if earlier else None


#: what a file of strata says of each
STRATA_COLUMNS = (
    "model_version",
    "stratum",
    "through",
    "samples",
    "size",
    "drawn",
    "annotated",
    "weight_right",
    "weight_wrong",
    "weight_open",
    "weight_squares",
    "effective_n",
    "stratum_weight",
    "share",
)


def strata_csv(session: Session, narrowed: Narrowed, *, project_id: int, now: datetime) -> str:
    """Return the strata of each version as CSV, from which its accuracy can be reproduced elsewhere.

    Σ stratum_weight × share over the strata that have a share, divided by their Σ stratum_weight.
    """
    wanted = matured(session, narrowed, project_id=project_id, now=now)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(STRATA_COLUMNS)
    for name, found in condensed.by_version(session, wanted).items():
        if narrowed.model_version in (None, name):
            made = strata(found)
            total = sum(stratum.cell.size for stratum in made)
            writer.writerows([(_text(name), *_line(stratum, total)) for stratum in made])
    return out.getvalue()


def _line(stratum: Stratum, total: float) -> tuple[object, ...]:
    cell = stratum.cell
    known = cell.right + cell.wrong
    is_sampled = stratum.through in (Through.RULES, Through.AUDIT)
    return (
        stratum.name,
        stratum.through,
        cell.units,
        cell.size,
        cell.drawn,
        cell.annotated,
        cell.right,
        cell.wrong,
        cell.open,
        cell.squares,
        cell.effective_n if is_sampled else "",
        cell.size / total,
        cell.right / known if known else "",
    )


def _text(name: str) -> str:
    """Return a name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in {"=", "+", "-", "@", "\t", "\r"} else name
