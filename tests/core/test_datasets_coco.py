import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from feedback_sdk.types import Box, Keypoint, Mask, Polygon, Rle, Task
from queue_server.core.annotation import Annotation
from queue_server.core.datasets import LabelSource, Split
from tests.core.datasets_items import (
    MASK,
    PILL,
    TINY,
    TRIANGLE,
    TURNED,
    image_paths,
    make_audit,
    make_data_set,
    make_item,
    written,
)

# pycocotools 2.0.11 decodes masks by an array protocol that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def load(tmp_path):
    """Write the annotations of a data set and read one split with pycocotools."""

    def load(data_set, split="train"):
        path = tmp_path / f"{split}.json"
        path.write_bytes(written(data_set, "coco")[f"annotations/{split}.json"])
        return COCO(path)

    return load


def one(load, *regions, task=Task.DETECTION, **changes):
    """Return the loaded set and its annotations for a single item with these regions."""
    kinds = {Box: "boxes", Polygon: "polygons", Mask: "masks", Keypoint: "keypoints"}
    annotation = Annotation(**{kinds[type(region)]: (region,) for region in regions})
    coco = load(make_data_set([make_item(annotation=annotation, **changes)], task=task))
    return coco, coco.loadAnns(coco.getAnnIds())


def test_no_items_are_three_empty_files(load):
    files = written(make_data_set([]), "coco")
    assert list(files) == ["annotations/train.json", "annotations/val.json", "annotations/test.json"]
    assert load(make_data_set([])).getImgIds() == []


def test_negative_is_an_image_without_annotations(load):
    coco = load(make_data_set([make_item("a"), make_item("b", annotation=Annotation(boxes=(PILL,)))]))
    assert [len(coco.getAnnIds(imgIds=[number])) for number in coco.getImgIds()] == [0, 1]


def test_categories_are_numbered_in_the_order_of_the_labels(load):
    coco = load(make_data_set([], labels=["pill", "capsule"]))
    assert [(category["id"], category["name"]) for category in coco.loadCats([1, 2])] == [(1, "pill"), (2, "capsule")]


def test_box_is_written_by_corner_and_size(load):
    _, [annotation] = one(load, PILL)
    assert annotation["bbox"] == [10.0, 20.0, 40.0, 40.0]
    assert (annotation["area"], annotation["category_id"], annotation["iscrowd"]) == (1600.0, 1, 0)


def test_rotated_box_has_its_enclosing_box_and_keeps_itself(load):
    _, [annotation] = one(load, TURNED)
    reach = 10 * 2**0.5
    assert annotation["bbox"] == pytest.approx([50 - reach, 40 - reach, 2 * reach, 2 * reach])
    assert (annotation["rotation_degrees"], annotation["box"]) == (45.0, [40.0, 30.0, 20.0, 20.0])


@pytest.mark.parametrize(
    ("corners", "bbox"),
    [
        ((-10.0, -10.0, 30.0, 20.0), [0.0, 0.0, 30.0, 20.0]),
        ((90.0, 70.0, 130.0, 95.0), [90.0, 70.0, 10.0, 10.0]),
        ((100.0, 0.0, 130.0, 95.0), None),
        ((-9.0, -9.0, -1.0, -1.0), None),
    ],
)
def test_box_beyond_the_edge_is_clipped_to_the_image(load, corners, bbox):
    x_min, y_min, x_max, y_max = corners
    _, annotations = one(load, Box(label="pill", x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max))
    assert [annotation["bbox"] for annotation in annotations] == ([bbox] if bbox else [])


def test_polygon_becomes_the_mask_that_it_outlines(load):
    coco, [annotation] = one(load, TRIANGLE, task=Task.SEGMENTATION)
    assert (annotation["bbox"], annotation["area"]) == ([0.0, 0.0, 40.0, 30.0], 600.0)
    assert coco.annToMask(annotation).sum() == pytest.approx(600, rel=0.05)


