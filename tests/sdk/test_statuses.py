"""What the client hears of its samples: polled from the first question on, answered from memory."""

import logging
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import pytest

from feedback_sdk.sender import statuses as module
from feedback_sdk.sender.line import Line
from feedback_sdk.sender.statuses import SampleStatus, Statuses
from feedback_sdk.transport import HttpTransport
from tests.sdk.stand_in import KEY, Server

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ID = UUID("12345678-1234-5678-1234-567812345678")


@pytest.fixture(autouse=True)
def _no_turns(monkeypatch):
    monkeypatch.setattr(module, "_MORE_SECONDS", 0.0)


@pytest.fixture
def line(server) -> Line:
    return Line(HttpTransport(server.url), api_key=KEY, bytes_per_second=None)


@pytest.fixture
def statuses() -> Statuses:
    return Statuses(poll_seconds=30.0)


def add_change(server: Server, *, sample_id: UUID = ID, state: str = "archived", minutes: int = 0, **more: str) -> None:
    at = (NOON + timedelta(minutes=minutes)).isoformat()
    words = {"reason": None, "verdict": None, "outcome": None, **more}
    server.changes.append({"id": str(sample_id), "state": state, "at": at, **words})


def poll_all(statuses: Statuses, line: Line) -> int:
    """Poll until nothing is due; return how many calls that took."""
    calls = 0
    while statuses.poll(line) is not None:
        calls += 1
    return calls


def pass_time(statuses: Statuses) -> None:
    statuses._feed_at = statuses._ids_at = 0.0


def test_without_a_question_nothing_is_polled(statuses, line, server):
    assert (statuses.next_due(), statuses.poll(line), server.calls) == (None, None, [])


def test_the_first_question_finds_nothing_and_rings(statuses):
    rung = []
    statuses.wake = lambda: rung.append(1)
    assert statuses.get(ID) is None
    assert statuses.get(ID) is None
    assert rung == [1]
    assert statuses.next_due() == 0.0


def test_a_sample_that_was_asked_about_is_known_after_the_poll(statuses, line, server):
    add_change(server, state="annotated", reason="rejected", verdict="rejected", outcome="user_right")
    statuses.get(ID)
    poll_all(statuses, line)
    assert statuses.get(ID) == SampleStatus(
        id=str(ID), state="annotated", reason="rejected", verdict="rejected", outcome="user_right", at=NOON
    )


def test_the_feed_is_asked_before_the_samples_so_that_nothing_falls_between(statuses, line, server):
    statuses.get(ID)
    assert poll_all(statuses, line) == 2
    assert list(parse_qs(server.queries[0])) == ["since", "limit"]
    assert parse_qs(server.queries[1]) == {"id": [str(ID)]}


def test_a_sample_is_asked_about_once_and_then_heard_of_by_the_feed(statuses, line, server):
    statuses.get(ID)
    poll_all(statuses, line)
    add_change(server)
    for _ in range(3):
        statuses.get(ID)
        pass_time(statuses)
        poll_all(statuses, line)
    assert sum("id=" in query for query in server.queries) == 1
    assert statuses.get(ID).state == "archived"


def test_many_samples_are_asked_about_fifty_at_a_time(statuses, line, server):
    for _ in range(120):
        statuses.get(uuid4())
    poll_all(statuses, line)
    assert [query.count("id=") for query in server.queries] == [0, 50, 50, 20]


def test_the_feed_is_read_page_by_page_and_then_from_its_cursor(statuses, line, server, monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 10)
    for minute in range(25):
        add_change(server, sample_id=uuid4(), minutes=minute)
    assert statuses.since(NOON) == []
    assert poll_all(statuses, line) == 3
    assert [status.at for status in statuses.since(None)] == [NOON + timedelta(minutes=n) for n in range(25)]
    pass_time(statuses)
    poll_all(statuses, line)
    assert parse_qs(server.queries[-1])["after"] == ["25"]


def test_since_gives_what_changed_then_or_later(statuses, line, server):
    for minute in (3, 1, 2):
        add_change(server, sample_id=uuid4(), minutes=minute)
    statuses.since(NOON)
    poll_all(statuses, line)
    found = statuses.since(NOON + timedelta(minutes=2))
    assert [status.at.minute for status in found] == [2, 3]


