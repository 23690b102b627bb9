"""How a look at a sample stands: whether those who were asked have answered, and whether they agree."""

from collections.abc import Sequence
from enum import StrEnum

from feedback_sdk.types import Task
from queue_server.core.agreement import majority
from queue_server.core.datasets import Candidate, last_words


class Standing(StrEnum):
    """What became of one look."""

    #: somebody is still to look
    OPEN = "open"
    ANNOTATED = "annotated"
    #: nobody finished it, and somebody skipped it
    SKIPPED = "skipped"
    #: all have looked, and no majority says the same
    CONTESTED = "contested"


def standing(readable: Sequence[Candidate], *, finishers: int, skippers: int, annotators: int, task: Task) -> Standing:
    """Return how a look stands, from its live annotations.

    `finishers` counts the people who finished one, read or not, `annotators` how many were asked. Who skipped does not
    count as one of them, but ends the look: the inbox hides what somebody skipped, so nobody else will come.

    >>> standing([], finishers=1, skippers=0, annotators=2, task=Task.DETECTION)
    <Standing.OPEN: 'open'>
    """
    if finishers == 0:
        return Standing.SKIPPED if skippers else Standing.OPEN
    finished = [one for one in readable if not one.is_skipped]
    if any(one.is_ground_truth for one in finished):
        return Standing.ANNOTATED
    if finishers < annotators and not skippers:
        return Standing.OPEN
    is_contested = finished and majority(last_words(finished), task=task) is None
    return Standing.CONTESTED if is_contested else Standing.ANNOTATED
