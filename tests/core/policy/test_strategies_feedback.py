"""Strategies that look at what users say."""

import pytest

from queue_server.core.policy import STRATEGIES, Opinion, Standing
from tests.core.policy.policies import CONFIRMED, CORRECTED, DISPUTED, REJECTED, candidate, match

GOOD, BAD, UNKNOWN = Standing(right=16), Standing(wrong=16), Standing()


@pytest.mark.parametrize(
    ("strategy", "opinion", "expected"),
    [
        ("user_rejected", Opinion(), False),
        ("user_rejected", CONFIRMED, False),
        ("user_rejected", REJECTED, True),
        ("user_rejected", CORRECTED, True),
        ("user_rejected", DISPUTED, True),
        ("user_corrected", Opinion(), False),
        ("user_corrected", REJECTED, False),
        ("user_corrected", CORRECTED, True),
        ("disputed", Opinion(), False),
        ("disputed", REJECTED, False),
        ("disputed", DISPUTED, True),
    ],
)
def test_strategy_matches_the_verdicts_that_it_is_about(strategy: str, opinion: Opinion, expected: bool) -> None:
    assert match(strategy, candidate(opinion=opinion)).matched is expected


def test_objection_to_a_sample_without_a_prediction_matches() -> None:
    assert match("user_rejected", candidate(opinion=REJECTED, prediction=None)).matched


@pytest.mark.parametrize(
    ("opinion", "standings", "bounds", "expected"),
    [
        (REJECTED, {}, {}, False),
        (Opinion(), {"anna": GOOD}, {}, False),
        (REJECTED, {"anna": UNKNOWN}, {}, True),
        (REJECTED, {"anna": UNKNOWN}, {"at_least": 0.6}, False),
        (REJECTED, {"anna": GOOD}, {"at_least": 0.6}, True),
        (REJECTED, {"anna": BAD, "bert": GOOD}, {"at_least": 0.6}, True),
        (REJECTED, {"anna": GOOD}, {"at_most": 0.5}, False),
        (REJECTED, {"anna": BAD}, {"at_most": 0.5}, True),
    ],
)
def test_reporter_trust_looks_at_the_best_who_objects(
    opinion: Opinion, standings: dict[str, Standing], bounds: dict[str, float], expected: bool
) -> None:
    found = match("reporter_trust", candidate(opinion=opinion, standings=standings), **bounds)
    assert found.matched is expected


def shift(standings: dict[str, Standing]) -> int:
    return match("user_rejected", candidate(opinion=REJECTED, standings=standings)).priority_shift


@pytest.mark.parametrize(
    ("standings", "expected"),
    [
        ({}, 0),
        ({"anna": UNKNOWN}, 0),
        ({"anna": GOOD}, 8),
        ({"anna": BAD}, -8),
        ({"anna": BAD, "bert": GOOD}, 8),
        ({"anna": Standing(recent=10)}, 0),
        ({"anna": Standing(recent=20)}, -1),
        ({"anna": Standing(recent=1000)}, -6),
        ({"anna": Standing(recent=10**9)}, -10),
        ({"anna": Standing(right=10**6, recent=10**9)}, 0),
    ],
)
def test_priority_follows_the_record_of_the_best_and_falls_in_a_flood(
    standings: dict[str, Standing], expected: int
) -> None:
    assert shift(standings) == expected


def test_flood_of_a_bad_reporter_does_not_lower_what_a_good_one_says_too() -> None:
    assert shift({"bot": Standing(wrong=50, recent=5000), "anna": GOOD}) == 8


def test_match_says_what_it_compared() -> None:
    found = match("user_rejected", candidate(opinion=DISPUTED, standings={"anna": GOOD}))
    assert found.compared == {"verdict": "rejected", "disputed": True, "trust": 0.9, "priority_shift": 8}


def test_what_hangs_on_users_is_marked_so() -> None:
    assert {name for name, kind in STRATEGIES.items() if kind.is_users} == {
        *("user_rejected", "user_corrected", "disputed", "reporter_trust", "count_disagrees")
    }
