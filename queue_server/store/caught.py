"""What came of the samples that each reason brought to annotators, in bulk."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import sqlalchemy
from sqlalchemy import func
from sqlmodel import Session, col, select

from queue_server import models
from queue_server.core.annotation import Difference
from queue_server.core.policy import State

Sample, Task, Annotation = models.Sample, models.LabelingTask, models.Annotation

_PAGE = 5000


class Finding(NamedTuple):
    """One annotation of a sample that a reason brought: how it differs from the model, and what it took."""

    reason: str
    sample_pk: int
    difference: Difference
    #: of the annotator; None: Label Studio did not say
    seconds: float | None


def queued(session: Session, project_id: int, *, since: datetime) -> dict[str, int]:
    """Count the samples received since then that got a labeling task, by the reason that ranks highest."""
    query = (
        select(Sample.reason, func.count())
        .join(Task, col(Task.sample_pk) == Sample.id)
        .where(Sample.project_id == project_id, col(Sample.received_at) >= since)
        .group_by(col(Sample.reason))
    )
    return {reason or "": count for reason, count in session.exec(query)}


def findings(session: Session, project_id: int, *, since: datetime) -> Iterator[Finding]:
    """Yield what annotators found in samples received since then; of several versions the later ones come later."""
    after = 0
    while True:
        query = (
            sqlalchemy.select(
                col(Annotation.id),
                col(Sample.reason),
                col(Annotation.sample_pk),
                col(Annotation.model_difference),
                col(Annotation.lead_time_seconds),
            )
            .join(Sample, col(Sample.id) == Annotation.sample_pk)
            .where(
                col(Annotation.project_id) == project_id,
                col(Annotation.id) > after,
                col(Annotation.deleted_at).is_(None),
                col(Annotation.is_skipped).is_(False),
                col(Sample.state) == State.ANNOTATED,
                col(Sample.received_at) >= since,
            )
            .order_by(col(Annotation.id))
            .limit(_PAGE)
        )
        rows = session.connection().execute(query).all()
        for _, reason, pk, difference, seconds in rows:
            if difference is not None:
                yield Finding(reason or "", pk, Difference(**difference), seconds)
        if len(rows) < _PAGE:
            return
        after = rows[-1].id or 0
