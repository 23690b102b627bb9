"""Whether the user was right about the model, as an annotator saw it."""

from enum import StrEnum

from feedback_sdk.types import BoxAction, Correction, Prediction, Task, Verdict
from queue_server.core.annotation import Annotation, Difference
from queue_server.core.proposals import model_count


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


def disagrees(
    annotation: Annotation,
    correction: Correction | None,
    *,
    prediction: Prediction | None,
    difference: Difference | None,
    task: Task,
) -> bool:
    """Return whether a user's objection says something else than the annotation that counts.

    A bare rejection does where the annotator left the model's prediction as right; a class or a count where it is
    another one; boxes and points where they come to another count, and boxes that were only moved like a rejection.
    `difference` is that of the annotation from the model's prediction.

    >>> thirty = Correction(count=30)
    >>> disagrees(Annotation(count=29), thirty, prediction=None, difference=None, task=Task.COUNTING)
    True
    """
    if correction is not None and correction.label is not None and task is Task.CLASSIFICATION:
        return correction.label not in annotation.labels
    count = _implied_count(correction, prediction) if correction is not None else None
    if count is not None:
        return count != annotation.object_count
    return difference is not None and is_model_right(difference, task=task) is True


def _implied_count(correction: Correction, prediction: Prediction | None) -> int | None:
    """Return how many objects a correction says there are; None where it does not change their number."""
    if correction.count is not None:
        return correction.count
    acts = [change.action for change in correction.boxes or ()]
    change = acts.count(BoxAction.ADD) - acts.count(BoxAction.REMOVE) + len(correction.points or ())
    own = model_count(prediction)
    return own + change if own is not None and change else None
