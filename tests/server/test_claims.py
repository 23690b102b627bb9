"""How workers share labeling tasks, on each database: claims, leases, and changes that come while a task is held."""

import itertools
import threading
import time
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import Session

from feedback_sdk.types import Feedback, Verdict
from queue_server import models
from queue_server.auth import Caller
from queue_server.backend import Backend
from queue_server.ingest.due import decide_due
from queue_server.ingest.feedback import take_feedback
from queue_server.ingest.requests import request_sample
from queue_server.ingest.samples import take_image, take_sample
from queue_server.store import labeling_tasks, samples, targets
from queue_server.store.engine import reading, writing
from queue_server.store.labeling_tasks import Claim, Pushed, TaskState
from queue_server.store.targets import Lease
from tests.server.conftest import NOW, apply_project, jpeg, prediction, sample

LEASE = timedelta(seconds=60)
LATER = NOW + LEASE + timedelta(seconds=1)


class Queue:
    """One project's labeling tasks, and the workers that want them."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.seeds = itertools.count()
        project = apply_project(backend)
        self.project_id = project.id
        with writing(backend.engine) as session:
            target = targets.ensure(session, project, project.label_studio_title, now=NOW)
            targets.record(session, target, label_studio_project_id=1, view_id=1, tabs={}, controls={})
            self.target = targets.get(session, target.id)

    def arrive(self, confidence: float = 0.9, *, has_image: bool = True) -> UUID:
        """Take a sample; each has a picture of its own, else one task would serve them all."""
        value = sample(prediction(confidence))
        image = jpeg(seed=next(self.seeds)) if has_image else None
        take_sample(self.backend, self.project_id, value, image=image, now=NOW)
        return value.id

    def say(self, sample_id: UUID, verdict: Verdict, *, reporter: str = "anna") -> None:
        given = Feedback(id=uuid4(), sample_id=sample_id, verdict=verdict, reporter=reporter)
        take_feedback(self.backend, Caller(project_id=self.project_id, scopes=frozenset()), given, now=NOW)

    def add(self, *, has_image: bool = True) -> UUID:
        """Queue a rejected sample."""
        sample_id = self.arrive(has_image=has_image)
        self.say(sample_id, Verdict.REJECTED)
        return sample_id

    def claim(self, owner: str = "one", *, now: datetime = NOW, limit: int = 100) -> Claim:
        with writing(self.backend.engine) as session:
            return labeling_tasks.claim(session, self.target, owner=owner, now=now, lease=LEASE, limit=limit)

    def claim_stale(self, *, now: datetime = NOW) -> list[UUID]:
        with writing(self.backend.engine) as session:
            claim = labeling_tasks.claim_stale(session, self.target, owner="stale", now=now, lease=LEASE, limit=100)
        return self.samples_of(claim)

    def samples_of(self, claim: Claim) -> list[UUID]:
        """Return the samples of the tasks that a claim still holds, in its order."""
        with reading(self.backend.engine) as session:
            held = labeling_tasks.held_by(session, claim)
            return [session.get_one(models.Sample, row.sample_pk).sample_id for row in held]

    def renew(self, claim: Claim, *, until: datetime) -> set[int]:
        with writing(self.backend.engine) as session:
            return labeling_tasks.renew(session, claim, until=until)

    def take_pull(self, *, now: datetime, until: datetime) -> bool:
        with writing(self.backend.engine) as session:
            return targets.take_lease(session, self.target, Lease.PULL, now=now, until=until)

    def renew_pull(self, *, until: datetime) -> None:
        with writing(self.backend.engine) as session:
            targets.renew_lease(session, self.target, Lease.PULL, until=until)

    def change(self, sample_id: UUID, **values: object) -> None:
        """Set these columns of a sample's task."""
        with writing(self.backend.engine) as session:
            row = labeling_tasks.of_sample(session, self._sample(session, sample_id).id)
            for name, value in values.items():
                setattr(row, name, value)

    def waiting(self) -> tuple[list[str], list[str]]:
        """Return where waiting tasks go, and in which tabs of the main target."""
        with reading(self.backend.engine) as session:
            titles = labeling_tasks.waiting_titles(session, self.project_id)
            tabs = labeling_tasks.waiting_tabs(session, self.target)
        return sorted(titles, key=lambda title: title != self.target.title), tabs

    def look_again(self, sample_id: UUID) -> None:
        with writing(self.backend.engine) as session:
            found = samples.find(session, self.project_id, sample_id, for_update=True)
            labeling_tasks.look_again(session, found, reason="adjudication", priority=1, now=NOW)

    def finish(self, claim: Claim) -> list[bool]:
        """Record that all of a claim is in Label Studio; say of which the lease was still its own."""
        with writing(self.backend.engine) as session:
            return [
                labeling_tasks.finish_push(session, _pushed(pk), owner=claim.owner, now=NOW) for pk in claim.task_pks
            ]

    def task(self, sample_id: UUID) -> models.LabelingTask:
        with reading(self.backend.engine) as session:
            return labeling_tasks.of_sample(session, self._sample(session, sample_id).id)

    def end(self, sample_id: UUID) -> tuple[str, str | None]:
        with reading(self.backend.engine) as session:
            found = self._sample(session, sample_id)
            return found.state, found.reason

    def _sample(self, session: Session, sample_id: UUID) -> models.Sample:
        return samples.find(session, self.project_id, sample_id)


