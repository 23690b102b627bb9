"""What becomes of a spooled record before it is sent, on a real spool."""

import json
import sys
import time
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import pytest

from feedback_sdk.errors import SpoolError
from feedback_sdk.preparation.bursts import Collapse
from feedback_sdk.types import (
    BoxCorrection,
    Correction,
    Feedback,
)
from feedback_sdk.wire import canonical_json
from tests.sdk.preparing import benches, dark, frame, opened, predicted, sample, scene


@pytest.fixture
def bench(tmp_path):
    with benches(tmp_path / "spool") as make:
        yield make


def test_a_sample_without_wishes_is_ready_as_it_was_spooled(bench):
    given = sample(prediction=predicted(), tags=["a"])
    ready = bench().taken(given, scene())
    assert (ready.text, ready.image) == (canonical_json(given), scene())


def test_a_sample_without_an_image_has_none(bench):
    assert bench(max_image_side=100, collapse=Collapse()).taken(frame()).image == b""


def test_pixels_become_a_png(bench):
    given = sample(prediction=predicted())
    ready = bench().taken(given, dark())
    assert ready.text == canonical_json(given)
    assert (np.asarray(opened(ready)) == dark()).all()


def test_the_same_bytes_come_again_after_a_death_whatever_is_wished_then(bench):
    first = bench(max_image_side=100)
    before = first.taken(sample(prediction=predicted()), scene())
    again = first.reopened(max_image_side=50)
    after = again.preparation.take(again.spool.next())
    assert (after.text, after.image) == (before.text, before.image)


def test_what_cannot_be_kept_is_not_handed_out(bench):
    one = bench(max_image_side=100)
    one.folder.mkdir(exist_ok=True)
    (one.folder / "prepared").write_bytes(b"a file in the folder's place")
    with pytest.raises(SpoolError):
        one.taken(sample(), scene())


@pytest.mark.parametrize("image", [scene(), dark()])
def test_a_large_image_is_reduced_and_its_boxes_stay_where_the_app_had_them(bench, image):
    ready = bench(max_image_side=100).taken(sample(prediction=predicted()), image)
    assert opened(ready).size == (100, 75)
    said = json.loads(ready.text)["prediction"]
    assert (said["image_size"], said["boxes"][0]["x_min"]) == ([640, 480], 10.0)


def test_an_image_size_that_the_app_gave_is_kept(bench):
    ready = bench(max_image_side=100).taken(sample(prediction=predicted(image_size=(320, 240))), scene())
    assert json.loads(ready.text)["prediction"]["image_size"] == [320, 240]


def test_a_small_image_is_sent_as_it_is(bench):
    given = sample(prediction=predicted())
    ready = bench(max_image_side=640).taken(given, scene())
    assert (ready.text, ready.image) == (canonical_json(given), scene())


def test_a_sample_without_a_prediction_is_reduced_too(bench):
    given = sample()
    ready = bench(max_image_side=100).taken(given, scene())
    assert (ready.text, opened(ready).size) == (canonical_json(given), (100, 75))


def test_an_image_that_cannot_be_read_is_sent_as_it_is_and_said_once(bench, caplog):
    one = bench(max_image_side=100, collapse=Collapse())
    images = [one.taken(sample(), b"no image").image for _ in range(3)]
    assert (images, len(caplog.records)) == ([b"no image"] * 3, 1)
    assert "sent as they are" in caplog.text


def test_without_pillow_images_are_sent_as_they_are_and_it_is_said_once(bench, caplog, monkeypatch):
    image = scene()
    monkeypatch.setitem(sys.modules, "PIL", None)
    one = bench(max_image_side=100, collapse=Collapse())
    assert one.taken(frame(), image).image == image
    assert [record.message for record in caplog.records if "the extra `[images]`" in record.message]


def test_frames_that_look_alike_become_one_that_stands_for_them(bench):
    one, frames = bench(collapse=Collapse()), [frame(0), frame(1), frame(2)]
    [ready] = one.burst(*frames)
    assert ready.text == canonical_json(replace(frames[0], stands_for=3))
    assert (ready.image, ready.record.sample_id) == (scene(), frames[0].id.bytes)
    assert one.preparation.collapsed == 2


def test_what_a_frame_stood_for_already_is_counted(bench):
    [ready] = bench(collapse=Collapse()).burst(frame(0, stands_for=6), frame(1, stands_for=5))
    assert json.loads(ready.text)["stands_for"] == 11


def test_a_burst_is_done_with_its_first_frame(bench):
    one = bench(collapse=Collapse())
    [ready] = one.burst(frame(0), frame(1))
    assert not one.is_empty
    one.spool.done(ready.record)
    assert one.is_empty


@pytest.mark.parametrize("later", [frame(11.0), sample(stream="gate")])
def test_another_time_or_stream_is_another_sample(bench, later):
    assert len(bench(collapse=Collapse()).burst(frame(0), later)) == 2


def test_another_scene_is_another_sample_and_ends_the_burst_at_once(bench):
    one = bench(collapse=Collapse())
    assert [one.taken(frame(0), scene()), one.taken(frame(1), scene()), one.taken(frame(2), dark())] == [None] * 3
    assert one.preparation.next_due() <= time.monotonic()
    assert [json.loads(ready.text).get("stands_for") for ready in one.preparation.due()] == [2]
    assert len(one.preparation.due(everything=True)) == 1


