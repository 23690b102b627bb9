"""The spool: bounded, in order, shared by processes, and empty when all is done."""

import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from feedback_sdk.drops import DropReason
from feedback_sdk.errors import SpoolError
from feedback_sdk.spool import SpoolFullError, state_folder
from feedback_sdk.spool.segment import Kind
from tests.sdk.spooling import MIB, drain, files, put
from tests.sdk.stand_in import file_size_limit, wait_until


def test_an_unused_spool_leaves_no_folder(spool):
    spool.sync()
    spool.make_room()
    spool.close()
    assert not spool.folder.exists()


@pytest.mark.usefixtures("disk")
def test_records_come_in_order_over_many_segments(spool):
    texts = [b"%06d" % number + b"x" * 3000 for number in range(250)]
    put(spool, *texts)
    assert len(files(spool)) > 4
    assert drain(spool) == texts


@pytest.mark.usefixtures("disk")
def test_all_space_comes_back_when_all_is_done(spool):
    put(spool, *[b"x" * 4000] * 200)
    drain(spool)
    assert spool.used_bytes < MIB // 8
    spool.close()
    assert files(spool) == []


def test_the_bound_holds_and_refuses(make_spool):
    spool = make_spool(max_bytes=100_000)
    with pytest.raises(SpoolFullError, match="stay below 100000 bytes, got 999 more"):
        put(spool, *[b"x" * 999] * 1000)
    assert 90_000 < sum(path.stat().st_size for path in spool.folder.iterdir()) <= 100_000 + 1000


def test_a_full_spool_takes_captures_again_once_some_are_done(make_spool):
    spool = make_spool(max_bytes=100_000)
    with pytest.raises(SpoolFullError):
        put(spool, *[b"x" * 999] * 1000)
    for _ in range(30):
        spool.done(spool.next())
    put(spool, b"x" * 999)


def test_the_bound_counts_what_other_processes_spooled(make_spool):
    other, spool = make_spool(max_bytes=100_000), make_spool(max_bytes=100_000)
    put(other, *[b"x" * 1000] * 80)
    spool.measure()
    with pytest.raises(SpoolFullError):
        put(spool, b"x" * 30_000)


def test_the_bound_counts_images_that_wait_or_are_ready(spool):
    put(spool, b"1")
    spool.waiting.keep(bytes(16), b"x" * 1000, accepted_at_ms=0)
    spool.keep_prepared(spool.next(), text=b"{}", image=b"x" * 1000)
    before = spool.used_bytes
    spool.measure()
    assert spool.used_bytes >= before + 2000


def test_a_record_larger_than_a_segment_is_stored(spool):
    put(spool, b"{}", payload=b"x" * 500_000)
    assert len(spool.next().payload) == 500_000


@pytest.mark.usefixtures("disk")
def test_the_dead_ones_records_are_adopted_from_where_it_stopped(make_spool, spool):
    put(spool, b"1", b"2", b"3")
    spool.done(spool.next())
    spool.close()
    heir = make_spool()
    assert heir.adopt() == 1
    put(heir, b"4")
    assert drain(heir) == [b"2", b"3", b"4"]
    heir.close()
    assert files(heir) == []


@pytest.mark.usefixtures("disk")
def test_a_living_ones_records_are_left_alone(make_spool, spool):
    put(spool, b"1")
    heir = make_spool()
    assert heir.adopt() == 0
    assert heir.next() is None


def test_two_heirs_do_not_share_one_segment(make_spool, spool):
    put(spool, b"1")
    spool.close()
    assert sorted(heir.adopt() for heir in (make_spool(), make_spool())) == [0, 1]


@pytest.mark.parametrize(("writes", "adopts", "found"), [(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 1)])
def test_what_a_hook_was_to_see_is_not_adopted_without_one(make_spool, writes, adopts, found):
    spool = make_spool(has_hook=bool(writes))
    put(spool, b"1")
    spool.close()
    assert make_spool(has_hook=bool(adopts)).adopt() == found


def test_a_users_own_files_survive(spool):
    spool.folder.mkdir()
    (spool.folder / "notes.spool").write_text("mine")
    put(spool, b"1")
    spool.adopt()
    drain(spool)
    spool.close()
    assert files(spool) == ["notes.spool"]


