"""Bring annotators' work back from Label Studio. The webhook is a hint; this is the truth."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlmodel import Session

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Task
from feedback_sdk.wire import to_wire
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.annotation import Difference
from queue_server.core.label_studio_json import annotation, model_difference, user_difference
from queue_server.core.policy import ArchiveReason, State
from queue_server.label_studio import ChangedTask, LabelStudio, RawAnnotation
from queue_server.projects import controls_of, each_target
from queue_server.proposals import proposal_of
from queue_server.store import annotations, changes, labeling_tasks, looks, measuring, projects, samples, targets
from queue_server.store.engine import reading, writing
from queue_server.store.labeling_tasks import Pushed, TaskState
from queue_server.store.targets import Lease

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

    For each target: 1. Take the right to pull. 2. Read what changed since the watermark, less an overlap. 3. Keep each
    version of each annotation once and move its sample. 4. Notice tasks that are gone. 5. Move the watermark.
    """
    assert project.id is not None
    started_at = datetime.now(UTC)
    with reading(backend.engine) as session:
        known = [row for row in targets.of_project(session, project.id) if row.label_studio_project_id is not None]
    results = each_target(backend, known, lambda target: _pull_target(backend, client, project, target))
    done = [result for result in results if result is not None]
    if known and len(done) == len(known):
        with writing(backend.engine) as session:
            projects.forget_wanted_pull(session, project, started_at=started_at)
    total = sum(done, PullResult())
    if total != PullResult():
        _log.info("pulled", action="pull", project=project.name, annotations=total.annotations)
    return total


def _pull_target(
    backend: Backend, client: LabelStudio, project: models.Project, target: models.LabelStudioTarget
) -> PullResult | None:
    """Pull one target; None: another worker does."""
    started_at = datetime.now(UTC)
    until = started_at + timedelta(seconds=backend.settings.lease_seconds)
    with writing(backend.engine) as session:
        if not targets.take_lease(session, target, Lease.PULL, now=started_at, until=until):
            return None
    try:
        return _pull(_Source(backend=backend, client=client, project=project, target=target), started_at)
    finally:
        with writing(backend.engine) as session:
            targets.release_lease(session, target, Lease.PULL)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """Where we pull from, and for which project of ours."""

    backend: Backend
    client: LabelStudio
    project: models.Project
    target: models.LabelStudioTarget

    @property
    def place(self) -> int:
        """Return the project's id in Label Studio."""
        assert self.target.label_studio_project_id is not None
        return self.target.label_studio_project_id


def _pull(source: _Source, started_at: datetime) -> PullResult:
    engine, target = source.backend.engine, source.target
    total = PullResult()
    newest = target.pulled_until or _BEGINNING
    for task in source.client.changed_since(source.place, newest - _OVERLAP):
        with writing(engine) as session:
            total += _take_task(session, source, task, now=datetime.now(UTC))
            targets.renew_lease(session, target, Lease.PULL, until=datetime.now(UTC) + _LEASE)
        newest = max(newest, task.updated_at)
    total += PullResult(deleted_tasks=_notice_deleted(source))
    with writing(engine) as session:
        targets.finish_pull(session, target, pulled_until=newest, started_at=started_at)
    return total


def _take_task(session: Session, source: _Source, task: ChangedTask, *, now: datetime) -> PullResult:
    found = _sample_of(session, source, task, now)
    if found is None:
        return PullResult()
    sample, row = found
    assert sample.id is not None
    known = changes.last(session, sample.id)
    shown = _as_shown(session, row, look=task.look)
    kept = [
        raw for raw in task.annotations if annotations.record(session, _row(session, source, sample, shown, raw, now))
    ]
    gone = _mark_gone(session, sample.id, task, now)
    looks.settle(session, sample, row, task=Task(source.project.task), now=now)
    if kept or gone:
        measuring.keep_changed(session, sample)
    if (kept or gone) and changes.last(session, sample.id).id == known.id:
        # Another annotation in the same state is a change all the same.
        changes.record(session, sample, now=now)
    return PullResult(
        annotations=sum(not raw.was_cancelled for raw in kept),
        skipped=sum(raw.was_cancelled for raw in kept),
        deleted_annotations=gone,
    )


