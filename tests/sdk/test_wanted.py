"""Images that stay here until the server wants them: when it is asked, and what its answers do."""

import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_sdk.sender.wanted import is_due, last_ask
from feedback_sdk.transport import HttpTransport
from tests.sdk.sending import Rig

MINUTE, HOUR = 60.0, 3600.0
UNKNOWN = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def make_rig(tmp_path, server) -> Iterator[Callable[..., Rig]]:
    made = []

    def make(**options: object) -> Rig:
        made.append(Rig(tmp_path / "spool", HttpTransport(server.url), **{"withholds_images": True, **options}))
        return made[-1]

    yield make
    for rig in made:
        rig.spool.close()


@pytest.fixture
def rig(make_rig) -> Rig:
    return make_rig()


def run_all(rig: Rig) -> None:
    """Do what the sender's thread does until there is nothing to do."""
    while any(make() is not None for make in (rig.wanted.send, rig.step, rig.wanted.ask)):
        pass


def ask_again(rig: Rig, monkeypatch: pytest.MonkeyPatch, *, age_seconds: float) -> None:
    """Let time pass, and with it the next look at what waits."""
    now_ns = time.time_ns()
    monkeypatch.setattr("feedback_sdk.sender.wanted.time.time_ns", lambda: now_ns + int(age_seconds * 1e9))
    rig.wanted._sweep_at = 0.0
    run_all(rig)


@pytest.mark.parametrize(
    ("age", "last"),
    [
        (0.0, 0.0),
        (59.9, 0.0),
        (MINUTE, MINUTE),
        (3.9 * MINUTE, 2 * MINUTE),
        (4 * MINUTE, 4 * MINUTE),
        (511 * MINUTE, 256 * MINUTE),
        (512 * MINUTE, 512 * MINUTE),
        (512 * MINUTE + 6 * HOUR, 512 * MINUTE + 6 * HOUR),
        (512 * MINUTE + 11 * HOUR, 512 * MINUTE + 6 * HOUR),
    ],
)
def test_the_times_to_ask_double_up_to_six_hours(age, last):
    assert last_ask(age) == last


@given(st.floats(MINUTE, 14 * 24 * HOUR))
def test_no_gap_between_questions_is_longer_than_six_hours(age):
    assert 0 <= age - last_ask(age) <= 6 * HOUR + 1e-6


@given(st.lists(st.floats(1.0, 8 * HOUR), min_size=1, max_size=30))
def test_however_the_looks_fall_each_time_to_ask_is_seen_once(gaps):
    age, asked = 0.0, 0
    for gap in gaps:
        age += gap
        if is_due(age, since_seconds=gap):
            asked += 1
            assert age - last_ask(age) < gap
    assert (asked > 0) == (age >= MINUTE)


def test_a_sample_goes_ahead_with_the_hash_of_its_image(rig, server):
    sample_id = rig.sample(b"image")
    run_all(rig)
    text, image = server.samples[sample_id]
    assert (b"image_sha256" in text, image) == (True, None)
    assert rig.spool.waiting.image(bytes.fromhex(sample_id.replace("-", ""))) == b"image"
    assert rig.spool.is_done(rig.spool.mark())


def test_an_image_that_is_wanted_follows_at_once(rig, server):
    server.wanted.add(UNKNOWN)
    rig.sample(b"image", sample_id=UNKNOWN)
    run_all(rig)
    assert server.samples[UNKNOWN][1] == b"image"
    assert rig.spool.waiting.entries() == []
    assert (rig.wanted.waiting, rig.wanted.has_uploads) == (0, False)


def test_of_a_batch_each_image_goes_by_its_own_answer(rig, server):
    server.wanted.add(UNKNOWN)
    ids = [rig.sample(b"one"), rig.sample(b"two", sample_id=UNKNOWN), rig.sample()]
    run_all(rig)
    assert [server.samples[sample_id][1] for sample_id in ids] == [None, b"two", None]
    assert len(rig.spool.waiting.entries()) == 1


def test_an_image_that_the_server_has_is_forgotten(rig, server):
    sample_id = rig.sample(b"image")
    run_all(rig)
    server.samples[sample_id] = (server.samples[sample_id][0], b"image")
    rig.sample(b"image", sample_id=sample_id)
    rig.feedback(sample_id)
    run_all(rig)
    assert rig.spool.waiting.entries() == []


