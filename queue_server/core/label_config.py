"""Label Studio's labelling interface: the XML of a new project, and the checked mapping onto one that is there."""

import colorsys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Task
from queue_server.errors import LabelStudioError

#: The choices of a region's `source`: what a user did to it.
USER_ADDED, USER_MOVED, USER_REMOVED = SOURCES = ("user_added", "user_moved", "user_removed")
SPOT_LABEL = "missed here"
SPOT_COLOUR = "#ff00c8"

#: What a labelling interface may show of a task beside its image; every task has all of them.
SHOWN_DATA = ("summary", "details", "comment")

#: The field of ControlNames -> the tag of its control.
_TAGS = {
    "boxes": "RectangleLabels",
    "polygons": "PolygonLabels",
    "masks": "BrushLabels",
    "keypoints": "KeyPointLabels",
    "choice": "Choices",
    "count": "Number",
}
#: The controls that a task's own interface has.
_CONTROLS = {
    Task.CLASSIFICATION: ("choice",),
    Task.DETECTION: ("boxes",),
    Task.SEGMENTATION: ("polygons", "masks"),
    Task.KEYPOINTS: ("keypoints",),
    Task.COUNTING: ("boxes", "count"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlNames:
    """The names of the controls that hold our regions; None: this labelling interface has no such control."""

    image: str = "image"
    #: the key of a task's data that the image tag reads
    image_key: str = "image"
    boxes: str | None = None
    polygons: str | None = None
    masks: str | None = None
    keypoints: str | None = None
    choice: str | None = None
    count: str | None = None
    spots: str | None = None
    source: str | None = None


#: What `label_config` calls its controls, over all tasks: enough to read an annotation, too much to write one.
OWN_CONTROLS = ControlNames(**{field: field for field in (*_TAGS, "spots", "source")})


def own_controls(task: Task) -> ControlNames:
    """Return the controls that `label_config` makes for a task.

    >>> own_controls(Task.CLASSIFICATION).choice, own_controls(Task.CLASSIFICATION).boxes
    ('choice', None)
    """
    users = () if task is Task.CLASSIFICATION else ("spots", "source")
    return ControlNames(**{field: field for field in (*_CONTROLS[task], *users)})


def label_config(*, task: Task, labels: Sequence[str], multi_label: bool = False) -> str:
    """Return the XML of a project's labelling interface: what was said of the image above it, its controls below.

    Raises ValidationError for labels that Label Studio cannot hold.

    >>> "RectangleLabels" in label_config(task=Task.DETECTION, labels=["pill"])
    True
    """
    _check_labels(labels)
    view = ET.Element("View")
    for key, size in zip(SHOWN_DATA, ("4", "5", "5"), strict=True):
        ET.SubElement(view, "Header", value=f"${key}", size=size)
    # A rotated image changes the frame of every coordinate, so the button is off.
    ET.SubElement(view, "Image", name="image", value="$image", zoom="true", zoomControl="true", rotateControl="false")
    for control in _CONTROLS[task]:
        _add_control(view, control, labels=labels, multi_label=multi_label)
    if task is not Task.CLASSIFICATION:
        _add_user_controls(view)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def colour(index: int) -> str:
    """Return the colour of the label at this index; neighbours stand far apart on the wheel.

    >>> colour(0), colour(1)
    ('#e63c3c', '#3ce66d')
    """
    red, green, blue = colorsys.hsv_to_rgb(index * 0.381966 % 1.0, 0.74, 0.9)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def mapping_from_config(xml: str, *, task: Task, labels: Sequence[str]) -> ControlNames:
    """Return which controls of a project's labelling interface hold the regions of this task.

    Raises LabelStudioError, with what to add, where it cannot hold the task or lacks a label.

    >>> xml = label_config(task=Task.COUNTING, labels=["pill"])
    >>> mapping_from_config(xml, task=Task.COUNTING, labels=["pill"]).count
    'count'
    """
    view = _parsed(xml)
    image = _image(view)
    name = image.get("name", "")
    controls = [tag for tag in view.iter() if name in tag.get("toName", "").split(",")]
    found = {field: _holding(controls, field, labels) for field in _TAGS}
    _check_holds(controls, found, task=task, labels=labels)
    return ControlNames(
        image=name,
        image_key=image.get("value", "").removeprefix("$"),
        spots=_named(controls, "KeyPointLabels", [SPOT_LABEL], is_per_region=False),
        source=_named(controls, "Choices", SOURCES, is_per_region=True),
        **found,
    )


def _check_labels(labels: Sequence[str]) -> None:
    for index, label in enumerate(labels):
        if label != label.strip() or not label or label.startswith("$"):
            raise ValidationError(
                f"labels.{index}",
                f"labels must not be empty, begin with '$' or have spaces at their ends, got {label!r}",
            )
    if len(set(labels)) != len(labels) or not labels:
        raise ValidationError("labels", f"labels must be at least one, each once, got {list(labels)}")


def _add_control(view: ET.Element, field: str, *, labels: Sequence[str], multi_label: bool) -> None:
    control = ET.SubElement(view, _TAGS[field], name=field, toName="image")
    if field == "count":
        control.attrib |= {"min": "0", "step": "1"}
    elif field == "choice":
        control.attrib |= {"choice": "multiple" if multi_label else "single", "showInline": "true"}
        for label in labels:
            ET.SubElement(control, "Choice", value=label)
    else:
        for index, label in enumerate(labels):
            ET.SubElement(control, "Label", value=label, background=colour(index))


def _add_user_controls(view: ET.Element) -> None:
    spots = ET.SubElement(view, "KeyPointLabels", name="spots", toName="image")
    ET.SubElement(spots, "Label", value=SPOT_LABEL, background=SPOT_COLOUR)
    source = ET.SubElement(view, "Choices", name="source", toName="image", perRegion="true", choice="single")
    for value in SOURCES:
        ET.SubElement(source, "Choice", value=value)


def _parsed(xml: str) -> ET.Element:
    # Entities are the one danger of XML from elsewhere, and a labelling interface needs none.
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise LabelStudioError("the labelling interface must hold no document type or entities", permanent=True)
    try:
        return ET.fromstring(xml)  # noqa: S314  # entities were refused above
    except ET.ParseError as error:
        raise LabelStudioError(f"the labelling interface must be XML, got {error}", permanent=True) from None


def _image(view: ET.Element) -> ET.Element:
    """Return the one image tag, checked that a task's data holds all that the interface reads."""
    images = [tag for tag in view.iter("Image") if tag.get("name") and tag.get("value", "").startswith("$")]
    if len(images) != 1:
        message = f'the labelling interface must have one <Image name="…" value="$…"/>, got {len(images)}'
        raise LabelStudioError(message, permanent=True)
    given = {f"${key}" for key in (*SHOWN_DATA, "image", "sample_id", "reason", "model_version")}
    for tag in view.iter():
        value = tag.get("value", "")
        if value.startswith("$") and value not in given and tag is not images[0]:
            message = f"the labelling interface must read only {', '.join(sorted(given))} beside its image, got {value}"
            raise LabelStudioError(message, permanent=True)
    return images[0]


def _holding(controls: Sequence[ET.Element], field: str, labels: Sequence[str]) -> str | None:
    if field == "count":
        return _named(controls, "Number", (), is_per_region=False)
    return _named(controls, _TAGS[field], labels, is_per_region=False)


def _named(controls: Sequence[ET.Element], tag: str, labels: Sequence[str], *, is_per_region: bool) -> str | None:
    """Return the name of the first such control that knows every label."""
    for control in _with_tag(controls, tag, is_per_region=is_per_region):
        if set(labels) <= set(_labels(control)):
            return control.get("name")
    return None


def _with_tag(controls: Sequence[ET.Element], tag: str, *, is_per_region: bool) -> Iterator[ET.Element]:
    for control in controls:
        if control.tag == tag and (control.get("perRegion") == "true") is is_per_region:
            yield control


def _labels(control: ET.Element) -> list[str]:
    # An alias takes the label's place in the results.
    return [tag.get("alias") or tag.get("value") or "" for tag in control.iter() if tag.tag in {"Label", "Choice"}]


def _check_holds(
    controls: Sequence[ET.Element], found: dict[str, str | None], *, task: Task, labels: Sequence[str]
) -> None:
    # Counting needs its number alone: what it counts may be marked or not. An outline or a brush is enough.
    needed = ("count",) if task is Task.COUNTING else _CONTROLS[task]
    if any(found[field] for field in needed):
        return
    tags = " or ".join(f"<{_TAGS[field]}>" for field in needed)
    near = [control for field in needed for control in _with_tag(controls, _TAGS[field], is_per_region=False)]
    if not near:
        message = f"its labelling interface must have {tags} for {task}, got none"
    else:
        missing = [label for label in labels if label not in _labels(near[0])]
        message = f"its <{near[0].tag} name={near[0].get('name')!r}> must have every label, lacks {', '.join(missing)}"
    raise LabelStudioError(f"the Label Studio project cannot be used: {message}", permanent=True)
