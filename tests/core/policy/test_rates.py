"""Over many simulated samples each rule takes as many as its probability says.

The bound is 5 standard errors of a binomial with those probabilities: chance alone passes it once in 1.7 million. The
samples and the salt are fixed, so a run that passes always passes.
"""

import math
import random
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from feedback_sdk.types import Correction, Verdict
from queue_server.core.policy import STRATEGIES, Candidate, Opinion, Policy, Share, Spent, Standing, State, decide
from queue_server.core.policy.budget import Allowance, Held, Period, settle
from queue_server.core.policy.draws import rule_draw
from tests.core.policy.every_rule import least
from tests.core.policy.policies import AFTER, CONFIRMED, NOW, REJECTED, candidate, policy, said

SAMPLES = 200_000
BOUND = 5.0
DRAWN = [name for name, kind in STRATEGIES.items() if not kind.is_by_hand]
#: what makes every strategy match that draws
MORE: Mapping[str, Mapping[str, object]] = {
    "count_outside": {"fewer_than": 1},
    "metadata": {"condition": "tags has 'night'"},
    "quality": {"below": 50},
    "every_nth": {"n": 3},
    "random": {"rate": 0.5, "blind": 0.4},
}
MATCHES_ALL = candidate(
    # nothing found, and a class for the image: so that rules for either match
    prediction=replace(said(), classes={"pill": 1.0}),
    opinion=Opinion(verdict=Verdict.CORRECTED, is_disputed=True),
    window_ends_at=NOW,
    corrections=[Correction(count=3)],
    standings={"anna": Standing()},
    tags=["night"],
    quality={"brightness": 20.0},
    novelty_bits=30,
    shadows=[said()],
)


def errors(taken: int, probability: float, count: int) -> float:
    """Return how many standard errors lie between how many were taken and how many should have been."""
    return (taken - count * probability) / math.sqrt(count * probability * (1.0 - probability))


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How often each rule took a sample, with which probability, and how often the audit took it blind."""

    taken: Mapping[str, int]
    probabilities: Mapping[str, float]
    blind: int


def ids(count: int, seed: int) -> Iterator[UUID]:
    numbers = random.Random(seed)
    return (UUID(int=numbers.getrandbits(128)) for _ in range(count))


@pytest.fixture(scope="module")
def tally() -> Tally:
    rules = policy(*(least(name) | {"probability": 0.3} | MORE.get(name, {}) for name in DRAWN))
    taken: Counter[str] = Counter()
    seen: set[tuple[float | None, ...]] = set()
    blind = 0
    for position, sample_id in enumerate(ids(SAMPLES, 1)):
        found = decide(replace(MATCHES_ALL, sample_id=sample_id, stream_position=position), rules, AFTER)
        taken.update([outcome.rule for outcome in found.rules if outcome.selected])
        seen.add(tuple([outcome.probability for outcome in found.rules]))
        blind += found.order.is_blind
    (probabilities,) = seen
    return Tally(taken=taken, probabilities=dict(zip(DRAWN, probabilities, strict=True)), blind=blind)


@pytest.mark.parametrize("name", DRAWN)
def test_rule_takes_as_many_as_its_probability_says(tally: Tally, name: str) -> None:
    expected = {"random": 0.15, "every_nth": 0.1}.get(name, 0.3)
    assert tally.probabilities[name] == pytest.approx(expected)
    assert abs(errors(tally.taken[name], expected, SAMPLES)) < BOUND


def test_blind_share_of_the_audit_is_as_large_as_it_says(tally: Tally) -> None:
    assert abs(errors(tally.blind, 0.4, tally.taken["random"])) < BOUND


COMBINED = policy(
    {"strategy": "user_rejected", "probability": 0.4},
    {"strategy": "confidence_below", "threshold": 0.6, "probability": 0.2},
    {"strategy": "entropy", "threshold": 0.9, "probability": 0.1},
    {"strategy": "random", "rate": 0.05},
)
SEEN = [
    (candidate(prediction=said(0.99)), 0.05),
    (candidate(prediction=said(0.55)), 1 - 0.95 * 0.8 * 0.9),
    (candidate(prediction=said(0.1)), 1 - 0.95 * 0.8),
    (candidate(prediction=said(0.99), opinion=REJECTED), 1 - 0.95 * 0.6),
    (candidate(prediction=said(), opinion=REJECTED), 1 - 0.95 * 0.6 * 0.8 * 0.9),
    (candidate(prediction=said(0.5), opinion=CONFIRMED), 1 - 0.95 * 0.8 * 0.9),
]


@pytest.mark.parametrize(("sample", "expected"), SEEN)
def test_combined_rules_take_as_many_as_the_inclusion_probability_says(sample: Candidate, expected: float) -> None:
    count = SAMPLES // len(SEEN)
    made = [decide(replace(sample, sample_id=sample_id), COMBINED, NOW) for sample_id in ids(count, 2)]
    (probability,) = {found.inclusion_probability for found in made}
    assert probability == pytest.approx(expected)
    assert abs(errors(sum(found.state is State.QUEUED for found in made), expected, count)) < BOUND


PERIODS, IN_PERIOD, SLOTS = 1000, 12, 3


def period_of(rules: Policy, samples: Sequence[Candidate]) -> Iterator[tuple[int, float]]:
    """Decide on a period's samples, settle it, and yield the index and π of each that is queued."""
    held = [
        Held(key=index, priority=found.priority, draw=rule_draw(sample.sample_id, "all/held", rules.salt))
        for index, sample in enumerate(samples)
        if (found := decide(sample, rules, NOW)).state is State.HELD
    ]
    shares: Mapping[int, Share] = settle(held, Allowance(period=Period.DAY, tasks=SLOTS), {}, spent=Spent())
    for index, share in shares.items():
        given = dict.fromkeys([rule.name for rule in rules.rules], share)
        found = decide(replace(samples[index], state=State.HELD, shares=given), rules, NOW)
        if found.state is State.QUEUED:
            yield index, found.inclusion_probability


@pytest.mark.parametrize(
    "rules",
    [
        [{"strategy": "empty", "probability": 0.5}],
        [{"strategy": "empty", "probability": 0.5}, {"strategy": "empty", "name": "again", "probability": 0.4}],
    ],
    ids=["one rule", "two rules"],
)
def test_held_ties_have_the_chance_that_is_written_down(rules: list[dict[str, object]]) -> None:
    held = policy(*rules, budget={"per_day": SLOTS, "mode": "held"})
    numbers = ids(PERIODS * IN_PERIOD, 3)
    totals, places = [], []
    for _ in range(PERIODS):
        samples = [candidate(sample_id=next(numbers), prediction=said()) for _ in range(IN_PERIOD)]
        queued = list(period_of(held, samples))
        # Weighted by 1/π, what was queued stands for the whole period, and nobody's place in it counts more.
        totals.append(sum(1 / chance for _, chance in queued) - IN_PERIOD)
        places.append(sum((index - (IN_PERIOD - 1) / 2) / chance for index, chance in queued))
    for found in (totals, places):
        assert abs(statistics.mean(found)) < BOUND * statistics.stdev(found) / math.sqrt(PERIODS)
