"""What annotators made of a sample, all together: its state, whether its users were right, and another look."""

from datetime import datetime

from sqlmodel import Session

from feedback_sdk.types import Task, Verdict
from queue_server import models
from queue_server.core.policy import ArchiveReason, State
from queue_server.core.standing import Standing, standing
from queue_server.store import annotations, feedback, labeling_tasks, reporters, samples
from queue_server.store.labeling_tasks import TaskState

ADJUDICATION = "adjudication"


def settle(session: Session, sample: models.Sample, row: models.LabelingTask, *, task: Task, now: datetime) -> None:
    """Obey a sample's annotations, of which some have changed; the transaction holds the sample.

    1. See how the last look stands. 2. Keep whether the users were right. 3. Move the sample, or queue another look.
    4. Count again how often its reporters are right.
    """
    assert sample.id is not None
    session.refresh(sample)
    stands = _standing(session, row, task)
    is_annotated = stands is Standing.ANNOTATED or (stands is Standing.SKIPPED and row.look > 1)
    outcome = annotations.outcome_of(session, sample.id, verdict=sample.verdict, task=task) if is_annotated else None
    samples.keep_outcome(session, sample, outcome)
    _move(session, sample, row, stands, now=now)
    reporters.recount(session, sample.project_id, _objectors(session, sample.id), now=now)


def leave(
    session: Session, sample: models.Sample, row: models.LabelingTask, *, reason: ArchiveReason, now: datetime
) -> None:
    """Move a sample out of the queue without a finished look: what an earlier look found stays."""
    if row.look > 1:
        samples.move(session, sample, state=State.ANNOTATED, reason=_reason(sample, row), now=now)
    else:
        samples.move(session, sample, state=State.ARCHIVED, reason=reason, now=now)


def _standing(session: Session, row: models.LabelingTask, task: Task) -> Standing:
    live = annotations.live(session, row.sample_pk, look=row.look)
    return standing(
        list(annotations.candidates(live)),
        finishers=len({item.annotator for item in live if not item.is_skipped}),
        skippers=sum(item.is_skipped for item in live),
        annotators=row.annotators,
        task=task,
    )


def _move(
    session: Session, sample: models.Sample, row: models.LabelingTask, stands: Standing, *, now: datetime
) -> None:
    """Move a sample to where its annotations say it is; an erased one stays erased."""
    if sample.reason == ArchiveReason.ERASED and sample.state == State.ARCHIVED:
        return
    if stands is Standing.ANNOTATED:
        samples.move(session, sample, state=State.ANNOTATED, reason=_reason(sample, row), now=now)
    elif stands is Standing.SKIPPED:
        leave(session, sample, row, reason=ArchiveReason.SKIPPED, now=now)
    elif stands is Standing.CONTESTED:
        labeling_tasks.look_again(session, sample, reason=ADJUDICATION, priority=row.priority, now=now)
        samples.move(session, sample, state=State.QUEUED, reason=ADJUDICATION, now=now)
    elif _is_open_again(sample, row):
        samples.move(session, sample, state=State.PUSHED, reason=_reason(sample, row), now=now)


def _is_open_again(sample: models.Sample, row: models.LabelingTask) -> bool:
    """Tell whether what had finished the sample is gone, and its task still there to be done."""
    was_finished = sample.state == State.ANNOTATED or sample.reason == ArchiveReason.SKIPPED
    return was_finished and (row.look == 1 or row.state == TaskState.PUSHED)


def _reason(sample: models.Sample, row: models.LabelingTask) -> str | None:
    return row.reasons[0] if row.reasons else sample.reason


def _objectors(session: Session, sample_pk: int) -> list[str]:
    said = feedback.last_words(feedback.of_sample(session, sample_pk))
    return [row.reporter for row in said if row.reporter is not None and row.verdict != Verdict.CONFIRMED]
