"""Labelling interfaces: our own for each task, and the checked mapping onto one that is there."""

from xml.etree import ElementTree as ET

import pytest
from label_studio_sdk.label_interface import LabelInterface

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Task
from queue_server.core.label_config import (
    OWN_CONTROLS,
    SOURCES,
    SPOT_LABEL,
    ControlNames,
    colour,
    label_config,
    mapping_from_config,
    own_controls,
)
from queue_server.errors import LabelStudioError

LABELS = ["pill", "capsule"]
FOREIGN = """<View><!-- made by hand -->
  <Header value="Mark each tablet"/>
  <Image name="photo" value="$url"/>
  <RectangleLabels name="kind" toName="photo">
    <Label value="capsule"/><Label value="pill"/><Label value="dust"/>
  </RectangleLabels>
</View>"""


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("multi_label", [False, True])
def test_interface_of_each_task_is_valid_for_label_studio(task, multi_label):
    LabelInterface(label_config(task=task, labels=LABELS, multi_label=multi_label)).validate()


@pytest.mark.parametrize(
    ("task", "controls"),
    [
        (Task.CLASSIFICATION, {"choice"}),
        (Task.DETECTION, {"boxes", "spots", "source"}),
        (Task.SEGMENTATION, {"polygons", "masks", "spots", "source"}),
        (Task.KEYPOINTS, {"keypoints", "spots", "source"}),
        (Task.COUNTING, {"boxes", "count", "spots", "source"}),
    ],
)
def test_own_interface_maps_onto_its_own_names(task, controls):
    found = mapping_from_config(label_config(task=task, labels=LABELS), task=task, labels=LABELS)
    assert found == own_controls(task) == ControlNames(**{name: name for name in controls})
    assert all(getattr(OWN_CONTROLS, name) == name for name in controls)


def test_labels_are_escaped_and_read_back_as_they_are():
    labels = ["a & b", '"<script>"', "Tablétte ≥ 5 mg", "'"]
    view = ET.fromstring(label_config(task=Task.DETECTION, labels=labels))
    assert [label.get("value") for label in view.find("RectangleLabels")] == labels


def test_image_cannot_be_rotated_and_the_words_stand_above_it():
    view = ET.fromstring(label_config(task=Task.DETECTION, labels=LABELS))
    assert view.find("Image").get("rotateControl") == "false"
    assert [tag.get("value") for tag in list(view)[:4]] == ["$summary", "$details", "$comment", "$image"]


def test_per_region_source_and_spots_have_our_values():
    view = ET.fromstring(label_config(task=Task.DETECTION, labels=LABELS))
    source = view.find("Choices[@name='source']")
    assert source.get("perRegion") == "true"
    assert tuple(choice.get("value") for choice in source) == SOURCES
    assert [label.get("value") for label in view.find("KeyPointLabels[@name='spots']")] == [SPOT_LABEL]


@pytest.mark.parametrize(("multi_label", "choice"), [(False, "single"), (True, "multiple")])
def test_several_classes_may_be_chosen_only_where_several_hold(multi_label, choice):
    config = label_config(task=Task.CLASSIFICATION, labels=LABELS, multi_label=multi_label)
    assert ET.fromstring(config).find("Choices").get("choice") == choice


def test_colours_are_the_same_each_time_and_differ():
    colours = [colour(index) for index in range(30)]
    assert colours == [colour(index) for index in range(30)]
    assert len(set(colours)) == 30


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "at least one"),
        (["a", "a"], "each once"),
        ([""], "must not be empty"),
        (["$a"], "begin with"),
        ([" a"], "spaces at their ends"),
    ],
)
def test_labels_that_label_studio_cannot_hold_are_refused(labels, message):
    with pytest.raises(ValidationError, match=message):
        label_config(task=Task.DETECTION, labels=labels)


def test_project_that_is_there_is_used_by_its_own_names():
    found = mapping_from_config(FOREIGN, task=Task.DETECTION, labels=LABELS)
    assert found == ControlNames(image="photo", image_key="url", boxes="kind")


def test_control_that_knows_all_labels_is_found_among_several():
    first = '<RectangleLabels name="size" toName="photo"><Label value="big"/></RectangleLabels>'
    config = FOREIGN.replace("<RectangleLabels name", first + "<RectangleLabels name", 1)
    assert mapping_from_config(config, task=Task.DETECTION, labels=LABELS).boxes == "kind"


def test_alias_stands_for_a_label():
    config = FOREIGN.replace('value="pill"', 'value="Tablette" alias="pill"')
    assert mapping_from_config(config, task=Task.DETECTION, labels=LABELS).boxes == "kind"


@pytest.mark.parametrize(
    ("config", "task", "message"),
    [
        ("", Task.DETECTION, "must be XML"),
        ("<View", Task.DETECTION, "must be XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', Task.DETECTION, "no document type or entities"),
        ("<View/>", Task.DETECTION, 'must have one <Image name="…" value="$…"/>, got 0'),
        (FOREIGN, Task.SEGMENTATION, "must have <PolygonLabels> or <BrushLabels> for segmentation, got none"),
        (FOREIGN, Task.COUNTING, "must have <Number> for counting, got none"),
        (
            FOREIGN.replace("pill", "tablet"),
            Task.DETECTION,
            "<RectangleLabels name='kind'> must have every label, lacks pill",
        ),
        (FOREIGN.replace("Mark each tablet", "$caption"), Task.DETECTION, r"beside its image, got \$caption"),
        (FOREIGN.replace('toName="photo"', 'toName="other"'), Task.DETECTION, "must have <RectangleLabels>"),
    ],
)
def test_project_that_cannot_hold_the_task_is_refused_with_the_reason(config, task, message):
    with pytest.raises(LabelStudioError) as caught:
        mapping_from_config(config, task=task, labels=LABELS)
    assert message.replace("\\", "") in str(caught.value)
    assert caught.value.permanent
