"""One file of the spool: what is whole comes back, what is torn does not, whoever reads it."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_sdk.errors import SpoolError
from feedback_sdk.segment import Kind, Segment
from tests.sdk.stand_in import file_size_limit


@pytest.fixture
def segment(tmp_path):
    made = Segment.create(tmp_path)
    yield made
    made.close()


def drained(segment: Segment) -> list[tuple[Kind, bytes, bytes]]:
    found = []
    while (record := segment.next()) is not None:
        found.append((record.kind, record.text, record.payload))
        segment.ack(record.end)
    return found


def reopened(path: Path) -> list[bytes]:
    """Return the texts that another process would find."""
    adopted = Segment.adopt(path)
    assert adopted is not None
    texts = [text for _, text, _ in drained(adopted)]
    adopted.close()
    return texts


def filled(tmp_path: Path, *texts: bytes) -> Path:
    segment = Segment.create(tmp_path)
    for text in texts:
        segment.append(Kind.FEEDBACK, text, b"")
    segment.close()
    return segment.path


def test_a_new_segment_is_empty(segment):
    assert segment.next() is None


def test_records_come_back_whole_and_in_order(segment):
    wanted = [(Kind.SAMPLE, b'{"a":1}', b"\x00" * 5000), (Kind.FEEDBACK, b"{}", b""), (Kind.PIXELS, b"[]", b"x")]
    sizes = [segment.append(*record) for record in wanted]
    assert drained(segment) == wanted
    assert segment.size == 32 + sum(sizes)


def test_what_is_not_acknowledged_comes_again(segment):
    segment.append(Kind.SAMPLE, b"1", b"")
    assert segment.next() == segment.next()


def test_appends_go_on_behind_a_reader(segment):
    segment.append(Kind.SAMPLE, b"1", b"")
    assert len(drained(segment)) == 1
    segment.append(Kind.SAMPLE, b"2", b"")
    assert [text for _, text, _ in drained(segment)] == [b"2"]


def test_the_acknowledged_is_not_read_again_after_a_restart(tmp_path):
    segment = Segment.create(tmp_path)
    for text in (b"1", b"2", b"3"):
        segment.append(Kind.SAMPLE, text, b"")
    segment.ack(segment.next().end)
    segment.close()
    assert reopened(segment.path) == [b"2", b"3"]


def test_a_living_owners_segment_is_not_adopted(segment):
    assert Segment.adopt(segment.path) is None


def test_a_closed_segment_is_adopted(tmp_path):
    assert reopened(filled(tmp_path, b"1")) == [b"1"]


def test_a_segment_that_is_gone_is_not_adopted(tmp_path):
    assert Segment.adopt(tmp_path / "gone.spool") is None


@pytest.mark.parametrize("content", [b"a text of the user's", b"x" * 100])
def test_a_foreign_file_is_not_adopted(tmp_path, content):
    path = tmp_path / "notes.spool"
    path.write_bytes(content)
    assert Segment.adopt(path) is None


def test_what_died_before_its_header_holds_nothing(tmp_path):
    path = tmp_path / "1.spool"
    path.write_bytes(b"LWSPO")
    assert reopened(path) == []


@given(cut=st.integers(1, 45))
@settings(max_examples=45)
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


def test_a_full_disk_refuses_and_leaves_no_trace(segment):
    segment.append(Kind.SAMPLE, b"1", b"")
    with file_size_limit(segment.size + 50), pytest.raises(SpoolError, match="must have room"):
        segment.append(Kind.SAMPLE, b"2" * 100, b"")
    assert segment.path.stat().st_size == segment.size
    segment.append(Kind.SAMPLE, b"3", b"")
    assert [text for _, text, _ in drained(segment)] == [b"1", b"3"]


def test_a_disk_with_no_byte_left_refuses_with_its_reason(segment):
    with file_size_limit(segment.size), pytest.raises(SpoolError, match="must be writable, got: File too large"):
        segment.append(Kind.SAMPLE, b"1", b"")
    assert segment.next() is None


def test_a_segment_without_room_for_its_header_is_not_left_behind(tmp_path):
    with file_size_limit(10), pytest.raises(OSError, match="no room"):
        Segment.create(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_for_its_user_alone(segment):
    assert segment.path.stat().st_mode & 0o777 == 0o600


def test_the_names_sort_by_time(tmp_path):
    segments = [Segment.create(tmp_path) for _ in range(5)]
    assert sorted(tmp_path.iterdir()) == [segment.path for segment in segments]
    for segment in segments:
        segment.close()


def test_an_interrupt_right_after_a_write_shifts_nothing(segment, monkeypatch):
    writev = os.writev

    def interrupted(fd, parts):
        writev(fd, parts)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "writev", interrupted)
        segment.append(Kind.SAMPLE, b"1", b"long" * 100)
    segment.append(Kind.SAMPLE, b"2", b"")
    assert [text for _, text, _ in drained(segment)] == [b"1", b"2"]
