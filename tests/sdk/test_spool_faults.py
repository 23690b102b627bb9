"""The spool where something fails: disks, forks, interrupts, and what comes after the close."""

import os
import threading
import time
import tracemalloc

import pytest

from feedback_sdk.errors import SpoolError
from feedback_sdk.spool import Spool, state_folder
from feedback_sdk.spool import files as system
from feedback_sdk.spool.segment import Kind
from tests.sdk.spooling import MIB, drain, files, put
from tests.sdk.stand_in import file_size_limit, wait_until


def test_a_folder_that_cannot_be_made_is_a_refusal_with_its_reason(tmp_path, spool):
    (tmp_path / "spool").write_text("a file is in the way")
    with pytest.raises(SpoolError, match="folder must be writable, got: File exists"):
        put(spool, b"1")


def test_a_disk_that_refused_once_is_used_again_when_there_is_room(spool):
    put(spool, b"1")
    with file_size_limit(100), pytest.raises(SpoolError):
        put(spool, b"2" * 500)
    assert drain(spool) == [b"1"]
    put(spool, b"3")
    assert drain(spool) == [b"3"]


@pytest.mark.parametrize(("syncs_each_record", "calls"), [(False, 0), (True, 3)])
def test_each_record_is_synced_where_that_is_asked_for(make_spool, monkeypatch, syncs_each_record, calls):
    synced = []
    monkeypatch.setattr(system, "sync", synced.append)
    put(make_spool(syncs_each_record=syncs_each_record), b"1", b"2", b"3")
    assert len(synced) == calls


def test_syncing_is_safe_beside_a_drain(spool):
    put(spool, *[b"x" * 4000] * 100)
    thread = threading.Thread(target=lambda: [spool.sync() for _ in range(30)])
    thread.start()
    assert len(drain(spool)) == 100
    thread.join()


def test_each_server_and_key_has_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folders = {state_folder(url=url, kid=kid) for url in ("http://a", "http://b") for kid in ("k1", "k2")}
    assert len(folders) == 4
    assert all(folder.parent.name == "lookswrong" for folder in folders)


def test_a_segment_that_grew_since_it_was_read_is_not_removed(spool):
    put(spool, b"1")
    record = spool.next()
    put(spool, b"2")
    record.segment.has_failed = True  # else a segment as small as this would be kept anyway
    record.segment.finish(record.start, record.end)
    assert spool._segments.retire(record.segment)  # as the reader does that saw the end before the append
    assert drain(spool) == [b"2"]


def test_a_record_that_an_interrupt_hid_is_found(spool, monkeypatch):
    put(spool, b"1")
    append = system.append_one

    def interrupted(fd: int, content: bytes) -> None:
        append(fd, content)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(system, "append_one", interrupted)
        put(spool, b"2")
    assert drain(spool) == [b"1", b"2"]


def forked(spool: Spool) -> tuple[int, int]:
    """Fork a child that forgets the spool, appends to it and lives until the pipe is closed; return both."""
    child_end, our_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(our_end)
        spool.forget()
        is_empty = spool.next() is None and spool.accepted == 0
        put(spool, b"child's")
        os.read(child_end, 1)
        os._exit(0 if is_empty else 1)
    os.close(child_end)
    return child, our_end


def test_a_child_leaves_all_to_its_parent_and_keeps_no_lock(make_spool, spool):
    put(spool, b"parent's")
    child, pipe = forked(spool)
    spool.close()
    heir = make_spool()
    wait_until(lambda: heir.adopt() > 0)
    assert drain(heir) == [b"parent's"]
    os.close(pipe)
    assert os.waitpid(child, 0)[1] == 0
    assert heir.adopt() == 1
    assert drain(heir) == [b"child's"]


def test_records_cost_no_memory(make_spool):
    spool = make_spool(max_bytes=64 * MIB)
    put(spool, b"x")
    was_tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    put(spool, *[b"x" * 200] * 20_000)
    used = tracemalloc.get_traced_memory()[0] - before
    if not was_tracing:
        tracemalloc.stop()
    assert used < 50_000


def test_a_thousand_deferred_amid_many_done_cost_little_memory(make_spool):
    spool = make_spool(max_bytes=64 * MIB)
    put(spool, *[b"x"] * 20_000)
    for number in range(20_000):
        record = spool.next()
        if number % 20 or not spool.defer(record, seconds=600):
            spool.done(record)
    assert len(record.segment._starts) <= 1000


def test_a_disk_that_cannot_be_read_gives_the_segment_to_a_later_run(make_spool, spool, monkeypatch):
    def refuse(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    put(spool, *[b"x" * 3000] * 100)
    with monkeypatch.context() as patch:
        patch.setattr(system, "pread", refuse)
        assert spool.next() is None
    spool.close()
    heir = make_spool()
    heir.adopt()
    assert len(drain(heir)) == 100


def test_a_record_that_the_disk_lost_after_it_was_handed_out_holds_nothing_up(spool):
    put(spool, b"first", b"second")
    records = [spool.next(), spool.next()]
    path = records[0].segment.path
    path.write_bytes(path.read_bytes().replace(b"first", b"worst"))
    spool.rewind(records)
    assert drain(spool) == [b"second"]
    assert spool.is_done(spool.mark())


def test_a_record_that_is_done_after_the_close_is_no_error(make_spool, spool):
    put(spool, b"1")
    record = spool.next()
    spool.close()
    spool.done(record)
    assert spool.next() is None
    heir = make_spool()
    assert heir.adopt() == 1
    assert drain(heir) == [b"1"]


def test_an_append_after_the_close_is_not_lost(make_spool, spool):
    spool.close()
    put(spool, b"late")
    spool.close()
    heir = make_spool()
    heir.adopt()
    assert drain(heir) == [b"late"]


def test_closing_twice_is_no_error(spool):
    put(spool, b"1")
    spool.close()
    spool.close()
    assert len(files(spool)) == 1


def test_all_done_segments_that_could_not_be_removed_go_with_the_next_look(make_spool, spool):
    put(spool, b"1")
    record = spool.next()
    record.segment.finish(record.start, record.end)
    spool._segments.forget()  # as a process that dies between its last delivery and the removal
    heir = make_spool()
    assert heir.adopt() == 1
    assert drain(heir) == []
    assert files(heir) == []


@pytest.mark.parametrize("text", [b"", b"x" * 70_000])
@pytest.mark.parametrize("payload", [b"", b"y", memoryview(b"z" * 300_000)])
@pytest.mark.usefixtures("disk")
def test_what_goes_in_comes_out(make_spool, text, payload):
    spool = make_spool(max_bytes=64 * MIB)
    spool.append(Kind.FEEDBACK, b"i" * 16, text, payload)
    record = spool.next()
    assert (record.kind, record.sample_id, record.text) == (Kind.FEEDBACK, b"i" * 16, text)
    assert record.payload == payload
    assert abs(record.accepted_at_ms - time.time() * 1000) < 5000


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_each_system_has_its_place_for_the_state_of_apps(monkeypatch, tmp_path, platform):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = state_folder(url="http://a", kid="k1")
    places = {"linux": ".local/state", "darwin": "Library/Application Support", "win32": "AppData/Local"}
    assert folder.parent == tmp_path / places[platform] / "lookswrong"
