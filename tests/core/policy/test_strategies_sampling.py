"""Strategies that hang on chance, on order, or on a person's asking."""

from itertools import pairwise

import pytest

from queue_server.core.policy import decide
from tests.core.policy.policies import NOW, candidate, match, policy


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({}, 0.1),
        ({("random", "rate"): 0.02}, 0.02),
        ({("random", "rate"): 0.9}, 0.1),
        ({("other", "rate"): 0.02}, 0.1),
    ],
)
def test_random_has_its_rate_or_that_of_a_surge(figures: dict[tuple[str, str], float], expected: float) -> None:
    found = match("random", candidate(figures=figures, prediction=None), rate=0.1)
    assert (found.matched, found.rate) == (True, expected)


def test_rate_and_probability_are_both_drawn() -> None:
    found = decide(candidate(), policy({"strategy": "random", "rate": 0.5, "probability": 0.5}), NOW)
    assert found.inclusion_probability == 0.25


def test_every_nth_without_a_position_does_not_match() -> None:
    assert not match("every_nth", candidate(), n=3).matched


@pytest.mark.parametrize("stream", [None, "left", "right"])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_nth_takes_one_in_n_of_each_stream(stream: str | None, n: int) -> None:
    rules = policy({"strategy": "every_nth", "n": n})
    samples = [candidate(stream=stream, stream_position=position) for position in range(10 * n)]
    taken = [index for index, sample in enumerate(samples) if decide(sample, rules, NOW).reasons]
    assert [later - earlier for earlier, later in pairwise(taken)] == [n] * 9


def test_every_nth_has_the_chance_of_one_in_n_whatever_its_position() -> None:
    rules = policy({"strategy": "every_nth", "n": 4, "probability": 0.5})
    found = {decide(candidate(stream_position=at), rules, NOW).inclusion_probability for at in range(8)}
    assert found == {0.125}


@pytest.mark.parametrize("is_requested", [False, True])
def test_requested_matches_what_a_person_asked_for(is_requested: bool) -> None:
    assert match("requested", candidate(is_requested=is_requested)).matched is is_requested
