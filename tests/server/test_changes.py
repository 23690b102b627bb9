"""The feed of changes: nothing is missed, nothing shown twice."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import event, text
from sqlmodel import Session

from queue_server import models
from queue_server.auth import Scope, make_key
from queue_server.backend import Backend
from queue_server.core.policy import State
from queue_server.store import changes, samples
from queue_server.store.engine import reading, writing
from tests.server.conftest import NOW, PROJECT, Server, apply_project, run_server, sample


def feed(server: Server, **query: object) -> dict:
    answer = server.read.get("/v1/samples/changes", params=query)
    return answer.raise_for_status().json()


def shown(page: dict) -> list[tuple[str, str]]:
    return [(item["id"], item["state"]) for item in page["changes"]]


def follow(server: Server, cursor: str | None = None, **query: object) -> tuple[list[tuple[str, str]], str]:
    """Read to the end of the feed."""
    seen = []
    while True:
        page = feed(server, **({"after": cursor} if cursor is not None else {}), **query)
        cursor = page["cursor"]
        if not page["changes"]:
            return seen, cursor
        seen += shown(page)


def other_key(server: Server, scope: str) -> str:
    other = apply_project(server.backend, PROJECT.replace("pill-counter", "screws"))
    with writing(server.backend.engine) as session:
        secret_keys = server.backend.settings.secret_keys
        return make_key(session, other, scopes=[Scope(scope)], secret_keys=secret_keys, now=NOW)


def move(session: Session, server: Server, sample_id: UUID, state: State) -> None:
    row = samples.find(session, server.project.id, sample_id)
    assert isinstance(row, models.Sample)
    samples.move(session, row, state=state, reason=None, now=NOW)


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_empty_feed_has_a_cursor_that_goes_on(each_server: Server) -> None:
    page = feed(each_server)
    assert page["changes"] == []
    value = sample()
    each_server.post(value)
    assert shown(feed(each_server, after=page["cursor"])) == [(str(value.id), "awaiting_feedback")]


def test_pages_follow_each_other_without_gap_or_repeat(each_server: Server) -> None:
    values = [sample() for _ in range(5)]
    for value in values:
        each_server.post(value)
    each_server.say(values[0].id, "rejected")
    seen, cursor = follow(each_server, limit=2)
    waiting = [(str(value.id), "awaiting_feedback") for value in values]
    assert seen == [*waiting, (str(values[0].id), "queued")]
    assert follow(each_server, cursor) == ([], cursor)


def test_change_says_state_reason_verdict_and_time(server: Server) -> None:
    value = sample()
    server.post(value)
    server.say(value.id, "rejected")
    last = feed(server)["changes"][-1]
    assert datetime.fromisoformat(last.pop("at")).utcoffset() == timedelta(0)
    assert last == {
        "id": str(value.id), "state": "queued", "reason": "user_rejected", "verdict": "rejected", "outcome": None
    }  # fmt: skip


def test_verdict_that_leaves_the_state_alone_is_a_change_too(server: Server) -> None:
    value = sample()
    server.post(value)
    server.say(value.id, "rejected", reporter="anna")
    server.say(value.id, "corrected", reporter="anna", correction={"count": 3})
    server.say(value.id, "corrected", reporter="bert", correction={"count": 3})
    assert [item["verdict"] for item in feed(server)["changes"]] == [None, "rejected", "corrected"]


@pytest.fixture
def postgresql_server(postgresql_backend: Backend) -> Iterator[Server]:
    """A running server on PostgreSQL."""
    yield from run_server(postgresql_backend)


def test_transactions_that_commit_out_of_order_are_all_shown_once(postgresql_server: Server) -> None:
    server, engine = postgresql_server, postgresql_server.backend.engine
    first, second = sample(), sample()
    for value in (first, second):
        server.post(value)
    _, cursor = follow(server)
    with writing(engine) as early:
        move(early, server, first.id, State.HELD)
        with writing(engine) as late:
            move(late, server, second.id, State.HELD)
        seen_first, cursor = follow(server, cursor)
    seen_then, _ = follow(server, cursor)
    assert (seen_first, seen_then) == ([(str(second.id), "held")], [(str(first.id), "held")])
    assert len(follow(server)[0]) == 4


def test_readers_miss_nothing_and_see_nothing_twice_while_many_write(each_server: Server) -> None:
    posted = [[sample() for _ in range(8)] for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(lambda values: [each_server.post(value) for value in values], part) for part in posted]
        seen, cursors = [[], [], []], ["0", "0", "0"]
        while True:
            is_over = all(writer.done() for writer in writers)
            pages = list(pool.map(lambda cursor: follow(each_server, cursor, limit=5), cursors))
            seen = [known + found for known, (found, _) in zip(seen, pages, strict=True)]
            cursors = [cursor for _, cursor in pages]
            if is_over:
                break
    expected = sorted((str(value.id), "awaiting_feedback") for part in posted for value in part)
    assert [sorted(found) for found in seen] == [expected] * 3


def test_since_starts_where_it_says_and_goes_on_by_cursor(each_server: Server) -> None:
    old, new = sample(), sample()
    each_server.post(old)
    moment = datetime.now(UTC)
    each_server.post(new)
    page = feed(each_server, since=iso(moment))
    assert shown(page) == [(str(new.id), "awaiting_feedback")]
    assert feed(each_server, since="2100-01-01T00:00:00Z") == {"changes": [], "cursor": page["cursor"]}
    assert len(feed(each_server, since="2000-01-01T00:00:00Z")["changes"]) == 2


def test_latest_change_of_named_samples_and_the_end_of_the_feed(each_server: Server) -> None:
    first, second = sample(), sample()
    for value in (first, second):
        each_server.post(value)
    each_server.say(first.id, "confirmed")
    page = feed(each_server, id=[str(second.id), str(first.id), str(uuid4())])
    assert shown(page) == [(str(second.id), "awaiting_feedback"), (str(first.id), "archived")]
    assert follow(each_server, page["cursor"])[0] == []


def test_projects_do_not_see_each_others_changes(server: Server) -> None:
    value = sample()
    server.post(value)
    headers = {"Authorization": f"Bearer {other_key(server, 'read')}"}
    for query in ({}, {"id": str(value.id)}, {"since": "2000-01-01T00:00:00Z"}):
        answer = server.open.get("/v1/samples/changes", params=query, headers=headers)
        assert answer.json() == {"changes": [], "cursor": "0"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "x"}, "after"),
        ({"after": "-1"}, "after"),
        ({"after": "9" * 30}, "after"),
        ({"after": "7"}, "after"),
        ({"since": "2026-11-20T12:00:00"}, "since"),
        ({"id": ["x"]}, "id.0"),
        ({"id": [str(UUID(int=n)) for n in range(51)]}, "id"),
        ({"limit": 1001}, "limit"),
        ({"limit": 0}, "limit"),
        ({"after": "1", "id": str(UUID(int=1))}, "after"),
        ({"before": "1"}, "before"),
    ],
)
def test_bad_query_is_refused_with_its_field(server: Server, query: dict, field: str) -> None:
    answer = server.read.get("/v1/samples/changes", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("scope", ["ingest"])
def test_key_without_the_scope_read_may_not_follow(server: Server, scope: str) -> None:
    client: httpx.Client = getattr(server, scope)
    assert client.get("/v1/samples/changes").status_code == 403


READS = {
    "page": lambda session, project_id: changes.page(session, project_id, after=5, limit=10),
    "latest": lambda session, project_id: changes.latest(session, project_id, [uuid4(), uuid4()]),
    "before": lambda session, project_id: changes.before(session, project_id, NOW),
    "end": changes.end,
    "is_unpublished": changes.is_unpublished,
}


@pytest.mark.parametrize("name", READS)
def test_feed_is_read_through_its_indexes(each_server: Server, name: str) -> None:
    each_server.post(sample())
    plan = explained(each_server, READS[name])
    assert plan
    # Of a single sample any index is as good to find it by its id.
    scan = r"Seq Scan|^SCAN" if name == "latest" else r"Seq Scan|^SCAN|Filter:"
    assert [line for line in plan if re.search(scan, line)] == []


def explained(server: Server, read: Callable[[Session, int], object]) -> list[str]:
    """Return the plan of the first query that a function of the store makes."""
    engine, statements = server.backend.engine, []
    event.listen(engine, "before_cursor_execute", lambda *said: statements.append(said[2:4]))
    is_postgresql = engine.dialect.name == "postgresql"
    with reading(engine) as session:
        connection = session.connection()
        if is_postgresql:
            # A table of a page or two is read whole, whatever indexes it has.
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        statements.clear()
        read(session, server.project.id)
        statement, values = statements[0]
        rows = connection.exec_driver_sql(f"EXPLAIN {'' if is_postgresql else 'QUERY PLAN '}{statement}", values)
        return [str(row[0] if is_postgresql else row[3]) for row in rows]
