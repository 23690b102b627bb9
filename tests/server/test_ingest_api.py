"""Samples and feedback over HTTP, on both databases."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from feedback_sdk.types import Box
from queue_server.core.proposals import spots
from queue_server.proposals import proposal_of
from queue_server.store import labeling_tasks, samples
from queue_server.store.engine import reading
from tests.server.conftest import Server, jpeg, prediction, sample


def shown_spots(server: Server, sample_id: UUID) -> list[tuple[float, float]]:
    """Return where an annotator is shown what users marked."""
    with reading(server.backend.engine) as session:
        row = samples.find(session, server.project.id, sample_id)
        task = labeling_tasks.of_sample(session, row.id)
        found = proposal_of(session, row, task, server.backend.settings)
    return [(point.x, point.y) for point in spots(found)]


def test_new_sample_is_201_and_the_same_again_200(each_server: Server) -> None:
    value, image = sample(), jpeg()
    assert [each_server.post(value, image).status_code for _ in range(3)] == [201, 200, 200]
    assert len(each_server.read.get("/v1/samples").json()["samples"]) == 1


def test_same_id_with_another_image_is_409_and_names_the_image(server: Server) -> None:
    value = sample()
    server.post(value, jpeg(seed=1))
    answer = server.post(value, jpeg(seed=2))
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["field"] == "image"


def test_same_id_with_another_prediction_is_409_and_names_the_id(server: Server) -> None:
    value, image = sample(), jpeg()
    server.post(value, image)
    answer = server.post(sample(prediction(0.5), id=value.id), image)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "id")


def test_announced_hash_must_be_that_of_the_image(server: Server) -> None:
    answer = server.post(sample(image_sha256="0" * 64), jpeg())
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "image_sha256")


def test_sample_without_image_is_asked_for_it_when_it_is_wanted(server: Server) -> None:
    value, image = sample(), jpeg()
    assert server.post(value).json()["image"] == "not_yet"
    server.say(value.id, "rejected")
    assert server.post(value).json() == {"id": str(value.id), "state": "queued", "image": "wanted"}
    put = server.ingest.put(f"/v1/samples/{value.id}/image", content=image)
    assert (put.status_code, put.json()["image"]) == (201, "stored")
    assert server.ingest.put(f"/v1/samples/{value.id}/image", content=image).status_code == 200


def test_archived_sample_needs_no_image(server: Server) -> None:
    value = sample()
    server.post(value)
    server.say(value.id, "confirmed")
    assert server.post(value).json()["image"] == "not_wanted"


def test_rejected_sample_is_queued_once(each_server: Server) -> None:
    value = sample()
    each_server.post(value, jpeg())
    for _ in range(3):
        assert each_server.say(value.id, "rejected", reporter="anna").status_code == 202
    found = each_server.sample(value.id)
    assert (found["state"], found["reason"]) == ("queued", "user_rejected")
    assert [entry["state"] for entry in found["history"]] == ["awaiting_feedback", "queued"]
    assert found["labeling_task"]["generation"] == 1


def test_feedback_before_its_sample_counts_when_the_sample_comes(each_server: Server) -> None:
    value = sample()
    assert each_server.say(value.id, "rejected").status_code == 202
    each_server.post(value, jpeg())
    assert each_server.sample(value.id)["state"] == "queued"


def test_parked_feedback_that_does_not_fit_is_kept_and_flagged(server: Server) -> None:
    value = sample()
    server.say(value.id, "corrected", correction={"label": "banana"})
    server.post(value, jpeg())
    found = server.sample(value.id)
    assert found["state"] == "awaiting_feedback"
    assert "must be one of pill, capsule, got 'banana'" in found["feedback"][0]["fault"]


def test_same_feedback_again_is_kept_once_and_other_content_is_409(server: Server) -> None:
    value, feedback_id = sample(), str(uuid4())
    server.post(value, jpeg())
    assert server.say(value.id, "rejected", id=feedback_id).status_code == 202
    assert server.say(value.id, "rejected", id=feedback_id, age_ms=5000).status_code == 202
    assert server.say(value.id, "confirmed", id=feedback_id).status_code == 409
    assert len(server.sample(value.id)["feedback"]) == 1


def test_reporters_who_disagree_make_a_sample_disputed(server: Server) -> None:
    value = sample()
    server.post(value, jpeg())
    server.say(value.id, "confirmed", reporter="anna")
    server.say(value.id, "rejected", reporter="bert")
    assert server.sample(value.id)["reason"] == "disputed"


def test_shadow_prediction_stands_beside_the_shown_one(server: Server) -> None:
    value = sample()
    server.post(value, jpeg())
    body = {"model_version": "v2", "task": "detection", "boxes": []}
    path = f"/v1/samples/{value.id}/predictions"
    assert [server.ingest.post(path, json=body).status_code for _ in range(2)] == [201, 200]
    assert server.ingest.post(path, json=body | {"count": 3}).status_code == 409
    found = server.sample(value.id)
    assert found["prediction"]["model_version"] == "v1"
    assert [shadow["model_version"] for shadow in found["shadow_predictions"]] == ["v2"]


def test_request_by_hand_queues_and_does_not_count_in_the_inclusion_probability(server: Server) -> None:
    value = sample()
    server.post(value, jpeg())
    answer = server.admin.post(f"/v1/samples/{value.id}/request", json={"reason": "odd light"})
    assert answer.json()["state"] == "queued"
    found = server.sample(value.id)
    assert (found["reason"], found["decision"]["inclusion_probability"]) == ("requested", 0.0)


def test_stored_image_comes_back_by_its_signed_address_with_cors(server: Server) -> None:
    value, image = sample(), jpeg()
    server.post(value, image)
    path = server.sample(value.id)["image_url"].removeprefix("http://127.0.0.1:8500")
    answer = server.open.get(path, headers={"Origin": "http://label-studio.test"})
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(image).digest()
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("change", [("signature=", "signature=x"), ("project=1", "project=2"), ("images/", "images/0")])
def test_image_address_that_we_did_not_sign_is_refused_with_cors(server: Server, change: tuple[str, str]) -> None:
    value = sample()
    server.post(value, jpeg())
    path = server.sample(value.id)["image_url"].removeprefix("http://127.0.0.1:8500").replace(*change)
    answer = server.open.get(path, headers={"Origin": "http://label-studio.test"})
    assert answer.status_code == 403
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_box_across_the_edge_is_kept_as_it_was_sent(server: Server) -> None:
    crossing = Box(label="pill", x_min=-5.0, y_min=1.0, x_max=9.0, y_max=9.0)
    value = sample(prediction(boxes=[crossing]))
    assert server.post(value, jpeg()).status_code == 201
    assert server.sample(value.id)["prediction"]["boxes"][0]["x_min"] == -5.0


def test_correction_without_image_size_is_in_the_pixels_of_the_prediction(each_server: Server) -> None:
    value = sample(prediction(image_size=(640, 480), boxes=[]))
    each_server.post(value, jpeg(64, 48))
    spot = {"points": [{"x": 500.0, "y": 400.0}]}
    assert each_server.say(value.id, "corrected", correction=spot).status_code == 202
    outside = {"points": [{"x": 700.0, "y": 400.0}]}
    answer = each_server.say(value.id, "corrected", correction=outside)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "correction.points.0")
    assert shown_spots(each_server, value.id) == [(50.0, 40.0)]


def test_age_of_feedback_is_what_its_first_arrival_said(each_server: Server) -> None:
    value, feedback_id = sample(), str(uuid4())
    each_server.post(value, jpeg())
    for age_ms in (60_000, 3_600_000, 0):
        assert each_server.say(value.id, "rejected", id=feedback_id, age_ms=age_ms).status_code == 202
    (kept,) = each_server.sample(value.id)["feedback"]
    lag = datetime.fromisoformat(kept["received_at"]) - datetime.fromisoformat(kept["given_at"])
    assert lag == timedelta(seconds=60)