PIXELS = [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
TEXT_COUNTS = coco_mask.encode(np.asfortranarray(PIXELS, dtype=np.uint8))["counts"].decode()


@pytest.mark.parametrize("counts", [MASK.rle.counts, TEXT_COUNTS])
def test_mask_is_what_pycocotools_decodes(load, counts):
    mask = Mask(label="pill", rle=Rle(size=(3, 4), counts=counts))
    coco, [annotation] = one(load, mask, task=Task.SEGMENTATION, **TINY)
    assert coco.annToMask(annotation).tolist() == PIXELS
    run_lengths = coco.annToRLE(annotation)
    assert annotation["bbox"] == coco_mask.toBbox(run_lengths).tolist()
    assert annotation["area"] == coco_mask.area(run_lengths)


def test_mask_without_pixels_is_no_object(load):
    empty = Mask(label="pill", rle=Rle(size=(3, 4), counts=[12]))
    _, annotations = one(load, empty, task=Task.SEGMENTATION, **TINY)
    assert annotations == []


def test_keypoint_is_an_annotation_with_one_point(load):
    coco, [annotation] = one(load, Keypoint(label="capsule", x=3.0, y=4.0), task=Task.KEYPOINTS)
    assert (annotation["keypoints"], annotation["num_keypoints"]) == ([3.0, 4.0, 2], 1)
    assert coco.loadCats([2])[0]["keypoints"] == ["capsule"]


def test_image_carries_its_provenance(load):
    coco, _ = one(load, PILL, tags=("night",), stream="door")
    [image] = coco.loadImgs(coco.getImgIds())
    expected = {"id": 1, "file_name": "61".rjust(64, "0") + ".jpg", "image_sha256": "61".rjust(64, "0")}
    expected |= {"sample_id": "a", "width": 100, "height": 80, "split": "train", "weight": None}
    expected |= {"label_source": "annotator", "annotator": "ann", "model_version": "counter-7"}
    expected |= {"reason": "user_rejected", "inclusion_probability": 0.5, "is_audit": False}
    expected |= {"audit_probability": None, "capture_probability": 1.0, "stands_for": 1}
    expected |= {"captured_at": "2026-11-20T12:00:00Z", "subject": None, "stream": "door", "tags": ["night"]}
    assert image == expected


def test_test_file_holds_the_weighted_draws(load):
    items = [make_audit("a", stream="door"), make_item("b", stream="hall")]
    data_set = make_data_set(items, frozen={"stream:door": Split.TEST, "stream:hall": Split.TRAIN})
    for split, expected in (("test", [("a", 10.0)]), ("train", [("b", None)]), ("val", [])):
        images = load(data_set, split).imgs.values()
        assert [(image["sample_id"], image["weight"]) for image in images] == expected


def test_ids_count_through_all_files(load):
    annotation = Annotation(boxes=(PILL, TURNED))
    items = [make_item(name, stream=name, annotation=annotation) for name in "abcd"]
    frozen = {f"stream:{name}": Split.VALIDATION if name in "bc" else Split.TRAIN for name in "abcd"}
    files = [load(make_data_set(items, frozen=frozen), split) for split in ("train", "val")]
    assert [sorted(coco.imgs) for coco in files] == [[1, 4], [2, 3]]
    assert sorted([*files[0].anns, *files[1].anns]) == list(range(1, 9))
    assert all(annotation["image_id"] in coco.imgs for coco in files for annotation in coco.anns.values())


def test_same_image_of_two_samples_is_stored_once():
    items = [make_item(name, image_sha256="f" * 64) for name in "ab"]
    files = written(make_data_set(items), "coco")
    assert image_paths(files) == [f"images/{'f' * 64}.jpg"]
    names = [image["file_name"] for image in json.loads(files["annotations/train.json"])["images"]]
    assert names == [f"{'f' * 64}.jpg"] * 2


def found(coco, kind):
    """Return the truth as the answer of a perfect model, in the form of results."""
    results = []
    for annotation in coco.anns.values():
        answer = coco.annToRLE(annotation) if kind == "segmentation" else annotation[kind]
        results.append({"image_id": annotation["image_id"], "category_id": annotation["category_id"], kind: answer})
    return [result | {"score": 0.9} for result in results]


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Annotation(boxes=(PILL, TURNED)), "bbox"),
        (Annotation(polygons=(TRIANGLE,)), "segmentation"),
    ],
)
def test_evaluation_takes_the_export_as_truth(load, annotation, kind):
    affirmed = make_item("b", label_source=LabelSource.AFFIRMED)
    items = [make_item("a", annotation=annotation), affirmed, make_item("c")]
    truth = load(make_data_set(items, task=Task.SEGMENTATION, include=[LabelSource.AFFIRMED]))
    evaluation = COCOeval(truth, truth.loadRes(found(truth, kind)), "segm" if kind == "segmentation" else kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert len(evaluation.stats) == 12
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_evaluation_counts_a_missed_object(load):
    truth, _ = one(load, PILL, TRIANGLE)
    evaluation = COCOeval(truth, truth.loadRes(found(truth, "bbox")[:1]), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(0.5)