def test_the_feed_begins_where_the_first_question_says(statuses, line, server):
    statuses.since(NOON)
    poll_all(statuses, line)
    assert parse_qs(server.queries[0])["since"] == [NOON.isoformat()]


def test_the_latest_change_counts(statuses, line, server):
    add_change(server, state="annotated", minutes=5)
    add_change(server, state="queued", minutes=1)
    statuses.since(NOON)
    poll_all(statuses, line)
    assert statuses.get(ID).state == "annotated"


@pytest.mark.parametrize(("state", "is_final"), [("queued", False), ("annotated", True), ("archived", True)])
def test_annotated_and_archived_are_final(state, is_final):
    assert SampleStatus(id=str(ID), state=state, at=NOON).is_final is is_final


def test_no_more_is_kept_than_the_bound(statuses, line, server, monkeypatch):
    monkeypatch.setattr(module, "MAX_KNOWN", 20)
    for minute in range(30):
        add_change(server, sample_id=uuid4(), minutes=minute)
        statuses.get(uuid4())
    poll_all(statuses, line)
    assert len(statuses.since(None)) == 20
    assert len(statuses._missed) <= 20


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_read_is_said_once_and_asked_again_in_minutes(statuses, line, server, caplog, status):
    server.answers += [(status, {}, b"")] * 2
    with caplog.at_level(logging.WARNING, "feedback_sdk"):
        statuses.get(ID)
        poll_all(statuses, line)
        pass_time(statuses)
        poll_all(statuses, line)
    [record] = caplog.records
    assert "lookswrong key create --project P --scope ingest --scope read" in record.message
    assert statuses.next_due() - time.monotonic() > 290


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"changes": [1], "cursor": ""}',
        b'{"changes": [{"id": "a", "state": "queued", "at": "noon"}], "cursor": ""}',
        b'{"changes": [{"id": "a", "state": "queued", "at": "2026-11-20T12:00:00"}], "cursor": ""}',
        b'{"changes": [{"at": "2026-11-20T12:00:00Z"}], "cursor": ""}',
    ],
)
def test_an_answer_that_cannot_be_read_is_asked_for_again(statuses, line, server, body):
    server.answers.append((200, {}, body))
    statuses.get(ID)
    assert poll_all(statuses, line) == 1
    pass_time(statuses)
    add_change(server)
    poll_all(statuses, line)
    assert statuses.get(ID) is not None


def test_a_server_that_is_away_is_asked_again_later(statuses, line, server):
    server.answers.append((503, {}, b""))
    statuses.get(ID)
    assert poll_all(statuses, line) == 1
    assert statuses.next_due() > time.monotonic() + 20
    assert line.circuit.state == "closed"


def test_a_cursor_that_the_server_does_not_know_is_given_up(statuses, line, server):
    statuses.since(NOON)
    poll_all(statuses, line)
    server.answers.append((422, {}, b"{}"))
    for _ in range(2):
        pass_time(statuses)
        poll_all(statuses, line)
    assert [next(iter(parse_qs(query))) for query in server.queries] == ["since", "after", "since"]


def test_between_pages_captures_get_their_turn(statuses, line, server, monkeypatch):
    monkeypatch.setattr(module, "_MORE_SECONDS", 5.0)
    monkeypatch.setattr(module, "_PAGE", 1)
    add_change(server)
    statuses.since(NOON)
    assert poll_all(statuses, line) == 1
    assert statuses.next_due() < time.monotonic() + 6.0


def test_a_child_of_a_fork_knows_nothing(statuses, line, server):
    add_change(server)
    statuses.since(NOON)
    poll_all(statuses, line)
    statuses.forget()
    assert (statuses.next_due(), statuses.since(None)) == (None, [])


def test_a_question_costs_no_more_than_a_look(statuses, line, server):
    add_change(server)
    statuses.get(ID)
    poll_all(statuses, line)
    begun = time.perf_counter()
    for _ in range(10_000):
        statuses.get(ID)
    assert (time.perf_counter() - begun) / 10_000 < 50e-6
