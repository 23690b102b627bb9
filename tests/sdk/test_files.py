"""The seam to the operating system: each way of doing a thing does the same thing."""

import os
import threading
from types import SimpleNamespace

import pytest

from feedback_sdk.spool import files
from tests.sdk.disks import DISKS, PLAIN, msvcrt
from tests.sdk.stand_in import file_size_limit


@pytest.fixture(params=DISKS)
def disk(request, monkeypatch):
    DISKS[request.param](monkeypatch)


@pytest.fixture
def fd(tmp_path):
    opened = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    yield opened
    os.close(opened)


@pytest.fixture
def two_fds(tmp_path):
    opened = [os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT) for _ in range(2)]
    yield opened
    for fd in opened:
        os.close(fd)


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("parts", [(b"",), (b"a",), (b"a", b"", b"bc"), (b"a", memoryview(b"bc" * 70_000))])
def test_parts_are_appended_as_one(fd, parts):
    whole = b"".join(parts)
    files.append(fd, parts, size=len(whole))
    files.append(fd, (b"end",), size=3)
    assert files.read_at(fd, 0, 1_000_000) == whole + b"end"


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("append", [lambda fd: files.append(fd, (b"x" * 60, b"y" * 60), size=120), None])
def test_an_append_without_room_leaves_no_trace(fd, append):
    os.write(fd, b"before")
    with file_size_limit(100), pytest.raises(OSError, match="No space left"):
        (append or (lambda fd: files.append_one(fd, b"x" * 120)))(fd)
    assert files.read_at(fd, 0, 1000) == b"before"


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(("start", "size", "found"), [(0, 0, b""), (2, 3, b"234"), (8, 9, b"89"), (99, 1, b"")])
def test_reading_stops_at_the_end(fd, start, size, found):
    os.write(fd, b"0123456789")
    assert files.read_at(fd, start, size) == found


@pytest.mark.usefixtures("disk")
def test_a_positional_write_changes_only_its_place(two_fds):
    os.write(two_fds[0], b"0123456789")
    assert files.pwrite(two_fds[0], b"ab", 4) == 2
    assert files.read_at(two_fds[0], 0, 99) == b"0123ab6789"


def test_a_read_that_comes_in_pieces_is_put_together(fd, monkeypatch):
    os.write(fd, b"0123456789")
    monkeypatch.setattr(files, "pread", lambda fd, size, start: os.pread(fd, min(size, 3), start))
    assert files.read_at(fd, 1, 8) == b"12345678"


def test_threads_that_read_by_seeking_do_not_move_each_other(fd):
    os.write(fd, bytes(range(250)) * 40)
    read, wrong = files.pread_of(PLAIN), []

    def look(start: int) -> None:
        wrong.extend(start for _ in range(2000) if read(fd, 1, start) != bytes([start % 250]))

    threads = [threading.Thread(target=look, args=(start,)) for start in (3, 777, 5000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.usefixtures("disk")
def test_a_lock_keeps_others_out_until_it_is_given_back(two_fds):
    first, second = two_fds
    assert files.try_lock(first)
    assert not files.try_lock(second)
    files.unlock(first)
    assert files.try_lock(second)


@pytest.mark.usefixtures("disk")
def test_a_lock_ends_with_its_descriptor(tmp_path):
    path = tmp_path / "file"
    first, second = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert files.try_lock(first)
    os.close(first)
    assert files.try_lock(second)
    os.close(second)


def test_a_byte_lock_leaves_all_that_is_written_readable(two_fds):
    try_lock, _ = files.locks_of(msvcrt)
    assert try_lock(two_fds[0])
    assert os.lseek(two_fds[0], 0, os.SEEK_CUR) == files.LOCK_AT
    os.pwrite(two_fds[1], b"x", 0)


@pytest.mark.parametrize(
    ("system", "control", "called"),
    [
        ({"fsync"}, set(), "fsync"),
        ({"fsync", "fdatasync"}, set(), "fdatasync"),
        ({"fsync", "fdatasync"}, {"flock"}, "fdatasync"),
        ({"fsync", "fdatasync"}, {"flock", "F_FULLFSYNC", "fcntl"}, "fcntl"),
    ],
)
def test_the_surest_sync_that_there_is_is_used(system, control, called):
    calls = []
    module = SimpleNamespace(**{name: lambda *_, name=name: calls.append(name) for name in system})
    lock_module = SimpleNamespace(**{name: lambda *_, name=name: calls.append(name) for name in control})
    files.sync_of(module, lock_module)(3)
    assert calls == [called]


def test_a_disk_without_a_full_sync_gets_a_plain_one():
    def refuse(*_: object) -> None:
        raise OSError("not supported")

    calls = []
    control = SimpleNamespace(F_FULLFSYNC=51, fcntl=refuse)
    files.sync_of(SimpleNamespace(fsync=calls.append), control)(3)
    assert calls == [3]


@pytest.mark.usefixtures("disk")
def test_a_whole_file_replaces_the_one_before(tmp_path):
    for content in (b"first", b"second"):
        files.write_whole(tmp_path / "file", (content, b"!"), is_synced=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"second!"


def test_a_whole_file_without_room_leaves_the_one_before(tmp_path):
    files.write_whole(tmp_path / "file", (b"first",), is_synced=False)
    with file_size_limit(10), pytest.raises(OSError, match="No space left"):
        files.write_whole(tmp_path / "file", (b"x" * 50,), is_synced=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"first"}


@pytest.mark.usefixtures("disk")
def test_a_held_lock_file_is_waited_for_and_then_given_up(tmp_path):
    path = tmp_path / "lock"
    refusal = pytest.raises(OSError, match="lock is locked by another process")
    with files.held(path, seconds=0), refusal, files.held(path, seconds=0.03):
        pass
    with files.held(path, seconds=0):
        pass


def test_a_forked_childs_copy_does_not_keep_a_lock_file_held(tmp_path):
    with files.held(tmp_path / "lock", seconds=0):
        child_end, our_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(our_end)
            os.read(child_end, 1)
            os._exit(0)
    with files.held(tmp_path / "lock", seconds=0):
        os.close(our_end)
    os.waitpid(child, 0)
    os.close(child_end)


def test_removing_what_is_not_there_is_no_error(tmp_path):
    files.remove(tmp_path / "gone")
    assert files.size_of(tmp_path / "gone") == 0