def _pushed(task_pk: int) -> Pushed:
    return Pushed(task_pk=task_pk, label_studio_project_id=1, label_studio_task_id=1000 + task_pk)


@pytest.fixture
def queue(backend: Backend) -> Queue:
    """An empty queue."""
    return Queue(backend)


def test_empty_queue_gives_an_empty_claim(queue: Queue) -> None:
    assert queue.claim().task_pks == ()


def test_titles_and_tabs_of_what_waits_are_told(queue: Queue) -> None:
    assert queue.waiting() == ([], [])
    usual, special = queue.add(), queue.add()
    queue.change(special, route="elsewhere", tab="Night shift")
    assert queue.waiting() == ([queue.target.title, "elsewhere"], [])
    queue.change(special, route=None)
    assert queue.waiting() == ([queue.target.title], ["Night shift"])
    assert queue.samples_of(queue.claim()) == [usual, special]


def test_task_that_goes_elsewhere_is_not_claimed_here(queue: Queue) -> None:
    sample_id = queue.add()
    queue.change(sample_id, route="elsewhere")
    assert queue.claim().task_pks == ()


def test_claimed_task_is_not_claimed_again_while_its_lease_runs(queue: Queue) -> None:
    first, second = queue.add(), queue.add()
    claims = [queue.claim("one", limit=1), queue.claim("two"), queue.claim("three", now=NOW + LEASE)]
    assert [queue.samples_of(claim) for claim in claims] == [[first], [second], []]


