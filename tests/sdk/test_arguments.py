"""What an app hands over, as wire values."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from feedback_sdk import arguments
from feedback_sdk.types import Box, Prediction, Sample
from feedback_sdk.wire import wire_text

PREDICTION = Prediction(
    model_version="v1", task="detection", boxes=[Box(label="pill", x_min=1, y_min=2, x_max=3, y_max=4)]
)
NOTHING_MORE = {
    "captured_at": None,
    "tags": arguments.NO_TAGS,
    "metadata": None,
    "subject": None,
    "stream": None,
    "capture_probability": 1.0,
    "stands_for": 1,
    "embedding": None,
}


def test_a_new_id_is_a_random_uuid_in_both_its_forms():
    ids = [arguments.new_id() for _ in range(600)]
    assert all(UUID(text).bytes == raw and UUID(text).version == 4 for text, raw in ids)
    assert len({text for text, _ in ids}) == 600


def test_a_child_of_a_fork_does_not_give_out_its_parents_ids():
    arguments.new_id()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, b"".join(arguments.new_id()[1] for _ in range(200)))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    drawn = os.read(ours, 16 * 200)
    assert not {drawn[start : start + 16] for start in range(0, len(drawn), 16)} & {
        arguments.new_id()[1] for _ in range(200)
    }
    os.close(ours)
    os.close(theirs)


def test_threads_get_ids_of_their_own():
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: arguments.new_id()[0], range(5000)))
    assert len(set(ids)) == 5000


@pytest.mark.parametrize("seconds", [0, 0.4, 1.0, 86_400.0])
def test_now_is_told_to_the_microsecond_from_one_second_to_the_next(monkeypatch, seconds):
    at = datetime(2026, 1, 1, 12, 0, 0, 1234, UTC) + timedelta(seconds=seconds)
    monkeypatch.setattr(arguments, "time_ns", lambda: int(at.timestamp()) * 10**9 + at.microsecond * 1000)
    assert arguments.now_text() == at.isoformat(timespec="microseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("prediction", [None, PREDICTION])
def test_a_plain_sample_is_canonical_without_the_general_path(prediction):
    text = arguments.sample_text(str(UUID(int=1)), prediction, **NOTHING_MORE)
    captured_at = datetime.fromisoformat(json.loads(text)["captured_at"])
    written = wire_text(Sample(id=UUID(int=1), captured_at=captured_at, prediction=prediction))
    assert json.loads(text) == json.loads(written)
    assert list(json.loads(text)) == sorted(json.loads(text))


@pytest.mark.parametrize(
    "more", [{"tags": ["a"]}, {"metadata": {"a": 1}}, {"stream": "cam"}, {"stands_for": 2}, {"embedding": [0.5]}]
)
def test_what_a_sample_says_more_is_checked_and_canonical(more):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    text = arguments.sample_text(str(UUID(int=1)), PREDICTION, **{**NOTHING_MORE, "captured_at": at, **more})
    assert text == wire_text(Sample(id=UUID(int=1), captured_at=at, prediction=PREDICTION, **more))
