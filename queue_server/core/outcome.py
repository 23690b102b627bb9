"""Whether the user was right about the model, as an annotator saw it."""

from enum import StrEnum

from feedback_sdk.types import Task, Verdict
from queue_server.core.annotation import Difference


class Outcome(StrEnum):
    """What an annotation says of a user's verdict."""

    USER_RIGHT = "user_right"
    USER_WRONG = "user_wrong"


def outcome(verdict: Verdict | None, difference: Difference | None, *, task: Task) -> Outcome | None:
    """Return whether the user was right; None until there are both, a verdict and an annotation to hold it against.

    A confirmation is right where the model was, an objection where it was not. `difference` is that of the annotation
    from the model's prediction.

    >>> outcome(Verdict.REJECTED, Difference(kept=29, added=1, count_difference=1), task=Task.DETECTION)
    <Outcome.USER_RIGHT: 'user_right'>
    """
    is_right = is_model_right(difference, task=task) if difference is not None else None
    if verdict is None or is_right is None:
        return None
    return Outcome.USER_RIGHT if (verdict is Verdict.CONFIRMED) == is_right else Outcome.USER_WRONG


def is_model_right(difference: Difference, *, task: Task) -> bool | None:
    """Return whether the annotator left all as the model said it; None where nothing could be compared.

    A counting model answers for its number alone, wherever its objects stand.

    >>> is_model_right(Difference(kept=2), task=Task.DETECTION)
    True
    >>> is_model_right(Difference(), task=Task.CLASSIFICATION) is None
    True
    """
    if task is Task.COUNTING and difference.count_difference is not None:
        return difference.count_difference == 0
    if difference == Difference():
        return None
    return not (difference.changed or difference.removed or difference.added or difference.count_difference)
