"""The background threads: in order, for ever, the same bytes, and nothing lost for a wrong key."""

import json
import logging
import os
import threading
import time
import uuid
from hashlib import sha256

import numpy as np
import pytest

from feedback_sdk.errors import TransportError
from feedback_sdk.preparation import Preparation
from feedback_sdk.preparation.bursts import Collapse
from feedback_sdk.sender import Upload
from feedback_sdk.spool.quarantine import QUARANTINE
from feedback_sdk.testing import MemoryTransport
from feedback_sdk.transport import HttpTransport, Response
from tests.sdk.sending import accept_sample, open_sender, seconds_of
from tests.sdk.stand_in import KEY, Server, read_multipart, wait_until

ID = "12345678-1234-5678-1234-567812345678"


def quarantined(tmp_path) -> list[dict]:
    path = tmp_path / "spool" / QUARANTINE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_sample_arrives_with_its_image_and_hash(server, make_client):
    client = make_client(server.url)
    sample_id = client.log_prediction(b"\xff\xd8\xff photo", {"model_version": "v1", "task": "counting", "count": 3})
    assert client.flush(5)
    text, image = server.samples[sample_id]
    sample = json.loads(text)
    assert image == b"\xff\xd8\xff photo"
    assert sample["image_sha256"] == sha256(image).hexdigest()
    assert sample["prediction"] == {"model_version": "v1", "task": "counting", "count": 3}
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_a_sample_without_an_image_has_no_image_part(server, make_client):
    client = make_client(server.url)
    sample_id = client.log_prediction()
    assert client.flush(5)
    text, image = server.samples[sample_id]
    assert image is None
    assert "image_sha256" not in json.loads(text)


def test_records_arrive_in_the_order_of_their_capture(server, make_client):
    client = make_client(server.url)
    ids = [client.log_prediction() for _ in range(30)]
    assert client.flush(10)
    assert list(server.samples) == ids


def test_a_burst_uses_one_connection_and_few_requests(server, make_client):
    client = make_client(server.url)
    for _ in range(20):
        client.log_prediction()
    client.confirm(ID)
    assert client.flush(10)
    assert server.connections == 1
    assert len(server.calls) <= 4


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_retry_carries_the_same_bytes(server, make_client, status):
    server.answers += [(status, {}, b"")] * 2
    client = make_client(server.url)
    client.log_prediction(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    assert client.flush(10)
    assert len(server.bodies) == 3
    assert len(set(server.bodies)) == 1
    assert client.stats().retried == 2


def test_a_late_answer_makes_no_second_sample(make_client):
    transport = MemoryTransport([TransportError("timed out after the server took it")])
    client = make_client(transport=transport)
    client.log_prediction(b"image")
    assert client.flush(5)
    assert transport.requests[0] == transport.requests[1]


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_a_refusal_for_good_is_kept_and_the_rest_goes_on(server, make_client, tmp_path, status):
    server.faults[ID] = status
    drops = []
    client = make_client(server.url, on_drop=drops.append)
    refused, taken = client.log_prediction(b"image", id=ID), client.log_prediction()
    assert client.flush(5)
    assert list(server.samples) == [taken]
    [line] = quarantined(tmp_path)
    assert (line["record"]["id"], line["answer"]["status"]) == (refused, status)
    assert [(drop.reason, drop.id) for drop in drops] == [("quarantined", refused)]


def test_the_same_id_with_other_content_is_quarantined(server, make_client, tmp_path):
    client = make_client(server.url)
    client.log_prediction(b"one", id=ID)
    client.log_prediction(b"two", id=ID)
    assert client.flush(5)
    assert server.samples[ID][1] == b"one"
    assert [line["answer"]["status"] for line in quarantined(tmp_path)] == [409]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 307])
def test_a_wrong_key_or_address_loses_nothing(server, make_client, tmp_path, status):
    server.answers.append((status, {}, b""))
    client = make_client(server.url)
    sample_id = client.log_prediction()
    wait_until(lambda: client.stats().retried == 1)
    assert client.flush(5)  # a flush tries at once, for a person who has just mended it
    assert list(server.samples) == [sample_id]
    assert quarantined(tmp_path) == []


def test_a_login_page_is_not_a_success(server, make_client):
    server.answers.append((200, {"Content-Type": "text/html; charset=utf-8"}, b"<h1>Welcome to the hotel</h1>"))
    client = make_client(server.url)
    sample_id = client.log_prediction()
    assert client.flush(5)
    assert list(server.samples) == [sample_id]


def test_retry_after_is_honoured_even_by_a_flush(server, make_client):
    server.answers.append((429, {"Retry-After": "1"}, b""))
    client = make_client(server.url)
    client.log_prediction()
    wait_until(lambda: client.stats().retried == 1)
    begun = time.monotonic()
    assert not client.flush(0.5)
    assert client.flush(5)
    assert time.monotonic() - begun > 0.8


