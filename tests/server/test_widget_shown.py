"""What a page tells of a result that its user saw: kept once, and needed before silence affirms, where asked for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import select

from feedback_sdk.types import Sample
from queue_server import models
from queue_server.ingest.due import decide_due
from queue_server.store.engine import reading
from tests.server.conftest import PROJECT, Server, apply_project, jpeg, prediction, sample
from tests.server.end_users import mint, post, show

ONLY_SHOWN = PROJECT + "silence_affirms: shown\n"


def shown_at(server: Server, sample_id: UUID) -> datetime | None:
    said = server.sample(sample_id)["shown_at"]
    return datetime.fromisoformat(said) if said is not None else None


def parked(server: Server) -> list[models.ParkedShowing]:
    with reading(server.backend.engine) as session:
        return list(session.exec(select(models.ParkedShowing)))


def show_by_key(server: Server, body: dict) -> int:
    return server.ingest.post("/v1/shown", json=body).status_code


def test_nobody_told_that_it_was_shown(each_server: Server) -> None:
    value = sample()
    each_server.post(value, jpeg())
    assert shown_at(each_server, value.id) is None


@pytest.mark.parametrize("by", ["token", "key"])
@pytest.mark.parametrize("comes_first", ["sample", "showing"])
def test_showing_is_kept_whichever_comes_first(each_server: Server, by: str, comes_first: str) -> None:
    value, before = sample(), datetime.now(UTC)
    if comes_first == "sample":
        each_server.post(value, jpeg())
    if by == "token":
        assert show(each_server, value.id, age_ms=60_000).status_code == 202
    else:
        assert show_by_key(each_server, {"sample_id": str(value.id), "age_ms": 60_000}) == 202
    if comes_first == "showing":
        assert len(parked(each_server)) == 1
        each_server.post(value, jpeg())
    found = shown_at(each_server, value.id)
    assert before <= found + timedelta(minutes=1) <= datetime.now(UTC)
    assert parked(each_server) == []


@pytest.mark.parametrize("comes_first", ["sample", "showing"])
def test_earliest_showing_counts(each_server: Server, comes_first: str) -> None:
    value = sample()
    if comes_first == "sample":
        each_server.post(value, jpeg())
    for age_ms in (1000, 600_000, 0):
        show(each_server, value.id, age_ms=age_ms)
    if comes_first == "showing":
        each_server.post(value, jpeg())
    age = datetime.now(UTC) - shown_at(each_server, value.id)
    assert timedelta(minutes=9) < age < timedelta(minutes=11)


def test_showing_and_its_sample_at_once_find_each_other(each_server: Server) -> None:
    values = [sample() for _ in range(6)]
    with ThreadPoolExecutor(12) as pool:
        calls = [(each_server.post, value) for value in values] + [(show_it, each_server, value) for value in values]
        done = [pool.submit(*call) for call in calls]
    assert {future.result().status_code for future in done} == {201, 202}
    assert None not in [shown_at(each_server, value.id) for value in values]
    assert parked(each_server) == []


def show_it(server: Server, value: Sample) -> httpx.Response:
    return show(server, value.id)


def test_very_old_showing_is_kept(server: Server) -> None:
    value = sample()
    server.post(value, jpeg())
    assert show(server, value.id, age_ms=10**12).status_code == 202
    assert shown_at(server, value.id).year == datetime.now(UTC).year - 10


def test_showing_decides_nothing(server: Server) -> None:
    value = sample(prediction(0.3))
    server.post(value, jpeg())
    before = server.sample(value.id)
    show(server, value.id)
    after = server.sample(value.id)
    assert [after[name] for name in ("state", "decision", "history")] == [
        before[name] for name in ("state", "decision", "history")
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"sample_id": "x"}, 422),
        ({"sample_id": str(uuid4()), "age_ms": -1}, 422),
        ({"sample_id": str(uuid4()), "age_ms": 1.5}, 422),
        ({"sample_id": str(uuid4()), "more": 1}, 422),
        ({"sample_id": str(uuid4()), "key": "lwp_a_b"}, 422),
        ({"sample_id": str(uuid4()), "token": "v1.x"}, 401),
        ({"sample_id": str(uuid4())}, 202),
    ],
)
def test_showing_must_fit_the_wire(server: Server, body: dict, status: int) -> None:
    assert show_by_key(server, body) == status


def test_showing_without_a_key_or_a_token_is_refused(server: Server) -> None:
    assert post(server, "/v1/shown", {"sample_id": str(uuid4())}).status_code == 401


def test_key_that_only_reads_shows_nothing(server: Server) -> None:
    assert server.read.post("/v1/shown", json={"sample_id": str(uuid4())}).status_code == 403


def test_token_shows_its_own_sample_only(server: Server) -> None:
    own, other = uuid4(), uuid4()
    bodies = [{"token": mint(server, own), "sample_id": str(sample_id)} for sample_id in (own, other)]
    assert [post(server, "/v1/shown", body).status_code for body in bodies] == [202, 403]


# What silence affirms.


def at_windows_end(server: Server) -> None:
    decide_due(server.backend, now=datetime.now(UTC) + timedelta(hours=25))


@pytest.mark.parametrize(
    ("text", "is_shown", "reason"),
    [
        (PROJECT, False, "affirmed"),
        (PROJECT, True, "affirmed"),
        (ONLY_SHOWN, False, "not_sampled"),
        (ONLY_SHOWN, True, "affirmed"),
    ],
)
def test_silence_affirms_what_was_shown(each_server: Server, text: str, is_shown: bool, reason: str) -> None:
    apply_project(each_server.backend, text)
    value = sample(prediction(0.95))
    each_server.post(value, jpeg())
    if is_shown:
        show(each_server, value.id)
    at_windows_end(each_server)
    found = each_server.sample(value.id)
    assert (found["state"], found["reason"]) == ("archived", reason)


def test_policy_at_arrival_says_what_silence_affirms(server: Server) -> None:
    value = sample(prediction(0.95))
    server.post(value, jpeg())
    apply_project(server.backend, ONLY_SHOWN)
    at_windows_end(server)
    assert server.sample(value.id)["reason"] == "affirmed"


def test_confirmation_needs_no_showing(server: Server) -> None:
    apply_project(server.backend, ONLY_SHOWN)
    value = sample(prediction(0.95))
    server.post(value, jpeg())
    server.say(value.id, "confirmed")
    assert server.sample(value.id)["reason"] == "confirmed"


def test_unsure_prediction_is_queued_although_nobody_saw_it(server: Server) -> None:
    apply_project(server.backend, ONLY_SHOWN)
    value = sample(prediction(0.3))
    server.post(value, jpeg())
    at_windows_end(server)
    assert server.sample(value.id)["reason"] == "unconfirmed_low_confidence"
