"""Model cards: what a file may say, how training and production differ, documents that show texts as they are."""

import numpy as np
import pytest

from queue_server.core.model_card import (
    Heading,
    Items,
    Paragraph,
    Registered,
    Table,
    label_difference,
    metric_differences,
    read_coco,
    read_registered,
    registered_document,
    to_html,
    to_markdown,
)
from queue_server.errors import PolicyError
from queue_server.model_file import parse

FILE = """
version: v8
architecture: RT-DETR, ResNet-50
hyperparameters: {epochs: 50, optimizer: {name: adamw, betas: [0.9, 0.999]}, note: ""}
metrics: {ap50: 0.91, ap: 1}
deployment: [copy the weights, restart]
maintenance: retrain at 500 errors
"""


def test_file_with_a_version_alone_says_enough() -> None:
    assert parse("version: v8") == Registered(version="v8")


def test_file_is_read_and_written_back_the_same() -> None:
    found = parse(FILE)
    assert (found.metrics, found.maintenance) == ({"ap50": 0.91, "ap": 1.0}, ("retrain at 500 errors",))
    assert read_registered(registered_document(found)) == found


@pytest.mark.parametrize(
    ("text", "line", "field", "message"),
    [
        ("[]", None, "", "must hold a mapping"),
        ("architecture: x", None, "version", "must be a text, got None"),
        ("version: 8", 1, "version", "put it into quotes"),
        ("version: v8\narchitektur: x", 2, "architektur", "did you mean architecture?"),
        ("version: v8\nmetrics:\n  ap: high", 3, "metrics.ap", "must be a finite number, got 'high'"),
        ("version: v8\nmetrics: {ap: .nan}", 2, "metrics.ap", "got nan"),
        ("version: v8\nmetrics: {ok: true}", 2, "metrics.ok", "got True"),
        ("version: v8\ntrained_on: yesterday", 2, "trained_on", "must be the id of an export"),
        ("version: v8\ndeployment: {a: b}", 2, "deployment", "must be a list"),
        ("version: v8\ndeployment:\n- x\n- 3", 4, "deployment.1", "must be a text, got 3"),
        ("version: v8\nhyperparameters: [1]", 2, "hyperparameters", "must be a mapping"),
        ("version: v8\nhyperparameters: {a: 2026-01-01}", 2, "hyperparameters.a", "must be a text, a number"),
        ("version: v8\nhyperparameters: {a: {b: {c: {d: {e: {f: 1}}}}}}", 2, "hyperparameters.a.b.c.d.e", "5 levels"),
        (f"version: {'v' * 201}", 1, "version", "at most 200 characters, got 201"),
    ],
)
def test_file_that_is_wrong_says_where(text: str, line: int | None, field: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    (fault,) = caught.value.faults
    assert (fault.line or None, fault.field) == (line or fault.line, field)
    assert message in fault.message


IMAGE = {"id": 1, "file_name": "a.jpg", "width": 4, "height": 3}
COCO = {"images": [IMAGE], "annotations": [], "categories": [{"id": 7, "name": "pill"}]}


def test_image_without_objects_is_read() -> None:
    (found,) = read_coco(COCO, source="train.json")
    assert (found.file_name, found.labels, found.object_count) == ("a.jpg", {}, 0)


def test_objects_are_counted_by_label_and_crowds_are_not() -> None:
    objects = [{"id": n, "image_id": 1, "category_id": 7, "iscrowd": n == 2} for n in range(3)]
    (found,) = read_coco(COCO | {"annotations": objects}, source="train.json")
    assert (found.labels, found.object_count) == ({"pill": 2}, 2)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must hold an object"),
        ({}, "'categories'"),
        (COCO | {"images": [1]}, "'images'"),
        (COCO | {"images": [IMAGE | {"width": "4"}]}, "width and height"),
        (COCO | {"annotations": [{"image_id": 1, "category_id": 8}]}, "among its categories, got 8"),
        (COCO | {"annotations": [{"category_id": 7}]}, "'image_id' in each object"),
    ],
)
def test_file_that_is_no_coco_is_refused(document: object, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        read_coco(document, source="train.json")
    assert caught.value.field == "train.json"


@pytest.mark.parametrize(("one", "other", "effect"), [(0.0, 0.0, 0.0), (0.0, 1.0, np.pi), (0.5, 0.4, -0.2014)])
def test_shares_differ_by_cohens_h(one: float, other: float, effect: float) -> None:
    assert label_difference("pill", one, other).effect == pytest.approx(effect, abs=1e-4)


def test_metrics_that_differ_most_come_first_and_unknown_ones_not_at_all() -> None:
    rng = np.random.default_rng(3)
    near, far = rng.normal(0, 1, 500), rng.normal(2, 1, 500)
    gaps = np.where(np.arange(500) < 250, np.nan, near)
    reference = {"a": near, "b": near, "c": near, "e": np.full(500, np.nan)}
    production = {"a": gaps, "b": far, "d": far, "e": near}
    found = metric_differences(reference, production)
    assert [one.name for one in found] == ["b", "a"]
    assert found[0].effect == pytest.approx(2.0, abs=0.2)
    assert abs(found[1].effect) < 0.2


def test_figure_that_never_changes_has_no_effect() -> None:
    (found,) = metric_differences({"a": np.ones(3)}, {"a": np.ones(3)})
    assert found.effect == 0.0


HOSTILE = "<script>alert(1)</script> | *a* [b](c) `d`\nnext"
BLOCKS = (Heading(1, HOSTILE), Paragraph(HOSTILE), Items((HOSTILE,), is_numbered=True), Table(("a",), ((HOSTILE,),)))


def test_empty_document_is_one_line() -> None:
    assert to_markdown([]) == "\n"


def test_markdown_shows_texts_as_they_are() -> None:
    text = to_markdown(BLOCKS)
    assert "<script" not in text.replace("\\<", "")
    assert text.count("\\*a\\* \\[b\\](c) \\`d\\` next") == 4


def test_html_escapes_every_text() -> None:
    text = to_html(BLOCKS, title=HOSTILE)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5
    assert text.startswith("<!doctype html>")
