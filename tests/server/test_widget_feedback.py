"""Feedback from pages: bounded, told nothing of what is here, from named pages alone, and unverified where it is."""

import json
import threading
import time
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select, update

from feedback_sdk import tokens
from feedback_sdk.wire import canonical_json
from queue_server import models
from queue_server.api.end_users import _EVEN_SECONDS, MOST_BYTES
from queue_server.auth import Scope, make_key
from queue_server.backend import Backend
from queue_server.errors import ScopeError
from queue_server.ingest.feedback import MOST_ANSWERS
from queue_server.store.engine import reading, writing
from tests.server.conftest import NOW, PROJECT, Server, apply_project, jpeg, run_server, sample
from tests.server.end_users import PAGE, answer, mint, other_project, post, publishable, say

ROOMY = {"token_posts_per_minute": 1000}


@pytest.fixture
def roomy(backend: Backend) -> Server:
    """A server on each database that lets a token post often."""
    settings = backend.settings.model_copy(update=ROOMY)
    yield from run_server(replace(backend, settings=settings))


def stored(server: Server, sample_id: UUID) -> list[models.Feedback]:
    with reading(server.backend.engine) as session:
        query = select(models.Feedback).where(models.Feedback.sample_id == sample_id)
        return list(session.exec(query.order_by(col(models.Feedback.id))))


def posted(server: Server) -> UUID:
    value = sample()
    server.post(value, jpeg()).raise_for_status()
    return value.id


# How much.


@pytest.mark.parametrize("more", [0, 1])
def test_body_of_at_most_4_kb_is_taken(server: Server, more: int) -> None:
    value = sample()
    body = answer(value.id, token=mint(server, value.id), comment="")
    body["comment"] = "x" * (MOST_BYTES - len(json.dumps(body)) + more)
    response = post(server, "/v1/feedback", body)
    assert response.status_code == (413 if more else 202)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert len(stored(server, value.id)) == 1 - more


@pytest.mark.parametrize("path", ["/v1/feedback", "/v1/shown"])
@pytest.mark.parametrize("is_chunked", [True, False])
def test_larger_body_is_refused_before_it_is_received(server: Server, path: str, is_chunked: bool) -> None:
    body = b"x" * 4_000_000
    pieces = (body for _ in range(1)) if is_chunked else body
    refused = server.open.post(path, content=pieces, headers={"Content-Type": "text/plain"})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (413, "*")


def test_token_does_not_grow_beside_a_key_in_the_header(server: Server) -> None:
    value = sample()
    body = answer(value.id, token=mint(server, value.id), comment="x" * 4000)
    refused = server.ingest.post("/v1/feedback", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (413, "body")


def test_key_may_send_a_long_comment(server: Server) -> None:
    assert server.say(posted(server), "rejected", comment="€" * 4000).status_code == 202


@pytest.mark.parametrize("is_there", [True, False])
def test_answers_beyond_the_twentieth_are_ignored(roomy: Server, is_there: bool) -> None:
    sample_id = posted(roomy) if is_there else uuid4()
    statuses = {say(roomy, sample_id).status_code for _ in range(MOST_ANSWERS + 2)}
    assert (statuses, len(stored(roomy, sample_id))) == ({202}, 20)
    assert say(roomy, sample_id, reporter="bert").status_code == 202
    assert roomy.say(sample_id, "confirmed", reporter="anna").status_code == 202
    assert [row.reporter for row in stored(roomy, sample_id)[20:]] == ["bert", "anna"]


def test_the_same_answer_again_is_no_further_one(roomy: Server) -> None:
    sample_id, again = posted(roomy), str(uuid4())
    for _ in range(MOST_ANSWERS + 2):
        say(roomy, sample_id, id=again)
    say(roomy, sample_id)
    assert len(stored(roomy, sample_id)) == 2


def test_of_many_answers_at_once_twenty_are_kept(roomy: Server) -> None:
    sample_id, statuses = posted(roomy), []
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        statuses.extend(say(roomy, sample_id).status_code for _ in range(4))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses, len(stored(roomy, sample_id))) == ([202] * 32, 20)


# What it is told.


def erased(server: Server) -> UUID:
    sample_id = posted(server)
    with writing(server.backend.engine) as session:
        its_own = col(models.Sample.sample_id) == sample_id
        session.exec(update(models.Sample).where(its_own).values(state="archived", reason="erased"))
    return sample_id