def test_a_server_away_costs_one_log_line(make_client, free_port, caplog):
    client = make_client(f"http://127.0.0.1:{free_port}")
    with caplog.at_level(logging.WARNING, "feedback_sdk"):
        for _ in range(200):
            client.log_prediction()
        client.flush(0.5)
        wait_until(lambda: client.stats().retried >= 2)
    assert [record.message.split(":")[1] for record in caplog.records] == [" no answer from 127.0.0.1"]


def test_captures_of_an_outage_arrive_when_the_server_is_back(make_client, free_port):
    client = make_client(f"http://127.0.0.1:{free_port}")
    ids = [client.log_prediction() for _ in range(20)]
    assert not client.flush(0.3)
    server = Server(free_port)
    assert client.flush(10)
    assert list(server.samples) == ids
    server.stop()


def test_flush_with_nothing_to_send_is_done_at_once(make_client, free_port):
    assert make_client(f"http://127.0.0.1:{free_port}").flush(0)


def test_flush_does_not_wait_for_later_captures(server, make_client):
    client = make_client(server.url)
    client.log_prediction()
    assert client.flush(5)
    server.is_hanging.set()
    client.log_prediction()
    assert not client.flush(0.1)
    server.is_hanging.clear()
    assert client.flush(5)


def test_close_delivers_what_it_can_in_its_time(server, make_client):
    client = make_client(server.url)
    ids = [client.log_prediction() for _ in range(5)]
    client.close(5)
    assert list(server.samples) == ids


def test_close_leaves_the_rest_to_the_next_client(make_client, free_port):
    url = f"http://127.0.0.1:{free_port}"
    first = make_client(url)
    ids = [first.log_prediction(b"image"), first.log_prediction()]
    first.close()
    server = Server(free_port)
    assert make_client(url).flush(10)
    assert list(server.samples) == ids
    server.stop()


def test_a_hanging_server_does_not_hold_close(server, make_client):
    server.is_hanging.set()
    client = make_client(server.url)
    client.log_prediction()
    wait_until(lambda: server.bodies != [])
    begun = time.monotonic()
    client.close(0.2)
    assert time.monotonic() - begun < 1.0
    server.is_hanging.clear()


def test_pixels_arrive_as_one_png_over_restarts(server, make_client, monkeypatch):
    array = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    server.faults["/v1/samples"] = 500
    first = make_client(server.url)
    sample_id = first.log_prediction(array)
    wait_until(lambda: server.bodies != [])
    first.close()
    monkeypatch.setattr("feedback_sdk.pixels.encode_png", lambda *_: b"another zlib's bytes")
    server.faults.clear()
    assert make_client(server.url).flush(10)
    assert server.samples[sample_id][1].startswith(b"\x89PNG")
    assert len({body for body in server.bodies if body}) == 1


def test_a_transport_of_the_apps_that_raises_anything_is_tried_again(make_client):
    class Rude(MemoryTransport):
        def send(self, request):
            answer = super().send(request)
            if len(self.requests) == 1:
                raise KeyError("what?")
            return answer

    transport = Rude()
    client = make_client(transport=transport)
    client.log_prediction()
    assert client.flush(5)
    assert len(transport.requests) == 2


def test_a_quarantine_without_room_is_told_as_a_loss(make_client):
    drops = []
    transport = MemoryTransport([Response(status=422)])
    client = make_client(transport=transport, max_spool_bytes=20_000, on_drop=drops.append)
    client.log_prediction(b"x" * 10_000)
    assert client.flush(5)
    assert [drop.reason for drop in drops] == ["lost"]


def test_the_boundary_is_not_in_the_body_but_between_its_parts(make_client):
    transport = MemoryTransport()
    client = make_client(transport=transport)
    image = b"--lookswrong\r\n--\r\n\r\n" + bytes(range(256))
    client.log_prediction(image)
    assert client.flush(5)
    [request] = transport.requests
    assert read_multipart(request.headers["Content-Type"], request.body)[1] == image


def test_nothing_is_sent_twice_after_success(server, make_client):
    client = make_client(server.url)
    client.log_prediction(id=str(uuid.uuid4()))
    assert client.flush(5)
    assert client.flush(5)
    client.close()
    assert make_client(server.url).flush(5)
    assert len(server.arrivals) == 1


def test_a_client_at_work_adopts_what_a_dead_sibling_left(server, make_client, monkeypatch, free_port):
    monkeypatch.setattr("feedback_sdk.sender.sender._ADOPT_SECONDS", 0.1)
    heir = make_client(server.url)
    heir.log_prediction()
    assert heir.flush(5)
    sibling = make_client(f"http://127.0.0.1:{free_port}")
    sibling.log_prediction(id=ID)
    sibling.close()
    wait_until(lambda: ID in server.samples)


@pytest.fixture
def sender(server, tmp_path):
    with open_sender(tmp_path / "spool", HttpTransport(server.url)) as running:
        yield running


def test_what_is_accepted_is_sent_without_a_flush(sender, server):
    sample_id = accept_sample(sender, b"image")
    wait_until(lambda: server.samples.get(sample_id, (b"", None))[1] == b"image")


