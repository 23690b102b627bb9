"""Measure every policy on many days of one table."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from benchmarks.labels_saved_bench.chosen_rules import chosen_rules
from benchmarks.labels_saved_bench.days import Day, Floats, Ints, Lesson
from benchmarks.labels_saved_bench.figures import Learnt, Tally, found_figures, learnt_figures, mean
from benchmarks.labels_saved_bench.learning import Learner, accuracy
from benchmarks.labels_saved_bench.loop import Annotated, Engine
from benchmarks.labels_saved_bench.policies import RANDOM, policies, strategy_rules
from benchmarks.labels_saved_bench.reporters import REPORTERS, taps
from benchmarks.labels_saved_bench.source import Source

T = TypeVar("T")
#: whose taps a model is retrained on: the learner's time is most of a run
TAUGHT = ("silent", "recall 0.3, precision 0.5", "recall 0.6, precision 0.9")
_NOBODY = "no user asked"


@dataclass(frozen=True, slots=True)
class Case:
    """Who taps, and what decides."""

    reporters: str
    policy: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of each case, day by day."""

    found: dict[Case, list[Tally]] = field(default_factory=lambda: defaultdict(list))
    learnt: dict[Case, list[Learnt]] = field(default_factory=lambda: defaultdict(list))
    #: accuracy of what learnt from the labels that were known before the day
    before: list[float] = field(default_factory=list)


class Pupil:
    """Retrains one day's model, and on as many random labels for comparison."""

    def __init__(self, lesson: Lesson, learner: Learner, *, order: Ints, budget: int) -> None:
        self._lesson = lesson
        self._learner = learner
        self._order = order
        self._budget = budget
        self._known: dict[int, float] = {}

    def before(self) -> float:
        """Return the accuracy without any new label."""
        return self._random(0)

    def learn(self, annotated: Annotated, *, is_weighted: bool) -> Learnt:
        """Return what a model learns from the first annotations that the budget allows."""
        chosen = annotated.first(self._budget)
        labels = len(chosen.rows)
        weighted = None
        if is_weighted:
            weighted = self._accuracy(chosen.rows, weights=1.0 / chosen.chances)
        return Learnt(
            labels=labels,
            accuracy=self._accuracy(chosen.rows),
            random_accuracy=self._random(labels),
            weighted_accuracy=weighted,
        )

    def _random(self, labels: int) -> float:
        if labels not in self._known:
            self._known[labels] = self._accuracy(np.sort(self._order[:labels]))
        return self._known[labels]

    def _accuracy(self, rows: Ints, *, weights: Floats | None = None) -> float:
        return accuracy(self._lesson, self._learner, rows, weights=weights)


def measure(source: Source, seeds: Sequence[int], *, tell: Callable[[str], None]) -> Mapping[str, object]:
    """Return the figures of a table: a day for each seed."""
    measured = Measured()
    wrong = samples = budget = 0
    for seed in seeds:
        day = source.draw(seed)
        budget = max(1, round(source.budget_share * len(day.today)))
        wrong, samples = wrong + int(day.errors.sum()), samples + len(day.today)
        _one_day(source, day, measured, seed=seed, budget=budget)
        tell(f"day {seed + 1} of {len(seeds)}")
    disjoint = max(1, source.rows * len(seeds) // samples)
    return {
        "about": source.about,
        "samples_per_day": samples // len(seeds),
        "budget_per_day": budget,
        "disjoint_days": disjoint,
        "errors_per_sample": round(wrong / samples, 4),
        "found": _by_reporters(measured.found, lambda days: found_figures(days, disjoint)),
        "retraining": _retraining(source, measured, disjoint),
    }


def _one_day(source: Source, day: Day, measured: Measured, *, seed: int, budget: int) -> None:
    rules = strategy_rules(
        budget, len(day.today), is_classification=source.is_classification, has_shadows=source.has_shadows
    )
    rules = [*rules, *chosen_rules(day, share=source.budget_share)]
    alone = Engine({"rules": rules}, day, seed=seed)
    pupil = None
    if day.lesson is not None and source.learner is not None:
        pupil = Pupil(day.lesson, source.learner, order=alone.by_chance(RANDOM), budget=budget)
    if pupil is not None:
        measured.before.append(pupil.before())
    for name, annotated in alone.by_rule().items():
        case = Case(_NOBODY, name)
        measured.found[case].append(_tally(annotated, day, has_audit=False))
        if pupil is not None:
            measured.learnt[case].append(pupil.learn(annotated, is_weighted=False))
    for name, document in policies(budget, is_counted=not source.is_classification).items():
        engine = Engine(document, day, seed=seed)
        has_audit = any(rule.kind.is_audit for rule in engine.policy.rules)
        for reporters, groups in REPORTERS.items():
            annotated = engine.run(taps(groups, day.is_wrong, seed=seed))
            case = Case(reporters, name)
            measured.found[case].append(_tally(annotated, day, has_audit=has_audit))
            if pupil is not None and reporters in TAUGHT and engine.policy.budget is not None:
                measured.learnt[case].append(pupil.learn(annotated, is_weighted=has_audit))


def _tally(annotated: Annotated, day: Day, *, has_audit: bool) -> Tally:
    errors = day.errors[annotated.rows]
    return Tally(
        samples=len(day.today),
        wrong=int(day.errors.sum()),
        annotations=len(annotated.rows),
        found=int(errors.sum()),
        estimate=float((errors / annotated.chances).sum()) if has_audit else None,
    )


def _by_reporters(
    days: Mapping[Case, Sequence[T]], figures: Callable[[Sequence[T]], Mapping[str, object]]
) -> Mapping[str, Mapping[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for case, item in days.items():
        found.setdefault(case.reporters, {})[case.policy] = figures(item)
    return found


def _retraining(source: Source, measured: Measured, disjoint: int) -> Mapping[str, object] | None:
    if not measured.before:
        return None
    return {
        "learner": source.learner_about,
        "accuracy_before": mean(np.array(measured.before), disjoint=disjoint),
        "learnt": _by_reporters(measured.learnt, lambda days: learnt_figures(days, disjoint)),
    }
