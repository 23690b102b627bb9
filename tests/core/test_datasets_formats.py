import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_sdk.types import Keypoint, Mask, Polygon, Rle, Task
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import FORMATS, LabelSource, check_format, render
from queue_server.errors import ExportError
from tests.core.datasets_items import MASK, PILL, TINY, TRIANGLE, make_audit, make_data_set, make_item, written

POINT = Keypoint(label="pill", x=1.0, y=2.0)
BROKEN = Mask(label="pill", rle=Rle(size=(3, 4), counts=[5]))
UNKNOWN = Polygon(label="tablet", points=[(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])


@pytest.mark.parametrize(
    ("format_name", "task", "message"),
    [
        ("coco", Task.CLASSIFICATION, "coco cannot hold classification; csv and jsonl can"),
        ("yolo", Task.CLASSIFICATION, "yolo cannot hold classification; csv and jsonl can"),
        ("yolo", Task.KEYPOINTS, "yolo cannot hold keypoints; coco, csv and jsonl can"),
        ("voc", Task.DETECTION, "format must be one of coco, yolo, csv, jsonl, got 'voc'"),
        ("", Task.DETECTION, "format must be one of coco, yolo, csv, jsonl, got ''"),
    ],
)
def test_format_that_cannot_hold_the_task_is_refused(format_name, task, message):
    with pytest.raises(ExportError) as raised:
        render(make_data_set([], task=task), format_name=format_name)
    assert str(raised.value) == message


def test_every_task_has_a_format():
    for task in Task:
        assert [name for name in FORMATS if task in FORMATS[name].holds]
        check_format("jsonl", task=task)


@pytest.mark.parametrize(
    ("format_name", "task", "annotation", "message"),
    [
        ("coco", Task.COUNTING, Annotation(count=3), "got 3 and 0 in sample a; csv and jsonl hold both"),
        ("yolo", Task.COUNTING, Annotation(count=0, boxes=(PILL,)), "got 0 and 1 in sample a"),
        ("coco", Task.SEGMENTATION, Annotation(polygons=(UNKNOWN,)), "got 'tablet' in sample a: add it to the"),
        ("yolo", Task.DETECTION, Annotation(polygons=(UNKNOWN,)), "got 'tablet' in sample a: add it to the"),
        ("coco", Task.SEGMENTATION, Annotation(masks=(MASK,)), r"must be \[80, 100\], got \[3, 4\] in sample a"),
        ("coco", Task.SEGMENTATION, Annotation(masks=(BROKEN,)), "masks that can be read; sample a"),
        ("yolo", Task.DETECTION, Annotation(masks=(BROKEN,)), "masks that can be read; sample a"),
        ("yolo", Task.DETECTION, Annotation(keypoints=(POINT,)), "belong to a box, got loose ones in sample a"),
    ],
)
def test_content_that_a_format_cannot_hold_is_refused_before_the_first_file(format_name, task, annotation, message):
    data_set = make_data_set([make_item(annotation=annotation)], task=task)
    with pytest.raises(ExportError, match=message):
        render(data_set, format_name=format_name)


def test_yolo_refuses_masks_where_outlines_are_asked_for():
    item = make_item(annotation=Annotation(masks=(MASK,)), **TINY)
    with pytest.raises(ExportError, match="outlines as polygons, got a mask in sample a; coco, csv and jsonl hold"):
        render(make_data_set([item], task=Task.SEGMENTATION), format_name="yolo")
    assert written(make_data_set([item], task=Task.DETECTION), "yolo")


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("annotation", [Annotation(), Annotation(count=0), Annotation(boxes=(PILL,), count=1)])
def test_count_that_the_objects_make_up_is_no_obstacle(format_name, annotation):
    assert written(make_data_set([make_item(annotation=annotation)], task=Task.COUNTING), format_name)


@pytest.mark.parametrize("format_name", FORMATS)
def test_negative_brings_its_image_into_every_format(format_name):
    files = written(make_data_set([make_item()]), format_name)
    [path] = [path for path in files if path.endswith(".jpg")]
    assert files[path].sha256 == make_item().image_sha256


ITEMS = [
    make_audit("a", annotation=Annotation(boxes=(PILL,)), stream="door"),
    make_item("b", annotation=Annotation(polygons=(TRIANGLE,)), subject="eve"),
    make_item("c", image_sha256="f" * 64, label_source=LabelSource.CONFIRMED),
    make_item("d", image_sha256="f" * 64, annotation=Annotation(boxes=(PILL,))),
    make_audit("e", subject="eve"),
]
SHARES = {"test_share": 0.4, "validation_share": 0.2}


@settings(max_examples=20, deadline=None)
@given(st.permutations(ITEMS), st.sampled_from(list(FORMATS)))
def test_same_items_in_any_order_give_the_same_bytes(items, format_name):
    expected = written(make_data_set(ITEMS, include=[LabelSource.CONFIRMED], **SHARES), format_name)
    files = written(make_data_set(items, include=[LabelSource.CONFIRMED], **SHARES), format_name)
    assert list(files.items()) == list(expected.items())