def test_a_pause_holds_everything_back_and_captures_go_on(sender, server):
    sender.pause()
    sample_id = accept_sample(sender)
    assert seconds_of(lambda: sender.flush(5)) < 1.0
    assert (server.calls, sender.stats().is_paused) == ([], True)
    sender.resume()
    assert sender.flush(5)
    assert list(server.samples) == [sample_id]


def test_a_pause_ends_a_flush_that_waits(sender, server):
    server.is_hanging.set()
    accept_sample(sender)
    wait_until(lambda: server.calls != [])
    threading.Timer(0.1, sender.pause).start()
    assert seconds_of(lambda: sender.flush(10)) < 5.0
    server.is_hanging.clear()


def test_the_counters_tell_what_became_of_the_captures(sender, server):
    server.answers.append((500, {}, b""))
    accept_sample(sender, b"x" * 1000)
    assert sender.flush(5)
    stats = sender.stats()
    assert (stats.accepted, stats.sent, stats.retried, stats.circuit) == (1, 1, 1, "closed")
    assert stats.bytes_sent > 2000


def test_an_open_circuit_is_in_the_counters(sender, server):
    server.faults.update({"/v1/samples": 503, "/healthz": 503})
    accept_sample(sender)
    wait_until(lambda: sender.stats().circuit == "open")
    server.faults.clear()
    wait_until(lambda: sender.flush(1))
    assert sender.stats().circuit == "closed"


def test_a_waiting_image_is_sent_before_a_flush_says_done(server, tmp_path):
    server.wanted.add(ID)
    with open_sender(tmp_path / "spool", HttpTransport(server.url), upload=Upload.WHEN_WANTED) as sender:
        accept_sample(sender, b"image", sample_id=ID)
        assert sender.flush(5)
        assert server.samples[ID][1] == b"image"


def test_images_that_an_earlier_run_kept_are_asked_about(server, tmp_path):
    with open_sender(tmp_path / "spool", HttpTransport(server.url), upload=Upload.WHEN_WANTED) as sender:
        accept_sample(sender, b"image", sample_id=ID)
        assert sender.flush(5)
        assert sender.stats().waiting_images == 1
    server.wanted.add(ID)
    [path] = (tmp_path / "spool" / "waiting").glob("*.image")
    os.utime(path, (time.time() - 600,) * 2)
    with open_sender(tmp_path / "spool", HttpTransport(server.url)):
        wait_until(lambda: server.samples[ID][1] == b"image")


def test_a_status_is_heard_of_without_a_capture(sender, server):
    server.changes.append({"id": ID, "state": "archived", "at": "2026-11-20T12:00:00Z"})
    assert sender.statuses.get(uuid.UUID(ID)) is None
    wait_until(lambda: sender.statuses.get(uuid.UUID(ID)) is not None)


def test_a_fault_of_ours_neither_ends_the_sending_nor_loses_the_record(sender, server, monkeypatch, caplog):
    monkeypatch.setattr("feedback_sdk.sender.sender._FAULT_SECONDS", 0.05)
    monkeypatch.setattr("feedback_sdk.sender.delivery._DEFER_SECONDS", 0.05)
    faults = iter([ZeroDivisionError("ours")])
    take = Preparation.take
    monkeypatch.setattr(Preparation, "take", lambda self, record: _raise_next(faults) or take(self, record))
    sample_id = accept_sample(sender)
    wait_until(lambda: list(server.samples) == [sample_id])
    assert "a step must not fail, got ZeroDivisionError" in caplog.text


def _raise_next(errors) -> None:
    for error in errors:
        raise error


def test_a_flush_ends_the_bursts_that_are_held(server, make_client):
    client = make_client(server.url, collapse=Collapse(seconds=600.0))
    pixels = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    first, *_ = [client.log_prediction(pixels, stream="belt") for _ in range(3)]
    assert client.flush(5)
    [(text, _)] = server.samples.values()
    assert (json.loads(text)["id"], json.loads(text)["stands_for"]) == (first, 3)
    assert client.stats().collapsed == 2


@pytest.mark.parametrize("fault", ["hangs", "is down", "fails", "puts off", "is slow"])
def test_stop_keeps_to_its_time_whatever_the_server_does(server, tmp_path, fault, free_port):
    url = f"http://127.0.0.1:{free_port}" if fault == "is down" else server.url
    if fault in ("hangs", "is slow"):
        server.is_hanging.set()
    server.answers += {"fails": [(500, {}, b"")] * 99, "puts off": [(429, {"Retry-After": "60"}, b"")] * 99}.get(
        fault, []
    )
    with open_sender(tmp_path / "spool", HttpTransport(url)) as sender:
        for _ in range(200):
            accept_sample(sender, b"x" * 1000)
        time.sleep(0.3)
        assert seconds_of(lambda: (sender.stop(0.5), sender.join(0.5))) < 0.9
    server.is_hanging.clear()


def test_a_cap_on_bandwidth_spreads_the_images(server, tmp_path):
    with open_sender(tmp_path / "spool", HttpTransport(server.url), max_bytes_per_second=20_000.0) as sender:
        for _ in range(4):
            accept_sample(sender, b"x" * 15_000)
        assert seconds_of(lambda: sender.flush(20)) > 1.0
    assert len(server.samples) == 4
