"""What stands above the image in Label Studio: plain sentences for the annotator."""

from collections import Counter

from feedback_sdk.types import Task, Verdict
from queue_server.core.label_config import ControlNames
from queue_server.core.proposals import (
    ID_PREFIXES,
    Proposal,
    corrections,
    model_count,
    model_labels,
    spots,
    user_count,
)

_REASONS = {
    "user_rejected": "a user says that it looks wrong",
    "user_corrected": "a user corrected it",
    "disputed": "users disagree",
    "unconfirmed_low_confidence": "the model was not sure and nobody confirmed it",
    "empty": "the model found nothing",
    "random": "drawn at random, to measure how good the model is",
    "requested": "asked for by hand",
    "adjudication": "its annotators disagree",
}
#: of a further look
_REASONS_AGAIN = {"disputed": "a user objects to its annotation"}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ACTS = {"add": "added", "move": "moved", "remove": "removed"}


def summary(proposal: Proposal) -> str:
    """Return one line: what the model said, what the users say, what they did.

    >>> from feedback_sdk.types import Correction, Point, Prediction
    >>> from queue_server.core.proposals import UserVerdict
    >>> said = Correction(count=30, points=[Point(x=1.0, y=1.0), Point(x=2.0, y=2.0)])
    >>> summary(Proposal(
    ...     sample_id="1", image_url="", width=4, height=3, reason="random",
    ...     prediction=Prediction(model_version="1", task="counting", count=29),
    ...     verdicts=[UserVerdict(verdict="corrected", correction=said)],
    ... ))
    'Model 29, user 30: user marked two spots'
    """
    said = ", ".join(part for part in (_model_part(proposal), _user_part(proposal)) if part)
    acts = _acts(proposal)
    return f"{said}: {_users(proposal)} {acts}" if acts else said


def details(proposal: Proposal, controls: ControlNames) -> str:
    """Return why the sample is here, which model said it and how sure it was, and what cannot be shown.

    >>> details(Proposal(
    ...     sample_id="1", image_url="", width=4, height=3, reason="empty", model_version="v2", confidence=0.5
    ... ), ControlNames())
    'Why: the model found nothing. Model version v2, confidence 0.50.'
    """
    known = _REASONS if proposal.look == 1 else _REASONS | _REASONS_AGAIN
    why = known.get(proposal.reason, proposal.reason.replace("_", " "))
    model = f"Model version {proposal.model_version}" if proposal.model_version else "No model version"
    confidence = "no confidence" if proposal.confidence is None else f"confidence {proposal.confidence:.2f}"
    hidden = [
        f"{_counted(len(objects), name)}"
        for name in ID_PREFIXES
        if getattr(controls, name) is None and (objects := getattr(proposal.prediction, name, None))
    ]
    unshown = f" Not shown, this project has no control for it: {', '.join(hidden)}." if hidden else ""
    return f"Why: {why}. {model}, {confidence}.{unshown}"


def comments(proposal: Proposal) -> str:
    """Return what the users wrote, in quotes; empty where they wrote nothing.

    >>> comments(Proposal(sample_id="1", image_url="", width=4, height=3, reason="random"))
    ''
    """
    return " · ".join(f"User: “{said.comment}”" for said in proposal.verdicts if said.comment)


def _model_part(proposal: Proposal) -> str:
    prediction = proposal.prediction
    if prediction is None:
        return "No prediction"
    if prediction.task is Task.CLASSIFICATION:
        labels = model_labels(prediction)
        return f"Model says {', '.join(labels)}" if labels else "Model names no class"
    count = model_count(prediction)
    return "Model gave no objects" if count is None else f"Model {count}"


def _user_part(proposal: Proposal) -> str:
    labels = dict.fromkeys(correction.label for correction in corrections(proposal) if correction.label)
    counts = dict.fromkeys(correction.count for correction in corrections(proposal) if correction.count is not None)
    noun = "user" if len(corrections(proposal)) == 1 else "users"
    if labels:
        return f"{noun} {'says' if noun == 'user' else 'say'} {' or '.join(labels)}"
    if counts:
        return f"{noun} {' or '.join(str(count) for count in counts)}"
    count = user_count(proposal)
    return "" if count is None else f"{noun} {count}"


def _acts(proposal: Proposal) -> str:
    done = Counter(_ACTS[change.action] for item in corrections(proposal) for change in item.boxes or ())
    acts = [f"{act} {_counted(count, 'boxes')}" for act, count in done.items()]
    if marked := spots(proposal):
        acts.append(f"marked {_counted(len(marked), 'spots')}")
    return ", ".join(acts) or _bare_verdict(proposal)


def _bare_verdict(proposal: Proposal) -> str:
    """Return the verdict where no correction says more."""
    verdicts = {said.verdict for said in proposal.verdicts}
    if corrections(proposal) or not verdicts:
        return ""
    if len(verdicts) > 1:
        return "disagree"
    return "rejected it" if Verdict.REJECTED in verdicts else "confirmed it"


def _users(proposal: Proposal) -> str:
    saying = corrections(proposal) or proposal.verdicts
    return "user" if len(saying) == 1 else f"{_number(len(saying))} users"


def _counted(count: int, plural: str) -> str:
    singular = {"boxes": "box"}.get(plural, plural.removesuffix("s"))
    return f"{_number(count)} {singular if count == 1 else plural}"


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)
