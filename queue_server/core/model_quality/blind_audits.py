"""How far pre-annotations pull annotators: what they find where the prediction was shown, and where it was not."""

from collections.abc import Sequence
from dataclasses import dataclass

from queue_server.core.estimate import difference, wilson
from queue_server.core.model_quality.figures import Figure
from queue_server.core.model_quality.observed import Observation


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchoring:
    """How often annotations of audits agree with the model, shown and blind; both are judged alike, by overlap."""

    shown: Figure
    blind: Figure
    #: how far the first lies above the second, with its interval of 95%; above 0: annotators follow what they see
    value: float | None
    low: float | None
    high: float | None


def anchoring(observations: Sequence[Observation]) -> Anchoring:
    """Hold audits that were shown against those that were blind: which are which is chance, so nothing else differs.

    Wilson's intervals, and Newcombe's method 10 (1998) for the difference.

    >>> anchoring([]).value is None
    True
    """
    audits = [one.judged for one in observations if one.audit.is_drawn and one.judged is not None]
    shown, blind = (
        _share(name, [judged.agrees for judged in audits if judged.is_blind is is_blind])
        for name, is_blind in (("shown", False), ("blind", True))
    )
    ones, others = shown.interval, blind.interval
    apart = difference(ones, others) if ones is not None and others is not None else None
    return Anchoring(
        shown=shown,
        blind=blind,
        value=apart.value if apart is not None else None,
        low=apart.low if apart is not None else None,
        high=apart.high if apart is not None else None,
    )


def _share(name: str, answers: Sequence[bool]) -> Figure:
    if not answers:
        return Figure(name=name, value=None, low=None, high=None, n=0)
    share = sum(answers) / len(answers)
    low, high = wilson(share, len(answers))
    return Figure(name=name, value=share, low=low, high=high, n=len(answers))
