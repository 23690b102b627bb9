"""The circuit, the cap on bandwidth and the size of batches: every course of events is a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_sdk.sender.bandwidth import Allowance
from feedback_sdk.sender.batches import BatchSize
from feedback_sdk.sender.circuit import Circuit

EVENTS = {
    "ok": lambda circuit: circuit.succeed(),
    "down": lambda circuit: circuit.fail(is_down=True),
    "later": lambda circuit: circuit.fail(is_down=False),
    "alive": lambda circuit: circuit.probe(is_alive=True),
    "dead": lambda circuit: circuit.probe(is_alive=False),
}


@pytest.mark.parametrize(
    ("events", "state", "failures"),
    [
        ("", "closed", 0),
        ("down down", "closed", 2),
        ("down down down", "open", 3),
        ("down down ok down down", "closed", 2),
        ("down down later down down", "closed", 5),
        ("down down down dead", "open", 4),
        ("down down down dead alive", "half_open", 4),
        ("down down down alive ok", "closed", 0),
        ("down down down alive down", "open", 4),
        ("down down down alive later", "closed", 4),
        ("down down down alive down alive down", "open", 5),
        ("later later later later", "closed", 4),
    ],
)
def test_a_circuit_after_a_course_of_events(events, state, failures):
    circuit = Circuit()
    for event in events.split():
        EVENTS[event](circuit)
    assert (circuit.state.value, circuit.failures) == (state, failures)


def test_without_a_cap_nothing_waits():
    allowance = Allowance(None)
    allowance.take(10**9, now=0.0)
    assert allowance.wait(now=0.0) == 0.0


def test_the_first_request_goes_at_once_however_large():
    assert Allowance(10.0).wait(now=5.0) == 0.0


def test_rest_does_not_save_up_more_than_a_second():
    allowance = Allowance(100.0)
    assert allowance.wait(now=0.0) == 0.0
    allowance.take(300, now=1000.0)
    assert allowance.wait(now=1000.0) == 2.0


@given(st.lists(st.integers(0, 5000), max_size=50))
def test_the_average_rate_stays_below_the_cap(sizes):
    allowance, now = Allowance(1000.0), 0.0
    for size in sizes:
        now += allowance.wait(now=now)
        allowance.take(size, now=now)
    largest = max(sizes, default=0)
    assert sum(sizes) <= 1000.0 * (now + 1.0) + largest + 1e-6


@pytest.mark.parametrize(
    ("refusals", "at", "records", "size"),
    [(0, 0.0, 50, 4096), (1, 0.0, 25, 2048), (2, 0.0, 12, 1024), (99, 0.0, 1, 128), (1, 600.0, 50, 4096)],
)
def test_batches_shrink_with_each_refusal_and_grow_again(refusals, at, records, size):
    sizes = BatchSize(max_records=50, max_bytes=4096)
    for _ in range(refusals):
        sizes.halve(refused=0, now=0.0)
    assert (sizes.records(now=at), sizes.bytes(now=at)) == (records, size)


def test_what_was_refused_together_goes_one_by_one():
    sizes = BatchSize(max_records=50, max_bytes=4096)
    sizes.halve(refused=2, now=0.0)
    assert sizes.records(now=0.0) == 1
    sizes.alone = 0
    assert sizes.records(now=0.0) == 25