def test_threads_that_append_at_once_lose_nothing(spool):
    def append(letter: bytes) -> None:
        put(spool, *[b"%b%d" % (letter, number) for number in range(300)], payload=b"x" * 100)

    threads = [threading.Thread(target=append, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    found = []
    while any(thread.is_alive() for thread in threads):
        found += drain(spool)  # the reader works while they append
    found += drain(spool)
    assert len(set(found)) == len(found) == spool.accepted == 900


def test_appends_in_a_signal_handler_are_counted_to_the_byte(spool):
    previous = signal.signal(signal.SIGALRM, lambda *_: put(spool, b"handler"))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    put(spool, *[b"x" * 50] * 5000)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)
    counted = spool.used_bytes
    spool.measure()
    assert counted == spool.used_bytes
    assert len(drain(spool)) == spool.accepted > 5000


def test_what_is_rewound_comes_again_first_and_in_order(spool):
    put(spool, b"1", b"2", b"3", b"4")
    records = [spool.next() for _ in range(3)]
    spool.rewind(records[:2])
    assert drain(spool) == [b"1", b"2", b"4"]
    assert not spool.is_done(spool.mark())
    spool.rewind(records[2:])
    assert drain(spool) == [b"3"]
    assert spool.is_done(spool.mark())


def test_what_is_deferred_lets_others_pass_and_comes_when_it_is_due(spool):
    put(spool, b"1", b"2", b"3")
    begun = time.monotonic()
    assert spool.next_due() is None
    assert spool.defer(spool.next(), seconds=0.05)
    assert drain(spool) == [b"2", b"3"]
    assert 0.04 < spool.next_due() - begun < 0.5
    wait_until(lambda: time.monotonic() >= spool.next_due())
    assert drain(spool) == [b"1"]


def test_deferred_records_come_in_the_order_in_which_they_are_due(spool):
    put(spool, b"1", b"2", b"3")
    for seconds in (0.03, 0.01, 0.02):
        spool.defer(spool.next(), seconds=seconds)
    time.sleep(0.05)
    assert drain(spool) == [b"2", b"3", b"1"]


def test_no_more_than_a_thousand_are_deferred(spool):
    put(spool, *[b"x"] * 1001)
    assert [spool.defer(spool.next(), seconds=60) for _ in range(1001)] == [True] * 1000 + [False]


def test_a_mark_is_done_when_all_before_it_is_done_in_any_order(make_spool, spool):
    put(spool, b"adopted")
    spool.close()
    heir = make_spool()
    heir.adopt()
    put(heir, b"1", b"2")
    mark = heir.mark()
    put(heir, b"after")
    first, second, third = (heir.next() for _ in range(3))
    for record in (third, first, second):
        assert not heir.is_done(mark)
        heir.done(record)
    assert heir.is_done(mark)
    assert not heir.is_done(heir.mark())


def test_what_is_too_old_is_dropped_and_told(make_spool, drops):
    spool = make_spool(max_age_seconds=0.05)
    put(spool, b"1")
    put(spool, b'{"id":"7"}', kind=Kind.FEEDBACK)
    time.sleep(0.1)
    put(spool, b"3")
    assert drain(spool) == [b"3"]
    assert [drop.reason for drop in drops] == [DropReason.EXPIRED] * 2
    assert [drop.id for drop in drops] == ["20202020-2020-2020-2020-202020202031", "7"]
    assert spool.is_done(spool.mark())


@pytest.mark.usefixtures("disk")
def test_what_was_made_ready_is_kept_until_its_record_is_done(make_spool, spool):
    put(spool, b"{}", kind=Kind.PIXELS, payload=b"raw")
    record = spool.next()
    assert spool.prepared(record) is None
    spool.keep_prepared(record, text=b'{"a":1}', image=b"png of zlib one")
    spool.close()
    heir = make_spool()
    heir.adopt()
    record = heir.next()
    assert heir.prepared(record) == (b'{"a":1}', b"png of zlib one")
    heir.done(record)
    assert list((heir.folder / "prepared").iterdir()) == []


@pytest.mark.usefixtures("disk")
def test_two_records_of_one_id_are_each_made_ready_to_their_own(spool, make_spool):
    for payload in (b"one", b"two"):
        put(spool, b"{}", kind=Kind.PIXELS, payload=payload)
    one, two = spool.next(), spool.next()
    spool.keep_prepared(one, text=b"1", image=b"png one")
    assert spool.prepared(two) is None
    spool.keep_prepared(two, text=b"2", image=b"png two")
    assert spool.prepared(one) == (b"1", b"png one")
    spool.done(one)
    assert spool.prepared(two) == (b"2", b"png two")
    spool.close()
    heir = make_spool()
    heir.adopt()
    assert heir.prepared(heir.next()) == (b"2", b"png two")


def test_a_record_that_comes_back_as_what_it_was_made_to_leaves_nothing(spool):
    put(spool, b"{}", kind=Kind.PIXELS, payload=b"raw")
    record = spool.next()
    spool.keep_prepared(record, text=b'{"a":1}', image=b"png")
    whole = replace(record, kind=Kind.SAMPLE, text=b'{"a":1}', payload=b"png")
    assert spool.prepared(whole) == (b'{"a":1}', b"png")
    spool.done(whole)
    assert list((spool.folder / "prepared").iterdir()) == []


@pytest.mark.parametrize("url", ["http://a/", "HTTP://A:80", "http://a//", "http://a?q#f"])
def test_one_server_is_one_folder_however_it_is_spelled(url):
    assert state_folder(url=url, kid="k1") == state_folder(url="http://a", kid="k1")


@pytest.mark.parametrize(
    "url", ["", "https://a", "http://a:8000", "http://a/b", "http://b", "http://[::1", "http://[::1]"]
)
def test_another_server_is_another_folder(url):
    assert state_folder(url=url, kid="k1") != state_folder(url="http://a", kid="k1")


def test_the_folders_of_one_server_stand_together():
    one, two = (state_folder(url="http://a", kid=kid).name for kid in ("k1", "k-2"))
    assert (one[16:], two[16:]) == ("-k1", "-k-2")
    assert one[:16] == two[:16]


def test_what_cannot_be_kept_ready_is_an_error(spool):
    put(spool, b"1")
    record = spool.next()
    with file_size_limit(100), pytest.raises(SpoolError, match="before it goes out, got: No space left"):
        spool.keep_prepared(record, text=b"{}", image=b"x" * 1000)
    assert spool.prepared(record) is None


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"x"), lambda path: os.truncate(path, 20)])
def test_what_was_made_ready_and_torn_is_made_again(spool, damage):
    put(spool, b"1")
    record = spool.next()
    spool.keep_prepared(record, text=b"{}", image=b"x" * 1000)
    damage(next((spool.folder / "prepared").iterdir()))
    assert spool.prepared(record) is None


def test_what_a_death_left_ready_is_swept_up(make_spool, spool):
    put(spool, b"1")
    spool.keep_prepared(spool.next(), text=b"{}", image=b"x")
    os.utime(next((spool.folder / "prepared").iterdir()), (0, 0))
    make_spool()
    assert list((spool.folder / "prepared").iterdir()) == []
