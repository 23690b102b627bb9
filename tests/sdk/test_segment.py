"""One file of the spool: what is whole comes back, what is torn does not, whoever reads it."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_sdk.errors import SpoolError
from feedback_sdk.spool import files
from feedback_sdk.spool.segment import Kind, Record, Segment
from tests.sdk.stand_in import file_size_limit

ID = bytes(range(16))
HEAD = 44


@pytest.fixture
def segment(tmp_path):
    made = Segment.create(tmp_path, has_hook=False)
    yield made
    made.close()


def put(segment: Segment, text: bytes, *, kind: Kind = Kind.SAMPLE, payload: bytes | memoryview = b"") -> int:
    return segment.append(kind, text, sample_id=ID, payload=payload, accepted_at_ms=1_700_000_000_123)


def drained(segment: Segment) -> list[Record]:
    found = []
    while (record := segment.next()) is not None:
        found.append(record)
        segment.finish(record.start, record.end)
    return found


def texts(records: list[Record]) -> list[bytes]:
    return [record.text for record in records]


def adopted(path: Path, *, takes_hooked: bool = False) -> Segment | None:
    return Segment.adopt(path, takes_hooked=takes_hooked)


def reopened(path: Path) -> list[bytes]:
    """Return the texts that another process with a hook would find."""
    segment = adopted(path, takes_hooked=True)
    assert segment is not None
    scanned = [segment.text_of(head) for head in segment.heads(segment.acked)]
    found = texts(drained(segment))
    segment.close()
    assert scanned == found or len(scanned) >= len(found)  # a scan trusts a head, a read checks all
    return found


def filled(folder: Path, *contents: bytes, has_hook: bool = False) -> Path:
    segment = Segment.create(folder, has_hook=has_hook)
    for text in contents:
        put(segment, text, kind=Kind.FEEDBACK)
    segment.close()
    return segment.path


def test_a_new_segment_is_empty(segment):
    assert segment.next() is None


@pytest.mark.usefixtures("disk")
def test_records_come_back_whole_and_in_order(segment):
    wanted = [(Kind.SAMPLE, b'{"a":1}', b"\x00" * 5000), (Kind.FEEDBACK, b"{}", b""), (Kind.PIXELS, b"[]", b"x")]
    sizes = [put(segment, text, kind=kind, payload=payload) for kind, text, payload in wanted]
    found = drained(segment)
    assert [(record.kind, record.text, record.payload) for record in found] == wanted
    assert {(record.sample_id, record.accepted_at_ms) for record in found} == {(ID, 1_700_000_000_123)}
    assert segment.size == 32 + sum(sizes) == segment.path.stat().st_size


@pytest.mark.usefixtures("disk")
def test_another_views_memory_is_a_payload(segment):
    put(segment, b"1", payload=memoryview(b"abcdef")[2:4])
    assert segment.next().payload == b"cd"


def test_what_is_handed_out_is_not_handed_out_again_until_a_restart(tmp_path, segment):
    put(segment, b"1")
    assert segment.next() is not None
    assert segment.next() is None
    segment.close()
    assert reopened(segment.path) == [b"1"]


def test_what_is_handed_out_can_be_read_again(segment):
    put(segment, b"1")
    record = segment.next()
    assert segment.read(record.start) == record


def test_appends_go_on_behind_a_reader(segment):
    put(segment, b"1")
    assert texts(drained(segment)) == [b"1"]
    put(segment, b"2")
    assert texts(drained(segment)) == [b"2"]


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(
    ("done", "left"),
    [
        ("", "01234"),
        ("0", "1234"),
        ("1", "01234"),
        ("10", "234"),
        ("43", "01234"),
        ("4310", "234"),
        ("0213", "4"),
        ("0314", "234"),
        ("20341", ""),
    ],
)
def test_the_longest_finished_prefix_outlives_a_restart(tmp_path, done, left):
    segment = Segment.create(tmp_path, has_hook=False)
    for number in range(5):
        put(segment, b"%d" % number)
    records = [segment.next() for _ in range(5)]
    for number in map(int, done):
        segment.finish(records[number].start, records[number].end)
    segment.close()
    assert b"".join(reopened(segment.path)).decode() == left


@given(st.permutations(range(12)))
@settings(max_examples=30)
def test_whatever_the_order_all_done_is_done_and_nothing_is_remembered(tmp_path_factory, order):
    segment = Segment.create(tmp_path_factory.mktemp("s"), has_hook=False)
    for _ in range(12):
        put(segment, b"x")
    records = [segment.next() for _ in range(12)]
    for number in order:
        segment.finish(records[number].start, records[number].end)
    assert segment.is_done
    assert segment.is_quiet
    assert segment._ends == segment._starts == {}
    segment.close()


def test_a_segment_is_not_quiet_while_a_record_is_out(segment):
    put(segment, b"1")
    assert segment.is_quiet
    record = segment.next()
    assert not segment.is_quiet
    segment.finish(record.start, record.end)
    assert segment.is_quiet


@pytest.mark.usefixtures("disk")
def test_a_living_owners_segment_is_not_adopted(segment):
    assert adopted(segment.path) is None


def test_a_closed_segment_is_adopted(tmp_path):
    assert reopened(filled(tmp_path, b"1")) == [b"1"]


def test_a_segment_that_is_gone_is_not_adopted(tmp_path):
    assert adopted(tmp_path / "gone.spool") is None


@pytest.mark.parametrize("content", [b"a text of the user's", b"x" * 100, b"LWSPOOL1" + bytes(40)])
def test_a_foreign_file_is_not_adopted(tmp_path, content):
    path = tmp_path / "notes.spool"
    path.write_bytes(content)
    assert adopted(path) is None


def test_a_hooked_segment_is_for_a_hooked_client_alone(tmp_path):
    path = filled(tmp_path, b"1", has_hook=True)
    assert adopted(path) is None
    segment = adopted(path, takes_hooked=True)
    assert segment.has_hook
    segment.close()


def test_a_draft_holds_nothing_for_anybody(tmp_path):
    source = Segment.create(tmp_path, has_hook=False)
    put(source, b"1")
    draft = source.create_copy()
    draft.copy(source, 32, source.size)
    draft.close()
    assert reopened(draft.path) == []
    source.close()


def test_a_published_copy_holds_what_was_copied(tmp_path):
    source = Segment.create(tmp_path, has_hook=True)
    ends = [32, *(32 + put(source, b"x" * 9) * number for number in range(1, 4))]
    copy = source.create_copy()
    copy.copy(source, ends[1], ends[3])
    copy.publish()
    assert copy.path.name[:20] == source.path.name[:20]
    for segment in (source, copy):
        segment.close()
    found = adopted(copy.path, takes_hooked=True)
    assert len(drained(found)) == 2
    found.close()


def test_what_died_before_its_header_holds_nothing(tmp_path):
    path = tmp_path / "1.spool"
    path.write_bytes(b"LWSPO")
    assert reopened(path) == []


@given(cut=st.integers(1, 70))
@settings(max_examples=70)
def test_a_torn_tail_is_skipped(tmp_path_factory, cut):
    path = filled(tmp_path_factory.mktemp("s"), b"first", b"second" * 5)
    os.truncate(path, path.stat().st_size - cut)
    assert reopened(path) == [b"first"]


def test_records_after_a_torn_one_are_found(tmp_path):
    path = filled(tmp_path, b"first", b"second", b"third")
    content = bytearray(path.read_bytes())
    content[content.index(b"second")] ^= 1
    path.write_bytes(content)
    assert reopened(path) == [b"first", b"third"]


@given(st.data())
@settings(max_examples=60)
def test_no_damage_invents_a_record_or_raises(tmp_path_factory, data):
    texts = [b"first", b"second", b"third"]
    path = filled(tmp_path_factory.mktemp("s"), *texts)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    assert set(reopened(path)) <= set(texts)


def test_an_offset_that_cannot_be_true_means_all_again(tmp_path):
    path = filled(tmp_path, b"1", b"2")
    with path.open("r+b") as file:
        file.seek(8)
        file.write(b"\xff" * 8)
    assert reopened(path) == [b"1", b"2"]


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("payload", [b"", b"3" * 100])
def test_a_full_disk_refuses_and_leaves_no_trace(segment, payload):
    put(segment, b"1")
    with file_size_limit(segment.size + 50), pytest.raises(SpoolError, match="writable, got: No space left"):
        put(segment, b"2" * 100, payload=payload)
    assert segment.path.stat().st_size == segment.size
    put(segment, b"3")
    assert texts(drained(segment)) == [b"1", b"3"]


def test_a_disk_with_no_byte_left_refuses_with_its_reason(segment):
    with file_size_limit(segment.size), pytest.raises(SpoolError, match="must be writable, got: File too large"):
        put(segment, b"1")
    assert segment.next() is None


def test_a_segment_without_room_for_its_header_is_not_left_behind(tmp_path):
    with file_size_limit(10), pytest.raises(OSError, match="No space left"):
        Segment.create(tmp_path, has_hook=False)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_cannot_be_synced_is_refused_and_leaves_no_trace(tmp_path, monkeypatch):
    def refuse(fd: int) -> None:
        raise OSError(5, "Input/output error")

    segment = Segment.create(tmp_path, has_hook=False, syncs=True)
    put(segment, b"1")
    with monkeypatch.context() as patch, pytest.raises(SpoolError, match="got: Input/output error"):
        patch.setattr(files, "sync", refuse)
        put(segment, b"2")
    put(segment, b"3")
    assert texts(drained(segment)) == [b"1", b"3"]
    segment.close()


def test_the_file_is_for_its_user_alone(segment):
    assert segment.path.stat().st_mode & 0o777 == 0o600


def test_the_names_sort_by_time(tmp_path):
    segments = [Segment.create(tmp_path, has_hook=False) for _ in range(5)]
    assert sorted(tmp_path.iterdir()) == [segment.path for segment in segments]
    for segment in segments:
        segment.close()


def test_an_interrupt_right_after_a_write_loses_and_shifts_nothing(segment, monkeypatch):
    gather = files.gather

    def interrupted(fd, parts):
        gather(fd, parts)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "gather", interrupted)
        put(segment, b"1", payload=b"long" * 100)
    assert segment.next() is None
    put(segment, b"2", payload=b"longer" * 100)
    assert texts(drained(segment)) == [b"1", b"2"]
    segment.measure()
    assert segment.is_done


def test_a_short_write_after_an_interrupt_takes_back_its_own_bytes_alone(segment, monkeypatch):
    put(segment, b"1")
    segment.size -= 10  # the count lags behind
    with file_size_limit(segment.size + 60), pytest.raises(SpoolError):
        put(segment, b"2" * 100)
    segment.measure()
    assert texts(drained(segment)) == [b"1"]


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("sizes", [(), (0,), (10, 300_000, 0, 20), (262_144 - HEAD - 1, 5, 700_000)])
def test_a_scan_tells_of_every_record_whatever_its_size(segment, sizes):
    for size in sizes:
        put(segment, b"t" * size)
    heads = list(segment.heads(segment.acked))
    assert [head.text_bytes for head in heads] == list(sizes)
    assert [head.end - head.start for head in heads] == [HEAD + size for size in sizes]


def test_a_scan_of_a_closed_segment_ends(tmp_path):
    segment = Segment.create(tmp_path, has_hook=False)
    put(segment, b"x" * 300_000)
    put(segment, b"x")
    heads = segment.heads(segment.acked)
    next(heads)
    segment.close()
    assert list(heads) == []


def test_a_look_beside_the_owner_takes_nothing_from_it(segment):
    put(segment, b"1")
    beside = Segment.look(segment.path)
    assert len(list(beside.heads(beside.acked))) == 1
    beside.close()
    assert adopted(segment.path) is None


@pytest.mark.usefixtures("disk")
def test_a_discarded_segment_leaves_no_file(tmp_path):
    segment = Segment.create(tmp_path, has_hook=False)
    put(segment, b"1")
    segment.discard()
    segment.close()
    assert list(tmp_path.iterdir()) == []
