"""The quarantine file: readable, bounded, shared by processes, rewritten without losing a line."""

import json
import subprocess
import sys
import time

import pytest

from feedback_sdk.spool import files
from feedback_sdk.spool.quarantine import QUARANTINE, Quarantine, reason
from feedback_sdk.spool.segment import Kind, Record, Segment
from tests.sdk.conftest import ROOT
from tests.sdk.disks import DISKS
from tests.sdk.stand_in import file_size_limit

ANSWER = {"status": 422, "body": "no"}


@pytest.fixture(params=DISKS)
def disk(request, monkeypatch):
    DISKS[request.param](monkeypatch)


@pytest.fixture
def quarantine(tmp_path):
    return Quarantine(tmp_path)


@pytest.fixture
def record(tmp_path):
    """Make a record as the spool hands it out."""
    segment = Segment.create(tmp_path, has_hook=False)

    def make(text: bytes, *, kind: Kind = Kind.SAMPLE, payload: bytes = b"", number: int = 7) -> Record:
        sample_id = number.to_bytes(16, "big")
        segment.append(kind, text, sample_id=sample_id, payload=payload, accepted_at_ms=1_700_000_000_000)
        return segment.next()

    yield make
    segment.close()


def add(quarantine: Quarantine, record: Record, *, max_bytes: int = 100_000, has_hook: bool = False) -> bool:
    return quarantine.add(record, ANSWER, has_hook=has_hook, max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "status None: without a reason"),
        ({"status": 404, "body": ""}, "status 404: without a reason"),
        ({"status": 502, "body": "<h1>Bad\n gateway</h1>"}, "status 502: <h1>Bad gateway</h1>"),
        ({"status": 409, "body": '{"title": "the id is taken", "errors": []}'}, "status 409: the id is taken"),
        ({"status": 409, "body": '{"title": "no", "detail": "taken"}'}, "status 409: taken"),
        ({"status": 422, "body": '{"errors": [{"field": "a", "message": "b"}, 1]}'}, "status 422: a b"),
        ({"status": 422, "body": '{"errors": {}}'}, 'status 422: {"errors": {}}'),
        ({"status": 422, "body": '["a"]'}, 'status 422: ["a"]'),
        ({"status": 422, "body": "x" * 500}, f"status 422: {'x' * 388}…"),
        ({"error": "before_send raised\nValueError"}, "before_send raised ValueError"),
    ],
)
def test_a_reason_is_one_readable_line(answer, said):
    assert reason(answer) == said


def test_an_empty_quarantine_has_no_lines(quarantine):
    assert list(quarantine.lines()) == []


def test_a_line_says_what_a_person_wants_to_know(tmp_path, quarantine, record):
    assert add(quarantine, record(b'{"id":"7"}', payload=b"\xff\xd8"))
    line = json.loads((tmp_path / QUARANTINE).read_text())
    at = line.pop("at")
    assert at.endswith("+00:00")
    assert line == {
        "id": "00000000-0000-0000-0000-000000000007",
        "sample_id": "00000000-0000-0000-0000-000000000007",
        "kind": "sample",
        "answer": ANSWER,
        "record": {"id": "7"},
        "payload_base64": "/9g=",
        "accepted_at_ms": 1_700_000_000_000,
        "has_hook": False,
    }


def test_feedback_stands_under_its_own_id(quarantine, record):
    add(quarantine, record(b'{"id":"f","sample_id":"s"}', kind=Kind.FEEDBACK))
    [line] = quarantine.lines()
    assert (line.id, line.sample_id[-1]) == ("f", "7")


@pytest.mark.parametrize("text", [b"no json", b"\xff", b"[]", '{"a":"ä\\ud800"}'.encode()])
def test_any_text_is_kept(quarantine, record, text):
    assert add(quarantine, record(text, payload=b"image"))
    [line] = quarantine.lines()
    assert line.payload == b"image"


