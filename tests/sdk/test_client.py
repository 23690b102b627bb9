"""The client in an app: every argument arrives, and nothing that an app can do makes it raise."""

import gc
import io
import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from feedback_sdk import Box, BoxCorrection, FeedbackClient, Point, Prediction, tokens
from feedback_sdk.testing import MemoryTransport
from tests.sdk.stand_in import KEY, file_size_limit, read_multipart, wait_until

ID = "12345678-1234-5678-1234-567812345678"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOX = {"label": "pill", "x_min": 1.0, "y_min": 2.0, "x_max": 3.0, "y_max": 4.0}
PREDICTION = Prediction(model_version="v1", task="detection", boxes=[Box(**BOX)])


@pytest.fixture
def transport():
    return MemoryTransport()


@pytest.fixture
def client(make_client, transport):
    return make_client(transport=transport)


def sent(client: FeedbackClient, transport: MemoryTransport) -> list[dict]:
    """Return the JSON of all that was sent."""
    assert client.flush(5)
    return [
        json.loads(
            request.body
            if request.path == "/v1/feedback"
            else read_multipart(request.headers["Content-Type"], request.body)[0]
        )
        for request in transport.requests
    ]


def test_every_field_of_a_capture_arrives(client, transport):
    assert (
        client.log_prediction(
            None,
            PREDICTION,
            id=UUID(ID),
            tags=["night"],
            metadata={"shop": 7},
            subject="s1",
            stream="cam2",
            capture_probability=0.5,
            stands_for=3,
            embedding=[0.5, 1.0],
            captured_at=NOON,
        )
        == ID
    )
    assert sent(client, transport) == [
        {
            "id": ID,
            "captured_at": "2026-01-01T12:00:00Z",
            "prediction": {"model_version": "v1", "task": "detection", "boxes": [BOX]},
            "tags": ["night"],
            "metadata": {"shop": 7},
            "subject": "s1",
            "stream": "cam2",
            "capture_probability": 0.5,
            "stands_for": 3,
            "embedding": [0.5, 1.0],
        }
    ]


def test_a_capture_without_an_id_gets_one_of_its_own(client):
    first, second = client.log_prediction(), client.log_prediction()
    assert first != second
    assert str(UUID(first)) == first


def test_finding_nothing_is_not_the_same_as_not_looking(client, transport):
    for boxes in ([], None):
        client.log_prediction(None, Prediction(model_version="v1", task="detection", boxes=boxes))
    assert [sample["prediction"].get("boxes") for sample in sent(client, transport)] == [[], None]


def test_a_repeat_with_id_and_time_is_byte_for_byte_the_same(client, transport):
    for _ in range(2):
        client.log_prediction(b"image", PREDICTION, id=ID, captured_at=NOON)
    assert client.flush(5)
    assert transport.requests[0] == transport.requests[1]


def test_a_prediction_may_be_a_mapping_with_numpy_numbers(client, transport):
    client.log_prediction(
        None,
        {
            "model_version": "v1",
            "task": "segmentation",
            "confidence": np.float32(0.5),
            "image_size": np.array([640, 480]),
            "boxes": [{**BOX, "x_min": np.int64(1)}],
            "masks": [{"label": "pill", "rle": {"size": [2, 2], "counts": [1, 3]}}],
        },
    )
    [sample] = sent(client, transport)
    assert sample["prediction"]["image_size"] == [640, 480]
    assert sample["prediction"]["masks"][0]["rle"]["counts"] == [1, 3]


def test_an_embedding_may_be_an_array(client, transport):
    client.log_prediction(embedding=np.array([0.25, 1.0], np.float32))
    assert sent(client, transport)[0]["embedding"] == [0.25, 1.0]


@pytest.mark.parametrize(
    "image", [np.full((3, 5, 3), 9, np.uint8), Image.new("RGB", (5, 3), (9, 9, 9))], ids=["numpy", "pil"]
)
def test_an_image_may_change_after_its_capture(client, transport, image):
    client.log_prediction(image)
    if isinstance(image, np.ndarray):
        image[:] = 0
    else:
        image.paste((0, 0, 0), (0, 0, 5, 3))
    assert client.flush(5)
    _, png = read_multipart(transport.requests[0].headers["Content-Type"], transport.requests[0].body)
    assert set(Image.open(io.BytesIO(png)).tobytes()) == {9}