def test_workers_at_once_claim_disjoint_tasks_and_together_all(queue: Queue) -> None:
    ids = [queue.add() for _ in range(12)]
    claims: list[Claim] = []
    workers = [
        threading.Thread(target=lambda owner=f"worker {number}": claims.append(queue.claim(owner, limit=3)))
        for number in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    held = [sample_id for claim in claims for sample_id in queue.samples_of(claim)]
    while rest := queue.claim("rest").task_pks:  # one that waited for another's rows may have got fewer
        held += queue.samples_of(Claim(owner="rest", task_pks=rest))
    assert sorted(held) == sorted(ids)


def test_expired_lease_is_claimed_again_and_its_first_owner_is_refused(queue: Queue) -> None:
    sample_id = queue.add()
    first = queue.claim("one")
    second = queue.claim("two", now=LATER)
    assert queue.finish(first) == [False]
    assert queue.end(sample_id) == ("queued", "user_rejected")
    assert queue.finish(second) == [True]
    assert queue.end(sample_id) == ("pushed", "user_rejected")
    assert queue.task(sample_id).attempts == 2


def test_renewed_lease_keeps_others_off_for_longer(queue: Queue) -> None:
    queue.add()
    claim = queue.claim()
    assert queue.renew(claim, until=LATER + LEASE) == set(claim.task_pks)
    assert queue.claim("two", now=LATER).task_pks == ()


def test_lease_that_another_took_is_not_renewed(queue: Queue) -> None:
    queue.add()
    first, second = queue.claim("one"), queue.claim("two", now=LATER)
    assert queue.renew(first, until=LATER + LEASE) == set()
    assert queue.finish(second) == [True]


def test_right_to_pull_is_one_workers_until_it_ends(queue: Queue) -> None:
    times = [(NOW, NOW + LEASE), (NOW + LEASE, NOW + 9 * LEASE), (LATER, LATER + LEASE)]
    assert [queue.take_pull(now=now, until=until) for now, until in times] == [True, False, True]
    queue.renew_pull(until=LATER + 2 * LEASE)
    assert not queue.take_pull(now=LATER + 2 * LEASE, until=LATER + 3 * LEASE)


def test_finishing_twice_is_refused_the_second_time(queue: Queue) -> None:
    queue.add()
    claim = queue.claim()
    assert [queue.finish(claim), queue.finish(claim)] == [[True], [False]]


def test_pushed_task_is_not_claimed(queue: Queue) -> None:
    queue.add()
    queue.finish(queue.claim())
    assert queue.claim("two", now=LATER).task_pks == ()
    assert queue.claim_stale(now=LATER) == []


def test_task_is_claimed_once_its_image_is_there(queue: Queue) -> None:
    sample_id = queue.add(has_image=False)
    assert queue.claim().task_pks == ()
    take_image(queue.backend, queue.project_id, sample_id, image=jpeg(), now=NOW)
    assert queue.samples_of(queue.claim()) == [sample_id]


def test_most_urgent_is_claimed_first_and_of_equals_the_oldest(queue: Queue) -> None:
    unsure, wanted = queue.arrive(0.3), queue.arrive()
    decide_due(queue.backend, now=NOW + timedelta(hours=24))
    request_sample(queue.backend, queue.project_id, wanted, reason="strange light", now=NOW)
    rejected = [queue.add(), queue.add()]
    assert queue.samples_of(queue.claim(now=NOW + timedelta(hours=24))) == [*rejected, wanted, unsure]


def test_claims_of_other_projects_tasks_are_empty(queue: Queue) -> None:
    queue.add()
    with writing(queue.backend.engine) as session:
        elsewhere = models.LabelStudioTarget(project_id=queue.project_id + 1, title=queue.target.title)
        other = labeling_tasks.claim(session, elsewhere, owner="one", now=NOW, lease=LEASE, limit=9)
    assert other.task_pks == ()


def test_released_task_waits_until_it_is_available(queue: Queue) -> None:
    sample_id = queue.add()
    claim, again = queue.claim(), NOW + timedelta(seconds=5)
    with writing(queue.backend.engine) as session:
        labeling_tasks.release(session, claim.task_pks, owner="one", available_at=again, error="it is away")
    assert queue.claim("two").task_pks == ()
    assert queue.samples_of(queue.claim("two", now=again)) == [sample_id]


def test_release_by_one_whose_lease_is_over_changes_nothing(queue: Queue) -> None:
    queue.add()
    first, second = queue.claim("one"), queue.claim("two", now=LATER)
    with writing(queue.backend.engine) as session:
        labeling_tasks.release(session, first.task_pks, owner="one", available_at=NOW, error="too late")
    assert queue.claim("three", now=LATER).task_pks == ()
    assert queue.finish(second) == [True]


def test_untried_task_is_withdrawn_at_once(queue: Queue) -> None:
    sample_id = queue.add()
    queue.say(sample_id, Verdict.CONFIRMED)
    assert (queue.task(sample_id).state, queue.end(sample_id)) == (TaskState.WITHDRAWN, ("archived", "withdrawn"))
    assert queue.claim().task_pks == ()


def test_withdrawal_while_leased_is_left_to_the_worker(queue: Queue) -> None:
    sample_id = queue.add()
    claim = queue.claim()
    queue.say(sample_id, Verdict.CONFIRMED)
    assert queue.end(sample_id) == ("queued", "user_rejected")
    assert queue.finish(claim) == [True]
    assert queue.task(sample_id).is_withdrawal_wanted
    assert queue.claim_stale() == [sample_id]


def test_task_that_serves_a_duplicate_is_never_taken_back(queue: Queue) -> None:
    sample_id, other = queue.add(), queue.arrive()
    with writing(queue.backend.engine) as session:
        twin = samples.find(session, queue.project_id, other)
        twin.duplicate_of = samples.find(session, queue.project_id, sample_id).id
    queue.say(sample_id, Verdict.CONFIRMED)
    assert queue.end(sample_id)[0] == "queued"
    queue.finish(queue.claim())
    queue.say(sample_id, Verdict.CONFIRMED)
    assert (queue.task(sample_id).is_withdrawal_wanted, queue.claim_stale()) == (False, [])


def test_further_look_is_never_taken_back(queue: Queue) -> None:
    sample_id = queue.add()
    queue.finish(queue.claim())
    queue.look_again(sample_id)
    queue.say(sample_id, Verdict.CONFIRMED)
    assert (queue.task(sample_id).state, queue.task(sample_id).is_withdrawal_wanted) == (TaskState.WAITING, False)


def test_further_look_is_a_task_of_its_own_for_one(queue: Queue) -> None:
    sample_id = queue.add()
    queue.finish(queue.claim())
    queue.look_again(sample_id)
    row = queue.task(sample_id)
    assert (row.look, row.generation, row.label_studio_task_id, row.annotators) == (2, 2, None, 1)
    assert (row.reasons, row.is_blind, queue.samples_of(queue.claim("two"))) == (["adjudication"], False, [sample_id])


def test_claim_from_before_a_further_look_records_nothing(queue: Queue) -> None:
    sample_id = queue.add()
    claim = queue.claim()
    queue.look_again(sample_id)
    assert queue.finish(claim) == [False]
    assert queue.task(sample_id).label_studio_task_id is None


def test_task_that_is_gone_is_not_taken_for_the_further_look(queue: Queue) -> None:
    sample_id = queue.add()
    queue.finish(queue.claim())
    before = queue.task(sample_id)
    queue.look_again(sample_id)
    queue.finish(queue.claim("two"))
    with writing(queue.backend.engine) as session:
        later = session.get_one(models.LabelingTask, before.id)
        later.label_studio_task_id = 77
        session.flush()
        assert not labeling_tasks.mark_deleted(session, before)


def test_push_and_decision_on_one_sample_wait_for_each_other(queue: Queue) -> None:
    sample_id = queue.add()
    claim = queue.claim()
    done: list[bool] = []
    pusher = threading.Thread(target=lambda: done.extend(queue.finish(claim)))
    with writing(queue.backend.engine) as session:
        found = samples.find(session, queue.project_id, sample_id, for_update=True)
        pusher.start()
        time.sleep(0.2)  # it waits for the sample by now
        labeling_tasks.look_again(session, found, reason="adjudication", priority=1, now=NOW)
    pusher.join()
    assert (done, queue.task(sample_id).look) == ([False], 2)


def test_withdrawal_is_called_off_when_somebody_objects_meanwhile(queue: Queue) -> None:
    sample_id = queue.add()
    queue.finish(queue.claim())
    queue.say(sample_id, Verdict.CONFIRMED)
    assert queue.claim_stale() == [sample_id]
    queue.say(sample_id, Verdict.REJECTED, reporter="bert")
    with writing(queue.backend.engine) as session:
        assert not labeling_tasks.finish_withdrawal(session, queue.task(sample_id), owner="stale")
    assert queue.end(sample_id) == ("pushed", "disputed")


def test_raise_before_the_claim_needs_no_update(queue: Queue) -> None:
    sample_id = queue.add()
    queue.say(sample_id, Verdict.REJECTED, reporter="bert")
    assert queue.task(sample_id).is_stale
    queue.finish(queue.claim())
    assert queue.claim_stale() == []


def test_raise_while_leased_makes_the_task_stale_afterwards(queue: Queue) -> None:
    sample_id = queue.add()
    claim = queue.claim()
    queue.say(sample_id, Verdict.REJECTED, reporter="bert")
    assert queue.finish(claim) == [True]
    assert queue.claim_stale() == [sample_id]


def test_raise_during_an_update_is_not_lost(queue: Queue) -> None:
    sample_id = queue.add()
    queue.finish(queue.claim())
    queue.say(sample_id, Verdict.REJECTED, reporter="bert")
    assert queue.claim_stale() == [sample_id]
    shown = queue.task(sample_id)
    queue.say(sample_id, Verdict.REJECTED, reporter="carl")
    with writing(queue.backend.engine) as session:
        labeling_tasks.finish_update(session, shown, owner="stale")
    assert queue.claim_stale() == [sample_id]


def test_annotation_that_is_faster_than_the_record_adopts_the_task_once(queue: Queue) -> None:
    sample_id = queue.add()
    claim = queue.claim()
    with writing(queue.backend.engine) as session:
        assert labeling_tasks.finish_push(session, _pushed(claim.task_pks[0]), owner=None, now=NOW)
    assert queue.finish(claim) == [False]
    assert queue.end(sample_id) == ("pushed", "user_rejected")
