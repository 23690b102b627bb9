"""Bring annotators' work back from Label Studio. The webhook is a hint; this is the truth."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlmodel import Session

from feedback_sdk import types
from feedback_sdk.errors import ValidationError
from feedback_sdk.wire import to_wire
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.annotation import Difference
from queue_server.core.label_studio_json import annotation, model_difference, user_difference
from queue_server.core.policy import ArchiveReason, State
from queue_server.label_studio import ChangedTask, LabelStudio, RawAnnotation
from queue_server.projects import controls_of
from queue_server.proposals import proposal_of
from queue_server.store import annotations, changes, labeling_tasks, projects, samples
from queue_server.store.engine import reading, writing
from queue_server.store.labeling_tasks import Pushed, TaskState
from queue_server.store.projects import Lease

_log = structlog.get_logger()

#: Changes that commit late carry an earlier time than ones that we saw: look back so far each time.
_OVERLAP = timedelta(minutes=5)
#: Renewed with each task: it need not outlast a long pull, and one that died holds up the next no longer.
_LEASE = timedelta(minutes=2)
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class PullResult:
    """What one pull brought that we did not have."""

    annotations: int = 0
    skipped: int = 0
    deleted_annotations: int = 0
    deleted_tasks: int = 0

    def __add__(self, other: "PullResult") -> "PullResult":
        return PullResult(
            annotations=self.annotations + other.annotations,
            skipped=self.skipped + other.skipped,
            deleted_annotations=self.deleted_annotations + other.deleted_annotations,
            deleted_tasks=self.deleted_tasks + other.deleted_tasks,
        )


def pull_project(backend: Backend, client: LabelStudio, project: models.Project) -> PullResult:
    """Pull all that changed in a project's Label Studio tasks; safe to run twice and to die anywhere.

    1. Take the right to pull. 2. Read what changed since the watermark, less an overlap. 3. Keep each version of each
    annotation once and move its sample. 4. Notice tasks that are gone. 5. Move the watermark.
    """
    if project.label_studio_project_id is None:
        return PullResult()
    started_at = datetime.now(UTC)
    until = started_at + timedelta(seconds=backend.settings.lease_seconds)
    with writing(backend.engine) as session:
        if not projects.take_lease(session, project, Lease.PULL, now=started_at, until=until):
            return PullResult()
    try:
        return _pull(backend, client, project, started_at)
    finally:
        with writing(backend.engine) as session:
            projects.release_lease(session, project, Lease.PULL)


def _pull(backend: Backend, client: LabelStudio, project: models.Project, started_at: datetime) -> PullResult:
    assert project.label_studio_project_id is not None
    total = PullResult()
    newest = project.pulled_until or _BEGINNING
    for task in client.changed_since(project.label_studio_project_id, newest - _OVERLAP):
        with writing(backend.engine) as session:
            total += _take_task(session, backend, project, task, now=datetime.now(UTC))
            projects.renew_lease(session, project, Lease.PULL, until=datetime.now(UTC) + _LEASE)
        newest = max(newest, task.updated_at)
    total += PullResult(deleted_tasks=_notice_deleted(backend, client, project))
    with writing(backend.engine) as session:
        projects.finish_pull(session, project, pulled_until=newest, started_at=started_at)
    if total != PullResult():
        _log.info("pulled", action="pull", project=project.name, annotations=total.annotations)
    return total


def _take_task(
    session: Session, backend: Backend, project: models.Project, task: ChangedTask, *, now: datetime
) -> PullResult:
    found = _sample_of(session, project, task, now)
    if found is None:
        return PullResult()
    sample, row = found
    assert sample.id is not None
    known = changes.last(session, sample.id)
    kept = [
        raw for raw in task.annotations if annotations.record(session, _row(session, backend, project, found, raw, now))
    ]
    gone = _mark_gone(session, sample.id, task, now)
    _judge(session, project, sample)
    _move(session, sample, row, now=now)
    if (kept or gone) and changes.last(session, sample.id).id == known.id:
        # Another annotation in the same state is a change all the same.
        changes.record(session, sample, now=now)
    return PullResult(
        annotations=sum(not raw.was_cancelled for raw in kept),
        skipped=sum(raw.was_cancelled for raw in kept),
        deleted_annotations=gone,
    )


def _sample_of(
    session: Session, project: models.Project, task: ChangedTask, now: datetime
) -> tuple[models.Sample, models.LabelingTask] | None:
    """Return the sample that a Label Studio task is about, or None for tasks that are not ours."""
    assert project.id is not None
    assert project.label_studio_project_id is not None
    sample_id = _uuid(task.sample_id)
    if sample_id is None:
        return None
    sample = samples.find(session, project.id, sample_id, for_update=True)
    row = labeling_tasks.of_sample(session, sample.id) if sample is not None and sample.id is not None else None
    if sample is None or row is None:
        return None
    if row.state == TaskState.WAITING and row.label_studio_task_id is None:
        assert row.id is not None
        # The push that made it did not live to record it, and an annotator was faster than the next one.
        adopted = Pushed(
            task_pk=row.id,
            label_studio_project_id=project.label_studio_project_id,
            label_studio_task_id=task.task_id,
        )
        labeling_tasks.finish_push(session, adopted, owner=None, now=now)
        session.refresh(row)
        session.refresh(sample)
    if row.label_studio_task_id not in (None, task.task_id):
        _log.warning("a second task of one sample", action="pull", sample=str(sample.sample_id), task=task.task_id)
    return sample, row


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        return None


def _row(
    session: Session,
    backend: Backend,
    project: models.Project,
    found: tuple[models.Sample, models.LabelingTask],
    raw: RawAnnotation,
    now: datetime,
) -> models.Annotation:
    """Return an annotation as we keep it; one that cannot be read is kept with its fault."""
    sample, task = found
    assert project.id is not None
    assert sample.id is not None
    row = models.Annotation(
        project_id=project.id,
        sample_pk=sample.id,
        label_studio_annotation_id=raw.id,
        annotator=raw.annotator or "unknown",
        created_at=raw.created_at,
        updated_at=raw.updated_at,
        pulled_at=now,
        lead_time_seconds=raw.lead_time_seconds,
        is_skipped=raw.was_cancelled,
        is_ground_truth=raw.ground_truth,
        result=[dict(region) for region in raw.result],
    )
    proposal = proposal_of(session, sample, task, backend.settings)
    controls = controls_of(project)
    try:
        finished = annotation(raw.result, width=proposal.width, height=proposal.height, controls=controls)
        row.document = _document(finished)
        row.model_difference = _difference(model_difference(raw.result, proposal, controls=controls))
        row.user_difference = _difference(user_difference(raw.result, proposal, controls=controls))
    except ValidationError as error:
        row.fault = f"{error.field}: {error.message}"
    return row


def _document(value: object) -> dict[str, object]:
    document = to_wire(value)
    assert isinstance(document, dict)
    return document


def _difference(value: Difference | None) -> dict[str, object] | None:
    return asdict(value) if value is not None else None


def _mark_gone(session: Session, sample_pk: int, task: ChangedTask, now: datetime) -> int:
    there = {raw.id for raw in task.annotations}
    gone = [row for row in annotations.live(session, sample_pk) if row.label_studio_annotation_id not in there]
    annotations.mark_deleted(session, [row.id for row in gone if row.id is not None], now=now)
    return len(gone)


def _judge(session: Session, project: models.Project, sample: models.Sample) -> None:
    """Keep on the sample whether its users were right."""
    assert sample.id is not None
    session.refresh(sample)
    task = types.Task(project.task)
    outcome = annotations.outcome_of(session, sample.id, verdict=sample.verdict, task=task)
    samples.keep_outcome(session, sample, outcome)


def _move(session: Session, sample: models.Sample, task: models.LabelingTask, *, now: datetime) -> None:
    """Move a sample to where its annotations say it is; an erased one stays erased."""
    assert sample.id is not None
    session.refresh(sample)
    if sample.reason == ArchiveReason.ERASED and sample.state == State.ARCHIVED:
        return
    live = annotations.live(session, sample.id)
    reason = task.reasons[0] if task.reasons else sample.reason
    if any(not row.is_skipped for row in live):
        samples.move(session, sample, state=State.ANNOTATED, reason=reason, now=now)
    elif live:
        samples.move(session, sample, state=State.ARCHIVED, reason=ArchiveReason.SKIPPED, now=now)
    elif sample.state == State.ANNOTATED or sample.reason == ArchiveReason.SKIPPED:
        samples.move(session, sample, state=State.PUSHED, reason=reason, now=now)


def _notice_deleted(backend: Backend, client: LabelStudio, project: models.Project) -> int:
    """Take samples whose task somebody deleted out of the queue; finished work stays ours."""
    assert project.id is not None
    assert project.label_studio_project_id is not None
    with reading(backend.engine) as session:
        rows = labeling_tasks.in_label_studio(session, project.id)
    ids = {row.label_studio_task_id: row for row in rows if row.label_studio_task_id is not None}
    there = client.existing_task_ids(project.label_studio_project_id, list(ids))
    gone = [row for task_id, row in ids.items() if task_id not in there]
    if gone:
        # Tasks of a project that is gone as a whole were not taken back by anyone: this raises.
        client.get_label_config(project.label_studio_project_id)
    for row in gone:
        with writing(backend.engine) as session:
            if labeling_tasks.mark_deleted(session, row):
                sample = samples.lock(session, row.sample_pk)
                if sample.state in (State.PUSHED, State.QUEUED):
                    now = datetime.now(UTC)
                    samples.move(session, sample, state=State.ARCHIVED, reason=ArchiveReason.WITHDRAWN, now=now)
    return len(gone)
