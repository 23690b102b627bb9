"""Simulated users who tap on "looks wrong": how many errors they report, and how often they are right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.labels_saved_bench.days import Flags
from feedback_sdk.types import Verdict
from queue_server.core.policy import Standing

#: so many people share the taps of a group
_PEOPLE = 50
#: of the taps, how many go on to say what is right instead
_CORRECT = 0.5
#: of what was tapped on, how much a second person looks at: taps too, or confirms
_SECOND_LOOK = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """People who tap alike, on errors and on right predictions alike whatever the model's confidence."""

    #: of the wrong predictions, how many they tap on
    recall: float
    #: of the predictions that they tap on, how many are wrong
    precision: float
    #: what annotators saw of each of them before today: (right, wrong)
    record: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tap:
    """Somebody says that a prediction looks wrong."""

    reporter: str
    standing: Standing
    verdict: Verdict = Verdict.REJECTED
    #: a second person looked and confirmed
    is_disputed: bool = False


#: but for second looks nobody confirms: a confirmation would only take right predictions off the list
REPORTERS: Mapping[str, Sequence[Group]] = {
    "silent": (),
    "recall 0.3, precision 0.9": (Group(recall=0.3, precision=0.9),),
    "recall 0.3, precision 0.5": (Group(recall=0.3, precision=0.5),),
    "recall 0.6, precision 0.9": (Group(recall=0.6, precision=0.9),),
    "recall 0.6, precision 0.5": (Group(recall=0.6, precision=0.5),),
    "recall 0.3, precision 0.2": (Group(recall=0.3, precision=0.2),),
    "recall 0.3, precision 0.9, beside recall 0.3, precision 0.2, with records": (
        Group(recall=0.3, precision=0.9, record=(18, 2)),
        Group(recall=0.3, precision=0.2, record=(4, 16)),
    ),
}


def taps(groups: Sequence[Group], is_wrong: Flags, *, seed: int) -> Mapping[int, Tap]:
    """Return who taps on which sample; false alarms fall on right predictions evenly, as many as the precision says.

    >>> taps((), np.array([True, False]), seed=1)
    {}
    """
    random = np.random.default_rng(seed)
    found: dict[int, Tap] = {}
    for number, group in enumerate(groups):
        chance = np.where(is_wrong, group.recall, _false_alarm_rate(group, is_wrong))
        for row in np.flatnonzero(random.random(len(is_wrong)) < chance):
            right, wrong = group.record
            person = random.integers(_PEOPLE)
            tap = Tap(reporter=f"group-{number}-{person}", standing=Standing(right=right, wrong=wrong))
            found.setdefault(int(row), tap)
    others = np.random.default_rng([seed, 1])
    return {row: _continued(tap, others, second_taps=_second_taps(groups, is_wrong, row)) for row, tap in found.items()}


def _second_taps(groups: Sequence[Group], is_wrong: Flags, row: int) -> float:
    """Return the chance that a second person, of the first group, would tap on it too."""
    return groups[0].recall if is_wrong[row] else _false_alarm_rate(groups[0], is_wrong)


def _continued(tap: Tap, random: np.random.Generator, *, second_taps: float) -> Tap:
    corrects, looks, taps_too = random.random(3) < (_CORRECT, _SECOND_LOOK, second_taps)
    verdict = Verdict.CORRECTED if corrects else Verdict.REJECTED
    return replace(tap, verdict=verdict, is_disputed=bool(looks and not taps_too))


def _false_alarm_rate(group: Group, is_wrong: Flags) -> float:
    wrong, right = int(is_wrong.sum()), int((~is_wrong).sum())
    if right == 0:
        return 0.0
    return min(1.0, group.recall * wrong * (1.0 - group.precision) / (group.precision * right))
