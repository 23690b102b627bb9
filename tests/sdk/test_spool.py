"""The spool: bounded, in order, shared by processes, and empty when all is done."""

import json
import threading

import pytest

from feedback_sdk.errors import SpoolError
from feedback_sdk.segment import Kind
from feedback_sdk.spool import QUARANTINE, Spool, SpoolFullError, state_folder
from tests.sdk.stand_in import file_size_limit

MIB = 1 << 20


def made(folder, *, max_bytes: int = MIB) -> Spool:
    return Spool(folder / "spool", max_bytes=max_bytes)


def drain(spool: Spool) -> list[bytes]:
    found = []
    while (record := spool.next()) is not None:
        found.append(record.text)
        spool.done(record)
    return found


def files(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.folder.iterdir())


@pytest.fixture
def spool(tmp_path):
    opened = made(tmp_path)
    yield opened
    opened.close()


def test_an_unused_spool_leaves_no_folder(spool):
    spool.close()
    assert not spool.folder.exists()


def test_records_come_in_order_over_many_segments(spool):
    texts = [b"%06d" % number + b"x" * 3000 for number in range(250)]
    for text in texts:
        spool.append(Kind.SAMPLE, text)
    assert len(files(spool)) > 4
    assert drain(spool) == texts


def test_all_space_comes_back_when_all_is_done(spool):
    for _ in range(200):
        spool.append(Kind.SAMPLE, b"x" * 4000)
    drain(spool)
    assert spool.used_bytes < MIB // 8
    spool.close()
    assert files(spool) == []


def test_the_bound_holds_and_refuses(tmp_path):
    spool = made(tmp_path, max_bytes=100_000)
    with pytest.raises(SpoolFullError, match="stay below 100000 bytes, got 999 more"):
        for _ in range(1000):
            spool.append(Kind.SAMPLE, b"x" * 999)
    assert 90_000 < sum(path.stat().st_size for path in spool.folder.iterdir()) <= 100_000 + 1000
    spool.close()


def test_a_full_spool_takes_captures_again_once_some_are_done(tmp_path):
    spool = made(tmp_path, max_bytes=100_000)
    with pytest.raises(SpoolFullError):
        while True:
            spool.append(Kind.SAMPLE, b"x" * 999)
    for _ in range(30):
        spool.done(spool.next())
    spool.append(Kind.SAMPLE, b"x" * 999)
    spool.close()


def test_the_bound_counts_what_other_processes_spooled(tmp_path):
    other, spool = made(tmp_path, max_bytes=100_000), made(tmp_path, max_bytes=100_000)
    for _ in range(80):
        other.append(Kind.SAMPLE, b"x" * 1000)
    spool.measure()
    with pytest.raises(SpoolFullError):
        spool.append(Kind.SAMPLE, b"x" * 30_000)
    other.close()
    spool.close()


def test_a_record_larger_than_a_segment_is_stored(spool):
    spool.append(Kind.SAMPLE, b"{}", b"x" * 500_000)
    assert len(spool.next().payload) == 500_000


def test_the_dead_ones_records_are_adopted_from_where_it_stopped(tmp_path, spool):
    for text in (b"1", b"2", b"3"):
        spool.append(Kind.SAMPLE, text)
    spool.done(spool.next())
    spool.close()
    heir = made(tmp_path)
    assert heir.adopt() == 1
    heir.append(Kind.SAMPLE, b"4")
    assert drain(heir) == [b"2", b"3", b"4"]
    heir.close()
    assert files(heir) == []


def test_a_living_ones_records_are_left_alone(tmp_path, spool):
    spool.append(Kind.SAMPLE, b"1")
    heir = made(tmp_path)
    assert heir.adopt() == 0
    assert heir.next() is None


def test_two_heirs_do_not_share_one_segment(tmp_path, spool):
    spool.append(Kind.SAMPLE, b"1")
    spool.close()
    heirs = [made(tmp_path), made(tmp_path)]
    assert sorted(heir.adopt() for heir in heirs) == [0, 1]
    for heir in heirs:
        heir.close()