def foreign(server: Server) -> UUID:
    """Return a sample of another project on the same server."""
    with writing(server.backend.engine) as session:
        secret_keys = server.backend.settings.secret_keys
        key = make_key(session, other_project(server), scopes=[Scope.INGEST], secret_keys=secret_keys, now=NOW)
    value = sample()
    headers = {"Authorization": f"Bearer {key}"}
    form = {"sample": (None, canonical_json(value), "application/json")}
    server.open.post("/v1/samples", files=form, headers=headers).raise_for_status()
    return value.id


@pytest.mark.parametrize(("path", "by"), [("/v1/feedback", "token"), ("/v1/feedback", "key"), ("/v1/shown", "token")])
def test_answer_is_the_same_whether_or_not_the_sample_is_there(each_server: Server, path: str, by: str) -> None:
    seen = set()
    for sample_id in (posted(each_server), uuid4(), erased(each_server), foreign(each_server)):
        credential = {"token": mint(each_server, sample_id)} if by == "token" else {"key": publishable(each_server)}
        body = answer(sample_id) if path == "/v1/feedback" else {}
        response = post(each_server, path, body | credential)
        headers = {name: value for name, value in response.headers.items() if name.lower() != "date"}
        seen.add((response.status_code, response.text, str(sorted(headers.items()))))
    assert [status for status, _, _ in seen] == [202]


def test_answer_takes_one_time_whatever_is_found(server: Server) -> None:
    for sample_id in (posted(server), uuid4(), erased(server)):
        started = time.monotonic()
        say(server, sample_id)
        assert time.monotonic() - started >= _EVEN_SECONDS


def test_feedback_on_a_foreign_sample_stays_in_the_callers_project(each_server: Server) -> None:
    sample_id = foreign(each_server)
    say(each_server, sample_id)
    (row,) = stored(each_server, sample_id)
    assert (row.project_id, row.sample_pk) == (each_server.project.id, None)


# From where.


@pytest.fixture
def named(server: Server) -> Server:
    """A server whose project names its pages."""
    apply_project(server.backend, PROJECT + f"origins: [{PAGE}, 'http://localhost:3000']\n")
    return server


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 202),
        (PAGE, 202),
        ("http://localhost:3000", 202),
        ("https://app.example.evil.test", 403),
        ("http://app.example", 403),
        ("https://app.example:444", 403),
        ("null", 403),
        ("", 403),
    ],
)
@pytest.mark.parametrize("path", ["/v1/feedback", "/v1/shown"])
def test_only_pages_that_the_project_names_may_post(named: Server, path: str, origin: str | None, status: int) -> None:
    sample_id = uuid4()
    body = (answer(sample_id) if path == "/v1/feedback" else {}) | {"token": mint(named, sample_id)}
    response = post(named, path, body, origin=origin)
    assert response.status_code == status
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_page_that_is_not_named_can_read_why(named: Server) -> None:
    response = say(named, uuid4(), origin="https://evil.test")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.json()["errors"][0]["field"] == "Origin"
    assert PAGE not in response.text


def test_refused_page_leaves_nothing_behind(named: Server) -> None:
    sample_id = uuid4()
    say(named, sample_id, origin="https://evil.test")
    assert stored(named, sample_id) == []


def test_key_is_not_asked_for_its_origin(named: Server) -> None:
    headers = {"Origin": "https://evil.test"}
    assert named.ingest.post("/v1/feedback", json=answer(uuid4()), headers=headers).status_code == 202


def test_no_page_is_named_by_an_empty_list(server: Server) -> None:
    apply_project(server.backend, PROJECT + "origins: []\n")
    assert say(server, uuid4()).status_code == 403


