import json
from datetime import timedelta
from uuid import UUID

import pytest

from feedback_sdk.types import Task
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import LabelSource, Split, export_id, manifest
from tests.core.datasets_items import PILL, make_audit, make_data_set, make_item

BOXED = make_item("b", annotation=Annotation(boxes=(PILL,)))


def manifest_of(*items, format_name="coco", **changes):
    return manifest(make_data_set(items, **changes), format_name=format_name)


def id_of(*items, **changes):
    return export_id(manifest_of(*items, **changes))


def test_no_items_have_a_manifest_and_an_id():
    assert json.loads(manifest_of())["counts"]["items"] == 0
    assert UUID(id_of()).version == 5


def test_manifest_counts_by_split_source_and_reason():
    confirmed = make_item("c", label_source=LabelSource.CONFIRMED, reason="confirmed")
    items = [make_audit("a", stream="door", reason="random"), BOXED, confirmed]
    document = json.loads(manifest_of(*items, include=[LabelSource.CONFIRMED], frozen={"stream:door": Split.TEST}))
    assert document["counts"] == {
        "items": 3,
        "negatives": 2,
        "split": {"test": 1, "train": 2},
        "label_source": {"annotator": 2, "confirmed": 1},
        "reason": {"confirmed": 1, "random": 1, "user_rejected": 1},
    }
    assert document["include"] == ["annotator", "confirmed"]


def test_manifest_names_each_item_with_its_weight():
    document = json.loads(manifest_of(make_audit("a", stream="door"), BOXED, frozen={"stream:door": Split.TEST}))
    assert [(item["sample_id"], item["split"], item["weight"]) for item in document["items"]] == [
        ("a", "test", 10.0),
        ("b", "train", None),
    ]


def test_manifest_keeps_the_salt_to_itself():
    assert b"hush" not in manifest_of(BOXED, salt="hush")


def test_same_content_has_the_same_id_in_any_order():
    assert id_of(make_item("a"), BOXED) == id_of(BOXED, make_item("a"))


def test_order_of_include_changes_nothing():
    sources = [LabelSource.CONFIRMED, LabelSource.AFFIRMED]
    assert id_of(BOXED, include=sources) == id_of(BOXED, include=sources[::-1])


def test_manifest_is_canonical_json():
    text = manifest_of(make_item("a", reason="Prüfung"), BOXED)
    document = json.loads(text)
    assert json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == text


@pytest.mark.parametrize(
    "changed",
    [
        {"annotation": Annotation()},
        {"annotation": Annotation(boxes=(PILL, PILL))},
        {"image_sha256": "e" * 64},
        {"image_extension": ".png"},
        {"annotator": "bob"},
        {"model_version": None},
        {"reason": "empty"},
        {"inclusion_probability": 0.6},
        {"tags": ("night",)},
        {"captured_at": BOXED.captured_at + timedelta(seconds=1)},
    ],
)
def test_another_content_has_another_id(changed):
    other = make_item("b", **{"annotation": BOXED.annotation} | changed)
    assert id_of(other) != id_of(BOXED)


@pytest.mark.parametrize(
    "changed",
    [
        {"format_name": "csv"},
        {"project": "other"},
        {"task": Task.COUNTING},
        {"labels": ["capsule", "pill"]},
        {"include": [LabelSource.CONFIRMED]},
        {"test_share": 0.1},
    ],
)
def test_another_make_of_the_same_items_has_another_id(changed):
    assert id_of(BOXED, **changed) != id_of(BOXED)
