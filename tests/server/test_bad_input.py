"""Bad input of each kind gets its status, and a message that names the field."""

import io
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from feedback_sdk.wire import canonical_json
from tests.server.conftest import Server, jpeg, prediction, sample

Json = dict[str, Any]


def document(**more: object) -> Json:
    return json.loads(canonical_json(sample())) | more


def box(**more: object) -> Json:
    corners = {"label": "pill", "x_min": 1, "y_min": 1, "x_max": 9, "y_max": 9}
    said = {"model_version": "v1", "task": "detection", "image_size": [64, 48], "boxes": [corners | more]}
    return document(prediction=said)


def post(server: Server, value: Json | str, image: bytes | None = None) -> httpx.Response:
    text = value if isinstance(value, str) else json.dumps(value)
    files = {"sample": (None, text, "application/json")}
    return server.ingest.post("/v1/samples", files=files | ({"image": ("x", image)} if image is not None else {}))


def fields(answer: httpx.Response) -> list[str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return [fault["field"] for fault in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("value", "field", "said"),
    [
        ("", "body", "Invalid JSON"),
        ("[]", "body", "object"),
        (document(id="x"), "id", "valid UUID"),
        (document(captured_at="2026-11-20T12:00:00"), "captured_at", "timezone"),
        (document(captured_at=5), "captured_at", "datetime"),
        (document(colour="red"), "colour", "Unexpected"),
        (document(tags="one"), "tags", ""),
        (document(tags=["\x00"]), "tags.0", "pattern"),
        (document(metadata={"light": float("nan")}), "metadata.light", "must be finite, got nan"),
        (document(stands_for=0), "stands_for", "greater than or equal to 1"),
        (document(capture_probability=0), "capture_probability", "greater than 0"),
        (box(confidence=float("nan")), "prediction.boxes.0.confidence", "finite"),
        (box(confidence=1.5), "prediction.boxes.0.confidence", "less than or equal to 1"),
        (box(confidence="0.5"), "prediction.boxes.0.confidence", "valid number"),
        (box(x_min=9, x_max=3), "prediction.boxes.0.x_min", "x_min must be < x_max, got 9.0 and 3.0"),
        (box(x_min=100, x_max=110), "prediction.boxes.0", "must touch the image"),
        (box(label="banana"), "prediction.boxes.0.label", "must be one of pill, capsule, got 'banana'"),
        (box(colour="red"), "prediction.boxes.0.colour", "Unexpected"),
        (document(prediction={"model_version": "v1", "task": "guessing"}), "prediction.task", "detection"),
        (document(prediction={"model_version": "v1", "task": "counting"}), "prediction.task", "must be detection"),
    ],
)
def test_wrong_field_is_422_and_is_named(server: Server, value: Json | str, field: str, said: str) -> None:
    answer = post(server, value, jpeg())
    assert answer.status_code == 422
    assert field in fields(answer)
    assert said in json.dumps(answer.json()["errors"])


def truncated() -> bytes:
    return jpeg(200, 200)[:3000]


def huge() -> bytes:
    out = io.BytesIO()
    Image.new("1", (12_000, 9_000)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("image", "status"),
    [(lambda: b"", 422), (lambda: b"hello", 422), (truncated, 422), (huge, 422), (lambda: b"x" * 25_000_001, 413)],
)
def test_wrong_image_is_refused_and_named(server: Server, image: Callable[[], bytes], status: int) -> None:
    answer = post(server, document(), image())
    assert (answer.status_code, fields(answer)) == (status, ["image"])


def test_refused_sample_leaves_nothing_behind(server: Server) -> None:
    value = document()
    assert post(server, value, b"hello").status_code == 422
    assert post(server, value, jpeg()).status_code == 201


@pytest.mark.parametrize(
    ("key", "status"), [("", 401), ("nonsense", 401), ("lw_00000000_abc", 401), ("read", 403), ("admin", 403)]
)
def test_wrong_key_or_scope_is_refused(server: Server, key: str, status: int) -> None:
    client = {"read": server.read, "admin": server.admin}.get(key, server.open)
    headers = {"Authorization": f"Bearer {key}"} if client is server.open and key else {}
    answer = client.post("/v1/samples", files={"sample": (None, json.dumps(document()))}, headers=headers)
    assert answer.status_code == status
    assert answer.json()["title"].startswith(("a key must", "the key must"))


def test_revoked_key_is_refused(server: Server) -> None:
    from queue_server.store import keys
    from queue_server.store.engine import writing
    from tests.server.conftest import NOW

    with writing(server.backend.engine) as session:
        assert keys.revoke(session, server.ingest_key.split("_")[1], NOW)
    assert post(server, document()).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/samples", 415),
        ("GET", "/v1/samples/6f2a0d7e-3c1b-4e59-9a41-0f8d5b7c2e13", 404),
        ("GET", "/v1/samples/not-a-uuid", 404),
        ("DELETE", "/v1/samples", 405),
        ("GET", "/v1/samples?limit=0", 422),
        ("GET", "/v1/samples?colour=red", 422),
        ("GET", "/v1/samples?since=yesterday", 422),
        ("GET", "/v1/reports/none", 404),
        ("GET", "/v1/exports/none", 404),
        ("GET", "/v1/exports/yolo?include=everything", 422),
        ("GET", "/nowhere", 404),
    ],
)
def test_wrong_address_or_query_is_a_problem_too(server: Server, method: str, path: str, status: int) -> None:
    client = server.ingest if method == "POST" else server.read
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"verdict": "corrected"}, "correction"),
        ({"verdict": "rejected", "correction": {"count": 3}}, "correction"),
        ({"verdict": "corrected", "correction": {}}, "correction"),
        ({"verdict": "corrected", "correction": {"count": -1}}, "correction.count"),
        ({"verdict": "corrected", "correction": {"label": "banana"}}, "correction.label"),
        ({"verdict": "corrected", "correction": {"points": [{"x": 1e5, "y": 1}]}}, "correction.points.0"),
        (
            {"verdict": "corrected", "correction": {"boxes": [{"action": "remove", "target": 7}]}},
            "correction.boxes.0.target",
        ),
        ({"verdict": "rejected", "age_ms": -5}, "age_ms"),
        ({"verdict": "rejected", "comment": "x" * 4001}, "comment"),
    ],
)
def test_wrong_feedback_is_422_and_names_the_field(server: Server, body: Json, field: str) -> None:
    value = sample(prediction(0.9))
    server.post(value, jpeg())
    answer = server.ingest.post("/v1/feedback", json={"id": str(uuid4()), "sample_id": str(value.id), **body})
    assert (answer.status_code, fields(answer)) == (422, [field])