def test_a_confirmation_arrives(client, transport):
    feedback_id = client.confirm(ID, reporter="ann", age_ms=5)
    (said,) = sent(client, transport)
    assert said.pop("age_ms") >= 5
    assert said == {"id": feedback_id, "sample_id": ID, "verdict": "confirmed", "reporter": "ann"}


def test_a_rejection_arrives(client, transport):
    feedback_id = client.reject(UUID(ID), comment="too many", reporter="ann")
    (said,) = sent(client, transport)
    said.pop("age_ms", None)
    assert said == {
        "id": feedback_id,
        "sample_id": ID,
        "verdict": "rejected",
        "comment": "too many",
        "reporter": "ann",
    }


def test_a_correction_arrives(client, transport):
    moved = BoxCorrection(action="move", target=0, x_min=1.0, y_min=2.0, x_max=3.0, y_max=4.0)
    client.correct(ID, count=30, label="pill", boxes=[moved], points=[(1, 2), Point(x=3, y=4)], image_size=(640, 480))
    assert sent(client, transport)[0]["correction"] == {
        "count": 30,
        "label": "pill",
        "boxes": [{"action": "move", "target": 0, "x_min": 1.0, "y_min": 2.0, "x_max": 3.0, "y_max": 4.0}],
        "points": [{"x": 1, "y": 2}, {"x": 3, "y": 4}],
        "image_size": [640, 480],
    }


def test_a_feedback_id_that_is_given_is_kept(client):
    assert client.confirm(ID, feedback_id=ID) == ID


def test_a_token_is_minted_offline_and_verifies(client):
    text = client.feedback_token(ID, reporter="ann", lifetime=timedelta(hours=1))
    now = int(datetime.now(UTC).timestamp())
    token = tokens.verify(text, key=tokens.signing_key("secret"), now=now)
    assert (str(token.sample_id), token.reporter, token.scope) == (ID, "ann", "f")
    assert 3590 < token.expires_at - now <= 3600


@pytest.mark.parametrize("method", ["confirm", "reject", "feedback_token", "status"])
def test_feedback_on_what_was_left_out_does_nothing(client, transport, method):
    assert getattr(client, method)(None) is None
    assert client.correct(None, count=3) is None
    assert (client.stats().dropped, client.stats().accepted) == ({}, 0)


def test_an_image_that_is_none_is_told_once(client, caplog):
    client.log_prediction()
    assert caplog.text == ""
    client.log_prediction(None)
    client.log_prediction(None)
    assert caplog.text.count("image is None") == 1


def test_a_fault_of_the_apps_own_objects_stays_inside(client):
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError(name)

    assert client.log_prediction(metadata={"x": Hostile()}) is None
    assert client.stats().dropped == {"internal": 1}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    method=st.sampled_from(["log_prediction", "confirm", "reject", "correct", "feedback_token", "flush", "close"]),
    args=st.lists(ANYTHING, max_size=2),
    options=st.dictionaries(
        st.sampled_from(["id", "tags", "metadata", "reporter", "count", "points", "boxes", "scope", "timeout"]),
        ANYTHING,
        max_size=4,
    ),
)
@settings(max_examples=150, deadline=None)
def test_nothing_at_all_makes_a_method_raise(tmp_path_factory, method, args, options):
    if method in ("flush", "close"):
        args, options = [0.01], {}
    client = FeedbackClient("http://memory", KEY, transport=MemoryTransport(), spool_dir=tmp_path_factory.mktemp("s"))
    assert isinstance(getattr(client, method)(*args, **options), str | bool | None)
    client.close()


