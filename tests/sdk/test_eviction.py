"""What goes first from a spool that is too full: the choice as tables, then real spools."""

import os
import re
import threading
import time

import pytest

from feedback_sdk.drops import DropReason
from feedback_sdk.spool import Spool, eviction
from feedback_sdk.spool.segment import Head, Kind
from tests.sdk.disks import DISKS
from tests.sdk.stand_in import file_size_limit

MIB = 1 << 20
SIZE = 10


def remaining(line: str, need_bytes: int) -> str:
    """Evict from a line of records of 10 bytes each: "a" a sample, "A" feedback on it, "!" before what is at work."""
    records = []
    for mark, letter in re.findall(r"(!?)(\w)", line):
        kind = Kind.FEEDBACK if letter.isupper() else Kind.SAMPLE
        start = len(records) * SIZE
        records.append((Head(kind, letter.lower().encode(), 0, 0, start, start + SIZE), not mark, letter))
    need = eviction.Need(need_bytes)
    for goes in eviction.rounds(lambda: [record[:2] for record in records], need):
        records[:] = [record for record in records if not (record[1] and goes(record[0]))]
    return "".join(letter for _, _, letter in records)


@pytest.mark.parametrize(
    ("line", "need_bytes", "left"),
    [
        ("", 10, ""),
        ("abc", 0, "abc"),
        ("abc", 1, "bc"),
        ("abc", 10, "bc"),
        ("abc", 11, "c"),
        ("abc", 99, ""),
        # the oldest that nobody spoke of go first, wherever the feedback lies
        ("aAbc", 10, "aAc"),
        ("abcA", 20, "aA"),
        ("Aab", 10, "Aa"),
        # then samples with their feedback, together
        ("aAbB", 10, "bB"),
        ("abBA", 10, "bB"),
        ("aAAbB", 30, "bB"),
        ("aAbBc", 30, "bB"),
        ("aAbB", 99, ""),
        # then feedback whose sample is delivered, and never before
        ("XaA", 10, "X"),
        ("XYaA", 30, "Y"),
        ("XYb", 10, "XY"),
        ("XXY", 10, "XY"),
        # what is at work stays, and a sample stays with its feedback
        ("!ab", 99, "a"),
        ("!aAbB", 10, "aA"),
        ("a!A", 99, "aA"),
        ("a!AbB", 99, "aA"),
    ],
)
def test_the_order_of_going(line, need_bytes, left):
    assert remaining(line, need_bytes) == left


def test_feedback_never_goes_before_its_prediction():
    line = "aAbcCdeEfgGhHX"
    for need_bytes in range(0, 150, 10):
        left = remaining(line, need_bytes)
        assert all(letter.upper() in left for letter in left if letter.upper() in line)
        assert len(left) <= len(line) - need_bytes // SIZE or not left


def test_a_filter_of_ids_never_denies_and_seldom_lies():
    ids = [os.urandom(16) for _ in range(20_000)]
    known = eviction.IdFilter(ids[:10_000])
    assert all(sample_id in known for sample_id in ids[:10_000])
    assert sum(sample_id in known for sample_id in ids[10_000:]) < 20


def test_more_samples_with_feedback_than_a_round_holds_take_more_rounds(monkeypatch):
    monkeypatch.setattr(eviction, "_ROUND", 2)
    assert remaining("aAbBcCdDeE", 80) == "eE"


@pytest.fixture(params=DISKS)
def disk(request, monkeypatch):
    DISKS[request.param](monkeypatch)


@pytest.fixture
def drops():
    return []


@pytest.fixture
def spool(tmp_path, drops):
    opened = Spool(tmp_path / "spool", max_bytes=MIB, max_age_seconds=3600, on_drop=drops.append)
    yield opened
    opened.close()


def sample_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def fill(spool: Spool, numbers: range, *, size: int = 1000, kind: Kind = Kind.SAMPLE) -> None:
    for number in numbers:
        spool.append(kind, sample_id(number), b'{"id":"f%d"}' % number, b"x" * size)


def drained(spool: Spool) -> list[int]:
    found = []
    while (record := spool.next()) is not None:
        found.append(int.from_bytes(record.sample_id, "big"))
        spool.done(record)
    return found


@pytest.mark.usefixtures("disk")
def test_above_the_mark_the_oldest_samples_make_room(spool, drops):
    fill(spool, range(900))
    assert spool.needs_room.is_set()
    spool.make_room()
    assert spool.used_bytes <= 0.7 * MIB
    left = drained(spool)
    assert left == list(range(900 - len(left), 900))
    assert {drop.reason for drop in drops} == {DropReason.EVICTED}
    assert [int(drop.id.replace("-", ""), 16) for drop in drops] == list(range(900 - len(left)))


def test_below_the_mark_nothing_goes(spool, drops):
    fill(spool, range(600))
    spool.make_room()
    assert not spool.needs_room.is_set()
    assert len(drained(spool)) == 600
    assert drops == []


def test_what_users_spoke_of_stays(spool):
    fill(spool, range(400))
    fill(spool, range(0, 400, 7), size=0, kind=Kind.FEEDBACK)
    fill(spool, range(400, 860))
    spool.make_room()
    left = drained(spool)
    assert set(range(0, 400, 7)) <= set(left)
    assert len(set(left)) < 700


