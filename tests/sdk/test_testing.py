"""What the tests of apps rely on: one request for each capture, and answers as told."""

import json

import pytest

from feedback_sdk.calls import PROBE, batch_request, feedback_request, image_request, packed, wanted_request
from feedback_sdk.errors import TransportError
from feedback_sdk.testing import MemoryTransport
from feedback_sdk.transport import DryRunTransport, Response
from tests.sdk.stand_in import read_multipart

IDS = [f"12345678-1234-5678-1234-56781234567{n}" for n in range(3)]


def batch(images: tuple[bytes, ...] = (b"one", b"", b"three")):
    parcels = {one: packed(b'{"id":"%b"}' % one.encode(), image) for one, image in zip(IDS, images, strict=True)}
    return batch_request(parcels, headers={"Authorization": "Bearer key"})


def test_every_capture_is_answered_201():
    transport = MemoryTransport()
    assert transport.send(feedback_request(b"{}", headers={})).status == 201


def test_answers_are_given_in_their_order_and_errors_raised():
    transport = MemoryTransport([Response(status=500), TransportError("away")])
    assert transport.send(feedback_request(b"{}", headers={})).status == 500
    with pytest.raises(TransportError, match="away"):
        transport.send(feedback_request(b"{}", headers={}))
    assert len(transport.requests) == 2


def test_samples_that_came_together_are_kept_as_if_each_came_alone():
    transport = MemoryTransport()
    transport.send(batch())
    assert [request.path for request in transport.requests] == ["/v1/samples"] * 3
    images = [read_multipart(request.headers["Content-Type"], request.body)[1] for request in transport.requests]
    assert images == [b"one", None, b"three"]
    assert {request.headers["Authorization"] for request in transport.requests} == {"Bearer key"}


def test_each_of_a_batch_takes_an_answer_of_its_own():
    answer = MemoryTransport([Response(status=201), Response(status=422)]).send(batch())
    results = json.loads(answer.body)["results"]
    assert answer.status == 207
    assert [(item["id"], item["status"]) for item in results] == list(zip(IDS, (201, 422, 201), strict=True))


def test_probes_and_questions_are_answered_and_not_kept():
    transport = MemoryTransport([TransportError("away")])
    assert transport.send(PROBE).status == 200
    assert json.loads(transport.send(wanted_request(IDS, headers={})).body) == {"wanted": [], "stored": []}
    assert transport.requests == []


@pytest.mark.parametrize(
    ("request_", "status", "document"),
    [
        (PROBE, 200, {"status": "ok"}),
        (feedback_request(b"{}", headers={}), 202, {"status": "accepted"}),
        (wanted_request(IDS, headers={}), 200, {"wanted": [], "stored": []}),
        (
            image_request(IDS[0], b"image", headers={}),
            201,
            {"id": IDS[0], "state": "awaiting_feedback", "image": "stored"},
        ),
    ],
)
def test_a_dry_run_answers_each_call_as_the_server_would(request_, status, document):
    answer = DryRunTransport().send(request_)
    assert (answer.status, json.loads(answer.body)) == (status, document)


def test_a_dry_run_takes_each_sample_of_a_batch():
    answer = DryRunTransport().send(batch())
    assert answer.status == 207
    taken = [(item["id"], item["status"], item["image"]) for item in json.loads(answer.body)["results"]]
    assert taken == list(zip(IDS, (201,) * 3, ("stored", "not_yet", "stored"), strict=True))


def test_a_dry_run_logs_one_line_a_call(caplog):
    with caplog.at_level("INFO", "feedback_sdk"):
        DryRunTransport().send(feedback_request(b"{}", headers={}))
    [record] = caplog.records
    assert record.getMessage() == "looks wrong: dry run: POST /v1/feedback, 2 bytes"
