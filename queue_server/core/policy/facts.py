"""To which samples a rule applies: its `labels` and its `where`."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from queue_server.core.policy.rules import Rule
from queue_server.core.policy.states import Candidate
from queue_server.core.uncertainty import confidence, is_empty, object_count, predicted_labels


def applies(rule: Rule, candidate: Candidate) -> bool:
    """Tell whether a rule looks at a sample at all.

    A rule with labels looks at predictions that name one of them, and at those that found nothing: an object that was
    missed has no label.
    """
    if rule.labels and not rule.kind.reads_labels and not _names_one_of(candidate, rule.labels):
        return False
    return rule.where is None or rule.where.holds(Facts(candidate))


def _names_one_of(candidate: Candidate, labels: Sequence[str]) -> bool:
    prediction = candidate.prediction
    if prediction is None:
        return False
    return is_empty(prediction) or not predicted_labels(prediction).isdisjoint(labels)


class Facts(Mapping[str, object]):
    """What a condition may look at, worked out when it is asked for."""

    def __init__(self, candidate: Candidate) -> None:
        self._candidate = candidate

    def __getitem__(self, name: str) -> object:
        return _FACTS[name](self._candidate)

    def __iter__(self) -> Iterator[str]:
        return iter(_FACTS)

    def __len__(self) -> int:
        return len(_FACTS)


def best_trust(candidate: Candidate) -> float | None:
    """Return the highest trust among those who object; None: nobody whose name is known does.

    >>> from datetime import UTC, datetime
    >>> from uuid import UUID
    >>> from queue_server.core.policy import Opinion, State
    >>> best_trust(Candidate(
    ...     sample_id=UUID(int=1), state=State.QUEUED, prediction=None, opinion=Opinion(),
    ...     window_ends_at=datetime.now(UTC),
    ... )) is None
    True
    """
    return max((standing.trust for standing in candidate.standings.values()), default=None)


_FACTS: dict[str, Callable[[Candidate], object]] = {
    "model_version": lambda candidate: candidate.prediction.model_version if candidate.prediction else None,
    "stream": lambda candidate: candidate.stream,
    "subject": lambda candidate: candidate.subject,
    "verdict": lambda candidate: candidate.opinion.verdict.value if candidate.opinion.verdict else None,
    "tags": lambda candidate: candidate.tags,
    "labels": lambda candidate: sorted(predicted_labels(candidate.prediction)) if candidate.prediction else [],
    "confidence": lambda candidate: confidence(candidate.prediction),
    "count": lambda candidate: object_count(candidate.prediction) if candidate.prediction else None,
    "trust": best_trust,
    "metadata": lambda candidate: candidate.metadata,
    "quality": lambda candidate: candidate.quality,
}
