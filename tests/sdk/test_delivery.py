"""One step after the other: what goes together, what each answer does to a record, and what steps aside."""

import json
from collections.abc import Callable, Iterator

import pytest

from feedback_sdk.errors import TransportError
from feedback_sdk.transport import HttpTransport, Request, Response
from tests.sdk.sending import Rig
from tests.sdk.stand_in import Server

ID = "12345678-1234-5678-1234-567812345678"


@pytest.fixture
def make_rig(tmp_path, server) -> Iterator[Callable[..., Rig]]:
    made = []

    def make(**options: object) -> Rig:
        made.append(Rig(tmp_path / "spool", HttpTransport(server.url), **options))
        return made[-1]

    yield make
    for rig in made:
        rig.spool.close()


@pytest.fixture
def rig(make_rig) -> Rig:
    return make_rig()


def test_with_nothing_to_send_a_step_does_nothing(rig, server):
    assert rig.step() is None
    assert server.calls == []


def test_one_sample_goes_alone(rig, server):
    sample_id = rig.sample(b"image")
    assert rig.run() == [0.0]
    assert server.calls == ["POST /v1/samples"]
    assert server.samples[sample_id][1] == b"image"


def test_samples_go_together_and_their_feedback_behind_them(rig, server):
    samples = [rig.sample(b"one"), rig.sample()]
    said = rig.feedback(samples[0])
    samples.append(rig.sample(b"three"))
    rig.run()
    assert server.calls == ["POST /v1/samples/batch", "POST /v1/feedback"]
    assert server.arrivals == [*samples, said]
    assert [image for _, image in server.samples.values()] == [b"one", None, b"three"]


def test_a_batch_keeps_to_its_number_of_records(rig, server):
    ids = [rig.sample() for _ in range(120)]
    rig.run()
    assert server.calls == ["POST /v1/samples/batch"] * 3
    assert list(server.samples) == ids


def test_a_batch_keeps_to_its_bytes_and_a_larger_image_goes_alone(make_rig, server):
    rig = make_rig(max_bytes=10_000)
    for size in (4000, 4000, 4000, 50_000, 4000):
        rig.sample(b"x" * size)
    rig.run()
    assert [call.removeprefix("POST /v1/samples") for call in server.calls] == ["/batch", "", "", ""]
    assert sorted(map(len, server.bodies))[:-1][-1] < 10_000


def test_all_that_was_sent_is_done(rig):
    mark_before = rig.spool.mark()
    rig.feedback(rig.sample())
    mark = rig.spool.mark()
    assert rig.spool.is_done(mark_before)
    assert not rig.spool.is_done(mark)
    rig.run()
    assert rig.spool.is_done(mark)
    assert rig.delivery.sent == 2


def test_the_same_id_twice_is_two_requests(rig, server):
    rig.sample(b"one", sample_id=ID)
    rig.sample(b"two", sample_id=ID)
    rig.run()
    assert server.calls == ["POST /v1/samples"] * 2
    assert server.samples[ID][1] == b"one"
    assert [json.loads(line)["answer"]["status"] for line in rig.quarantined()] == [409]


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_of_a_batch_only_the_refused_is_quarantined(rig, server, status):
    refused, *taken = [rig.sample(b"image") for _ in range(3)]
    server.faults[refused] = status
    rig.run()
    assert list(server.samples) == taken
    assert [(drop.reason, drop.id) for drop in rig.told] == [("quarantined", refused)]
    [line] = rig.quarantined()
    assert json.loads(json.loads(line)["answer"]["body"])["status"] == status


@pytest.mark.parametrize("status", [429, 500, 503])
def test_of_a_batch_only_the_one_that_must_wait_is_deferred(rig, server, status):
    waiting, *taken = [rig.sample() for _ in range(3)]
    server.faults[waiting] = status
    assert rig.run() == [0.0]
    assert list(server.samples) == taken
    assert rig.spool.next_due() is not None
    assert rig.told == []


