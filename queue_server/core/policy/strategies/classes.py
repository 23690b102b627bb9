"""Strategies that look at a distribution over classes: of the image, or of each object that gives `classes`.

All scores rise with uncertainty: 0 is sure, 1 cannot tell (but for `aggregate: sum`). So a high entropy, and a score
at or above the threshold, is what matches; an object without `classes` is measured on its confidence and the rest.
"""

from collections.abc import Callable

from queue_server.core.policy.parameters import Choice, Limit
from queue_server.core.policy.rules import Rule, Strategy
from queue_server.core.policy.states import Candidate
from queue_server.core.policy.strategies.checks import within_one
from queue_server.core.policy.strategies.given import word
from queue_server.core.policy.strategies.scores import MISSING, match_score
from queue_server.core.uncertainty import Measure, Pooling, uncertainty


def _score_by(measure: Measure) -> Callable[[Rule, Candidate], float | None]:
    def score(rule: Rule, candidate: Candidate) -> float | None:
        if candidate.prediction is None:
            return None
        return uncertainty(candidate.prediction, measure, Pooling(word(rule, "aggregate")), rule.labels)

    return score


def _strategy(measure: Measure, about: str) -> Strategy:
    return Strategy(
        about=about,
        match=match_score,
        priority=50,
        check=within_one,
        score=_score_by(measure),
        parameters={
            "threshold": Limit(about="scores at or above it match; 0 is sure, 1 cannot tell", at_most=10_000),
            "aggregate": Choice(
                about="how the objects' scores become one", values=tuple(Pooling), default=Pooling.MEAN.value
            ),
            "missing": MISSING,
        },
    )


STRATEGIES: dict[str, Strategy] = {
    "entropy": _strategy(
        Measure.ENTROPY, "the classes' entropy over log(classes) is high: high entropy means uncertain"
    ),
    "margin": _strategy(Measure.MARGIN, "1 − (first class − second class) is high: the two best are close"),
    "least_confidence": _strategy(Measure.LEAST_CONFIDENCE, "1 − the top class is high"),
    "variance": _strategy(Measure.VARIANCE, "1 − the classes' variance, scaled, is high: the classes come level"),
}
