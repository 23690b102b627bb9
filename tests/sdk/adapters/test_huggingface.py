"""The lists of Hugging Face's pipelines, written out, and from real models with random weights."""

import numpy as np
import pytest
from PIL import Image

from feedback_sdk.adapters import huggingface, prediction_of
from feedback_sdk.errors import ValidationError
from feedback_sdk.types import Task
from tests.sdk.adapters.packages import real

BOX = {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}
NAMES = {0: "pill", 1: "cap", 2: "none"}
IMAGE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def made(result, **options):
    return huggingface.prediction(result, model_version="v1", **options)


def white(left, top, right, bottom):
    mask = Image.new("L", (8, 6))
    mask.paste(255, (left, top, right, bottom))
    return mask


def test_boxes_are_read_by_their_names():
    box = made([{"score": 0.9, "label": "a red pill", "box": BOX}], image_size=(8, 6)).boxes[0]
    assert (box.label, box.confidence, box.x_min, box.y_min, box.x_max, box.y_max) == ("a red pill", 0.9, 1, 2, 3, 4)


def test_a_box_rounded_to_nothing_is_left_out():
    assert made([{"score": 0.9, "label": "pill", "box": {**BOX, "xmax": 1}}]).boxes == ()


def test_masks_bring_the_images_size_and_empty_ones_are_left_out():
    items = [
        {"score": 0.9, "label": "pill", "mask": white(1, 1, 4, 5)},
        {"score": 1, "label": "x", "mask": white(0, 0, 0, 0)},
    ]
    found = made(items)
    assert (found.task, found.image_size, [mask.label for mask in found.masks]) == (Task.SEGMENTATION, (8, 6), ["pill"])


def test_a_mask_as_an_array_is_the_same():
    item = {"score": 0.9, "label": "pill", "mask": white(1, 1, 4, 5)}
    assert made([item]) == made([{**item, "mask": np.asarray(item["mask"])}])


def test_a_semantic_segmentation_has_no_scores():
    assert made([{"score": None, "label": "road", "mask": white(0, 0, 8, 3)}]).masks[0].confidence is None


def test_scores_of_labels_are_a_classification():
    found = made([{"label": "cat", "score": 0.7}, {"label": "dog", "score": 0.2}])
    assert (found.task, found.classes) == (Task.CLASSIFICATION, {"cat": 0.7, "dog": 0.2})


def test_a_model_without_names_gets_the_labels():
    assert made([{"label": "LABEL_1", "score": 0.7}], labels=["cat", "dog"]).classes == {"dog": 0.7}


@pytest.mark.parametrize(("task", "field"), [("segmentation", "masks"), ("detection", "boxes"), (None, "boxes")])
def test_an_empty_list_is_what_the_task_says(task, field):
    assert getattr(made([], task=task), field) == ()


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([{"label": "a", "box": BOX}, {"label": "a"}], "each item must have a box, got .* at 1"),
        ([{"label": "a"}], "each item must have a score"),
        ([{"label": "a", "box": {"xmin": 1}}], "boxes.0 must be a mapping of xmin, ymin, xmax, ymax"),
        ([{"label": "a", "box": [1, 2, 3, 4]}], "boxes.0 must be a mapping"),
        ([{"label": "a", "score": 1.5}], "classes.a must be <= 1.0, got 1.5"),
        ([{"label": "a", "score": None}], "scores must be numbers"),
    ],
)
def test_what_no_pipeline_returns_is_refused(items, message):
    with pytest.raises(ValidationError, match=message):
        made(items)


def run(task, *, model, config, processor, **options):
    """Run a pipeline with a tiny model of random weights."""
    transformers, torch = real("transformers"), real("torch")
    pipeline = real("transformers.pipelines").pipeline
    torch.manual_seed(1)
    named = {"id2label": NAMES, "label2id": {name: number for number, name in NAMES.items()}}
    sizes = getattr(transformers, f"{config}Config")(**named, **options)
    size = {"height": 32, "width": 32}
    reader = getattr(transformers, processor)(size=size)
    return pipeline(task, model=getattr(transformers, model)(sizes).eval(), image_processor=reader)


TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def test_a_real_classification_is_read():
    options = {**TINY, "image_size": 32, "patch_size": 8}
    model = "ViTForImageClassification"
    run_on = run("image-classification", model=model, config="ViT", processor="ViTImageProcessorPil", **options)
    classes = prediction_of(run_on(IMAGE), model_version="v1").classes
    assert set(classes) == set(NAMES.values())
    assert sum(classes.values()) == pytest.approx(1.0, abs=1e-5)


def test_a_real_detection_is_read():
    options = {**TINY, "image_size": [32, 32], "patch_size": 8, "num_detection_tokens": 5}
    model = "YolosForObjectDetection"
    run_on = run("object-detection", model=model, config="Yolos", processor="YolosImageProcessorPil", **options)
    found = prediction_of(run_on(IMAGE, threshold=0.0), model_version="v1", image_size=IMAGE.size)
    assert 0 < len(found.boxes) <= 5
    assert prediction_of(run_on(IMAGE, threshold=1.0), model_version="v1").boxes == ()


def test_a_real_segmentation_is_read():
    layers = {"depths": [1] * 4, "hidden_sizes": [8] * 4, "num_attention_heads": [1] * 4, "decoder_hidden_size": 8}
    model, processor = "SegformerForSemanticSegmentation", "SegformerImageProcessorPil"
    run_on = run("image-segmentation", model=model, config="Segformer", processor=processor, **layers)
    items = run_on(IMAGE)
    found = prediction_of(items, model_version="v1")
    assert found.image_size == IMAGE.size
    assert [mask.label for mask in found.masks] == [item["label"] for item in items]
