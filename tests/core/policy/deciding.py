"""Decide on the same samples in an order of its own, some of them again and again, and print what came of it.

python -m tests.core.policy.deciding SEED
"""

import hashlib
import random
import sys
from uuid import UUID

from queue_server.core.policy import Account, Candidate, Decision, Opinion, Spent, Standing, decide
from queue_server.core.policy.budget import Period
from tests.core.policy.every_rule import REQUIRED, fullest, least
from tests.core.policy.policies import (
    AFTER,
    CONFIRMED,
    CORRECTED,
    DISPUTED,
    NOW,
    REJECTED,
    box,
    candidate,
    policy,
    said,
)

POLICIES = [
    policy(*(least(name) | {"probability": 0.3, "tags": [name, "any"]} for name in REQUIRED), budget={"per_day": 5}),
    policy(*(fullest(name) | {"name": name} for name in REQUIRED)),
    policy({"strategy": "empty"}, {"strategy": "user_rejected"}, budget={"per_hour": 2, "mode": "held"}),
]
OPINIONS = (Opinion(), CONFIRMED, REJECTED, CORRECTED, DISPUTED)


def samples(count: int) -> list[Candidate]:
    """Return the same samples in every process."""
    numbers = random.Random(5)
    return [_sample(numbers, index) for index in range(count)]


def _sample(numbers: random.Random, index: int) -> Candidate:
    boxes = [box(numbers.random(), numbers.choice(("pill", "capsule"))) for _ in range(numbers.randrange(4))]
    spent = {Account("all", period, period.start(NOW)): Spent(tasks=numbers.randrange(8)) for period in Period}
    return candidate(
        sample_id=UUID(int=numbers.getrandbits(128)),
        prediction=said(boxes=boxes),
        opinion=numbers.choice(OPINIONS),
        standings={name: Standing(right=numbers.randrange(5)) for name in ("anna", "bert", "carl")},
        tags=numbers.choice(([], ["night"])),
        metadata={"site": numbers.choice(("north", "south"))},
        stream=numbers.choice((None, "left", "right")),
        stream_position=index,
        novelty_bits=numbers.randrange(64),
        ledger=numbers.choice((None, spent)),
    )


def digest(seed: int, count: int) -> str:
    """Return one hash of all decisions, which were made in the order of this seed; a decision made again is equal."""
    order = random.Random(seed)
    found: dict[tuple[UUID, int], Decision] = {}
    for sample in order.choices(chosen := samples(count), k=count) + order.sample(chosen, count):
        for number in order.sample(range(len(POLICIES)), len(POLICIES)):
            decision = decide(sample, POLICIES[number], AFTER)
            assert found.setdefault((sample.sample_id, number), decision) == decision
    told = "\n".join(f"{key}: {found[key]!r}" for key in sorted(found))
    return hashlib.sha256(told.encode()).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(digest(int(sys.argv[1]), 300))
