"""Label Studio's tasks and annotations: a proposal out, an annotator's finished label back, and what changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Box, Keypoint, Mask, Point, Polygon
from queue_server.core import rle
from queue_server.core.agreement import common_objects
from queue_server.core.annotation import Annotation, Difference
from queue_server.core.label_config import OWN_CONTROLS, USER_REMOVED, ControlNames
from queue_server.core.proposals import (
    ID_PREFIXES,
    Proposal,
    Region,
    model_count,
    model_labels,
    model_regions,
    shown_regions,
    spot_region,
    spots,
    user_count,
    user_labels,
    user_regions,
)
from queue_server.core.regions import Canvas, Json, read_region, shown_box, write_region, write_source
from queue_server.core.shapes import XY, centre, corners
from queue_server.core.wording import comments, details, summary

#: The one model version of every pre-annotation: a label stream shows only the version that its project saw first.
MODEL_VERSION = "looks-wrong"

#: A region moved by less is the same: percent are rounded on their way through a browser.
SAME_PLACE_PX = 0.5
#: The share of a mask's pixels that may differ for the same reason.
SAME_MASK_SHARE = 0.001


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """What one voice says is in the image."""

    regions: tuple[Region, ...]
    labels: tuple[str, ...] = ()
    count: int | None = None


def pre_annotation(proposal: Proposal, *, controls: ControlNames) -> dict[str, object]:
    """Return the task to import: its data, and the proposal as a prediction of constant version.

    Objects for which the project has no control are left out, and `details` says so. A blind task has no prediction.

    >>> proposal = Proposal(sample_id="1", image_url="http://i", width=4, height=3, reason="random")
    >>> task = pre_annotation(proposal, controls=OWN_CONTROLS)
    >>> task["data"]["inbox"], task["predictions"]
    ('yes', [])
    """
    result = _result(proposal, controls) if not proposal.is_blind else []
    if proposal.is_blind or (proposal.prediction is None and not result):
        return {"data": task_data(proposal, controls=controls), "predictions": []}
    prediction: dict[str, object] = {"model_version": MODEL_VERSION, "result": result}
    if proposal.confidence is not None:
        prediction["score"] = proposal.confidence
    return {"data": task_data(proposal, controls=controls), "predictions": [prediction]}


def task_data(proposal: Proposal, *, controls: ControlNames) -> dict[str, object]:
    """Return the data of a proposal's task, also to bring one up to date that is there.

    `inbox` names what shows it: "yes" the inbox, "no" nothing, else the tab of that name. A blind task has the same
    keys, with nothing in those that tell what the model or the users say.

    >>> proposal = Proposal(sample_id="1", image_url="", width=4, height=3, reason="random", priority=60.0)
    >>> task_data(proposal, controls=OWN_CONTROLS)["priority"]
    60.0
    """
    return {
        **proposal.extra,
        "image": proposal.image_url,
        controls.image_key: proposal.image_url,
        "sample_id": proposal.sample_id,
        "priority": proposal.priority,
        # The inbox's order: Label Studio's label stream compares data as text on PostgreSQL, where "60" > "100".
        "rank": f"{proposal.priority if proposal.rank is None else proposal.rank:08.3f}",
        "generation": proposal.generation,
        "look": proposal.look,
        "stands_for": proposal.stands_for,
        "inbox": (proposal.tab or "yes") if proposal.is_in_inbox else "no",
        **(_BLIND if proposal.is_blind else _told(proposal, controls)),
    }


def _told(proposal: Proposal, controls: ControlNames) -> dict[str, object]:
    return {
        "reason": proposal.reason,
        "reasons": ", ".join(proposal.reasons or (proposal.reason,)),
        "model_version": proposal.model_version,
        "confidence": proposal.confidence,
        "summary": summary(proposal),
        "details": details(proposal, controls),
        "comment": comments(proposal),
        "user_count": user_count(proposal),
        "tags": ", ".join(proposal.tags),
    }


#: Tags too may tell why a sample was chosen.
_BLIND: dict[str, object] = {
    "reason": "",
    "reasons": "",
    "model_version": None,
    "confidence": None,
    "summary": "Label what you see",
    "details": "",
    "comment": "",
    "user_count": None,
    "tags": "",
}


def annotation(result: Sequence[Json], *, width: int, height: int, controls: ControlNames = OWN_CONTROLS) -> Annotation:
    """Return an annotator's finished label in pixels of the stored image of this size.

    Users' spots are left out, and regions still marked as removed by a user: leaving that mark agrees with it.
    Raises ValidationError, with the region's index, for what cannot be read.

    >>> value = {"x": 0.0, "y": 0.0, "width": 50.0, "height": 50.0, "rotation": 0, "rectanglelabels": ["pill"]}
    >>> region = {"id": "m0", "from_name": "boxes", "to_name": "image", "type": "rectanglelabels", "value": value}
    >>> annotation([region], width=640, height=480).boxes[0].x_max
    320.0
    """
    return _annotation(_read(result, Canvas(width=width, height=height), controls))


def _annotation(view: _View) -> Annotation:
    return Annotation(
        boxes=tuple(region.item for region in view.regions if isinstance(region.item, Box)),
        polygons=tuple(region.item for region in view.regions if isinstance(region.item, Polygon)),
        masks=tuple(region.item for region in view.regions if isinstance(region.item, Mask)),
        keypoints=tuple(region.item for region in view.regions if isinstance(region.item, Keypoint)),
        labels=view.labels,
        count=view.count,
    )


def model_difference(result: Sequence[Json], proposal: Proposal, *, controls: ControlNames) -> Difference | None:
    """Return how an annotation differs from what the model said; None where it said nothing.

    Regions are the same by their ids; those of a blind task, which was drawn from nothing, by their places.

    >>> empty = Proposal(sample_id="1", image_url="", width=4, height=3, reason="random")
    >>> model_difference([], empty, controls=OWN_CONTROLS) is None
    True
    """
    if proposal.prediction is None:
        return None
    own = _View(
        regions=model_regions(proposal),
        labels=model_labels(proposal.prediction),
        count=model_count(proposal.prediction),
    )
    return _difference(result, own, proposal, controls)


def user_difference(result: Sequence[Json], proposal: Proposal, *, controls: ControlNames) -> Difference | None:
    """Return how an annotation differs from what the users say is there; None where no user corrected anything.

    >>> empty = Proposal(sample_id="1", image_url="", width=4, height=3, reason="random")
    >>> user_difference([], empty, controls=OWN_CONTROLS) is None
    True
    """
    if not any(said.correction for said in proposal.verdicts):
        return None
    theirs = _View(regions=user_regions(proposal), labels=user_labels(proposal), count=user_count(proposal))
    return _difference(result, theirs, proposal, controls)


def _result(proposal: Proposal, controls: ControlNames) -> list[dict[str, object]]:
    canvas = Canvas(width=proposal.width, height=proposal.height)
    return [
        *_written_regions([*_drawable(proposal, controls), *_spots(proposal, controls)], controls, canvas),
        *_written_values(proposal, controls),
    ]


def _drawable(proposal: Proposal, controls: ControlNames) -> Iterator[Region]:
    for region in shown_regions(proposal):
        if getattr(controls, region.control) is not None:
            yield region


def _spots(proposal: Proposal, controls: ControlNames) -> Iterator[Region]:
    """Yield the users' spots; a box that they added where there are no boxes becomes one."""
    if controls.spots is None:
        return
    points = list(spots(proposal))
    if controls.boxes is None:
        added = [item.item for item in user_regions(proposal) if item.id.startswith("u") and isinstance(item.item, Box)]
        points += [Point(x=x, y=y) for x, y in map(centre, added)]
    yield from (spot_region(index, point) for index, point in enumerate(points))


