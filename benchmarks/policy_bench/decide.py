"""How many decisions a second `decide` makes on one core, with ten rules that all say what they compared."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from uuid import UUID

from feedback_sdk.types import Box, Prediction, Verdict
from queue_server.core.policy import (
    STRATEGIES,
    Account,
    Candidate,
    Opinion,
    Policy,
    Spent,
    Standing,
    State,
    decide,
    parse_policy,
)
from queue_server.core.policy.budget import Period
from queue_server.core.policy.explain import explain

#: decisions a second on one core, the explanations as values
TARGET = 20_000
BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)
#: different samples, taken in turns
_SAMPLES = 2000
_REPEATS = 3

DETECTION: Sequence[Mapping[str, object]] = (
    {"strategy": "user_rejected"},
    {"strategy": "disputed"},
    {"strategy": "unconfirmed_low_confidence", "threshold": 0.6},
    {"strategy": "empty", "probability": 0.2},
    {"strategy": "entropy", "threshold": 0.9, "aggregate": "max", "probability": 0.1},
    {"strategy": "close_to_threshold", "threshold": 0.5, "epsilon": 0.05, "probability": 0.1},
    {"strategy": "count_outside", "more_than": 40, "fewer_than": 2},
    {"strategy": "labels", "any": ["capsule"], "probability": 0.01, "where": "metadata.site == 'north'"},
    {"strategy": "quality", "metric": "brightness", "below": 40},
    {"strategy": "random", "rate": 0.01, "blind": 0.1},
)
CLASSIFICATION: Sequence[Mapping[str, object]] = (
    {"strategy": "user_rejected"},
    {"strategy": "disputed"},
    {"strategy": "unconfirmed_low_confidence", "threshold": 0.6},
    {"strategy": "entropy", "threshold": 0.7, "probability": 0.2},
    {"strategy": "margin", "threshold": 0.8},
    {"strategy": "novelty", "distance": 24, "probability": 0.1},
    {"strategy": "labels", "any": ["bird"], "probability": 0.01},
    {"strategy": "metadata", "condition": "tags has 'night' and not confidence >= 0.9"},
    {"strategy": "quality", "metric": "brightness", "below": 40},
    {"strategy": "random", "rate": 0.01, "blind": 0.1},
)
BUDGET: Mapping[str, object] = {
    "per_day": 500,
    "per_hour": 60,
    "per_stream": {"per_hour": 20},
    "per_reporter": {"per_day": 50},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """One policy and what it decides on."""

    policy: Policy
    candidates: Sequence[Candidate]


def decide_figures(samples: int) -> dict[str, object]:
    """Return the rates of each case, the target, and whether it holds; of a processor's own time, one core."""
    names = [(kind, budget) for kind in _KINDS for budget in ("no budget", "budget")]
    cases = {f"{kind}, {budget}": _case_figures(_case(kind, budget), samples) for kind, budget in names}
    return {"decisions": samples, "rules": len(DETECTION), "cases": cases}


def _case_figures(case: _Case, samples: int) -> Mapping[str, object]:
    rate = _rate(case, samples, decide)
    return {
        "decisions_per_second": round(rate),
        "target": f">= {TARGET}",
        "holds": rate >= TARGET,
        "in_words_per_second": round(_rate(case, max(1, samples // 10), _decide_in_words)),
        "matching_rules": round(_matching_rules(case), 2),
    }


def _decide_in_words(candidate: Candidate, policy: Policy, now: datetime) -> Sequence[str]:
    return [explain(outcome) for outcome in decide(candidate, policy, now).rules]


def _case(kind: str, budget: str) -> _Case:
    rules, predicted = _KINDS[kind]
    document = {"rules": rules, "budget": BUDGET if budget == "budget" else None}
    policy = parse_policy(document, STRATEGIES).policy(version=1, salt=b"benchmark")
    rng = random.Random(4)
    candidates = [_candidate(rng, predicted(rng), has_ledger=policy.budget is not None) for _ in range(_SAMPLES)]
    return _Case(policy=policy, candidates=candidates)


def _detection(rng: random.Random) -> Prediction:
    boxes = [
        Box(
            label=rng.choice(("pill", "capsule")),
            x_min=10.0 * index,
            y_min=0.0,
            x_max=10.0 * index + 8.0,
            y_max=8.0,
            confidence=1.0 - rng.random() ** 3,
        )
        for index in range(5)
    ]
    return Prediction(model_version="v7", task="detection", boxes=boxes)  # type: ignore[arg-type]  # as on the wire


def _classification(rng: random.Random) -> Prediction:
    weights = {label: rng.random() ** 6 + 1e-9 for label in ("cat", "dog", "bird", "fish", "horse")}
    total = sum(weights.values())
    classes = {label: weight / total for label, weight in weights.items()}
    return Prediction(model_version="v7", task="classification", classes=classes)  # type: ignore[arg-type]  # as on the wire


_KINDS = {"detection of 5 boxes": (DETECTION, _detection), "classification": (CLASSIFICATION, _classification)}


def _candidate(rng: random.Random, prediction: Prediction, *, has_ledger: bool) -> Candidate:
    """Return a sample: half of them at the window's end, one in ten with an objection."""
    verdict = rng.choices((None, Verdict.CONFIRMED, Verdict.REJECTED), (7, 2, 1))[0]
    is_objection = verdict is Verdict.REJECTED
    stream = f"camera-{rng.randrange(20)}"
    spent = {name: Spent(tasks=rng.randrange(20)) for name in ("all", "audit", f"stream:{stream}")}
    return Candidate(
        sample_id=UUID(int=rng.getrandbits(128)),
        state=State.AWAITING_FEEDBACK,
        prediction=prediction,
        opinion=Opinion(verdict=verdict, is_disputed=is_objection and rng.random() < 0.1),
        window_ends_at=BEGIN + timedelta(hours=rng.choice((-1, 24))),
        tags=("night",) if rng.random() < 0.3 else (),
        metadata={"site": rng.choice(("north", "south"))},
        stream=stream,
        quality={"brightness": rng.uniform(20, 220), "sharpness": rng.uniform(5, 500)},
        novelty_bits=rng.randrange(40),
        standings={"anna": Standing(right=5, wrong=1)} if is_objection else {},
        ledger={Account(name, period, period.start(BEGIN)): entry for name, entry in spent.items() for period in Period}
        if has_ledger
        else None,
    )


def _rate(case: _Case, samples: int, work: Callable[[Candidate, Policy, datetime], object]) -> float:
    """Return decisions a second: the best of a few runs, each sample at a moment of its own."""
    moments = [BEGIN + timedelta(milliseconds=number) for number in range(samples)]
    return max(_run(case, moments, work) for _ in range(_REPEATS))


def _run(case: _Case, moments: Sequence[datetime], work: Callable[[Candidate, Policy, datetime], object]) -> float:
    policy = case.policy
    begin = time.process_time()
    for candidate, now in zip(cycle(case.candidates), moments, strict=False):
        work(candidate, policy, now)
    return len(moments) / max(time.process_time() - begin, 1e-9)


def _matching_rules(case: _Case) -> float:
    """Return how many rules match a sample in the mean."""
    decisions = (decide(candidate, case.policy, BEGIN) for candidate in case.candidates)
    return sum(outcome.matched for decision in decisions for outcome in decision.rules) / len(case.candidates)