@pytest.mark.usefixtures("disk")
def test_lines_come_back_as_they_went_in(quarantine, record):
    for number in range(3):
        add(quarantine, record(b"{}", payload=b"x" * number, number=number), has_hook=number == 1)
    lines = list(quarantine.lines())
    assert [(len(line.payload), line.has_hook, line.kind) for line in lines] == [
        (0, False, Kind.SAMPLE),
        (1, True, Kind.SAMPLE),
        (2, False, Kind.SAMPLE),
    ]


def test_the_file_is_bounded(tmp_path, quarantine, record):
    made = record(b"{}", payload=b"x" * 4000)
    assert [add(quarantine, made, max_bytes=10_000) for _ in range(4)] == [True, False, False, False]
    assert (tmp_path / QUARANTINE).stat().st_size <= 10_000


def test_a_disk_without_room_keeps_no_half_line(tmp_path, quarantine, record):
    add(quarantine, record(b"{}"))
    before = (tmp_path / QUARANTINE).read_bytes()
    made = record(b"{}", payload=b"x" * 4000)
    with file_size_limit(1000):
        assert not add(quarantine, made)
    assert (tmp_path / QUARANTINE).read_bytes() == before


def test_a_line_after_a_torn_one_is_read(tmp_path, quarantine, record):
    (tmp_path / QUARANTINE).write_bytes(b'{"id": "torn')
    add(quarantine, record(b"{}"))
    assert len(list(quarantine.lines())) == 1


@pytest.mark.usefixtures("disk")
def test_what_is_taken_out_is_used_and_gone_and_the_rest_stays(tmp_path, quarantine, record):
    for number in range(4):
        add(quarantine, record(b"{}", number=number))
    with (tmp_path / QUARANTINE).open("ab") as file:
        file.write(b"a person's note\n")
    used = []
    assert quarantine.take_out(lambda line: line.id[-1] in "13", use=used.append) == 2
    assert [line.id[-1] for line in used] == ["1", "3"]
    assert [line.id[-1] for line in quarantine.lines()] == ["0", "2"]
    assert (tmp_path / QUARANTINE).read_bytes().endswith(b"a person's note\n")


def test_a_use_that_fails_leaves_the_file_as_it_was(tmp_path, quarantine, record):
    def refuse(_: object) -> None:
        raise OSError("the disk is full")

    add(quarantine, record(b"{}"))
    before = (tmp_path / QUARANTINE).read_bytes()
    with pytest.raises(OSError, match="the disk is full"):
        quarantine.take_out(lambda _: True, use=refuse)
    assert (tmp_path / QUARANTINE).read_bytes() == before


def test_a_lock_that_is_not_given_back_is_a_refusal(tmp_path, quarantine, record, monkeypatch):
    monkeypatch.setattr("feedback_sdk.spool.quarantine._LOCK_SECONDS", 0.02)
    made = record(b"{}")
    with files.held(tmp_path / "quarantine.lock", seconds=0):
        assert not add(quarantine, made)


APPENDING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from feedback_sdk.spool.quarantine import Quarantine
from feedback_sdk.spool.segment import Kind, Segment
folder = Path(sys.argv[2])
segment = Segment.create(folder, has_hook=False)
for number in range(300):
    segment.append(Kind.SAMPLE, b"{}", sample_id=number.to_bytes(16, "big"), payload=b"", accepted_at_ms=1)
    assert Quarantine(folder).add(segment.next(), {}, has_hook=False, max_bytes=10**9)
"""


def test_a_rewrite_beside_a_process_that_appends_loses_no_line(tmp_path, quarantine):
    process = subprocess.Popen([sys.executable, "-c", APPENDING, str(ROOT), str(tmp_path)])
    taken = []
    while process.poll() is None:
        quarantine.take_out(lambda line: int(line.id[-1], 16) % 2 == 1, use=taken.append)
        time.sleep(0.005)
    assert process.returncode == 0
    found = [line.id for line in [*taken, *quarantine.lines()]]
    assert len(found) == len(set(found)) == 300
