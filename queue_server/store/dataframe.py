"""A row of each sample for programs that look at data: pandas, Evidently, a spreadsheet."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, or_, select
from sqlmodel import Session, col

from feedback_sdk.types import Task
from queue_server import models
from queue_server.core.outcome import is_model_right
from queue_server.core.policy import ArchiveReason
from queue_server.store import metrics
from queue_server.store.drift import label_parts
from queue_server.store.quality import Matured, narrowed
from queue_server.store.truths import Truth, truths

Sample, Prediction = models.Sample, models.Prediction

_PAGE = 5000
_OWN = (
    *("id", "sample_id", "captured_at", "model_version", "stream", "subject", "state", "reason", "verdict"),
    *("confidence", "inclusion_probability", "capture_probability", "stands_for"),
)
#: text, a number or neither of each sample; metrics follow
TEXTS = ("model_version", "stream", "subject", "state", "reason", "verdict", "predicted", "annotated", "is_right")
NUMBERS = (
    *("confidence", "inclusion_probability", "capture_probability", "stands_for"),
    *("predicted_count", "annotated_count"),
)


def names(session: Session, project_id: int) -> tuple[str, ...]:
    """Return the columns, in their order."""
    return ("sample_id", "captured_at", *TEXTS, *NUMBERS, *metric_names(session, project_id))


def metric_names(session: Session, project_id: int) -> tuple[str, ...]:
    """Return the columns of metrics; those of annotations have the annotation's own beside them."""
    return tuple(name for name in metrics.names(session, project_id) if name != "annotated_count")


def pages(session: Session, wanted: Matured) -> Iterator[Sequence[Mapping[str, object]]]:
    """Yield the samples in the order of their arrival, page by page; those in their window are among them."""
    after = 0
    measured = metric_names(session, wanted.project_id)
    while True:
        rows = session.connection().execute(_query(wanted, measured, after).limit(_PAGE))
        page = [dict(row) for row in rows.mappings()]
        yield _described(session, wanted.task, page)
        if len(page) < _PAGE:
            return
        after = page[-1]["id"]


def _query(wanted: Matured, measured: Sequence[str], after: int) -> Select[Any]:
    columns: list[Any] = [getattr(Sample, name) for name in _OWN]
    columns += [metrics.column(name).label(name) for name in measured]
    query = select(*columns, col(Prediction.document)).select_from(Sample)
    return (
        metrics.join(query)
        .outerjoin(Prediction, (col(Prediction.sample_pk) == col(Sample.id)) & col(Prediction.is_shown))
        .where(*narrowed(wanted), col(Sample.id) > after)
        .where(or_(col(Sample.reason).is_(None), col(Sample.reason) != ArchiveReason.ERASED))
        .order_by(col(Sample.id))
    )


def _described(session: Session, task: Task, rows: Sequence[dict[str, Any]]) -> list[Mapping[str, object]]:
    found = truths(session, task, {row["id"] for row in rows})
    return [
        row
        | {"sample_id": str(row["sample_id"])}
        | _predicted(row["document"] or {}, task)
        | _annotated(found.get(row["id"]), task)
        for row in rows
    ]


def _predicted(document: Mapping[str, Any], task: Task) -> dict[str, object]:
    lists = [document[name] for name in ("boxes", "polygons", "masks", "keypoints") if document.get(name) is not None]
    counted = document.get("count")
    return {
        "predicted": " + ".join(sorted(label_parts(document))) or None if task is Task.CLASSIFICATION else None,
        "predicted_count": sum(map(len, lists)) if counted is None and lists else counted,
    }


def _annotated(truth: Truth | None, task: Task) -> dict[str, object]:
    if truth is None:
        return {"annotated": None, "annotated_count": None, "is_right": None}
    is_right = is_model_right(truth.difference, task=task) if truth.difference is not None else None
    return {
        "annotated": " + ".join(sorted(truth.annotation.labels)) or None if task is Task.CLASSIFICATION else None,
        "annotated_count": truth.annotation.object_count if task is not Task.CLASSIFICATION else None,
        "is_right": None if is_right is None else "yes" if is_right else "no",
    }