@pytest.mark.parametrize("status", [413, 422])
def test_a_batch_refused_as_a_whole_goes_one_by_one(rig, server, status):
    server.answers.append((status, {}, b"{}"))
    ids = [rig.sample() for _ in range(3)]
    rig.run()
    assert server.calls == ["POST /v1/samples/batch", *["POST /v1/samples"] * 3]
    assert list(server.samples) == ids
    assert rig.told == []


def test_after_a_refusal_batches_are_half_as_large(rig, server):
    server.answers.append((413, {}, b"{}"))
    for _ in range(100):
        rig.sample()
    rig.run()
    assert server.calls.count("POST /v1/samples") == 50
    assert server.calls[51:] == ["POST /v1/samples/batch"] * 2


def test_whoever_does_not_know_batches_gets_samples_one_by_one(rig, server):
    server.answers.append((200, {}, b"{}"))
    ids = [rig.sample() for _ in range(3)]
    rig.run()
    assert list(server.samples) == ids
    assert rig.told == []


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_a_refused_feedback_is_quarantined_under_its_own_id(rig, server, status):
    server.answers.append((status, {}, b'{"title": "no"}'))
    said = rig.feedback(ID)
    rig.run()
    assert [(drop.reason, drop.id) for drop in rig.told] == [("quarantined", said)]


def test_a_retry_is_the_same_request(rig, server):
    server.answers += [(503, {}, b""), (429, {}, b"")]
    rig.sample(b"one")
    rig.sample(b"two")
    assert len(rig.run()) == 3
    assert len(set(server.bodies)) == 1
    assert rig.line.retried == 2


def test_a_sample_that_fails_the_server_steps_aside(rig, server):
    poison, *others = [rig.sample() for _ in range(3)]
    rig.sizes.halve(refused=3, now=0.0)
    server.answers += [(500, {}, b"")] * 3 + [(200, {}, b"alive")] + [(500, {}, b"")]
    rig.run()
    assert list(server.samples) == others
    assert server.calls[3:6] == ["GET /healthz", "POST /v1/samples", "GET /healthz"]
    assert poison not in server.samples
    assert rig.spool.next_due() is not None


def test_a_batch_that_fails_the_server_goes_one_by_one(rig, server):
    ids = [rig.sample() for _ in range(3)]
    server.faults["/v1/samples/batch"] = 500
    rig.run()
    assert list(server.samples) == ids
    assert server.calls.count("POST /v1/samples/batch") == 4


def test_what_stepped_aside_does_so_at_once_when_it_fails_again(rig, server, monkeypatch):
    monkeypatch.setattr("feedback_sdk.sender.delivery._DEFER_SECONDS", 0.0)
    rig.sample()
    server.answers += [(500, {}, b"")] * 3 + [(200, {}, b"alive")] + [(500, {}, b"")]
    rig.run(steps=4)
    monkeypatch.setattr("feedback_sdk.sender.delivery._DEFER_SECONDS", 60.0)
    server.answers += [(200, {}, b"alive"), (500, {}, b"")]
    rig.step()
    later = rig.sample()
    rig.run()
    assert list(server.samples) == [later]


def test_an_open_circuit_sends_no_body_until_the_server_lives(rig, server):
    server.answers += [(500, {}, b"")] * 8
    sample_id = rig.sample(b"x" * 10_000)
    for _ in range(8):
        rig.step()
    assert [len(body) > 10_000 for body in server.bodies] == [True] * 3 + [False] * 5
    assert rig.line.circuit.failures == 8
    rig.run()
    assert list(server.samples) == [sample_id]
    assert (rig.line.circuit.state, rig.line.circuit.failures) == ("closed", 0)


@pytest.mark.parametrize(
    ("headers", "body"), [({"Content-Type": "text/html"}, b"<h1>Hotel</h1>"), ({"Content-Type": "text/html"}, b"{}")]
)
def test_a_login_page_neither_takes_a_sample_nor_proves_a_server(rig, server, headers, body):
    server.answers += [(200, headers, body)] * 6
    rig.sample()
    for _ in range(6):
        rig.step()
    assert server.calls == ["POST /v1/samples"] * 3 + ["GET /healthz"] * 3
    assert server.samples == {}


