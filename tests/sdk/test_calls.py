"""Requests as bytes, and answers as they are read."""

import json
from datetime import UTC
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_sdk.calls import (
    aged,
    batch_request,
    changes_request,
    feedback_request,
    image_request,
    packed,
    parcel_request,
    read_batch,
    read_ids,
    read_object,
    read_sample,
    sample_request,
    wanted_request,
    with_image_hash,
)
from feedback_sdk.errors import TransportError
from feedback_sdk.transport import Response
from feedback_sdk.types import Feedback, Prediction, Sample, Task, Verdict
from feedback_sdk.wire import canonical_json, to_wire
from tests.sdk.stand_in import read_form

ID = "12345678-1234-5678-1234-567812345678"
OTHER = "87654321-1234-5678-1234-567812345678"
#: texts that try to look like what is searched for
TEXTS = st.one_of(st.just('"id":"' + ID + '",'), st.text(max_size=20)).filter(lambda text: "\x00" not in text)
NAMES = TEXTS.filter(bool)
SAMPLES = st.builds(
    Sample,
    id=st.uuids(),
    captured_at=st.datetimes(timezones=st.just(UTC)),
    prediction=st.none() | st.builds(Prediction, model_version=NAMES, task=st.just(Task.COUNTING), count=st.just(3)),
    tags=st.lists(NAMES, max_size=2),
    metadata=st.dictionaries(st.just("id") | NAMES, TEXTS, max_size=3),
    subject=st.none() | NAMES,
    stream=st.none() | NAMES,
    capture_probability=st.floats(0.01, 1.0),
    embedding=st.none() | st.lists(st.floats(-1, 1), min_size=1, max_size=3),
)


def answer(document: object, *, status: int = 207) -> Response:
    return Response(status=status, body=json.dumps(document).encode())


@given(SAMPLES)
def test_the_hash_stands_where_canonical_json_would_put_it(sample):
    expected = canonical_json({**to_wire(sample), "image_sha256": "ab" * 32})
    assert with_image_hash(canonical_json(sample), "ab" * 32) == expected


@pytest.mark.parametrize(
    "text", [b'{"a":1}', b'{"id":"short"}', b'{"id": "spaced"}', b'{"id":"%b","image_sha256":"old"}' % ID.encode()]
)
def test_json_of_another_form_gets_its_hash_too(text):
    assert with_image_hash(text, "ff") == canonical_json({**json.loads(text), "image_sha256": "ff"})


@given(st.integers(0, 10**9), st.integers(-(10**9), 10**9), TEXTS)
def test_the_age_of_feedback_is_raised_and_all_else_stays(age_ms, waited_ms, comment):
    said = Feedback(id=UUID(ID), sample_id=UUID(OTHER), verdict=Verdict.REJECTED, comment=comment, age_ms=age_ms)
    older = json.loads(aged(canonical_json(said), waited_ms))
    assert older.pop("age_ms", 0) == age_ms + max(waited_ms, 0)
    assert older == {name: value for name, value in json.loads(canonical_json(said)).items() if name != "age_ms"}


def test_an_age_has_a_bound():
    assert aged(b'{"age_ms":5,"id":"a"}', 10**15) == b'{"age_ms":1000000000000,"id":"a"}'


@given(st.lists(st.tuples(st.uuids(), st.binary(max_size=200)), min_size=1, max_size=5, unique_by=lambda pair: pair[0]))
def test_a_batch_is_read_back_as_it_was_sent(pairs):
    parcels = {str(one): packed(b'{"id":"%b"}' % str(one).encode(), image) for one, image in pairs}
    request = batch_request(parcels, headers={})
    texts, images = read_form(request.headers["Content-Type"], request.body)
    assert texts == [parcel.text for parcel in parcels.values()]
    assert images == {sample_id: parcel.image for sample_id, parcel in parcels.items() if parcel.image}


@given(st.binary(max_size=100))
def test_a_sample_alone_is_read_back_as_it_was_sent(noise):
    image = b"\r\n--lookswrong\r\n--\r\n\r\n" + noise
    request = sample_request({"id": ID}, image, headers={"X-Is": "here"})
    texts, images = read_form(request.headers["Content-Type"], request.body)
    assert json.loads(texts[0])["id"] == ID
    assert images == {"image": image}
    assert (request.method, request.path, request.headers["X-Is"]) == ("POST", "/v1/samples", "here")


def test_the_same_samples_make_the_same_bytes():
    parcels = {ID: packed(b'{"id":"%b"}' % ID.encode(), b"image")}
    assert batch_request(parcels, headers={}) == batch_request(parcels, headers={})
    assert parcel_request(parcels[ID], headers={}) == parcel_request(parcels[ID], headers={})


def test_each_other_call_has_its_method_path_and_body():
    requests = [
        feedback_request(b"{}", headers={}),
        image_request(ID, b"\xff\xd8\xff", headers={}),
        wanted_request([ID], headers={}),
        changes_request([("after", "a b"), ("limit", "5")], headers={}),
    ]
    assert [(request.method, request.path, request.body) for request in requests] == [
        ("POST", "/v1/feedback", b"{}"),
        ("PUT", f"/v1/samples/{ID}/image", b"\xff\xd8\xff"),
        ("POST", "/v1/samples/wanted", b'{"ids": ["%b"]}' % ID.encode()),
        ("GET", "/v1/samples/changes?after=a+b&limit=5", b""),
    ]
    assert requests[1].headers == {"Content-Type": "image/jpeg"}


@pytest.mark.parametrize(("body", "image"), [(b'{"image": "wanted"}', "wanted"), (b"", None), (b'{"image": 1}', None)])
def test_what_a_single_answer_says_of_the_image(body, image):
    assert read_sample(Response(status=201, body=body)).image == image


def test_a_batchs_answers_are_read_in_order():
    results = [
        {"id": ID, "status": 201, "image": "stored", "errors": []},
        {"id": OTHER, "status": 422, "image": None, "errors": [{"field": "tags", "message": "no"}]},
    ]
    taken, refused = read_batch(answer({"results": results}), sample_ids=[ID, OTHER])
    assert (taken.status, taken.image, refused.status) == (201, "stored", 422)
    assert json.loads(refused.body)["errors"] == [{"field": "tags", "message": "no"}]


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"results": None},
        {"results": []},
        {"results": ["?"]},
        {"results": [{"id": OTHER, "status": 201}]},
        {"results": [{"id": ID, "status": "201"}]},
    ],
)
def test_an_answer_that_is_no_batchs_is_a_transport_error(document):
    with pytest.raises(TransportError, match="must"):
        read_batch(answer(document), sample_ids=[ID])


@pytest.mark.parametrize("body", [b"", b"\xff", b"[1]", b"<html>"])
def test_what_is_no_json_object_is_a_transport_error(body):
    with pytest.raises(TransportError, match="must be a JSON object"):
        read_object(Response(status=200, body=body))


@pytest.mark.parametrize("document", [{}, {"wanted": "abc"}, {"wanted": [1]}])
def test_what_is_no_list_of_ids_is_a_transport_error(document):
    with pytest.raises(TransportError, match="wanted must be a list of ids"):
        read_ids(document, "wanted")
