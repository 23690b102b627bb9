"""A day of the loop, decided by the server's own engine: what arrives, who taps, and what gets annotated.

1. A day's samples come in random order; their confirmation windows have ended when they are decided.
2. A rule's `target_per_day` becomes a threshold as in the server: of yesterday's scores, frozen.
3. A budget is held: at the day's end the best are kept by priority, ties at random, after the audit's draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from benchmarks.labels_saved_bench.chosen_rules import novelty_bits
from benchmarks.labels_saved_bench.days import Company, Day, Floats, Ints
from benchmarks.labels_saved_bench.policies import Document
from benchmarks.labels_saved_bench.reporters import Tap
from feedback_sdk.types import Correction, Prediction, Verdict
from queue_server.core.policy import (
    STRATEGIES,
    Candidate,
    Decision,
    Opinion,
    Policy,
    Spent,
    State,
    decide,
    parse_policy,
)
from queue_server.core.policy.budget import settle
from queue_server.core.policy.figures import Traffic, taken_thresholds, threshold_from
from queue_server.core.policy.holding import Waiting, newest_allowance, shares_by_rule, waiting

_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
Figures = Mapping[tuple[str, str], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotated:
    """What a policy had annotated in a day."""

    #: the day's samples, in the order in which they came
    rows: Ints
    #: π of each
    chances: Floats

    def first(self, count: int) -> "Annotated":
        """Return the first so many of them."""
        return Annotated(rows=self.rows[:count], chances=self.chances[:count])


class Engine:
    """A policy in force for one day; what it decided of a silent sample is kept, as it decides the same again."""

    def __init__(self, document: Document, day: Day, *, seed: int) -> None:
        self.policy = parse_policy(document, STRATEGIES).policy(version=1, salt=f"labels-saved-{seed}".encode())
        self._day = day
        self._seed = seed
        self._figures = frozen_figures(self.policy, day)
        needs_novelty = "novelty_bits" in self.policy.needs
        self._novelty = novelty_bits(day) if needs_novelty else [None] * len(day.today)
        self._silent = [decide(self._candidate(row), self.policy, _NOON) for row in range(len(day.today))]

    def by_rule(self) -> Mapping[str, Annotated]:
        """Return what each rule alone takes, of silent users: rules do not see each other but through a budget."""
        return {
            rule.name: _annotated(
                {
                    row: decision.rules[index].probability or 0.0
                    for row, decision in enumerate(self._silent)
                    if decision.rules[index].selected
                }
            )
            for index, rule in enumerate(self.policy.rules)
        }

    def by_chance(self, rule_name: str) -> Ints:
        """Return all rows by the rule's own draw: the first k are what `random` takes at the rate that takes k."""
        index = [rule.name for rule in self.policy.rules].index(rule_name)
        draws = [decision.rules[index].draw for decision in self._silent]
        return np.argsort(np.array(draws, dtype=float))

    def run(self, taps: Mapping[int, Tap]) -> Annotated:
        """Return what gets annotated when these users tap."""
        decisions = {row: decision for row, decision in enumerate(self._silent) if row not in taps}
        decisions |= {row: decide(self._candidate(row, tap), self.policy, _NOON) for row, tap in taps.items()}
        decisions |= self._end_of_day(decisions, taps)
        queued = {row: item for row, item in decisions.items() if item.state is State.QUEUED}
        return _annotated({row: item.inclusion_probability for row, item in sorted(queued.items())})

    def _end_of_day(self, decisions: Mapping[int, Decision], taps: Mapping[int, Tap]) -> Mapping[int, Decision]:
        """Return what becomes of the samples that wait for the budget's end: for a task, or for their share in π."""
        states = {row: item.state for row, item in decisions.items() if item.held_in is not None}
        if not states:
            return {}
        audits = sum(item.state is State.QUEUED for item in decisions.values())
        candidates = {row: replace(self._candidate(row, taps.get(row)), state=state) for row, state in states.items()}
        found = [item for row, candidate in candidates.items() if (item := self._waiting(row, candidate))]
        shares = settle([item.entry for item in found], newest_allowance(found), {}, spent=Spent(tasks=audits))
        return {
            row: decide(replace(candidates[row], shares=given), self.policy, _NOON)
            for row, given in shares_by_rule(found, shares).items()
        }

    def _waiting(self, row: int, candidate: Candidate) -> Waiting | None:
        return waiting(row, replace(candidate, ledger=None), self.policy, account="all", at=_NOON)

    def _candidate(self, row: int, tap: Tap | None = None) -> Candidate:
        company = self._day.company[row]
        return Candidate(
            sample_id=UUID(int=self._seed * 1_000_003 + row),
            state=State.AWAITING_FEEDBACK,
            prediction=self._day.today[row],
            opinion=Opinion() if tap is None else Opinion(verdict=tap.verdict, is_disputed=tap.is_disputed),
            corrections=_corrections(company, tap),
            metadata=company.metadata,
            quality=company.quality,
            novelty_bits=self._novelty[row],
            window_ends_at=_NOON,
            standings={} if tap is None else {tap.reporter: tap.standing},
            shadows=self._day.shadows[row : row + 1],
            stream_position=row,
            figures=self._figures,
            ledger={},
        )


def _corrections(company: Company, tap: Tap | None) -> Sequence[Correction]:
    if tap is None or tap.verdict is not Verdict.CORRECTED or company.count is None:
        return ()
    return (Correction(count=company.count),)


def _annotated(chances: Mapping[int, float]) -> Annotated:
    return Annotated(
        rows=np.array(list(chances), dtype=np.int64), chances=np.array(list(chances.values()), dtype=float)
    )


def frozen_figures(policy: Policy, day: Day) -> Figures:
    """Return the thresholds that the server would have frozen, had yesterday been a day of today's volume."""
    found: dict[tuple[str, str], float] = {}
    for rule, limit in taken_thresholds(policy):
        assert rule.kind.score is not None
        scores = [score for item in day.yesterday if (score := rule.kind.score(rule, _past(item))) is not None]
        traffic = Traffic(scores=scores, looked_at=len(day.yesterday), per_day=len(day.today))
        threshold = threshold_from(rule, limit, traffic)
        if threshold is not None:
            found[rule.name, "threshold"] = threshold
    return found


def _past(prediction: Prediction) -> Candidate:
    return Candidate(
        sample_id=UUID(int=0),
        state=State.ARCHIVED,
        prediction=prediction,
        opinion=Opinion(),
        window_ends_at=_NOON,
    )
