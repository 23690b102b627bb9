from dataclasses import replace
from datetime import UTC, datetime

import pytest

from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Box, Prediction, Task
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import (
    Candidate,
    LabelSource,
    choose_annotation,
    from_prediction,
    last_words,
    parse_include,
)
from queue_server.errors import ExportError
from tests.core.datasets_items import make_data_set, make_item


def candidate(number, *, day=1, **changes):
    updated_at = datetime(2026, 11, day, tzinfo=UTC)
    return Candidate(id=number, annotation=Annotation(), annotator="ann", updated_at=updated_at, **changes)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([], None),
        ([candidate(1, is_skipped=True)], None),
        ([candidate(1), candidate(2, day=2)], 2),
        ([candidate(1, day=2), candidate(2)], 1),
        ([candidate(2), candidate(1)], 2),
        ([candidate(1), candidate(2, day=2, is_skipped=True)], 1),
        ([candidate(1, is_ground_truth=True), candidate(2, day=2)], 1),
        ([candidate(1, is_ground_truth=True), candidate(2, day=2, is_ground_truth=True)], 2),
        ([candidate(1, is_ground_truth=True, is_skipped=True), candidate(2)], 2),
    ],
)
def test_ground_truth_counts_else_the_latest_that_was_not_skipped(candidates, chosen):
    result = choose_annotation(candidates, task=Task.DETECTION)
    assert (result and result.id) == chosen


def said(number, annotator, count, **changes):
    """Return what an annotator counted, the later the higher its number."""
    return replace(candidate(number, day=number), annotator=annotator, annotation=Annotation(count=count), **changes)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([said(1, "ann", 7), said(2, "ben", 7)], 2),
        ([said(1, "ann", 7), said(2, "ben", 8)], None),
        ([said(1, "ann", 7), said(2, "ben", 8), said(3, "ann", 8)], 3),
        ([said(1, "ann", 7), said(2, "ben", 8), said(3, "cleo", 7)], 3),
        ([said(1, "ann", 7), said(2, "ben", 8, is_ground_truth=True), said(3, "cleo", 7)], 2),
        ([said(1, "ann", 7), said(2, "ben", 8, is_skipped=True)], 1),
        ([said(1, "ann", 7), said(2, "ben", 8), said(3, "cleo", 9, look=2)], 3),
        ([said(1, "ann", 7, look=2), said(2, "ann", 8)], 1),
        ([said(1, "ann", 7), said(2, "ben", 8, look=2), said(3, "ann", 9, look=2)], 1),
        ([said(1, "ann", 7), said(2, "ben", 8, look=2, is_skipped=True)], 1),
        ([said(1, "ann", 7, is_ground_truth=True), said(2, "ben", 8, look=2)], 1),
    ],
)
def test_majority_of_the_last_look_counts_where_nobody_marked_a_truth(candidates, chosen):
    result = choose_annotation(candidates, task=Task.COUNTING)
    assert (result and result.id) == chosen


def test_each_annotators_last_word_is_one_and_the_unknown_are_many():
    given = [said(1, "ann", 7), said(2, None, 8), said(3, "ann", 9), said(4, None, 8)]
    assert [one.id for one in last_words(given)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("", set()),
        ("confirmed", {LabelSource.CONFIRMED}),
        (" confirmed , affirmed,", {LabelSource.CONFIRMED, LabelSource.AFFIRMED}),
    ],
)
def test_include_names_label_sources(text, sources):
    assert parse_include(text) == sources


@pytest.mark.parametrize("text", ["rejected", "annotator", "confirmed;affirmed"])
def test_include_of_another_source_is_refused(text):
    with pytest.raises(ExportError, match="include must list confirmed or affirmed, got"):
        parse_include(text)


@pytest.mark.parametrize(
    ("include", "sample_ids"),
    [
        ([], ["a"]),
        ([LabelSource.CONFIRMED], ["a", "b"]),
        ([LabelSource.AFFIRMED, LabelSource.CONFIRMED], ["a", "b", "c"]),
    ],
)
def test_users_labels_come_only_when_asked_for(include, sample_ids):
    items = [make_item(name, label_source=source) for name, source in zip("abc", LabelSource, strict=True)]
    data_set = make_data_set(items, include=include)
    assert [example.item.sample_id for example in data_set.examples] == sample_ids


def test_sample_that_comes_twice_is_refused():
    with pytest.raises(ExportError, match="each sample must come once, got a twice"):
        make_data_set([make_item("a"), make_item("b"), make_item("a")])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_sha256", "../../etc/passwd"),
        ("image_sha256", "A" * 64),
        ("image_extension", ".jpg/../x"),
        ("image_extension", "jpg"),
        ("width", 0),
        ("captured_at", datetime(2026, 11, 20)),  # noqa: DTZ001
        ("inclusion_probability", 1.5),
        ("capture_probability", 0.0),
        ("stands_for", 0),
        ("audit_probability", 0.0),
        ("is_audit", True),
    ],
)
def test_item_that_cannot_be_is_refused(field, value):
    with pytest.raises(ValidationError) as raised:
        make_item(**{field: value})
    assert raised.value.field == field.replace("is_audit", "audit_probability")


@pytest.mark.parametrize(
    ("classes", "multi_label", "labels"),
    [
        (None, False, ()),
        ({"cat": 0.4, "dog": 0.6}, False, ("dog",)),
        ({"dog": 0.5, "cat": 0.5}, False, ("cat",)),
        ({"cat": 0.2, "dog": 0.3}, True, ()),
        ({"dog": 0.9, "cat": 0.5, "cow": 0.1}, True, ("cat", "dog")),
    ],
)
def test_predicted_classes_become_labels(classes, multi_label, labels):
    prediction = Prediction(model_version="1", task=Task.CLASSIFICATION, classes=classes, multi_label=multi_label)
    assert from_prediction(prediction).labels == labels


def test_predicted_objects_become_labels_without_confidence():
    box = Box(label="pill", x_min=0.0, y_min=0.0, x_max=1.0, y_max=1.0, confidence=0.4, classes={"pill": 0.4})
    annotation = from_prediction(Prediction(model_version="1", task=Task.COUNTING, count=1, boxes=[box]))
    assert annotation == Annotation(boxes=(Box(label="pill", x_min=0.0, y_min=0.0, x_max=1.0, y_max=1.0),), count=1)
