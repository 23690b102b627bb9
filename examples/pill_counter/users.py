"""Simulated users: what each does about a prediction is drawn by a hash of the sample's id, so it never changes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from examples.pill_counter.matching import match, overlap
from feedback_sdk import Box, BoxCorrection, Correction, Point, Prediction
from feedback_sdk.types import BoxAction

_COMMENTS = ("two stuck together", "counted a shadow", "glare", "look at the edge", None, None, None)


class Outcome(StrEnum):
    """What a user does."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CORRECTED = "corrected"
    IGNORED = "ignored"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one user does about one prediction."""

    outcome: Outcome
    reporter: str
    correction: Correction | None = None
    comment: str | None = None


def answer(sample_id: str, prediction: Prediction, *, truth: Sequence[Box] | None) -> Answer:
    """Return the user's answer.

    A right count is confirmed by 70 % and ignored by the rest. A wrong one is rejected by 35 %, corrected by 35 %,
    ignored by the rest. Nobody knows the truth of a photo without labels: a quarter confirms, a quarter rejects.
    """
    draw = drawn(sample_id, about="outcome")
    reporter = f"user-{int(40 * drawn(sample_id, about='reporter')):02}"
    comment = _COMMENTS[int(len(_COMMENTS) * drawn(sample_id, about="comment"))]
    if truth is None:
        outcome = Outcome.CONFIRMED if draw < 0.25 else Outcome.REJECTED if draw < 0.5 else Outcome.IGNORED
        return Answer(outcome=outcome, reporter=reporter)
    if prediction.count == len(truth):
        return Answer(outcome=Outcome.CONFIRMED if draw < 0.7 else Outcome.IGNORED, reporter=reporter)
    if draw < 0.35:
        return Answer(outcome=Outcome.REJECTED, reporter=reporter, comment=comment)
    if draw < 0.7:
        correction = _correction(sample_id, prediction, truth)
        return Answer(outcome=Outcome.CORRECTED, reporter=reporter, correction=correction, comment=comment)
    return Answer(outcome=Outcome.IGNORED, reporter=reporter)


def drawn(sample_id: str, *, about: str) -> float:
    """Return a number in [0, 1) that depends on the sample and the question alone."""
    digest = hashlib.sha256(f"{about}:{sample_id}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def _correction(sample_id: str, prediction: Prediction, truth: Sequence[Box]) -> Correction:
    """Return the right count; of three users one also marks what was missed and one puts the boxes right."""
    draw = drawn(sample_id, about="correction")
    if draw < 1 / 3:
        return Correction(count=len(truth))
    if draw < 2 / 3:
        return Correction(
            count=len(truth), image_size=prediction.image_size, points=_missed(prediction.boxes or (), truth)
        )
    return Correction(count=len(truth), image_size=prediction.image_size, boxes=_changes(prediction.boxes or (), truth))


def _missed(boxes: Sequence[Box], truth: Sequence[Box]) -> list[Point] | None:
    """Return the middles of missed objects; None where the model only counted too many."""
    found = set(match(boxes, truth, at_least=0.3).values())
    missed = (box for index, box in enumerate(truth) if index not in found)
    return [Point(x=(box.x_min + box.x_max) / 2, y=(box.y_min + box.y_max) / 2) for box in missed] or None


def _changes(boxes: Sequence[Box], truth: Sequence[Box]) -> list[BoxCorrection]:
    """Return what turns the model's boxes into the truth; a box that is roughly right is left alone."""
    partners = match(boxes, truth, at_least=0.3)
    changes = [
        BoxCorrection(action=BoxAction.REMOVE, target=index) for index in range(len(boxes)) if index not in partners
    ]
    for index, true_index in sorted(partners.items()):
        if overlap(boxes[index], truth[true_index]) < 0.6:
            changes.append(_placed(truth[true_index], action=BoxAction.MOVE, target=index))
    found = set(partners.values())
    return changes + [
        _placed(box, action=BoxAction.ADD, target=None) for index, box in enumerate(truth) if index not in found
    ]


def _placed(box: Box, *, action: BoxAction, target: int | None) -> BoxCorrection:
    return BoxCorrection(
        action=action,
        target=target,
        label=box.label,
        x_min=box.x_min,
        y_min=box.y_min,
        x_max=box.x_max,
        y_max=box.y_max,
    )