def _written_regions(regions: Sequence[Region], controls: ControlNames, canvas: Canvas) -> Iterator[dict[str, object]]:
    for region in regions:
        yield write_region(region, name=getattr(controls, region.control), image=controls.image, canvas=canvas)
        if region.source is not None and controls.source is not None:
            yield write_source(region, name=controls.source, image=controls.image, canvas=canvas)


def _written_values(proposal: Proposal, controls: ControlNames) -> Iterator[dict[str, object]]:
    """Yield the values of the whole image: the model's class and its count."""
    labels, count = model_labels(proposal.prediction), model_count(proposal.prediction)
    if controls.choice is not None and labels:
        value: dict[str, object] = {"choices": list(labels)}
        yield {"id": "c0", "from_name": controls.choice, "to_name": controls.image, "type": "choices", "value": value}
    if controls.count is not None and count is not None:
        value = {"number": count}
        yield {"id": "n0", "from_name": controls.count, "to_name": controls.image, "type": "number", "value": value}


def _read(result: Sequence[Json], canvas: Canvas, controls: ControlNames) -> _View:
    names = {name: field.name for field in fields(controls) if (name := getattr(controls, field.name)) is not None}
    regions: list[Region] = []
    removed: set[object] = set()
    labels: list[str] = []
    count = None
    for index, written in enumerate(result):
        control = names.get(str(written.get("from_name")))
        try:
            if control in ID_PREFIXES:
                region = read_region(written, control=control, canvas=canvas)
                regions += [region] if region is not None else []
            elif control == "source" and USER_REMOVED in _choices(written):
                removed.add(written.get("id"))
            elif control == "choice":
                labels += _choices(written)
            elif control == "count":
                count = _whole_number(written)
        except ValidationError as error:
            raise ValidationError(f"result.{index}.{error.field}", f"result.{index}: {error.message}") from error
    kept = tuple(region for region in regions if region.id not in removed)
    return _View(regions=kept, labels=tuple(labels), count=count)