def test_feedback_is_as_old_as_it_lay_in_the_spool(rig, server, monkeypatch):
    said = rig.feedback(ID)
    monkeypatch.setattr("feedback_sdk.sender.delivery.time.time_ns", lambda: 10**19)
    rig.run()
    assert json.loads(server.feedback[said])["age_ms"] > 10**11


def test_a_hook_that_fails_quarantines_and_nothing_goes_out(make_rig, server):
    rig = make_rig(before_send=lambda _: 1 / 0)
    rig.sample(b"secret")
    rig.feedback(ID)
    rig.run()
    assert server.calls == []
    assert [drop.reason for drop in rig.told] == ["before_send", "before_send"]


def test_what_a_hook_drops_is_not_sent_and_does_not_end_the_round(make_rig, server):
    rig = make_rig(before_send=lambda capture: None if getattr(capture, "image", b"") == b"drop" else capture)
    rig.sample(b"drop")
    kept = rig.sample(b"keep")
    rig.run()
    assert list(server.samples) == [kept]
    assert rig.spool.is_done(rig.spool.mark())


def test_what_cannot_be_kept_ready_waits(make_rig, server):
    rig = make_rig(before_send=lambda capture: capture)
    (rig.spool.folder / "prepared").mkdir(parents=True)
    (rig.spool.folder / "prepared").rmdir()
    (rig.spool.folder / "prepared").write_text("in the way")
    rig.sample(b"image")
    rig.run()
    assert server.calls == []
    assert rig.spool.next_due() is not None


def test_where_no_more_can_be_put_off_all_wait_instead_of_spinning(rig, server, monkeypatch):
    monkeypatch.setattr("feedback_sdk.spool.spool._MAX_DEFERRED", 1)
    for _ in range(3):
        server.faults[rig.sample()] = 500
    assert rig.step() == 0.0
    assert 4.0 < rig.step() <= 5.0
    assert server.calls == ["POST /v1/samples/batch"]
    assert not rig.spool.is_done(rig.spool.mark())


def test_a_record_put_off_waits_longer_each_time(rig, server, monkeypatch):
    delays = []
    monkeypatch.setattr(rig.spool, "defer", lambda _, *, seconds: delays.append(seconds) or True)
    record = (rig.sample(), rig.spool.next())[1]
    for _ in range(8):
        rig.delivery._defer(record)
    assert delays == [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0]


def test_a_cap_on_bandwidth_makes_the_next_request_wait(make_rig, server):
    rig = make_rig(bytes_per_second=1000.0, max_bytes=1)
    rig.sample(b"x" * 3000)
    rig.sample()
    assert rig.step() == 0.0
    assert 1.5 < rig.step() < 3.0
    assert len(server.calls) == 1


def test_what_is_in_hand_when_a_fault_comes_is_put_off(rig, server):
    rig.sample()
    rig.feedback(ID)
    server.answers.append((503, {}, b""))
    rig.step()
    rig.delivery.set_aside()
    assert rig.run() == []
    assert rig.spool.next_due() is not None
    assert not rig.spool.is_done(rig.spool.mark())


def test_a_refusal_that_a_transport_raises_is_a_refusal(tmp_path):
    class Strict:
        def send(self, request: Request) -> Response:
            raise TransportError("no cats", status=422, permanent=True)

    rig = Rig(tmp_path / "spool", Strict())
    rig.sample()
    rig.run()
    assert [json.loads(line)["answer"] for line in rig.quarantined()] == [{"status": 422, "body": "no cats"}]


def test_what_another_run_could_not_send_arrives_with_the_next(tmp_path, free_port):
    url = f"http://127.0.0.1:{free_port}"
    first = Rig(tmp_path / "spool", HttpTransport(url))
    ids = [first.sample(b"image") for _ in range(3)]
    first.step()
    first.spool.close()
    server = Server(free_port)
    second = Rig(tmp_path / "spool", HttpTransport(url))
    second.spool.adopt()
    second.run()
    assert list(server.samples) == ids
    server.stop()
