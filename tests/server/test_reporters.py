"""How often a reporter's objections were right, counted from what annotators found."""

import threading
from uuid import UUID

import pytest

from queue_server import models
from queue_server.store import reporters, samples
from queue_server.store.engine import reading, writing
from tests.server.conftest import NOW, Server, jpeg, sample
from tests.server.loop import Loop, loop

__all__ = ["loop"]  # the fixture


def objected(server: Server, outcome: str | None, *verdicts: str, reporter: str = "anna") -> UUID:
    """Post a sample with these verdicts of one reporter, of whose users an annotator said that."""
    value = sample()
    server.post(value, jpeg())
    for verdict in verdicts:
        server.say(value.id, verdict, reporter=reporter)
    with writing(server.backend.engine) as session:
        samples.find(session, server.project.id, value.id).outcome = outcome
    return value.id


def recount(server: Server, *names: str) -> None:
    with writing(server.backend.engine) as session:
        reporters.recount(session, server.project.id, names, now=NOW)


def figures(server: Server, name: str = "anna") -> tuple[int, int] | None:
    with reading(server.backend.engine) as session:
        row = session.get(models.Reporter, (server.project.id, name))
    return (row.right, row.wrong) if row is not None else None


def test_counting_nobody_changes_nothing(each_server: Server) -> None:
    recount(each_server)
    assert figures(each_server) is None


def test_reporter_of_whom_nothing_is_known_has_no_figures(each_server: Server) -> None:
    objected(each_server, None, "rejected")
    recount(each_server, "anna")
    assert figures(each_server) == (0, 0)


@pytest.mark.parametrize(
    ("outcome", "verdicts", "expected"),
    [
        ("user_right", ["rejected"], (1, 0)),
        ("user_wrong", ["rejected"], (0, 1)),
        ("user_right", ["rejected", "rejected"], (1, 0)),
        ("user_right", ["confirmed", "rejected"], (1, 0)),
        ("user_right", ["rejected", "confirmed"], (0, 0)),
        ("user_right", ["confirmed"], (0, 0)),
    ],
)
def test_last_word_of_a_reporter_counts_if_it_objects(each_server, outcome, verdicts, expected):  # type: ignore[no-untyped-def]  # tests are not typed
    objected(each_server, outcome, *verdicts)
    recount(each_server, "anna")
    assert figures(each_server) == expected


def test_counting_again_gives_the_same(each_server: Server) -> None:
    for outcome in ("user_right", "user_right", "user_wrong"):
        objected(each_server, outcome, "rejected")
    for _ in range(2):
        recount(each_server, "anna")
    assert figures(each_server) == (2, 1)


def test_each_reporter_is_counted_alone(each_server: Server) -> None:
    objected(each_server, "user_right", "rejected")
    objected(each_server, "user_wrong", "rejected", reporter="ben")
    recount(each_server, "ben", "anna", "ben")
    assert (figures(each_server), figures(each_server, "ben")) == ((1, 0), (0, 1))


def test_workers_that_count_at_once_agree(each_server: Server) -> None:
    ids = [objected(each_server, None, "rejected") for _ in range(6)]

    def finish(sample_id: UUID) -> None:
        with writing(each_server.backend.engine) as session:
            found = samples.find(session, each_server.project.id, sample_id, for_update=True)
            samples.keep_outcome(session, found, "user_right")
            reporters.recount(session, each_server.project.id, ["anna", "ben"], now=NOW)

    threads = [threading.Thread(target=finish, args=[sample_id]) for sample_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert figures(each_server) == (6, 0)


def test_pull_counts_those_who_objected(loop: Loop) -> None:
    right, wrong = loop.queue(), loop.queue()
    loop.push()
    loop.annotate(right, lambda result: [])
    loop.annotate(wrong)
    loop.pull()
    assert figures(loop.server) == (1, 1)


def test_annotation_that_changes_is_counted_anew(loop: Loop) -> None:
    sample_id = loop.queue()
    loop.push()
    annotation_id = loop.annotate(sample_id)
    loop.pull()
    assert figures(loop.server) == (0, 1)
    loop.label_studio.patch(f"/api/annotations/{annotation_id}/", json={"result": []}).raise_for_status()
    loop.pull()
    assert figures(loop.server) == (1, 0)