@pytest.mark.parametrize("path", ["/v1/feedback", "/v1/shown"])
def test_page_that_posts_json_may_ask_first(server: Server, path: str) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    found = server.open.options(path, headers=asked)
    assert (found.status_code, found.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "POST" in found.headers["Access-Control-Allow-Methods"]
    assert found.headers["Access-Control-Allow-Headers"] == "content-type"


# Unverified.


def test_publishable_key_looks_otherwise_than_a_secret_one(server: Server) -> None:
    assert publishable(server).startswith("lwp_")


def test_publishable_key_has_no_other_scope(sqlite_backend: Backend) -> None:
    project = apply_project(sqlite_backend)
    with writing(sqlite_backend.engine) as session, pytest.raises(ScopeError, match="publish must stand alone"):
        make_key(session, project, scopes=[Scope.PUBLISH, Scope.READ], secret_keys=("s" * 32,), now=NOW)


@pytest.mark.parametrize("comes_first", ["sample", "feedback"])
def test_unverified_feedback_is_kept_and_never_counts(each_server: Server, comes_first: str) -> None:
    value, key = sample(), publishable(each_server)
    if comes_first == "sample":
        each_server.post(value, jpeg())
    assert post(each_server, "/v1/feedback", answer(value.id, key=key, reporter="anna")).status_code == 202
    if comes_first == "feedback":
        each_server.post(value, jpeg())
    found = each_server.sample(value.id)
    (said,) = found["feedback"]
    assert (said["source"], said["reporter"], said["verdict"]) == ("publishable", None, "rejected")
    assert "publishable key" in said["fault"]
    assert (found["state"], found["labeling_task"]) == ("awaiting_feedback", None)
    assert found["history"][-1]["verdict"] is None


def test_unverified_confirmation_archives_nothing(each_server: Server) -> None:
    sample_id = posted(each_server)
    post(each_server, "/v1/feedback", answer(sample_id, "confirmed", key=publishable(each_server)))
    assert each_server.sample(sample_id)["state"] == "awaiting_feedback"


def test_unverified_feedback_does_not_change_what_a_token_said(each_server: Server) -> None:
    sample_id = posted(each_server)
    say(each_server, sample_id)
    post(each_server, "/v1/feedback", answer(sample_id, "confirmed", key=publishable(each_server), reporter="anna"))
    found = each_server.sample(sample_id)
    assert (found["state"], found["reason"]) == ("queued", "user_rejected")


def test_unverified_answers_beyond_the_twentieth_are_ignored(each_server: Server) -> None:
    sample_id, key = uuid4(), publishable(each_server)
    for number in range(MOST_ANSWERS + 2):
        post(each_server, "/v1/feedback", answer(sample_id, key=key, reporter=f"r{number}"))
    assert len(stored(each_server, sample_id)) == 20


def test_no_token_is_minted_with_a_publishable_key(server: Server) -> None:
    sample_id, key = uuid4(), publishable(server).replace("lwp_", "lw_")
    token = tokens.mint(key, sample_id=sample_id, reporter=None, scope="f", expires_at=4_000_000_000)
    assert post(server, "/v1/feedback", answer(sample_id, token=token)).status_code == 401


@pytest.mark.parametrize("prefix", ["lwp_", "lw_"])
@pytest.mark.parametrize("call", ["GET /v1/samples", "POST /v1/feedback", "POST /v1/shown", "POST /v1/samples/wanted"])
def test_publishable_key_opens_nothing_as_a_bearer(server: Server, prefix: str, call: str) -> None:
    method, path = call.split()
    headers = {"Authorization": f"Bearer {publishable(server).replace('lwp_', prefix)}"}
    body = {"/v1/feedback": answer(uuid4()), "/v1/shown": {"sample_id": str(uuid4())}}.get(path, {"ids": []})
    refused = server.open.request(method, path, json=body if method == "POST" else None, headers=headers)
    assert refused.status_code == (401 if prefix == "lwp_" else 403)


@pytest.mark.parametrize("change", ["secret key", "forged", "nonsense", "empty", "revoked"])
def test_what_is_no_publishable_key_is_refused(server: Server, change: str) -> None:
    good = publishable(server)
    if change == "revoked":
        with writing(server.backend.engine) as session:
            session.exec(
                update(models.ApiKey).where(col(models.ApiKey.kid) == good.split("_")[1]).values(revoked_at=NOW)
            )
    key = {"secret key": server.ingest_key, "forged": good[:-4] + "AAAA", "nonsense": "é", "empty": ""}
    assert post(server, "/v1/feedback", answer(uuid4(), key=key.get(change, good))).status_code == 401


def test_key_and_token_together_are_refused(server: Server) -> None:
    sample_id = uuid4()
    refused = say(server, sample_id, key=publishable(server))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "key")