def test_a_users_own_files_survive(tmp_path, spool):
    spool.folder.mkdir()
    (spool.folder / "notes.spool").write_text("mine")
    spool.append(Kind.SAMPLE, b"1")
    spool.adopt()
    drain(spool)
    spool.close()
    assert files(spool) == ["notes.spool"]


def test_threads_that_append_at_once_lose_nothing(spool):
    def append(letter: bytes) -> None:
        for number in range(300):
            spool.append(Kind.SAMPLE, b"%b%d" % (letter, number), b"x" * 100)

    threads = [threading.Thread(target=append, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    found = []
    while any(thread.is_alive() for thread in threads):
        found += drain(spool)  # the reader works while they append
    found += drain(spool)
    assert len(set(found)) == len(found) == spool.accepted == spool.finished == 900


def test_a_refused_record_is_kept_with_the_answer(spool):
    spool.append(Kind.SAMPLE, b'{"id":"7"}', b"\xff\xd8")
    assert spool.quarantine(spool.next(), {"status": 422, "body": "no"})
    line = json.loads((spool.folder / QUARANTINE).read_text())
    assert (line["record"], line["answer"]["status"], line["payload_base64"]) == ({"id": "7"}, 422, "/9g=")


def test_the_quarantine_is_bounded(tmp_path):
    spool = made(tmp_path, max_bytes=40_000)
    spool.append(Kind.SAMPLE, b"{}", b"x" * 4000)
    kept = [spool.quarantine(spool.next(), {"status": 422}) for _ in range(4)]
    assert kept == [True, False, False, False]
    spool.close()


def test_encoded_pixels_are_kept_until_their_record_is_done(tmp_path, spool):
    spool.append(Kind.PIXELS, b"{}", b"raw")
    assert spool.encoded(spool.next()) is None
    spool.keep_encoded(spool.next(), b"png of zlib one")
    spool.close()
    heir = made(tmp_path)
    heir.adopt()
    assert heir.encoded(heir.next()) == b"png of zlib one"
    drain(heir)
    heir.close()
    assert files(heir) == []


def test_a_folder_that_cannot_be_made_is_a_refusal_with_its_reason(tmp_path):
    (tmp_path / "spool").write_text("a file is in the way")
    with pytest.raises(SpoolError, match="folder must be writable, got: File exists"):
        made(tmp_path).append(Kind.SAMPLE, b"1")


def test_a_disk_that_refused_once_is_used_again_when_there_is_room(spool):
    spool.append(Kind.SAMPLE, b"1")
    with file_size_limit(100), pytest.raises(SpoolError):
        spool.append(Kind.SAMPLE, b"2" * 500)
    assert drain(spool) == [b"1"]
    spool.append(Kind.SAMPLE, b"3")
    assert drain(spool) == [b"3"]


def test_syncing_is_safe_beside_a_drain(spool):
    for _ in range(100):
        spool.append(Kind.SAMPLE, b"x" * 4000)
    thread = threading.Thread(target=lambda: [spool.sync() for _ in range(30)])
    thread.start()
    drain(spool)
    thread.join()
    assert spool.finished == 100


def test_each_server_and_key_has_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folders = {state_folder(url=url, kid=kid) for url in ("http://a", "http://b") for kid in ("k1", "k2")}
    assert len(folders) == 4
    assert all(folder.parent.name == "lookswrong" for folder in folders)


def test_a_segment_that_grew_since_it_was_read_is_not_removed(spool):
    spool.append(Kind.SAMPLE, b"1")
    record = spool.next()
    spool.append(Kind.SAMPLE, b"2")
    record.segment.has_failed = True  # else a segment as small as this would be kept anyway
    record.segment.ack(record.end)
    spool._retire(record.segment)  # as the reader does that saw the end before the append
    assert drain(spool) == [b"2"]
