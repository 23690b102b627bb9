"""What an annotator is shown of one sample: the model's regions, with what its users did to them.

A region's id is stable: "m3" is the prediction's box 3 wherever a user moved it, "u0" the first box that users added.
So what came of each proposal can be told from the ids of the finished annotation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from feedback_sdk.types import (
    Box,
    BoxAction,
    BoxCorrection,
    Correction,
    Keypoint,
    Mask,
    Point,
    Polygon,
    Prediction,
    Verdict,
)
from queue_server.core.geometry import corrected_box
from queue_server.core.label_config import SPOT_LABEL, USER_ADDED, USER_MOVED, USER_REMOVED
from queue_server.core.shapes import iou
from queue_server.core.uncertainty import object_count

#: Boxes that several users added for one object overlap at least so much.
SAME_OBJECT_IOU = 0.5

#: The prefix of the ids of each kind of the model's objects.
ID_PREFIXES = {"boxes": "m", "polygons": "p", "masks": "b", "keypoints": "k"}


@dataclass(frozen=True, kw_only=True, slots=True)
class UserVerdict:
    """What one reporter said last of the prediction; the correction is placed on the stored image."""

    verdict: Verdict
    reporter: str | None = None
    correction: Correction | None = None
    comment: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """All that goes into one Label Studio task; coordinates are those of the stored image."""

    sample_id: str
    image_url: str
    width: int
    height: int
    prediction: Prediction | None = None
    #: the last word of each reporter, oldest first
    verdicts: Sequence[UserVerdict] = ()
    priority: float = 0.0
    #: its place in the inbox, where that is not its priority: the audit stands at random places
    rank: float | None = None
    reason: str
    reasons: Sequence[str] = ()
    model_version: str | None = None
    #: of the image, in [0, 1]
    confidence: float | None = None
    generation: int = 0
    #: 1: the first look at the sample
    look: int = 1
    #: the tab that shows it; None: the inbox
    tab: str | None = None
    #: to be labelled without prediction, reason and the users' claims
    is_blind: bool = False
    #: of the sample, and of the rules that chose it
    tags: Sequence[str] = ()
    #: how many samples it represents
    stands_for: int = 1
    #: False: withdrawn, so that the inbox's filter hides it
    is_in_inbox: bool = True
    #: more for the task's data; our own keys come first
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """One object on the image, by whom it is proposed."""

    id: str
    #: the kind of object, a field of ControlNames
    control: str
    item: Box | Polygon | Mask | Keypoint
    #: what a user did to it, one of label_config.SOURCES
    source: str | None = None


def model_regions(proposal: Proposal) -> tuple[Region, ...]:
    """Return the model's objects as it gave them.

    >>> model_regions(Proposal(sample_id="1", image_url="", width=4, height=3, reason="random"))
    ()
    """
    return tuple(
        Region(id=f"{prefix}{index}", control=control, item=item)
        for control, prefix in ID_PREFIXES.items()
        for index, item in enumerate(getattr(proposal.prediction, control, None) or ())
    )


def shown_regions(proposal: Proposal) -> tuple[Region, ...]:
    """Return the model's objects where the users put them, marked with what they did, then what users added.

    Of reporters who disagree on a box the later one is shown.

    >>> gone = UserVerdict(verdict="corrected", correction=Correction(boxes=[BoxCorrection(action="remove", target=0)]))
    >>> box = Box(label="pill", x_min=0.0, y_min=0.0, x_max=2.0, y_max=2.0)
    >>> said = Prediction(model_version="1", task="detection", boxes=[box])
    >>> proposal = Proposal(
    ...     sample_id="1", image_url="", width=4, height=3, reason="random", prediction=said, verdicts=[gone]
    ... )
    >>> [(region.id, region.source) for region in shown_regions(proposal)]
    [('m0', 'user_removed')]
    """
    changes = {f"m{change.target}": change for change in _changes(proposal) if change.action is not BoxAction.ADD}
    own = (_changed(region, changes.get(region.id)) for region in model_regions(proposal))
    added = (
        Region(id=f"u{index}", control="boxes", item=box, source=USER_ADDED)
        for index, box in enumerate(_added_boxes(proposal))
    )
    return (*own, *added)


def user_regions(proposal: Proposal) -> tuple[Region, ...]:
    """Return what the users say is in the image: what is shown without what they removed.

    >>> user_regions(Proposal(sample_id="1", image_url="", width=4, height=3, reason="random"))
    ()
    """
    return tuple(region for region in shown_regions(proposal) if region.source != USER_REMOVED)


def spots(proposal: Proposal) -> tuple[Point, ...]:
    """Return the points where users say that something was missed.

    >>> spots(Proposal(sample_id="1", image_url="", width=4, height=3, reason="random"))
    ()
    """
    return tuple(point for correction in corrections(proposal) for point in correction.points or ())


def spot_region(index: int, point: Point) -> Region:
    """Return a user's spot as a region.

    >>> spot_region(0, Point(x=1.0, y=2.0)).id
    's0'
    """
    return Region(id=f"s{index}", control="spots", item=Keypoint(label=SPOT_LABEL, x=point.x, y=point.y))


def corrections(proposal: Proposal) -> tuple[Correction, ...]:
    """Return the users' corrections, oldest first.

    >>> corrections(Proposal(sample_id="1", image_url="", width=4, height=3, reason="random"))
    ()
    """
    return tuple(said.correction for said in proposal.verdicts if said.correction is not None)


def model_labels(prediction: Prediction | None) -> tuple[str, ...]:
    """Return the class that the model chose: the most probable, or each of at least 0.5 where several may hold.

    >>> model_labels(Prediction(model_version="1", task="classification", classes={"cat": 0.6, "dog": 0.4}))
    ('cat',)
    """
    classes = (prediction.classes if prediction else None) or {}
    if prediction is None or not classes:
        return ()
    if prediction.multi_label:
        return tuple(label for label, probability in classes.items() if probability >= 0.5)
    return (max(classes, key=lambda label: classes[label]),)


def user_labels(proposal: Proposal) -> tuple[str, ...]:
    """Return the class that the users' last correction names, else the model's.

    >>> user_labels(Proposal(sample_id="1", image_url="", width=4, height=3, reason="random"))
    ()
    """
    named = [correction.label for correction in corrections(proposal) if correction.label is not None]
    return (named[-1],) if named else model_labels(proposal.prediction)


def model_count(prediction: Prediction | None) -> int | None:
    """Return how many objects the model saw: the count it gave, else its objects; None where it looked for none.

    >>> model_count(Prediction(model_version="1", task="detection", boxes=[]))
    0
    """
    return object_count(prediction) if prediction is not None else None


def user_count(proposal: Proposal) -> int | None:
    """Return how many objects the users say there are: the last count given, else the model's with their changes.

    None where no user corrected the number or the objects.

    >>> thirty = UserVerdict(verdict="corrected", correction=Correction(count=30))
    >>> user_count(Proposal(sample_id="1", image_url="", width=4, height=3, reason="random", verdicts=[thirty]))
    30
    """
    given = [correction.count for correction in corrections(proposal) if correction.count is not None]
    if given:
        return given[-1]
    own = model_count(proposal.prediction)
    marked = spots(proposal)
    if own is None or not (marked or any(correction.boxes for correction in corrections(proposal))):
        return None
    return own + len(user_regions(proposal)) - len(model_regions(proposal)) + len(marked)


def _changes(proposal: Proposal) -> list[BoxCorrection]:
    return [change for correction in corrections(proposal) for change in correction.boxes or ()]


def _changed(region: Region, change: BoxCorrection | None) -> Region:
    if change is None or not isinstance(region.item, Box):
        return region
    if change.action is BoxAction.REMOVE:
        return replace(region, source=USER_REMOVED)
    moved = replace(corrected_box(change, label=region.item.label), confidence=None)
    return replace(region, item=moved, source=USER_MOVED)


def _added_boxes(proposal: Proposal) -> list[Box]:
    """Return the boxes that users added, an object that several of them added once."""
    boxes: list[Box] = []
    for change in _changes(proposal):
        if change.action is BoxAction.ADD:
            box = corrected_box(change, label="")
            if not any(box.label == other.label and iou(box, other) >= SAME_OBJECT_IOU for other in boxes):
                boxes.append(box)
    return boxes
