"""Asking which images are wanted, of samples that came without."""

from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import event

from feedback_sdk import tokens
from queue_server import models
from queue_server.core.policy import ArchiveReason, State
from queue_server.store import samples
from queue_server.store.engine import writing
from tests.server.conftest import NOW, Server, jpeg, sample


def ask(server: Server, *ids: object, client: httpx.Client | None = None, **more: object) -> httpx.Response:
    body = {"ids": [str(sample_id) for sample_id in ids]}
    return (client or server.ingest).post("/v1/samples/wanted", json=body, **more)


def erase(server: Server, sample_id: UUID) -> None:
    with writing(server.backend.engine) as session:
        row = samples.find(session, server.project.id, sample_id)
        assert isinstance(row, models.Sample)
        samples.move(session, row, state=State.ARCHIVED, reason=ArchiveReason.ERASED, now=NOW)


def token(server: Server, sample_id: UUID, scope: str) -> dict[str, str]:
    text = tokens.mint(server.ingest_key, sample_id=sample_id, reporter=None, scope=scope, expires_at=2**33)
    return {"Authorization": f"Bearer {text}"}


def test_rejected_sample_is_wanted_stored_and_erased_are_done_and_the_rest_is_in_neither(each_server: Server) -> None:
    rejected, stored, erased, silent, confirmed = (sample() for _ in range(5))
    for value in (rejected, erased, silent, confirmed):
        each_server.post(value)
    each_server.post(stored, jpeg())
    each_server.say(rejected.id, "rejected")
    each_server.say(confirmed.id, "confirmed")
    erase(each_server, erased.id)
    ids = [silent.id, stored.id, uuid4(), rejected.id, erased.id, confirmed.id]
    answer = ask(each_server, *ids).raise_for_status().json()
    assert answer == {"wanted": [str(rejected.id)], "stored": [str(stored.id), str(erased.id)]}


def test_all_are_looked_up_with_one_query(server: Server) -> None:
    values = [sample() for _ in range(5)]
    for value in values:
        server.post(value)
    statements: list[str] = []
    event.listen(server.backend.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    ask(server, *(value.id for value in values), *(uuid4() for _ in range(995))).raise_for_status()
    assert len([text for text in statements if "FROM sample" in text]) == 1


def test_sample_of_another_project_is_unknown(server: Server) -> None:
    from tests.server.test_changes import other_key

    value = sample()
    server.post(value, jpeg())
    headers = {"Authorization": f"Bearer {other_key(server, 'ingest')}"}
    assert ask(server, value.id, client=server.open, headers=headers).json() == {"wanted": [], "stored": []}


def test_token_that_may_upload_may_ask_for_its_own_sample_alone(server: Server) -> None:
    value = sample()
    server.post(value, jpeg())
    headers = token(server, value.id, "s")
    assert ask(server, value.id, client=server.open, headers=headers).json()["stored"] == [str(value.id)]
    assert ask(server, value.id, uuid4(), client=server.open, headers=headers).status_code == 403
    assert ask(server, value.id, client=server.open, headers=token(server, value.id, "f")).status_code == 403


@pytest.mark.parametrize(
    ("ids", "field"),
    [([], "ids"), ([str(uuid4()), "x"], "ids.1"), ([None], "ids.0"), ([str(UUID(int=n)) for n in range(1001)], "ids")],
)
def test_bad_ids_are_named_with_their_index(server: Server, ids: list[object], field: str) -> None:
    answer = server.ingest.post("/v1/samples/wanted", json={"ids": ids})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_key_that_only_reads_may_not_ask(server: Server) -> None:
    assert ask(server, uuid4(), client=server.read).status_code == 403