def test_one_bad_sample_of_a_batch_leaves_the_others_alone(server: Server) -> None:
    good, bad, lost = document(), document(tags="x"), str(uuid4())
    files = [("sample", (None, json.dumps(value), "application/json")) for value in (good, bad)]
    files += [("image", (good["id"], jpeg())), ("image", (lost, jpeg()))]
    answer = server.ingest.post("/v1/samples/batch", files=files)
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [(item["id"], item["status"]) for item in results] == [(good["id"], 201), (bad["id"], 422), (None, 422)]
    assert results[1]["errors"][0]["field"] == "tags"
    assert lost in results[2]["errors"][0]["message"]


BEYOND_UTC = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]


@pytest.mark.parametrize("text", BEYOND_UTC)
def test_time_that_utc_cannot_express_is_refused_with_its_field(server: Server, text: str) -> None:
    document = json.dumps({"id": str(uuid4()), "captured_at": text})
    answer = server.ingest.post("/v1/samples", files={"sample": (None, document, "application/json")})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "captured_at")


@pytest.mark.parametrize("path", ["/v1/samples", "/v1/samples/changes"])
@pytest.mark.parametrize("text", BEYOND_UTC)
def test_query_for_a_time_that_utc_cannot_express_is_refused(server: Server, path: str, text: str) -> None:
    answer = server.read.get(path, params={"since": text})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "since")