def _choices(written: Json) -> list[str]:
    value = written.get("value")
    choices = value.get("choices") if isinstance(value, Mapping) else None
    if not isinstance(choices, Sequence) or not all(isinstance(choice, str) for choice in choices):
        raise ValidationError("choices", f"choices must be a list of texts, got {choices!r}")
    return list(choices)


def _whole_number(written: Json) -> int:
    value = written.get("value")
    number = value.get("number") if isinstance(value, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int | float) or not float(number).is_integer() or number < 0:
        raise ValidationError("number", f"number must be a whole number >= 0, got {number!r}")
    return int(number)


def _difference(result: Sequence[Json], said: _View, proposal: Proposal, controls: ControlNames) -> Difference:
    """Compare objects, and chosen classes by their names."""
    canvas = Canvas(width=proposal.width, height=proposal.height)
    final = _read(result, canvas, controls)
    before = tuple(item for item in said.regions if getattr(controls, item.control) is not None)
    if proposal.is_blind:
        same = both = common_objects(_annotation(_View(regions=before)), _annotation(final))
    else:
        same, both = _same_by_id(before, final.regions, canvas)
    kept, changed, removed, added = _compare_labels(said.labels, final.labels, controls)
    return Difference(
        kept=same + kept,
        changed=both - same + changed,
        removed=len(before) - both + removed,
        added=len(final.regions) - both + added,
        count_difference=_count_difference(final, said),
    )


def _same_by_id(before: Sequence[Region], after: Sequence[Region], canvas: Canvas) -> tuple[int, int]:
    """Return how many regions are the same, and how many are there before and after."""
    ones, others = {item.id: item for item in before}, {item.id: item for item in after}
    both = ones.keys() & others.keys()
    return sum(_is_same(ones[key], others[key], canvas) for key in both), len(both)


def _compare_labels(said: Sequence[str], final: Sequence[str], controls: ControlNames) -> tuple[int, int, int, int]:
    """Return how many classes were kept, exchanged, removed and added."""
    if controls.choice is None:
        return 0, 0, 0, 0
    kept, gone, new = set(said) & set(final), set(said) - set(final), set(final) - set(said)
    exchanged = min(len(gone), len(new))
    return len(kept), exchanged, len(gone) - exchanged, len(new) - exchanged


def _count_difference(final: _View, said: _View) -> int | None:
    if said.count is None:
        return None
    return (len(final.regions) if final.count is None else final.count) - said.count


def _is_same(one: Region, other: Region, canvas: Canvas) -> bool:
    before, after = one.item, other.item
    if before.label != after.label:
        return False
    if isinstance(before, Mask) and isinstance(after, Mask):
        return _is_same_mask(before, after)
    if isinstance(before, Box) and isinstance(after, Box):
        # Label Studio may describe a turned box from another corner.
        places = corners(shown_box(after, canvas))
        points = corners(shown_box(before, canvas))
        return all(min(_distance(point, place) for place in places) <= SAME_PLACE_PX for point in points)
    return _is_same_line(_points(before), _points(after))


def _is_same_line(before: Sequence[XY], after: Sequence[XY]) -> bool:
    pairs = zip(before, after, strict=False)
    return len(before) == len(after) and all(_distance(one, other) <= SAME_PLACE_PX for one, other in pairs)


def _points(item: Box | Polygon | Mask | Keypoint) -> tuple[XY, ...]:
    if isinstance(item, Polygon):
        return tuple(item.points)
    return ((item.x, item.y),) if isinstance(item, Keypoint) else ()


def _distance(one: XY, other: XY) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _is_same_mask(one: Mask, other: Mask) -> bool:
    before, after = rle.decode(one.rle), rle.decode(other.rle)
    if before.shape != after.shape:
        return False
    return bool(np.count_nonzero(before != after) <= SAME_MASK_SHARE * np.count_nonzero(before | after))
