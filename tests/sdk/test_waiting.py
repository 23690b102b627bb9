"""Images that wait for the server's wish: kept, found, forgotten, for 14 days at most."""

import os
import time

import pytest

from feedback_sdk.drops import DropReason
from feedback_sdk.errors import SpoolError
from feedback_sdk.spool.waiting import LIFE_SECONDS, Waiting, sweep
from tests.sdk.disks import DISKS
from tests.sdk.stand_in import file_size_limit

A, B, C = (bytes(15) + letter for letter in (b"a", b"b", b"c"))


@pytest.fixture(params=DISKS)
def disk(request, monkeypatch):
    DISKS[request.param](monkeypatch)


@pytest.fixture
def drops():
    return []


@pytest.fixture
def waiting(tmp_path, drops):
    opened = Waiting(tmp_path / "waiting", on_drop=drops.append)
    yield opened
    opened.close()


def ago(seconds: float) -> int:
    return int((time.time() - seconds) * 1000)


def ids(waiting: Waiting) -> list[bytes]:
    return [entry.sample_id for entry in waiting.entries()]


def test_nothing_waits_at_first_and_no_folder_is_made(tmp_path, waiting):
    assert waiting.entries() == []
    assert waiting.image(A) is None
    waiting.discard(A)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("disk")
def test_images_are_listed_oldest_first_with_age_and_size(waiting):
    for sample_id, seconds, image in ((A, 10, b"1"), (B, 30, b"22"), (C, 20, b"333")):
        waiting.keep(sample_id, image, accepted_at_ms=ago(seconds))
    assert [(entry.sample_id, entry.size_bytes) for entry in waiting.entries()] == [(B, 2), (C, 3), (A, 1)]
    assert waiting.image(C) == b"333"


@pytest.mark.usefixtures("disk")
def test_the_time_is_kept_to_the_millisecond(waiting):
    at = ago(12.345)
    waiting.keep(A, b"1", accepted_at_ms=at)
    assert waiting.entries()[0].accepted_at_ms == at


@pytest.mark.usefixtures("disk")
def test_a_discarded_image_is_gone(waiting):
    waiting.keep(A, b"1", accepted_at_ms=ago(1))
    waiting.discard(A)
    assert waiting.entries() == []
    assert waiting.image(A) is None


def test_an_image_kept_again_is_one_image(waiting):
    for image in (b"1", b"2"):
        waiting.keep(A, image, accepted_at_ms=ago(1))
    assert ids(waiting) == [A]
    assert waiting.image(A) == b"2"


def test_after_its_life_an_image_is_dropped_and_told(waiting, drops):
    waiting.keep(A, b"1", accepted_at_ms=ago(LIFE_SECONDS + 1))
    waiting.keep(B, b"1", accepted_at_ms=ago(LIFE_SECONDS - 60))
    assert ids(waiting) == [B]
    assert [(drop.reason, drop.id) for drop in drops] == [(DropReason.EXPIRED, "00000000-0000-0000-0000-000000000061")]


@pytest.mark.parametrize(("need", "left", "freed"), [(0, 3, 0), (1, 2, 10), (10, 2, 10), (11, 1, 20), (99, 0, 30)])
def test_the_oldest_go_first_to_make_room(waiting, drops, need, left, freed):
    for number, sample_id in enumerate((C, B, A)):
        waiting.keep(sample_id, b"x" * 10, accepted_at_ms=ago(60 - number))
    assert waiting.evict(need) == freed
    assert ids(waiting) == [C, B, A][3 - left :]
    assert {drop.reason for drop in drops} <= {DropReason.EVICTED}
    assert len(drops) == 3 - left


@pytest.mark.usefixtures("disk")
def test_one_process_of_a_folder_looks_after_its_images(tmp_path, waiting):
    waiting.keep(A, b"1", accepted_at_ms=ago(1))
    other = Waiting(tmp_path / "waiting", on_drop=lambda _: None)
    assert ids(waiting) == [A]
    assert ids(other) == []
    assert other.image(A) == b"1"
    waiting.close()
    assert ids(other) == [A]
    other.close()


def test_an_image_without_room_is_an_error_and_leaves_nothing(tmp_path, waiting):
    with file_size_limit(100), pytest.raises(SpoolError, match="until it is wanted, got: No space left"):
        waiting.keep(A, b"x" * 1000, accepted_at_ms=ago(1))
    assert waiting.entries() == []
    assert [path.name for path in (tmp_path / "waiting").iterdir()] == ["lock"]


def test_what_a_death_left_half_written_is_swept_up_and_images_are_not(tmp_path, waiting):
    waiting.keep(A, b"1", accepted_at_ms=0)
    half = tmp_path / "waiting" / "00.image.77.new"
    half.write_bytes(b"x")
    os.utime(half, (0, 0))
    sweep(tmp_path / "waiting", max_age_seconds=60)
    assert not half.exists()
    assert waiting.image(A) == b"1"


@pytest.mark.parametrize("name", ["notes.txt", "zz.image", "x" * 32 + ".image"])
def test_foreign_files_do_not_wait(tmp_path, waiting, name):
    waiting.keep(A, b"1", accepted_at_ms=ago(1))
    (tmp_path / "waiting" / name).write_text("mine")
    assert ids(waiting) == [A]