def test_feedback_makes_us_ask_at_once(rig, server):
    sample_id = rig.sample(b"image")
    run_all(rig)
    server.wanted.add(sample_id)
    rig.feedback(sample_id)
    run_all(rig)
    assert server.calls[-2:] == ["POST /v1/samples/wanted", f"PUT /v1/samples/{sample_id}/image"]
    assert server.samples[sample_id][1] == b"image"


def test_feedback_asks_nothing_where_no_image_waits(rig, server):
    rig.feedback(UNKNOWN)
    run_all(rig)
    assert server.calls == ["POST /v1/feedback"]


@pytest.mark.parametrize(("age", "is_asked"), [(30.0, False), (70.0, True)])
def test_an_image_is_asked_about_when_it_is_old_enough(rig, server, monkeypatch, age, is_asked):
    rig.sample(b"image")
    run_all(rig)
    ask_again(rig, monkeypatch, age_seconds=age)
    assert ("POST /v1/samples/wanted" in server.calls) is is_asked


def test_a_new_process_asks_about_all_that_waits(rig, make_rig, server, monkeypatch):
    sample_id = rig.sample(b"image")
    run_all(rig)
    rig.spool.close()
    server.wanted.add(sample_id)
    ask_again(make_rig(), monkeypatch, age_seconds=100.0)
    assert server.samples[sample_id][1] == b"image"


@pytest.mark.parametrize("fault", [(500, {}, b""), (200, {}, b"[]"), (200, {}, b'{"wanted": 1, "stored": []}')])
def test_a_question_that_fails_is_put_off_and_delays_no_capture(rig, server, fault):
    rig.sample(b"image")
    run_all(rig)
    server.answers += [(202, {}, b"{}"), fault]
    rig.feedback(UNKNOWN)
    run_all(rig)
    later = rig.sample()
    assert rig.step() == 0.0
    assert later in server.samples
    assert rig.wanted.next_due() > time.monotonic() - 1


def test_an_image_refused_for_good_is_told_as_lost(rig, server):
    server.wanted.add(UNKNOWN)
    server.faults[f"/v1/samples/{UNKNOWN}/image"] = 413
    rig.sample(b"image", sample_id=UNKNOWN)
    run_all(rig)
    assert [(drop.reason, drop.id) for drop in rig.told] == [("lost", UNKNOWN)]
    assert rig.spool.waiting.entries() == []


def test_an_image_of_a_sample_that_was_erased_is_let_go(rig, server):
    server.wanted.add(UNKNOWN)
    rig.sample(b"image", sample_id=UNKNOWN)
    rig.step()
    del server.samples[UNKNOWN]
    run_all(rig)
    assert rig.spool.waiting.entries() == []
    assert [drop.reason for drop in rig.told] == ["lost"]


def test_an_image_that_cannot_arrive_now_is_tried_again(rig, server):
    server.wanted.add(UNKNOWN)
    path = f"/v1/samples/{UNKNOWN}/image"
    server.faults[path] = 503
    rig.sample(b"image", sample_id=UNKNOWN)
    run_all(rig)
    assert rig.wanted.has_uploads
    del server.faults[path]
    rig.wanted._not_before = 0.0
    run_all(rig)
    assert server.samples[UNKNOWN][1] == b"image"


def test_ids_that_nobody_asked_about_are_not_believed(rig, server):
    rig.sample(b"image")
    run_all(rig)
    server.answers += [(202, {}, b"{}"), (200, {}, b'{"wanted": ["no id"], "stored": ["../../etc"]}')]
    rig.feedback(UNKNOWN)
    run_all(rig)
    assert not rig.wanted.has_uploads
    assert len(rig.spool.waiting.entries()) == 1


def test_an_image_that_cannot_be_kept_keeps_its_sample(rig, server):
    rig.spool.folder.mkdir(parents=True)
    (rig.spool.folder / "waiting").write_text("in the way")
    rig.sample(b"image")
    run_all(rig)
    assert not rig.spool.is_done(rig.spool.mark())
    assert rig.spool.next_due() is not None