def test_feedback_that_goes_is_told_by_its_own_id(spool, drops):
    fill(spool, range(5000, 5300), size=0, kind=Kind.FEEDBACK)
    for number in range(900):
        spool.append(Kind.FEEDBACK, sample_id(number), b'{"id":"f%d","comment":"%b"}' % (number, b"x" * 960))
    spool.make_room()
    assert [drop.id for drop in drops[:3]] == ["f5000", "f5001", "f5002"]


def test_images_that_only_wait_go_first(spool, drops):
    for number in range(3):
        spool.waiting.keep(sample_id(number), b"x" * 100_000, accepted_at_ms=int(time.time() * 1000) + number)
    fill(spool, range(560))
    spool.measure()
    spool.make_room()
    assert spool.used_bytes <= 0.7 * MIB
    assert len(drained(spool)) == 560
    assert [drop.message for drop in drops] == ["a waiting image made room for later captures"] * 2


def test_segments_at_work_are_left_alone(spool):
    fill(spool, range(50))
    out = spool.next()
    fill(spool, range(50, 900))
    spool.make_room()
    assert spool.next().sample_id == sample_id(1)
    spool.done(out)
    assert spool.used_bytes <= 0.7 * MIB


def test_a_sender_that_begins_meanwhile_keeps_its_segment(spool, monkeypatch):
    fill(spool, range(50, 51), size=0, kind=Kind.FEEDBACK)
    fill(spool, range(900))
    taken, fill_copy = [], eviction.Split.fill

    def begin(*args: object, **options: object) -> None:
        taken.append(spool.next())
        fill_copy(*args, **options)

    monkeypatch.setattr(eviction.Split, "fill", begin)
    spool.make_room()
    assert drained(spool)[0] == len(taken) - 1
    spool.done(taken[0])
    assert len(list(spool.folder.glob("*.spool"))) <= 1


@pytest.mark.usefixtures("disk")
def test_an_heir_finds_what_was_left_and_in_its_order(tmp_path, spool):
    fill(spool, range(100))
    fill(spool, range(0, 100, 9), size=0, kind=Kind.FEEDBACK)
    fill(spool, range(100, 850))
    spool.make_room()
    spool.close()
    heir = Spool(tmp_path / "spool", max_bytes=MIB, max_age_seconds=3600, on_drop=lambda _: None)
    heir.adopt()
    left = drained(heir)
    assert left[:12] == list(range(0, 100, 9))
    assert left[-1] == 849
    heir.close()
    assert list(heir.folder.glob("*.spool")) == []


def test_a_mark_waits_for_what_a_rewritten_segment_keeps(spool):
    fill(spool, range(10))
    fill(spool, range(10), size=0, kind=Kind.FEEDBACK)
    mark = spool.mark()
    fill(spool, range(10, 900))
    spool.make_room()
    assert not spool.is_done(mark)
    drained(spool)
    assert spool.is_done(mark)


def test_a_spool_that_nothing_can_leave_is_not_scanned_again_at_once(spool, monkeypatch):
    fill(spool, range(900))
    while spool.next() is not None:
        pass
    scans = []
    monkeypatch.setattr(eviction, "rounds", lambda scan, need: scans.append(need) or iter(()))
    for _ in range(3):
        spool.make_room()
    assert len(scans) == 1


def test_a_disk_without_room_for_the_copy_leaves_all_as_it_was(spool, drops):
    fill(spool, range(900), size=900)
    fill(spool, range(0, 900, 3), size=0, kind=Kind.FEEDBACK)
    with file_size_limit(1000):
        spool.make_room()
    assert drops == []
    assert len(drained(spool)) == 1200


def test_closing_ends_an_eviction_and_loses_nothing(tmp_path, spool, monkeypatch):
    monkeypatch.setattr(eviction, "_SLICE_SECONDS", 0.0)
    fill(spool, range(3400), size=200)
    thread = threading.Thread(target=spool.make_room)
    thread.start()
    time.sleep(0.01)
    begun = time.monotonic()
    spool.close()
    thread.join()
    assert time.monotonic() - begun < 0.5
    heir = Spool(tmp_path / "spool", max_bytes=MIB, max_age_seconds=3600, on_drop=lambda _: None)
    heir.adopt()
    assert drained(heir)[-1] == 3399
    heir.close()


@pytest.mark.parametrize("has_hook", [False, True])
def test_a_rewritten_segment_keeps_its_flag(tmp_path, has_hook):
    settings = {"max_bytes": MIB, "max_age_seconds": 3600, "on_drop": lambda _: None}
    spool = Spool(tmp_path / "spool", has_hook=has_hook, **settings)
    fill(spool, range(50, 51), size=0, kind=Kind.FEEDBACK)
    fill(spool, range(900))
    spool.make_room()
    spool.close()
    without, hooked = Spool(tmp_path / "spool", **settings), Spool(tmp_path / "spool", has_hook=True, **settings)
    assert (without.adopt() > 0, hooked.adopt() > 0) == (not has_hook, has_hook)
    for opened in (without, hooked):
        opened.close()


def test_appends_go_on_quickly_beside_an_eviction(spool):
    fill(spool, range(3600), size=190)
    waits, thread = [], threading.Thread(target=spool.make_room)
    thread.start()
    while thread.is_alive():
        begun = time.perf_counter()
        fill(spool, range(1), size=0)
        waits.append(time.perf_counter() - begun)
        time.sleep(0.0005)
    thread.join()
    assert sorted(waits)[int(len(waits) * 0.9)] < 0.005
