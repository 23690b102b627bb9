import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from feedback_sdk.types import Box, Polygon, Task
from feedback_sdk.wire import to_wire
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import LabelSource, Split
from tests.core.datasets_items import (
    PILL,
    TRIANGLE,
    TURNED,
    image_paths,
    json_lines,
    make_audit,
    make_data_set,
    make_item,
    written,
)

LABEL_PATH = f"labels/train/{'61'.rjust(64, '0')}.txt"


def label_lines(annotation, *, task=Task.DETECTION, **changes):
    """Return the label file of a single item as (class, numbers) per line."""
    files = written(make_data_set([make_item(annotation=annotation, **changes)], task=task), "yolo")
    lines = [line.split() for line in files[LABEL_PATH].decode().splitlines()]
    return [(int(line[0]), [float(number) for number in line[1:]]) for line in lines]


def in_pixels(numbers, *, width, height):
    return [number * side for number, side in zip(numbers, [width, height] * (len(numbers) // 2), strict=True)]


def corners(numbers, *, width, height):
    x, y, box_width, box_height = in_pixels(numbers, width=width, height=height)
    return [x - box_width / 2, y - box_height / 2, x + box_width / 2, y + box_height / 2]


def test_no_items_are_a_description_and_no_images():
    files = written(make_data_set([]), "yolo")
    assert list(files) == ["data.yaml", "items.jsonl"]
    assert files["items.jsonl"] == b""


def test_negative_is_an_empty_label_file():
    assert written(make_data_set([make_item()]), "yolo")[LABEL_PATH] == b""


def test_label_file_stands_beside_its_image():
    items = [make_audit("a", stream="door"), make_item("b", stream="hall")]
    frozen = {"stream:door": Split.TEST, "stream:hall": Split.VALIDATION}
    files = written(make_data_set(items, frozen=frozen), "yolo")
    images = image_paths(files)
    assert [path.split("/")[1] for path in images] == ["test", "val"]
    for path in images:
        assert path.replace("images/", "labels/").replace(".jpg", ".txt") in files


def test_description_finds_images_and_names():
    description = yaml.safe_load(written(make_data_set([]), "yolo")["data.yaml"])
    folders = {"train": "images/train", "val": "images/val", "test": "images/test"}
    assert description == folders | {"names": {0: "pill", 1: "capsule"}}


@given(st.lists(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])), unique=True))
def test_any_label_survives_the_description(labels):
    description = yaml.safe_load(written(make_data_set([], labels=labels), "yolo")["data.yaml"])
    assert description["names"] == dict(enumerate(labels))


def test_box_is_written_by_centre_and_size():
    assert label_lines(Annotation(boxes=(PILL,))) == [(0, [0.3, 0.5, 0.4, 0.5])]


SIDES = st.integers(min_value=1, max_value=100_000)


@given(SIDES, SIDES, st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_box_comes_back_to_within_a_thousandth_of_a_pixel(width, height, shares):
    (left, right), (top, bottom) = sorted(shares[:2]), sorted(shares[2:])
    sides = [left * width, top * height, right * width, bottom * height]
    if sides[2] - sides[0] < 0.01 or sides[3] - sides[1] < 0.01:
        return
    box = Box(label="pill", x_min=sides[0], y_min=sides[1], x_max=sides[2], y_max=sides[3])
    [(_, numbers)] = label_lines(Annotation(boxes=(box,)), width=width, height=height)
    assert corners(numbers, width=width, height=height) == pytest.approx(sides, abs=1e-3)


def test_rotated_box_is_enclosed_and_its_turn_kept_beside():
    files = written(make_data_set([make_item(annotation=Annotation(boxes=(TURNED,)))]), "yolo")
    [(_, numbers)] = label_lines(Annotation(boxes=(TURNED,)))
    reach = 10 * 2**0.5
    assert corners(numbers, width=100, height=80) == pytest.approx([50 - reach, 40 - reach, 50 + reach, 40 + reach])
    assert json_lines(files["items.jsonl"])[0]["annotation"]["boxes"] == [to_wire(TURNED)]


@pytest.mark.parametrize("task", [Task.DETECTION, Task.COUNTING])
def test_polygon_in_a_set_of_boxes_is_its_bounds(task):
    [(label, numbers)] = label_lines(Annotation(polygons=(TRIANGLE,)), task=task)
    assert label == 1
    assert corners(numbers, width=100, height=80) == pytest.approx([0, 0, 40, 30])


def test_polygon_comes_back_point_by_point():
    [(_, numbers)] = label_lines(Annotation(polygons=(TRIANGLE,)), task=Task.SEGMENTATION)
    assert in_pixels(numbers, width=100, height=80) == pytest.approx([0, 0, 40, 0, 0, 30])


def test_box_in_a_set_of_outlines_is_its_corners():
    [(_, numbers)] = label_lines(Annotation(boxes=(PILL,)), task=Task.SEGMENTATION)
    assert in_pixels(numbers, width=100, height=80) == pytest.approx([10, 20, 50, 20, 50, 60, 10, 60])


POINTS = st.tuples(st.floats(-50, 150), st.floats(-50, 150))


@given(st.lists(POINTS, min_size=3, max_size=8))
def test_no_number_leaves_the_unit_square(points):
    annotation = Annotation(polygons=(Polygon(label="pill", points=points),))
    for _, numbers in label_lines(annotation, task=Task.SEGMENTATION):
        assert len(numbers) >= 6
        assert 0 <= min(numbers) <= max(numbers) <= 1


@pytest.mark.parametrize(
    ("sources", "winner"),
    [
        ((LabelSource.ANNOTATOR, LabelSource.ANNOTATOR), 0),
        ((LabelSource.AFFIRMED, LabelSource.ANNOTATOR), 1),
        ((LabelSource.AFFIRMED, LabelSource.CONFIRMED), 1),
    ],
)
def test_stronger_label_source_speaks_for_an_image_of_two_samples(sources, winner):
    boxes = (PILL, Box(label="capsule", x_min=0.0, y_min=0.0, x_max=9.0, y_max=9.0))
    items = [
        make_item(name, image_sha256="f" * 64, label_source=source, annotation=Annotation(boxes=(box,)))
        for name, source, box in zip("ab", sources, boxes, strict=True)
    ]
    files = written(make_data_set(items, include=list(LabelSource)), "yolo")
    assert files[f"labels/train/{'f' * 64}.txt"].decode().split()[0] == str(winner)
    assert len(image_paths(files)) == 1
    assert len(json_lines(files["items.jsonl"])) == 2
