"""Bring labeling tasks into Label Studio, each once, and keep them up to date while nobody touched them."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from feedback_sdk.errors import ValidationError
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.label_config import ControlNames
from queue_server.core.label_studio_json import pre_annotation, task_data
from queue_server.core.policy import ArchiveReason, State
from queue_server.core.proposals import Proposal
from queue_server.errors import LabelStudioError
from queue_server.label_studio import LabelStudio, Look
from queue_server.projects import controls_of, each_target, ensure_target, known_target
from queue_server.proposals import proposal_of
from queue_server.store import labeling_tasks, samples, targets
from queue_server.store.engine import reading, writing
from queue_server.store.labeling_tasks import Claim, Pushed

_log = structlog.get_logger()

_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PushResult:
    """What one push did."""

    #: new in Label Studio
    pushed: int = 0
    #: were there already: an earlier push did not live to hear it
    adopted: int = 0
    updated: int = 0
    withdrawn: int = 0
    failed: int = 0

    def __add__(self, other: "PushResult") -> "PushResult":
        return PushResult(
            pushed=self.pushed + other.pushed,
            adopted=self.adopted + other.adopted,
            updated=self.updated + other.updated,
            withdrawn=self.withdrawn + other.withdrawn,
            failed=self.failed + other.failed,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claimed:
    """A task that we hold, with what to say of it; `task_id` is its Label Studio task, if it has one."""

    row: models.LabelingTask
    proposal: Proposal


def push_project(backend: Backend, client: LabelStudio, project: models.Project) -> PushResult:
    """Push all of a project's waiting tasks and changes; safe to run twice and to die anywhere.

    1. Claim a batch of one target with a lease. 2. Ask which of it is there already, if it was tried before. 3. Renew
    the lease and import what is still ours in one request, never repeated blindly. 4. Record the ids while the lease
    is ours. What fails is tried again later.
    """
    assert project.id is not None
    with reading(backend.engine) as session:
        wanted = dict.fromkeys((project.label_studio_title, *labeling_tasks.waiting_titles(session, project.id)))
    for title in wanted:
        known_target(backend, project, title, now=_now())
    with reading(backend.engine) as session:
        known = targets.of_project(session, project.id)

    def push(target: models.LabelStudioTarget) -> PushResult:
        if target.title in wanted:
            target = ensure_target(backend, client, project, target.title, now=_now())
        return _push_target(backend, client, target)

    total = sum(each_target(backend, known, push), PushResult())
    if total != PushResult():
        _log.info("pushed", action="push", project=project.name, pushed=total.pushed, failed=total.failed)
    return total


def _push_target(backend: Backend, client: LabelStudio, target: models.LabelStudioTarget) -> PushResult:
    """Push what waits for a target, and what is to be changed there; one that never was set up has neither."""
    total = PushResult()
    if target.label_studio_project_id is None:
        return total
    for take, work in ((labeling_tasks.claim, _push_claim), (labeling_tasks.claim_stale, _update_claim)):
        while claim := _take(backend, target, take):
            result = work(backend, client, target, claim)
            total += result
            if result.failed == len(claim.task_pks):
                # Label Studio is away: the rest would wait for it one batch after the other.
                break
    return total


def _take(backend: Backend, target: models.LabelStudioTarget, take: Callable[..., Claim]) -> Claim | None:
    """Claim a batch by `labeling_tasks.claim` or `claim_stale`; None: there is nothing to do."""
    with writing(backend.engine) as session:
        claim = take(
            session,
            target,
            owner=secrets.token_hex(8),
            now=_now(),
            lease=timedelta(seconds=backend.settings.lease_seconds),
            limit=backend.settings.push_batch,
        )
    return claim if claim.task_pks else None


def _push_claim(backend: Backend, client: LabelStudio, target: models.LabelStudioTarget, claim: Claim) -> PushResult:
    held = _held(backend, claim)
    try:
        known = _already_there(client, target, held)
        _show_again(client, target, held, known)
        adopted = _record(backend, target, claim, known)
        fresh = [item for item in held if item.row.id not in known]
        return PushResult(adopted=adopted) + _import_all(backend, client, target, claim, fresh)
    except LabelStudioError as error:
        return _release(backend, claim, [item.row for item in held], error)


def _held(backend: Backend, claim: Claim) -> list[_Claimed]:
    """Return what the claim holds with what to say of it; a row whose data does not fit its image is set aside."""
    held = []
    with reading(backend.engine) as session:
        for row in labeling_tasks.held_by(session, claim):
            sample = session.get_one(models.Sample, row.sample_pk)
            try:
                held.append(_Claimed(row=row, proposal=proposal_of(session, sample, row, backend.settings)))
            except ValidationError as error:
                _release(backend, claim, [row], error)
    return held


def _already_there(client: LabelStudio, target: models.LabelStudioTarget, held: Sequence[_Claimed]) -> dict[int, int]:
    """Return row id -> Label Studio task for what an earlier try may have imported; a first try asks nothing."""
    tried = {_look(item): item for item in held if item.row.attempts > 1 or item.row.generation > 1}
    if not tried:
        return {}
    assert target.label_studio_project_id is not None
    found = client.find_tasks(target.label_studio_project_id, list(tried))
    return {_pk(tried[look]): task_id for look, task_id in found.items()}


def _show_again(
    client: LabelStudio, target: models.LabelStudioTarget, held: Sequence[_Claimed], known: dict[int, int]
) -> None:
    """Bring tasks that are there up to date: a withdrawn one that is wanted again comes back into the inbox."""
    for item in held:
        if task_id := known.get(_pk(item)):
            _show(client, target, item, task_id)


def _show(client: LabelStudio, target: models.LabelStudioTarget, item: _Claimed, task_id: int) -> None:
    """Let a task in Label Studio say and draw what is known by now: a correction may have come after the first tap."""
    envelope = pre_annotation(item.proposal, controls=controls_of(target))
    data, predictions = envelope["data"], envelope["predictions"]
    assert isinstance(data, dict)
    assert isinstance(predictions, list)
    client.redraw(task_id, predictions)
    client.update_data(task_id, data, annotators=item.row.annotators)


def _import_all(
    backend: Backend, client: LabelStudio, target: models.LabelStudioTarget, claim: Claim, fresh: Sequence[_Claimed]
) -> PushResult:
    """Import a batch; where Label Studio refuses its content, one by one, so that one bad task stops no other."""
    try:
        return PushResult(pushed=_import(backend, client, target, claim, fresh))
    except LabelStudioError as error:
        if not error.permanent or error.status not in (None, 400) or len(fresh) == 1:
            raise
    total = PushResult()
    for item in fresh:
        try:
            total += PushResult(pushed=_import(backend, client, target, claim, [item]))
        except LabelStudioError as error:
            total += _release(backend, claim, [item.row], error)
    return total


def _import(
    backend: Backend, client: LabelStudio, target: models.LabelStudioTarget, claim: Claim, fresh: Sequence[_Claimed]
) -> int:
    if not fresh:
        return 0
    assert target.label_studio_project_id is not None
    controls = controls_of(target)
    envelopes = {_pk(item): _envelope(item, controls) for item in fresh}
    client.check_tasks(target.label_studio_project_id, list(envelopes.values()))
    # Nothing slow may come between the renewal and the request: another worker could claim what we are about to send.
    still_ours = _renewed(backend, claim)
    held = [pk for pk in envelopes if pk in still_ours]
    if not held:
        return 0
    task_ids = client.import_tasks(target.label_studio_project_id, [envelopes[pk] for pk in held])
    made = dict(zip(held, task_ids, strict=True))
    _show_again(client, target, [item for item in fresh if item.row.annotators > 1], made)
    return _record(backend, target, claim, made)


def _envelope(item: _Claimed, controls: ControlNames) -> dict[str, object]:
    """Return the task to import; for several annotators it comes into the inbox when Label Studio knows how many."""
    is_for_one = item.row.annotators == 1
    return pre_annotation(replace(item.proposal, is_in_inbox=is_for_one), controls=controls)


def _renewed(backend: Backend, claim: Claim) -> frozenset[int]:
    """Return which rows are still ours, for a whole lease from now."""
    lease = timedelta(seconds=backend.settings.lease_seconds)
    with writing(backend.engine) as session:
        return frozenset(labeling_tasks.renew(session, claim, until=_now() + lease))


def _record(backend: Backend, target: models.LabelStudioTarget, claim: Claim, found: dict[int, int]) -> int:
    assert target.label_studio_project_id is not None
    recorded = 0
    with writing(backend.engine) as session:
        for task_pk, task_id in found.items():
            pushed = Pushed(
                task_pk=task_pk,
                label_studio_project_id=target.label_studio_project_id,
                label_studio_task_id=task_id,
            )
            recorded += labeling_tasks.finish_push(session, pushed, owner=claim.owner, now=_now())
    return recorded


def _release(backend: Backend, claim: Claim, rows: Sequence[models.LabelingTask], error: Exception) -> PushResult:
    """Give tasks back, to be tried again after a pause that doubles with each try."""
    attempts = max((row.attempts for row in rows), default=1)
    pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE_SECONDS)
    _log.warning("push failed", action="push", error=str(error)[:500], tasks=len(rows), pause_seconds=pause)
    with writing(backend.engine) as session:
        labeling_tasks.release(
            session,
            [row.id for row in rows if row.id is not None],
            owner=claim.owner,
            available_at=_now() + timedelta(seconds=pause),
            error=str(error)[:1000],
        )
    return PushResult(failed=len(rows))


def _update_claim(backend: Backend, client: LabelStudio, target: models.LabelStudioTarget, claim: Claim) -> PushResult:
    held = _held(backend, claim)
    total = PushResult()
    try:
        for item in held:
            total += _update_one(backend, client, target, claim, item)
    except LabelStudioError as error:
        return total + _release(backend, claim, [item.row for item in held], error)
    return total


def _update_one(
    backend: Backend, client: LabelStudio, target: models.LabelStudioTarget, claim: Claim, item: _Claimed
) -> PushResult:
    """Change a task's data, or take it out of the inbox; one that somebody touched is left alone."""
    assert item.row.label_studio_task_id is not None
    status = client.get_task(item.row.label_studio_task_id)
    if status is None or (status.sample_id, status.look) != _look(item) or not status.is_untouched:
        # The pull will see what happened to it.
        with writing(backend.engine) as session:
            labeling_tasks.finish_update(session, item.row, owner=claim.owner)
        return PushResult()
    data = task_data(item.proposal, controls=controls_of(target))
    if not item.row.is_withdrawal_wanted:
        _show(client, target, item, item.row.label_studio_task_id)
        with writing(backend.engine) as session:
            labeling_tasks.finish_update(session, item.row, owner=claim.owner)
        return PushResult(updated=1)
    client.update_data(item.row.label_studio_task_id, data | {"inbox": "no"})
    with writing(backend.engine) as session:
        sample = samples.lock(session, item.row.sample_pk)
        if not labeling_tasks.finish_withdrawal(session, item.row, owner=claim.owner):
            # Wanted again meanwhile, and stale: the next round shows it again.
            labeling_tasks.release(session, [_pk(item)], owner=claim.owner, available_at=_now(), error=None)
            return PushResult()
        if sample.state in (State.QUEUED, State.PUSHED):
            samples.move(session, sample, state=State.ARCHIVED, reason=ArchiveReason.WITHDRAWN, now=_now())
    return PushResult(withdrawn=1)


def _look(item: _Claimed) -> Look:
    return item.proposal.sample_id, item.row.look


def _pk(item: _Claimed) -> int:
    assert item.row.id is not None
    return item.row.id


def _now() -> datetime:
    return datetime.now(UTC)
