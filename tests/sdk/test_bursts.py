"""Which frames collapse into which: by their looks, their stream and their own time."""

import pytest

from feedback_sdk.errors import ValidationError
from feedback_sdk.preparation.bursts import Burst, Bursts, Collapse, Frame, belongs
from feedback_sdk.spool.segment import Kind, Record


def frame(at: float = 0.0, *, looks: int = 0, stream: str = "door", stands_for: int = 1) -> Frame:
    record = Record(
        kind=Kind.SAMPLE,
        sample_id=round(abs(at) * 1000).to_bytes(16),
        accepted_at_ms=0,
        text=b"",
        payload=b"",
        segment=None,
        start=0,
        end=0,
    )
    return Frame(record=record, stream=stream, looks=looks, captured_at=at, stands_for=stands_for)


def sums(bursts: list[Burst]) -> list[tuple[float, int, int]]:
    return [(burst.first.captured_at, len(burst.collapsed), burst.stands_for) for burst in bursts]


def begun(*frames: Frame, collapse: Collapse | None = None) -> Bursts:
    bursts = Bursts(collapse or Collapse())
    for one in frames:
        if bursts.join(one) is None:
            bursts.begin(one, now=100.0)
    return bursts


@pytest.mark.parametrize(
    ("at", "looks", "is_one"),
    [
        (0.0, 0, True),
        (10.0, 0b1111, True),
        (-10.0, 0, True),
        (10.01, 0, False),
        (1.0, 0b11111, False),
        (1.0, (1 << 64) - 1, False),
    ],
)
def test_a_frame_belongs_by_its_looks_and_its_time(at, looks, is_one):
    assert belongs(frame(at, looks=looks), frame(), collapse=Collapse()) is is_one


@pytest.mark.parametrize(("distance", "is_one"), [(0, False), (1, True), (64, True)])
def test_the_distance_is_the_apps(distance, is_one):
    assert belongs(frame(looks=1 << 40), frame(), collapse=Collapse(distance=distance)) is is_one


@pytest.mark.parametrize("wrong", [{"distance": -1}, {"distance": 65}, {"seconds": 0.0}])
def test_what_no_burst_can_be_is_refused(wrong):
    with pytest.raises(ValidationError, match="must be"):
        Collapse(**wrong)


def test_no_frames_make_no_burst():
    assert begun().take_ended(now=1e9, everything=True) == []
    assert begun().next_end() is None


def test_a_burst_ends_after_its_time_and_is_handed_out_once():
    bursts = begun(frame(0.0), frame(1.0), frame(2.0))
    assert (bursts.next_end(), bursts.take_ended(now=109.9)) == (110.0, [])
    assert sums(bursts.take_ended(now=110.0)) == [(0.0, 2, 3)]
    assert bursts.take_ended(now=200.0) == []


def test_a_burst_ends_at_once_where_all_is_asked_for():
    assert sums(begun(frame(0.0), frame(1.0)).take_ended(now=100.0, everything=True)) == [(0.0, 1, 2)]


def test_a_new_scene_ends_the_burst_before_it():
    bursts = begun(frame(0.0), frame(1.0), frame(2.0, looks=0xFF))
    assert bursts.next_end() == 0.0
    assert sums(bursts.take_ended(now=100.0)) == [(0.0, 1, 2)]
    assert sums(bursts.take_ended(now=110.0)) == [(2.0, 0, 1)]


def test_frames_are_compared_with_the_first_and_so_cannot_drift_away():
    drifting = [frame(number, looks=(1 << number * 2) - 1) for number in range(5)]
    assert [burst[1] for burst in sums(begun(*drifting).take_ended(now=0.0, everything=True))] == [2, 1]


def test_streams_have_bursts_of_their_own():
    bursts = begun(frame(0.0), frame(0.1, stream="gate"), frame(0.2))
    assert sums(bursts.take_ended(now=110.0)) == [(0.0, 1, 2), (0.1, 0, 1)]


def test_a_burst_stands_for_what_its_frames_stood_for():
    bursts = begun(frame(0.0, stands_for=6), frame(1.0, stands_for=5))
    assert sums(bursts.take_ended(now=110.0)) == [(0.0, 1, 11)]


def test_a_burst_put_back_comes_again_in_time():
    bursts = begun(frame(0.0))
    bursts.put_back(bursts.take_ended(now=110.0)[0], until=115.0)
    assert (bursts.next_end(), bursts.take_ended(now=114.0)) == (115.0, [])
    assert len(bursts.take_ended(now=115.0)) == 1


def test_a_burst_of_very_many_frames_ends_early():
    bursts = begun(*(frame(number / 1000) for number in range(1500)))
    assert sums(bursts.take_ended(now=100.0)) == [(0.0, 1000, 1001)]


def test_bursts_of_very_many_streams_end_early_the_oldest_first():
    bursts = begun(*(frame(number / 1000, stream=str(number)) for number in range(1002)))
    assert [first for first, _, _ in sums(bursts.take_ended(now=100.0))] == [0.0, 0.001]
