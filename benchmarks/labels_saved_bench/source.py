"""A table of real predictions, of which days are drawn."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.labels_saved_bench.days import Day
from benchmarks.labels_saved_bench.learning import Learner


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A table of which days are drawn: the same seed gives the same day."""

    about: str
    rows: int
    is_classification: bool
    #: the annotators' budget, as a share of the day's samples
    budget_share: float
    draw: Callable[[int], Day]
    #: what the model's retraining stands for; empty: there is none
    learner_about: str = ""
    learner: Learner | None = None
    has_shadows: bool = False
