"""The client as an app sets it up: switches, thinning, hooks, and what a model's package gives."""

import io
import json
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from feedback_sdk import Box, Capture, Collapse, Feedback, FeedbackClient, Prediction
from feedback_sdk.errors import TransportError
from feedback_sdk.testing import MemoryTransport
from feedback_sdk.transport import Request, Response
from tests.sdk.stand_in import KEY, read_multipart, wait_until

PREDICTION = Prediction(
    model_version="v1", task="detection", boxes=[Box(label="pill", x_min=10, y_min=20, x_max=30, y_max=40)]
)


@pytest.fixture
def transport():
    return MemoryTransport()


def sent(client: FeedbackClient, transport: MemoryTransport) -> list[tuple[dict, bytes | None]]:
    """Return the JSON and image of each sample that was sent alone."""
    assert client.flush(10)
    parts = [
        read_multipart(request.headers["Content-Type"], request.body)
        for request in transport.requests
        if request.path == "/v1/samples"
    ]
    return [(json.loads(text), image) for text, image in parts]


def photo(width: int, height: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def test_the_kill_switch_captures_nothing(make_client, transport, monkeypatch, caplog):
    monkeypatch.setenv("LOOKSWRONG_DISABLED", "1")
    client = make_client(transport=transport)
    assert client.log_prediction(None, PREDICTION) is None
    assert not client.is_enabled
    assert "LOOKSWRONG_DISABLED" in caplog.text


def test_a_dry_run_logs_and_sends_nothing(make_client, server, caplog, tmp_path):
    caplog.set_level(logging.INFO, "feedback_sdk")
    client = make_client(server.url, dry_run=True)
    sample_id = client.log_prediction(b"image", PREDICTION)
    assert client.flush(10)
    assert sample_id is not None
    assert server.bodies == []
    assert "/v1/samples" in caplog.text


def test_a_dry_run_needs_neither_server_nor_key(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKSWRONG_DRY_RUN", "1")
    with FeedbackClient(spool_dir=tmp_path) as client:
        assert client.log_prediction(b"image", PREDICTION) is not None
        assert client.flush(10)


def test_what_a_replaced_key_left_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for key in ("lw_old_s", "lw_new_s"):
        with FeedbackClient("http://127.0.0.1:9", key) as client:
            client.log_prediction()
    assert "captures for this server wait under another key" in caplog.text
    assert "-old'" in caplog.text


def test_a_dry_run_leaves_alone_what_waits_for_the_server(make_client, server):
    away = make_client(server.url, transport=MemoryTransport([TransportError("away")] * 100))
    waiting = away.log_prediction(None, PREDICTION)
    away.close()
    dry = make_client(server.url, dry_run=True)
    dry.log_prediction(None, PREDICTION)
    assert dry.flush(10)
    dry.close()
    make_client(server.url).flush(10)
    assert list(server.samples) == [waiting]


def test_options_that_cannot_be_disable_the_client_and_say_why(make_client, caplog):
    client = make_client(max_image_side=-5)
    assert client.log_prediction(None, PREDICTION) is None
    assert "max_image_side must be a number > 0, got -5" in caplog.text


def test_sampling_is_carried_as_the_chance_of_capture(make_client, transport):
    client = make_client(transport=transport, sample_rate=0.25)
    ids = [client.log_prediction(None, PREDICTION, capture_probability=0.5) for _ in range(200)]
    kept = [sample_id for sample_id in ids if sample_id is not None]
    assert 20 < len(kept) < 90
    assert client.stats().left_out == 200 - len(kept)
    assert {text["capture_probability"] for text, _ in sent(client, transport)} <= {0.125}


def test_sampling_gives_one_id_one_answer(make_client):
    first, second = (make_client(transport=MemoryTransport(), sample_rate=0.5) for _ in range(2))
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(50)]
    assert [first.log_prediction(id=sample_id) for sample_id in ids] == [
        second.log_prediction(id=sample_id) for sample_id in ids
    ]


def test_a_stream_is_thinned_and_says_what_its_frames_stand_for(make_client, transport):
    client = make_client(transport=transport, max_frames_per_second=1.0)
    kept = [client.log_prediction(None, PREDICTION, stream="cam") for _ in range(30)]
    assert len([sample_id for sample_id in kept if sample_id]) == 1
    assert client.log_prediction(None, PREDICTION) is not None
    assert client.log_prediction(None, PREDICTION, stream="door") is not None
    assert client.stats().left_out == 29


def test_frames_that_look_alike_become_one(make_client, transport):
    client = make_client(transport=transport, collapse=Collapse())
    frame = photo(64, 48)
    for _ in range(5):
        client.log_prediction(frame, PREDICTION, stream="cam")
    texts = [text for text, _ in sent(client, transport)]
    assert [text.get("stands_for") for text in texts] == [5]
    assert client.stats().collapsed == 4


def test_images_are_reduced_and_boxes_keep_their_pixels(make_client, transport):
    client = make_client(transport=transport, max_image_side=100)
    client.log_prediction(photo(400, 200), PREDICTION)
    ((text, image),) = sent(client, transport)
    assert text["prediction"]["image_size"] == [400, 200]
    assert Image.open(io.BytesIO(image)).size == (100, 50)


def test_before_send_redacts_samples_and_feedback(make_client, transport):
    def redact(item):
        if isinstance(item, Capture):
            return replace(item, sample=replace(item.sample, metadata={}))
        return replace(item, comment=None)

    client = make_client(transport=transport, before_send=redact)
    client.reject(client.log_prediction(None, PREDICTION, metadata={"name": "Ann"}), comment="call me: 555")
    ((text, _),) = sent(client, transport)
    assert "metadata" not in text
    assert b"555" not in transport.requests[-1].body


def test_before_send_drops(make_client, transport):
    client = make_client(transport=transport, before_send=lambda item: item if isinstance(item, Feedback) else None)
    client.log_prediction(None, PREDICTION)
    assert sent(client, transport) == []


def test_what_before_send_fails_on_is_never_sent(make_client, transport):
    heard = []
    client = make_client(transport=transport, before_send=lambda _: 1 // 0, on_drop=heard.append)
    sample_id = client.log_prediction(None, PREDICTION)
    assert sent(client, transport) == []
    assert [(drop.reason, drop.id) for drop in heard] == [("before_send", sample_id)]
    assert re.fullmatch(
        r"before_send must not raise, got ZeroDivisionError at test_client_options.py:\d+", heard[0].message
    )


def test_a_refusal_names_the_field_and_what_must_hold_but_no_value(make_client):
    said = (
        b'{"errors": [{"field": "prediction.boxes.0.label", "message": "must be one of pill, capsule, got \'ann\'"}]}'
    )
    heard = []
    refusal = Response(status=422, headers={"content-type": "application/problem+json"}, body=said)
    client = make_client(transport=MemoryTransport([refusal]), on_drop=heard.append)
    client.log_prediction(b"image", PREDICTION)
    client.flush(10)
    assert heard[0].message == "the server refused a sample: prediction.boxes.0.label must be one of pill, capsule"


def test_a_client_without_the_hook_never_sends_what_waits_for_it(make_client, server):
    away = make_client(transport=MemoryTransport([TransportError("away")] * 100), before_send=lambda item: item)
    away.log_prediction(None, PREDICTION)
    away.close()
    plain = make_client(server.url)
    plain.flush(2)
    plain.close()
    assert server.samples == {}
    make_client(server.url, before_send=lambda item: item).flush(10)
    assert len(server.samples) == 1


def test_a_paused_client_captures_and_sends_nothing(make_client, server):
    client = make_client(server.url)
    client.pause()
    sample_id = client.log_prediction(None, PREDICTION)
    assert client.flush(5) is False
    assert server.samples == {}
    client.resume()
    assert client.flush(10)
    assert list(server.samples) == [sample_id]


def test_a_models_own_results_are_read(make_client, transport):
    client = make_client(transport=transport, model_version="v7", labels=["pill", "capsule"])
    arrays = {"boxes": np.array([[1, 2, 3, 4]], np.float32), "scores": np.array([0.5]), "labels": np.array([1])}
    client.log_prediction(None, arrays)
    client.log_prediction(None, arrays, model_version="v8")
    predictions = [text["prediction"] for text, _ in sent(client, transport)]
    assert [(one["model_version"], one["boxes"][0]["label"]) for one in predictions] == [
        ("v7", "capsule"),
        ("v8", "capsule"),
    ]


def test_results_without_a_model_version_are_refused(make_client, transport):
    heard = []
    client = make_client(transport=transport, on_drop=heard.append)
    assert client.log_prediction(None, {"boxes": [], "scores": [], "labels": []}) is None
    assert heard[0].message == "model_version must be given with a dict, got none"


class Feed:
    """A server that has one change to tell of."""

    def __init__(self, **change: str) -> None:
        self._answer = json.dumps({"changes": [change], "cursor": "1"}).encode()

    def send(self, request: Request) -> Response:
        assert request.path.startswith("/v1/samples/changes")
        return Response(status=200, headers={"content-type": "application/json"}, body=self._answer)


def test_status_and_resolved_answer_at_once_and_later_from_the_server(make_client):
    sample_id, day = "00000000-0000-4000-8000-000000000001", datetime(2026, 1, 1, tzinfo=UTC)
    feed = Feed(id=sample_id, state="annotated", verdict="rejected", outcome="user_right", at="2026-01-01T12:00:00Z")
    client = make_client(transport=feed, status_poll_seconds=0.05)
    assert client.resolved(day) == []
    wait_until(lambda: client.resolved(day) != [])
    (resolved,) = client.resolved(day)
    assert (resolved.id, resolved.outcome) == (sample_id, "user_right")
    assert client.status(sample_id) == resolved
    assert client.resolved(day + timedelta(days=1)) == []


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_the_order_of_channels_is_said_with_the_array(make_client, transport, order):
    client = make_client(transport=transport)
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0 if order == "RGB" else 2] = 255
    client.log_prediction(red, PREDICTION, channel_order=order)
    ((_, image),) = sent(client, transport)
    assert Image.open(io.BytesIO(image)).getpixel((0, 0)) == (255, 0, 0)


def test_a_second_client_with_the_same_key_has_its_own_counters(make_client):
    first, second = (make_client(transport=MemoryTransport()) for _ in range(2))
    first.log_prediction(None, PREDICTION)
    assert (first.stats().accepted, second.stats().accepted) == (1, 0)


def test_the_key_is_in_no_log(make_client, caplog):
    caplog.set_level(logging.DEBUG)
    client = make_client(transport=MemoryTransport([Response(status=401)] * 3))
    client.log_prediction(None, PREDICTION)
    client.flush(0.5)
    assert KEY not in caplog.text
