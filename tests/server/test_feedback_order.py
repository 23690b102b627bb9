"""Which of one reporter's verdicts is the last, on each database: near ties go by arrival, all others by their time."""

import threading
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from feedback_sdk.types import Correction, Feedback, Verdict
from queue_server import models
from queue_server.auth import Caller
from queue_server.backend import Backend
from queue_server.ingest.feedback import take_feedback
from queue_server.ingest.samples import take_sample
from queue_server.store import feedback, samples
from queue_server.store.engine import reading
from tests.server.conftest import NOW, Server, apply_project, jpeg, sample

CONFIRMED, REJECTED, CORRECTED = Verdict.CONFIRMED, Verdict.REJECTED, Verdict.CORRECTED
#: a verdict, when it arrives in milliseconds, and how old it says that it is
Arrival = tuple[Verdict, float, int]


class Inbox:
    """One project and one sample, which may come after its feedback."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.project_id = apply_project(backend).id
        self.value = sample()

    def arrive(self) -> None:
        take_sample(self.backend, self.project_id, self.value, image=jpeg(), now=NOW)

    def say(self, arrival: Arrival, *, reporter: str | None = "anna", of: UUID | None = None) -> None:
        verdict, at_ms, age_ms = arrival
        correction = Correction(count=30) if verdict is CORRECTED else None
        given = Feedback(
            id=uuid4(),
            sample_id=of or self.value.id,
            verdict=verdict,
            correction=correction,
            reporter=reporter,
            age_ms=age_ms,
        )
        now = NOW + timedelta(milliseconds=at_ms)
        take_feedback(self.backend, Caller(project_id=self.project_id, scopes=frozenset()), given, now=now)

    def sample(self) -> models.Sample:
        with reading(self.backend.engine) as session:
            return samples.find(session, self.project_id, self.value.id)

    def times(self) -> list[datetime]:
        """Return when each verdict was given, in the order of their arrival."""
        with reading(self.backend.engine) as session:
            return [row.given_at for row in feedback.of_sample(session, self.sample().id)]


@pytest.fixture
def inbox(backend: Backend) -> Inbox:
    return Inbox(backend)


AT_ONCE = [(CONFIRMED, 0.0, 0), (REJECTED, 0.0, 0), (CORRECTED, 0.0, 1)]
# (what arrives, what counts at the end)
ARRIVALS = [
    pytest.param(AT_ONCE, "corrected", id="called at once"),
    pytest.param([(CORRECTED, 0, 0), (REJECTED, 0.5, 2), (CONFIRMED, 1, 4)], "confirmed", id="ever older"),
    pytest.param([(REJECTED, 0, 0), (CONFIRMED, 0, 999)], "confirmed", id="just within a second"),
    pytest.param([(REJECTED, 0, 0), (CONFIRMED, 0, 1000)], "rejected", id="a second older"),
    pytest.param([(REJECTED, 0, 0), (CONFIRMED, 0, 5000)], "rejected", id="five seconds older"),
    pytest.param([(REJECTED, 0, 0), (CONFIRMED, 9000, 0)], "confirmed", id="later"),
    pytest.param([(CORRECTED, 0, 0), (REJECTED, 0, 5000), (CONFIRMED, 0, 5001)], "corrected", id="tied offline"),
]


@pytest.mark.parametrize(("arrivals", "expected"), ARRIVALS)
@pytest.mark.parametrize("reporter", ["anna", None])
def test_near_ties_go_by_arrival(inbox: Inbox, arrivals: list[Arrival], expected: str, reporter: str | None) -> None:
    inbox.arrive()
    for arrival in arrivals:
        inbox.say(arrival, reporter=reporter)
    assert inbox.sample().verdict == expected


@pytest.mark.parametrize(("arrivals", "expected"), ARRIVALS)
@pytest.mark.parametrize("parked", [2, 3])
def test_near_ties_go_by_arrival_before_the_sample_too(
    inbox: Inbox, arrivals: list[Arrival], expected: str, parked: int
) -> None:
    for arrival in arrivals[:parked]:
        inbox.say(arrival)
    inbox.arrive()
    for arrival in arrivals[parked:]:
        inbox.say(arrival)
    assert inbox.sample().verdict == expected


def test_near_tie_is_a_microsecond_after_what_came_before(inbox: Inbox) -> None:
    inbox.arrive()
    for arrival in AT_ONCE:
        inbox.say(arrival)
    assert inbox.times() == [NOW + timedelta(microseconds=n) for n in range(3)]


def test_other_reporters_and_other_samples_make_no_tie(inbox: Inbox) -> None:
    inbox.arrive()
    inbox.say((REJECTED, 0, 0), reporter=None)
    inbox.say((REJECTED, 0, 0), reporter="bert")
    inbox.say((REJECTED, 0, 0), of=uuid4())
    inbox.say((CONFIRMED, 0, 1))
    assert inbox.times() == [NOW, NOW, NOW - timedelta(milliseconds=1)]


def test_calls_of_one_app_end_as_the_last_one_over_http(each_server: Server) -> None:
    value = sample()
    each_server.post(value, jpeg())
    each_server.say(value.id, "confirmed")
    each_server.say(value.id, "rejected")
    each_server.say(value.id, "corrected", correction={"count": 30}, age_ms=500)
    found = each_server.sample(value.id)
    assert (found["state"], found["reason"]) == ("queued", "user_rejected")
    with reading(each_server.backend.engine) as session:
        assert samples.find(session, each_server.project.id, value.id).verdict == "corrected"


def test_feedback_of_one_moment_from_many_threads_is_kept_whole(inbox: Inbox) -> None:
    inbox.arrive()
    threads = [threading.Thread(target=inbox.say, args=((REJECTED, 0, n),)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(inbox.times())) == 12
