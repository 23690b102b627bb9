import csv
import io
import json

import pytest
from pydantic import TypeAdapter

from feedback_sdk.types import Keypoint, Task
from feedback_sdk.wire import to_wire
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import Split
from tests.core.datasets_items import (
    MASK,
    PILL,
    TINY,
    TRIANGLE,
    image_paths,
    json_lines,
    make_audit,
    make_data_set,
    make_item,
    written,
)


def rows(*items, **changes):
    """Return the rows of objects.csv."""
    content = written(make_data_set(items, **changes), "csv")["objects.csv"]
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize(("format_name", "path", "lines"), [("csv", "objects.csv", 1), ("jsonl", "items.jsonl", 0)])
def test_no_items_are_a_table_without_rows(format_name, path, lines):
    files = written(make_data_set([]), format_name)
    assert list(files) == [path]
    assert len(files[path].splitlines()) == lines


@pytest.mark.parametrize(
    ("annotation", "kinds"),
    [
        (Annotation(), ["negative"]),
        (Annotation(count=0), ["negative"]),
        (Annotation(count=3), ["count"]),
        (Annotation(labels=("pill", "capsule")), ["label", "label"]),
        (Annotation(boxes=(PILL, PILL), count=2), ["box", "box"]),
        (Annotation(polygons=(TRIANGLE,), keypoints=(Keypoint(label="pill", x=1.0, y=2.0),)), ["polygon", "keypoint"]),
        (Annotation(masks=(MASK,)), ["mask"]),
    ],
)
def test_csv_has_a_row_per_object_and_one_for_nothing(annotation, kinds):
    found = rows(make_item(annotation=annotation), task=Task.COUNTING)
    assert [row["kind"] for row in found] == kinds
    assert {row["count"] for row in found} == {"" if annotation.count is None else str(annotation.count)}


def test_csv_box_has_its_corners_and_label():
    [row] = rows(make_item(annotation=Annotation(boxes=(PILL,))))
    assert [row[name] for name in ("label", "x_min", "y_min", "x_max", "y_max")] == [
        "pill",
        "10.0",
        "20.0",
        "50.0",
        "60.0",
    ]
    assert (row["rotation_degrees"], row["points"], row["rle"], row["x"]) == ("0.0", "", "", "")


def test_csv_outlines_and_masks_are_json():
    polygon, mask = rows(make_item(annotation=Annotation(polygons=(TRIANGLE,), masks=(MASK,))))
    assert json.loads(polygon["points"]) == [[0.0, 0.0], [40.0, 0.0], [0.0, 30.0]]
    assert json.loads(mask["rle"]) == {"size": [3, 4], "counts": [7, 2, 1, 2]}


def test_csv_row_carries_its_provenance():
    item = make_audit("a", stream="door", tags=("night", "wet"))
    [row] = rows(item, frozen={"stream:door": Split.TEST})
    expected = {"sample_id": "a", "split": "test", "weight": "10.0", "label_source": "annotator", "annotator": "ann"}
    expected |= {"model_version": "counter-7", "reason": "user_rejected", "inclusion_probability": "0.5"}
    expected |= {"is_audit": "true", "audit_probability": "0.1", "captured_at": "2026-11-20T12:00:00Z"}
    expected |= {
        "stream": "door",
        "subject": "",
        "tags": '["night","wet"]',
        "image": f"images/{'61'.rjust(64, '0')}.jpg",
    }
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize("text", ["=1+1", 'say "hi"', "a,b", "two\nlines", "@x", "Möhre"])
def test_csv_keeps_values_exactly(text):
    [row] = rows(make_item(annotator=text, annotation=Annotation(labels=(text,))), task=Task.CLASSIFICATION)
    assert (row["annotator"], row["label"]) == (text, text)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotation(),
        Annotation(count=0),
        Annotation(count=3),
        Annotation(labels=("pill",)),
        Annotation(boxes=(PILL,), polygons=(TRIANGLE,), masks=(MASK,)),
        Annotation(keypoints=(Keypoint(label="pill", x=1.0, y=2.0),)),
    ],
)
@pytest.mark.parametrize("task", Task)
def test_jsonl_gives_back_every_annotation_of_every_task(annotation, task):
    [line] = json_lines(written(make_data_set([make_item(annotation=annotation)], task=task), "jsonl")["items.jsonl"])
    assert TypeAdapter(Annotation).validate_json(json.dumps(line["annotation"])) == annotation


def test_jsonl_line_names_its_image():
    files = written(make_data_set([make_item(annotation=Annotation(masks=(MASK,)), **TINY)]), "jsonl")
    [line] = json_lines(files["items.jsonl"])
    assert [line["image"]] == image_paths(files)
    assert line["annotation"] == {"masks": [to_wire(MASK)]}


@pytest.mark.parametrize("format_name", ["csv", "jsonl"])
def test_same_image_of_two_samples_is_one_file(format_name):
    items = [make_item(name, image_sha256="f" * 64) for name in "ab"]
    assert len(image_paths(written(make_data_set(items), format_name))) == 1