def _sample_of(
    session: Session, source: _Source, task: ChangedTask, now: datetime
) -> tuple[models.Sample, models.LabelingTask] | None:
    """Return the sample that a Label Studio task is about, or None for tasks that are not ours."""
    sample_id = _uuid(task.sample_id)
    if sample_id is None:
        return None
    sample = samples.find(session, source.target.project_id, sample_id, for_update=True)
    row = labeling_tasks.of_sample(session, sample.id) if sample is not None and sample.id is not None else None
    if sample is None or row is None:
        return None
    if row.look != task.look:
        return sample, row
    if row.state == TaskState.WAITING and row.label_studio_task_id is None:
        assert row.id is not None
        # The push that made it did not live to record it, and an annotator was faster than the next one.
        adopted = Pushed(task_pk=row.id, label_studio_project_id=source.place, label_studio_task_id=task.task_id)
        labeling_tasks.finish_push(session, adopted, owner=None, now=now)
        session.refresh(row)
        session.refresh(sample)
    if row.label_studio_task_id not in (None, task.task_id):
        _log.warning("a second task of one sample", action="pull", sample=str(sample.sample_id), task=task.task_id)
    return sample, row


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """Which look at a sample an annotation was made in, and what its annotator saw there."""

    task: models.LabelingTask
    look: int
    is_blind: bool


def _as_shown(session: Session, row: models.LabelingTask, *, look: int) -> _Shown:
    """Return what a task of that look showed: our row tells of the last look alone, annotations of those before."""
    is_blind = row.is_blind if look == row.look else annotations.is_blind(session, row.sample_pk, look=look)
    return _Shown(task=row, look=look, is_blind=is_blind)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        return None


def _row(
    session: Session, source: _Source, sample: models.Sample, shown: _Shown, raw: RawAnnotation, now: datetime
) -> models.Annotation:
    """Return an annotation as we keep it; one that cannot be read is kept with its fault."""
    assert sample.id is not None
    row = models.Annotation(
        project_id=sample.project_id,
        sample_pk=sample.id,
        label_studio_annotation_id=raw.id,
        look=shown.look,
        is_blind=shown.is_blind,
        annotator=raw.annotator or "unknown",
        created_at=raw.created_at,
        updated_at=raw.updated_at,
        pulled_at=now,
        lead_time_seconds=raw.lead_time_seconds,
        is_skipped=raw.was_cancelled,
        is_ground_truth=raw.ground_truth,
        result=[dict(region) for region in raw.result],
    )
    proposal = proposal_of(session, sample, shown.task, source.backend.settings)
    proposal = replace(proposal, is_blind=shown.is_blind)
    controls = controls_of(source.target)
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
    known = annotations.live(session, sample_pk, look=task.look)
    gone = [row for row in known if row.label_studio_annotation_id not in there]
    annotations.mark_deleted(session, [row.id for row in gone if row.id is not None], now=now)
    return len(gone)


def _notice_deleted(source: _Source) -> int:
    """Take samples whose task somebody deleted out of the queue; finished work stays ours."""
    engine = source.backend.engine
    with reading(engine) as session:
        rows = labeling_tasks.in_label_studio(session, source.target)
    ids = {row.label_studio_task_id: row for row in rows if row.label_studio_task_id is not None}
    there = source.client.existing_task_ids(source.place, list(ids))
    gone = [row for task_id, row in ids.items() if task_id not in there]
    if gone:
        # Tasks of a project that is gone as a whole were not taken back by anyone: this raises.
        source.client.get_label_config(source.place)
    for row in gone:
        with writing(engine) as session:
            sample = samples.lock(session, row.sample_pk)
            if labeling_tasks.mark_deleted(session, row) and sample.state in (State.PUSHED, State.QUEUED):
                looks.leave(session, sample, row, reason=ArchiveReason.WITHDRAWN, now=datetime.now(UTC))
    return len(gone)
