"""What is left out on the caller's thread: a share of the samples, and frames above a rate."""

import os
import threading
from uuid import UUID, uuid4

import pytest

from feedback_sdk.errors import ValidationError
from feedback_sdk.limits import FrameLimit, Sampling


def kept(limit: FrameLimit, *, frames: int, per_second: float, stream: str = "door", start: float = 0.0) -> list[int]:
    return [limit.take(stream, start + index / per_second) for index in range(frames)]


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.99])
def test_sampling_keeps_its_share(rate):
    sampling = Sampling(rate)
    share = sum(sampling.keeps(uuid4().bytes) for _ in range(20_000)) / 20_000
    assert share == pytest.approx(rate, abs=0.015)


def test_sampling_of_all_keeps_all():
    assert all(Sampling(1.0).keeps(uuid4().bytes) for _ in range(1000))


def test_sampling_says_the_same_of_an_id_wherever_it_is_asked():
    ids = [UUID(int=number).bytes for number in range(12)]
    assert "".join("x" if Sampling(0.5).keeps(one) else "-" for one in ids) == "xxxx-xx-xx-x"


def test_what_a_low_rate_keeps_a_higher_one_keeps_too():
    ids = [uuid4().bytes for _ in range(2000)]
    assert all(Sampling(0.5).keeps(one) for one in ids if Sampling(0.1).keeps(one))


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.1, float("nan")])
def test_a_rate_that_is_no_share_is_refused(rate):
    with pytest.raises(ValidationError, match="sample_rate must be > 0 and <= 1"):
        Sampling(rate)


def test_the_first_frame_of_a_stream_is_kept_as_itself():
    assert FrameLimit(1.0).take("door", 5.0) == 1


@pytest.mark.parametrize(("camera", "limit"), [(30.0, 5.0), (30.0, 7.0), (25.0, 0.5), (29.97, 10.0), (4.0, 5.0)])
def test_frames_are_kept_at_the_rate_or_the_cameras_own(camera, limit):
    found = kept(FrameLimit(limit), frames=int(camera * 20), per_second=camera)
    assert sum(count > 0 for count in found) == pytest.approx(min(camera, limit) * 20, abs=1.5)


def test_every_frame_is_stood_for_once():
    limit = FrameLimit(3.0)
    found = kept(limit, frames=1000, per_second=30.0)
    assert sum(found) + limit.take("door", 1000.0) - 1 == 1000


def test_a_pause_earns_no_more_frames_than_the_rate():
    limit = FrameLimit(2.0)
    assert limit.take("door", 0.0) == 1
    assert kept(limit, frames=4, per_second=10.0, start=100.0) == [1, 0, 0, 0]


def test_streams_do_not_count_for_each_other():
    limit = FrameLimit(1.0)
    assert [limit.take(stream, 0.0) for stream in ("door", "gate", "door", "gate")] == [1, 1, 0, 0]


def test_streams_are_bounded_and_the_busy_ones_stay():
    limit = FrameLimit(1.0)
    limit.take("busy", 0.0)
    for number in range(30_000):
        limit.take(f"camera {number}", 0.0)
        limit.take("busy", 0.0)
    assert len(limit._newer) + len(limit._older) <= 10_000
    assert limit.take("busy", 1.0) == 30_001


def test_threads_lose_no_frame():
    limit = FrameLimit(1000.0)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.extend(kept(limit, frames=5000, per_second=5000.0))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) + limit.take("door", 1e6) - 1 == 20_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are of POSIX")
def test_a_fork_in_the_middle_of_a_call_leaves_the_child_free():
    limit = FrameLimit(1.0)
    with limit._lock:
        child = os.fork()
        if child == 0:
            os._exit(limit.take("door", 0.0))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


@pytest.mark.parametrize("per_second", [0.0, -3.0, float("nan")])
def test_a_limit_that_is_no_rate_is_refused(per_second):
    with pytest.raises(ValidationError, match="max_frames_per_second must be > 0"):
        FrameLimit(per_second)
