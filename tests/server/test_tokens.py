"""Per-sample tokens: what a browser or a phone may do with one, and what it may not."""

import json
from uuid import UUID, uuid4

import pytest

from feedback_sdk import tokens
from feedback_sdk.wire import canonical_json
from queue_server.store import keys
from queue_server.store.engine import writing
from tests.server.conftest import NOW, Server, jpeg, sample

LATER = 4_000_000_000


def mint(server: Server, sample_id: UUID, *, scope: str = "f", reporter: str = "anna", expires_at: int = LATER) -> str:
    return tokens.mint(server.ingest_key, sample_id=sample_id, reporter=reporter, scope=scope, expires_at=expires_at)


def say(server: Server, token: str, sample_id: UUID, **more: object) -> int:
    body = {"id": str(uuid4()), "sample_id": str(sample_id), "verdict": "rejected", "token": token, **more}
    headers = {"Content-Type": "text/plain", "Origin": "https://app.test"}
    answer = server.open.post("/v1/feedback", content=json.dumps(body), headers=headers)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return answer.status_code


def test_token_lets_a_browser_say_what_its_user_thinks(server: Server) -> None:
    value = sample()
    server.post(value, jpeg())
    assert say(server, mint(server, value.id), value.id) == 202
    found = server.sample(value.id)
    assert (found["state"], found["feedback"][0]["reporter"], found["feedback"][0]["source"]) == (
        "queued",
        "anna",
        "token",
    )


def test_reporter_is_the_tokens_whatever_the_body_says(server: Server) -> None:
    value = sample()
    server.post(value, jpeg())
    for name in ("bert", "carl"):
        say(server, mint(server, value.id), value.id, reporter=name)
    assert {item["reporter"] for item in server.sample(value.id)["feedback"]} == {"anna"}


def test_answer_does_not_tell_whether_a_sample_exists(server: Server) -> None:
    unknown, value, feedback_id = uuid4(), sample(), str(uuid4())
    server.post(value, jpeg())
    statuses = [
        say(server, mint(server, unknown), unknown),
        say(server, mint(server, value.id), value.id, id=feedback_id),
        say(server, mint(server, value.id), value.id, id=feedback_id, verdict="confirmed"),
        say(server, mint(server, value.id), value.id, verdict="corrected", correction={"label": "banana"}),
    ]
    assert statuses == [202, 202, 202, 202]
    assert [item["verdict"] for item in server.sample(value.id)["feedback"]] == ["rejected", "corrected"]
    assert "banana" in server.sample(value.id)["feedback"][1]["fault"]


def test_token_of_another_sample_is_refused(server: Server) -> None:
    assert say(server, mint(server, uuid4()), uuid4()) == 403


@pytest.mark.parametrize("change", ["expired", "forged", "nonsense", "unknown key"])
def test_token_that_is_not_valid_is_refused(server: Server, change: str) -> None:
    sample_id = uuid4()
    good = mint(server, sample_id)
    token = {
        "expired": mint(server, sample_id, expires_at=1),
        "forged": good[:-4] + "AAAA",
        "nonsense": "v1.x",
        "unknown key": good.replace(good.split(".")[1], "00000000"),
    }[change]
    assert say(server, token, sample_id) == 401


def test_revoking_a_key_revokes_its_tokens(server: Server) -> None:
    sample_id = uuid4()
    token = mint(server, sample_id)
    with writing(server.backend.engine) as session:
        keys.revoke(session, server.ingest_key.split("_")[1], NOW)
    assert say(server, token, sample_id) == 401


def test_upload_token_lets_a_phone_send_its_own_sample_only(server: Server) -> None:
    own, other = sample(), sample()
    headers = {"Authorization": f"Bearer {mint(server, own.id, scope='s')}"}
    statuses = [
        server.open.post(
            "/v1/samples",
            files={"sample": (None, canonical_json(value)), "image": ("x", jpeg())},
            headers=headers,
        ).status_code
        for value in (own, other)
    ]
    assert statuses == [201, 403]


def test_feedback_token_uploads_nothing(server: Server) -> None:
    value = sample()
    headers = {"Authorization": f"Bearer {mint(server, value.id)}"}
    answer = server.open.post("/v1/samples", files={"sample": (None, canonical_json(value))}, headers=headers)
    assert answer.status_code == 403