@pytest.mark.parametrize("call", ["flush", "close"])
@pytest.mark.parametrize("timeout", [None, "soon", -1, float("nan")])
def test_flush_and_close_do_not_raise_either(make_client, transport, call, timeout):
    getattr(make_client(transport=transport), call)(timeout)


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://x"},
        {"url": "http://a:port"},
        {"url": 7},
        {"api_key": "secret"},
        {"max_spool_bytes": 0},
        {"max_spool_bytes": "1 GB"},
        {"spool_dir": 7},
    ],
)
def test_a_wrong_setting_makes_a_client_that_does_nothing(tmp_path, caplog, options):
    client = FeedbackClient(**{"url": "http://127.0.0.1:1", "api_key": KEY, "spool_dir": tmp_path / "s", **options})
    assert client.log_prediction() is None
    assert not client.is_enabled
    assert "dropped" in caplog.text


def test_without_settings_the_client_does_nothing_and_says_so_once(caplog):
    with caplog.at_level(logging.WARNING), FeedbackClient() as client:
        assert (client.log_prediction(), client.confirm(ID), client.feedback_token(ID)) == (None, None, None)
        assert client.flush(0)
    assert [record.message for record in caplog.records] == [
        "looks wrong: LOOKSWRONG_URL and LOOKSWRONG_API_KEY must be set to capture; nothing is"
    ]


def test_settings_come_from_the_environment(server, monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKSWRONG_URL", server.url)
    monkeypatch.setenv("LOOKSWRONG_API_KEY", KEY)
    monkeypatch.setenv("LOOKSWRONG_SPOOL_DIR", str(tmp_path / "here"))
    with FeedbackClient() as client:
        sample_id = client.log_prediction()
        assert (tmp_path / "here").is_dir()
        assert client.flush(5)
    assert list(server.samples) == [sample_id]


def test_a_full_spool_refuses_new_captures_and_tells(make_client, free_port):
    drops = []
    client = make_client(f"http://127.0.0.1:{free_port}", max_spool_bytes=20_000, on_drop=drops.append)
    answers = [client.log_prediction(b"x" * 1000) for _ in range(50)]
    assert answers[0] is not None
    assert answers[-1] is None
    assert {drop.reason for drop in drops} == {"spool_full"}
    assert client.stats().accepted + len(drops) == 50


def test_a_full_disk_refuses_new_captures_and_tells(make_client, free_port):
    drops = []
    client = make_client(f"http://127.0.0.1:{free_port}", on_drop=drops.append)
    assert client.log_prediction() is not None
    with file_size_limit(10_000):
        assert client.log_prediction(b"x" * 20_000) is None
    assert [drop.reason for drop in drops] == ["disk"]
    assert client.log_prediction() is not None


def test_a_closed_client_refuses(make_client, transport):
    drops = []
    client = make_client(transport=transport, on_drop=drops.append)
    client.close()
    assert client.log_prediction() is None
    assert [drop.reason for drop in drops] == ["closed"]


def test_a_listener_that_raises_is_the_listeners_affair(make_client, transport):
    client = make_client(transport=transport, on_drop=lambda _: 1 / 0)
    assert client.confirm("x") is None


def test_refusals_do_not_flood_the_log_nor_show_what_was_typed(make_client, transport, caplog):
    client = make_client(transport=transport)
    for _ in range(100):
        client.reject(ID, comment="my secret" * 1000)
    assert len(caplog.records) == 1
    assert "comment must have 0 to 4000 characters" in caplog.text
    assert "my secret" not in caplog.text


def test_a_client_that_is_dropped_ends_its_threads(make_client, transport, tmp_path):
    client = FeedbackClient("http://memory", KEY, transport=transport, spool_dir=tmp_path / "other")
    client.log_prediction()
    assert client.flush(5)
    del client
    gc.collect()
    wait_until(lambda: not any(thread.name.startswith("lookswrong") for thread in threading.enumerate()))


def test_many_threads_capture_at_once(client, transport):
    ids: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: ids.extend(client.log_prediction(b"x" * 500) for _ in range(50)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {sample["id"] for sample in sent(client, transport)} == set(ids)
    assert len(transport.requests) == 200