def test_a_burst_is_held_until_its_time_is_over(bench):
    one = bench(collapse=Collapse(seconds=0.2))
    one.taken(frame(0), scene())
    assert one.preparation.due() == []
    time.sleep(max(0.0, one.preparation.next_due() - time.monotonic()))
    assert len(one.preparation.due()) == 1
    assert one.preparation.next_due() is None


def test_a_frame_without_a_stream_is_never_collapsed(bench):
    one = bench(collapse=Collapse())
    assert None not in [one.taken(sample(), scene()) for _ in range(3)]


def test_nothing_is_held_where_nothing_collapses(bench):
    one = bench()
    assert (one.preparation.due(everything=True), one.preparation.next_due()) == ([], None)


def test_a_frame_that_cannot_be_seen_is_sent_by_itself(bench, caplog):
    assert bench(collapse=Collapse()).taken(frame(), b"no image").image == b"no image"
    assert "are not collapsed" in caplog.text


def test_held_frames_keep_no_image_in_memory(bench):
    one = bench(collapse=Collapse())
    one.taken(frame(0), scene())
    [burst] = one.preparation._bursts.take_ended(now=0.0, everything=True)
    assert (burst.first.record.payload, burst.first.record.text) == (b"", b"")


def test_a_death_in_a_burst_loses_no_frame(bench):
    one = bench(collapse=Collapse())
    for second in range(3):
        one.taken(frame(second), scene())
    again = one.reopened(collapse=Collapse())
    ready = [again.preparation.take(again.spool.next()) for _ in range(3)]
    ready = [one for one in ready if one] + again.preparation.due(everything=True)
    assert sum(json.loads(one.text).get("stands_for", 1) for one in ready) == 3


def test_a_sum_that_cannot_be_kept_waits(bench, caplog, monkeypatch):
    one = bench(collapse=Collapse())
    one.taken(frame(0), scene())
    one.taken(frame(1), scene())
    (one.folder / "prepared").rename(one.folder / "away")
    (one.folder / "prepared").write_bytes(b"a file in the folder's place")
    monkeypatch.setattr(one.spool, "prepared", lambda record: (canonical_json(frame(0)), scene()))
    assert one.preparation.due(everything=True) == []
    assert (one.preparation.next_due() > time.monotonic(), one.is_empty) == (True, False)


def test_what_was_made_ready_and_lost_is_made_again(bench):
    one = bench(collapse=Collapse())
    one.taken(frame(0), scene())
    one.taken(frame(1), scene())
    for file in (one.folder / "prepared").iterdir():
        file.unlink()
    assert one.preparation.due(everything=True) == []
    assert [one.preparation.take(one.spool.next()) for _ in range(2)] == [None, None]
    assert len(one.preparation.due(everything=True)) == 1


def test_many_bursts_are_handed_out_a_few_at_a_time(bench):
    one, large = bench(collapse=Collapse()), np.random.default_rng(1).integers(0, 255, (1000, 1000, 3), dtype=np.uint8)
    for number in range(4):
        one.taken(sample(stream=str(number)), large)
    counts = [len(one.preparation.due(everything=number == 0)) for number in range(3)]
    assert counts == [2, 2, 0]


def test_feedback_on_a_collapsed_frame_is_on_the_one_that_stands_for_it(bench):
    one, frames = bench(collapse=Collapse()), [frame(0), frame(1)]
    one.burst(*frames)
    given = Feedback(id=uuid4(), sample_id=frames[1].id, verdict="rejected", comment="two missed")
    assert one.said(given) == json.loads(canonical_json(replace(given, sample_id=frames[0].id)))


REMOVED = BoxCorrection(action="remove", target=3)
ADDED = BoxCorrection(action="add", label="pill", x_min=1.0, y_min=1.0, x_max=2.0, y_max=2.0)


@pytest.mark.parametrize(
    ("correction", "verdict", "left"),
    [
        (Correction(boxes=[REMOVED, ADDED]), "corrected", {"boxes"}),
        (Correction(boxes=[REMOVED], count=2), "corrected", {"count"}),
        (Correction(boxes=[REMOVED], image_size=(64, 48)), "rejected", set()),
    ],
)
def test_what_is_said_of_a_box_by_number_does_not_go_to_another_frame(bench, correction, verdict, left):
    one, frames = bench(collapse=Collapse()), [frame(0), frame(1)]
    one.burst(*frames)
    said = one.said(Feedback(id=uuid4(), sample_id=frames[1].id, verdict="corrected", correction=correction))
    assert (said["verdict"], set(said.get("correction", {}))) == (verdict, left)


def test_feedback_on_the_first_frame_stays_as_it_is(bench):
    one, first = bench(collapse=Collapse()), frame(0)
    one.burst(first, frame(1))
    given = Feedback(id=uuid4(), sample_id=first.id, verdict="confirmed")
    assert one.said(given) == json.loads(canonical_json(given))


def test_ids_are_remembered_up_to_a_bound(bench):
    one = bench(collapse=Collapse())
    for number in range(10_100):
        one.preparation._remember(UUID(int=number).bytes, b"")
    assert len(one.preparation._instead) == 10_000


def test_a_fork_leaves_what_is_held_to_the_parent(bench):
    one = bench(collapse=Collapse())
    one.taken(frame(0), scene())
    one.preparation.forget()
    assert (one.preparation.due(everything=True), one.preparation.collapsed) == ([], 0)
